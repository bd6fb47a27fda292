//! Sites: how they are reached, who may use them, how much at once, and what keeps machines from serving
//! twice.

use std::collections::{BTreeMap, BTreeSet};

use drover_api::{
    Fabric, Fencing, FencingMethod, Maintenance, OnStopTimeout, Site, SiteLimits, SiteSpec, Tenant,
};
use serde_json::Value;

use super::codes::{
    FABRIC_CHANGED, FENCING_CHANGED, INVENTORY_CHANGED, LIMITS_CHANGED, MAINTENANCE_CHANGED,
    TENANTS_CHANGED, TIME_ZONE_CHANGED,
};
use super::lists::{same_selector, selector_words};
use super::meaning::{Class, Meaning};
use super::settings;
use super::sheet::{Changed, Sheet, harmless, if_less, if_more};
use super::sides::{Pair, Sides, pairs};
use super::words::{for_number, names};
use crate::declared::{ByName, Declared};
use crate::problem::FieldPath;

const KIND: &str = "Site";

pub(super) fn review(sides: &Sides<'_>, out: &mut Vec<Meaning>) {
    let all = pairs(
        &by_name(sides.before.declared),
        &by_name(sides.after.declared),
    );
    settings::come_and_go(KIND, &all, |site| &site.spec, out);
    for (key, pair) in all {
        if let Pair::Both(old, new) = &pair {
            let mut sheet = Sheet::new(out, pair.subject(KIND, key));
            compare(&mut sheet, &old.object.spec, &new.object.spec);
        }
    }
}

/// Sites have no namespace.
fn by_name<'a>(declared: &Declared<'a>) -> ByName<'a, Site> {
    let sites = declared.sites.iter();
    sites.map(|(name, site)| (("", *name), *site)).collect()
}

fn compare(sheet: &mut Sheet<'_>, before: &SiteSpec, after: &SiteSpec) {
    if before == after {
        return;
    }
    let SiteSpec {
        fabric,
        tenants,
        limits,
        time_zone,
        maintenance,
        fencing,
    } = before;
    connection(sheet, fabric, &after.fabric);
    inventory(sheet, fabric, &after.fabric);
    self::tenants(sheet, tenants, &after.tenants);
    self::limits(sheet, limits, &after.limits);
    sheet.change(
        Changed {
            code: TIME_ZONE_CHANGED,
            path: FieldPath::spec("timeZone"),
            before: time_zone,
            after: &after.time_zone,
        },
        harmless,
        |before, after| format!("its windows are read in {after} instead of {before}"),
    );
    self::maintenance(sheet, maintenance.as_ref(), after.maintenance.as_ref());
    self::fencing(sheet, fencing, &after.fencing);
}

fn connection(sheet: &mut Sheet<'_>, before: &Fabric, after: &Fabric) {
    let path = || FieldPath::spec("fabric");
    if before.driver() != after.driver() {
        let (old, new) = (before.driver(), after.driver());
        let message = format!("is {new} instead of {old}: another site under the same name");
        sheet
            .say(FABRIC_CHANGED, Class::LosesProtection, path(), message)
            .values(Some(old), Some(new))
            .effect("its machines and copies are not there");
        return;
    }
    let changes = settings::differences(&canonical(before), &canonical(after));
    if changes.is_empty() {
        return;
    }
    sheet
        .say(
            FABRIC_CHANGED,
            Class::WeakensSafety,
            path(),
            "is reached in another way",
        )
        .effects(changes);
}

/// What says where a site is: without its machines, and with names in one case where the system does not
/// tell them apart.
fn canonical(fabric: &Fabric) -> Value {
    let mut value = serde_json::to_value(fabric).unwrap_or_default();
    let lower: &[&str] = match fabric {
        Fabric::Azure(_) => &["subscriptionId", "region", "resourceGroup"],
        Fabric::Vsphere(_) => &["server"],
        Fabric::Hyperv(_) => &["server", "cloud"],
        _ => &[],
    };
    for arm in value
        .as_object_mut()
        .into_iter()
        .flatten()
        .map(|(_, arm)| arm)
    {
        if let Some(fields) = arm.as_object_mut() {
            fields.remove("machines");
            fields.remove("servers");
            if let Some(Value::Array(hosts)) = fields.get_mut("hosts") {
                hosts.sort_by_key(ToString::to_string);
            }
        }
        lowered(arm, lower);
    }
    value
}

fn lowered(value: &mut Value, names: &[&str]) {
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    for (name, value) in fields {
        match value {
            Value::String(text) if names.contains(&name.as_str()) => *text = text.to_lowercase(),
            other => lowered(other, names),
        }
    }
}

/// Machines that a simulated or physical site lists. What their labels change is said of the groups that
/// select them, and what their times change is said of the plans.
fn inventory(sheet: &mut Sheet<'_>, before: &Fabric, after: &Fabric) {
    let (old, new) = (machines(before), machines(after));
    let (old_names, new_names): (BTreeSet<&str>, BTreeSet<&str>) =
        (old.keys().copied().collect(), new.keys().copied().collect());
    let path = || FieldPath::spec("fabric");
    let gone: Vec<&str> = old_names.difference(&new_names).copied().collect();
    let come: Vec<&str> = new_names.difference(&old_names).copied().collect();
    if !come.is_empty() {
        let message = format!(
            "lists {} more: {}",
            for_number(come.len(), "a machine", "machines"),
            names(&come)
        );
        sheet.say(INVENTORY_CHANGED, Class::Harmless, path(), message);
    }
    if !gone.is_empty() {
        let message = format!("no longer lists {}", names(&gone));
        sheet.say(INVENTORY_CHANGED, Class::Harmless, path(), message);
    }
    let moved: Vec<&str> = old
        .iter()
        .filter(|(name, what)| new.get(*name).is_some_and(|now| now != *what))
        .map(|(name, _)| *name)
        .collect();
    if !moved.is_empty() {
        let message = format!("says something else of {}", names(&moved));
        let effects = moved.iter().take(super::words::SHOWN).map(|name| {
            let (old, new) = (old.get(name), new.get(name));
            settings::differences(&old, &new).join(", ")
        });
        let effects: Vec<String> = effects.collect();
        sheet
            .say(INVENTORY_CHANGED, Class::Harmless, path(), message)
            .effects(effects);
    }
}

/// What a site lists of each machine, but for its labels.
fn machines(fabric: &Fabric) -> BTreeMap<&str, Value> {
    let of = |what: serde_json::Result<Value>| {
        let mut what = what.unwrap_or_default();
        if let Some(fields) = what.as_object_mut() {
            fields.remove("labels");
            fields.remove("name");
            // A length of time is what it says, however it is written.
            for time in ["bootTime", "shutdownTime"] {
                if let Some(Value::String(text)) = fields.get_mut(time)
                    && let Ok(length) = text.parse::<drover_api::value::Duration>()
                {
                    *text =
                        drover_api::value::Duration::from_millis(length.as_millis()).to_string();
                }
            }
        }
        what
    };
    match fabric {
        Fabric::Simulator(simulator) => {
            let machines = simulator.machines.iter();
            machines
                .map(|machine| (machine.name.as_str(), of(serde_json::to_value(machine))))
                .collect()
        }
        Fabric::Physical(physical) => {
            let servers = physical.servers.iter();
            servers
                .map(|server| (server.name.as_str(), of(serde_json::to_value(server))))
                .collect()
        }
        _ => BTreeMap::new(),
    }
}

fn tenants(sheet: &mut Sheet<'_>, before: &[Tenant], after: &[Tenant]) {
    let same = |one: &Tenant, other: &Tenant| {
        let Tenant {
            namespace_selector,
            inventory_selector,
        } = one;
        same_selector(Some(namespace_selector), Some(&other.namespace_selector))
            && same_selector(Some(inventory_selector), Some(&other.inventory_selector))
    };
    let missing = |from: &[Tenant], of: &[Tenant]| -> Vec<String> {
        let gone = of
            .iter()
            .filter(|one| !from.iter().any(|other| same(one, other)));
        gone.map(words).collect()
    };
    let path = || FieldPath::spec("tenants");
    for tenant in missing(before, after) {
        let message = format!("may now be used by {tenant}");
        sheet.say(TENANTS_CHANGED, Class::WeakensSafety, path(), message);
    }
    for tenant in missing(after, before) {
        let message = format!("may no longer be used by {tenant}");
        sheet.say(TENANTS_CHANGED, Class::LosesProtection, path(), message);
    }
}

fn words(tenant: &Tenant) -> String {
    let who = match &tenant.namespace_selector {
        all if all.is_everything() => "every namespace".to_owned(),
        some => format!("namespaces with {}", selector_words(Some(some))),
    };
    let what = match &tenant.inventory_selector {
        all if all.is_everything() => "every machine".to_owned(),
        some => format!("machines with {}", selector_words(Some(some))),
    };
    format!("{who}: {what}")
}

fn limits(sheet: &mut Sheet<'_>, before: &SiteLimits, after: &SiteLimits) {
    let SiteLimits {
        concurrent_starts,
        concurrent_stops,
        concurrent_copies,
    } = before;
    let all = [
        (
            "concurrentStarts",
            "start",
            concurrent_starts,
            &after.concurrent_starts,
        ),
        (
            "concurrentStops",
            "stop",
            concurrent_stops,
            &after.concurrent_stops,
        ),
        (
            "concurrentCopies",
            "be copied in full",
            concurrent_copies,
            &after.concurrent_copies,
        ),
    ];
    for (field, what, before, after) in all {
        sheet.change(
            Changed {
                code: LIMITS_CHANGED,
                path: FieldPath::spec("limits").field(field),
                before,
                after,
            },
            if_less(Class::WorsensObjectives),
            |before, after| format!("{after} machines may {what} at once instead of {before}"),
        );
    }
}

fn maintenance(sheet: &mut Sheet<'_>, before: Option<&Maintenance>, after: Option<&Maintenance>) {
    if before == after {
        return;
    }
    let path = FieldPath::spec("maintenance");
    let until = |maintenance: &Maintenance| {
        let Maintenance { reason, until } = maintenance;
        match until {
            Some(until) => format!("{reason}, until {until}"),
            None => reason.clone(),
        }
    };
    let (old, new) = (before.map(until), after.map(until));
    let (class, message) = match (before, after) {
        (_, Some(_)) if before.is_none() => (
            Class::WeakensSafety,
            format!("is under maintenance ({})", new.clone().unwrap_or_default()),
        ),
        (_, Some(_)) => (
            Class::Harmless,
            format!(
                "its maintenance is another ({})",
                new.clone().unwrap_or_default()
            ),
        ),
        (_, None) => (Class::WouldRun, "its maintenance ends".to_owned()),
    };
    let effect = if after.is_some() {
        "everything automatic is held for this site"
    } else {
        "what was held for it begins"
    };
    sheet
        .say(MAINTENANCE_CHANGED, class, path, message)
        .values(old, new)
        .effect(effect);
}

fn fencing(sheet: &mut Sheet<'_>, before: &Fencing, after: &Fencing) {
    let Fencing {
        method,
        stop_timeout,
        on_stop_timeout,
    } = before;
    let path = || FieldPath::spec("fencing");
    if *method != after.method {
        let (class, message) = match after.method {
            FencingMethod::None => (
                Class::WeakensSafety,
                "machines that cannot be stopped are no longer fenced".to_owned(),
            ),
            other => (
                Class::Harmless,
                format!(
                    "machines that cannot be stopped are fenced by {}",
                    by(other)
                ),
            ),
        };
        sheet
            .say(FENCING_CHANGED, class, path().field("method"), message)
            .values(Some(by(*method)), Some(by(after.method)));
    }
    sheet.change(
        Changed {
            code: FENCING_CHANGED,
            path: path().field("stopTimeout"),
            before: stop_timeout,
            after: &after.stop_timeout,
        },
        if_more(Class::WorsensObjectives),
        |before, after| format!("a stop counts as failed after {after} instead of {before}"),
    );
    if *on_stop_timeout != after.on_stop_timeout {
        let (class, message) = match after.on_stop_timeout {
            OnStopTimeout::Fence => (
                Class::WeakensSafety,
                "a machine that does not shut down in time is fenced: what it had only in memory is gone",
            ),
            OnStopTimeout::Halt => (
                Class::Harmless,
                "a run halts at a machine that does not shut down in time",
            ),
        };
        let path = path().field("onStopTimeout");
        sheet.say(FENCING_CHANGED, class, path, message);
    }
}

fn by(method: FencingMethod) -> &'static str {
    match method {
        FencingMethod::None => "nothing",
        FencingMethod::Power => "power",
        FencingMethod::Storage => "storage",
        FencingMethod::Network => "network",
    }
}
