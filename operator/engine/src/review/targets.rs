//! What machines become at each site: interfaces, addresses, disks, sizes (NM-2, FB-8).

use std::collections::BTreeMap;

use drover_api::common::SiteRole;
use drover_api::value::{Address, MachineName, Quantity};
use drover_api::{MemberSettings, Nic, ProtectionGroupSpec, SiteTargetSettings, TargetSettings};
use serde_json::Value;

use super::codes::{
    ADDRESSES_CHANGED, EXCLUDED_DISKS_CHANGED, MEMBER_SETTINGS_CHANGED, NICS_CHANGED,
    TARGET_SETTINGS_CHANGED,
};
use super::lists::same_set;
use super::meaning::Class;
use super::settings;
use super::sheet::Sheet;
use super::sides::{Key, Sides};
use super::words::names;
use crate::members::{Member, Origin};
use crate::problem::FieldPath;

/// What is different about the machines that were members and still are.
pub(super) fn compare(
    sheet: &mut Sheet<'_>,
    sides: &Sides<'_>,
    key: Key<'_>,
    before: &ProtectionGroupSpec,
    after: &ProtectionGroupSpec,
) {
    let changes = settings_words(
        before.target_settings.as_ref(),
        after.target_settings.as_ref(),
    );
    if !changes.is_empty() {
        sheet
            .say(
                TARGET_SETTINGS_CHANGED,
                Class::Harmless,
                FieldPath::spec("targetSettings"),
                "its machines become something else, unless they say otherwise themselves",
            )
            .effects(changes);
    }
    let same = before.machines == after.machines && before.member_settings == after.member_settings;
    let same_inventory = before.selector.is_none() && after.selector.is_none();
    if same && same_inventory {
        return;
    }
    let (Some(old), Some(new)) = (
        sides.before.members().get(&key),
        sides.after.members().get(&key),
    ) else {
        return;
    };
    if (old.open || new.open) && before.member_settings != after.member_settings {
        selected(sheet, &before.member_settings, &after.member_settings);
    }
    let old: BTreeMap<&MachineName, &Member<'_>> = old
        .known
        .iter()
        .map(|member| (member.name, member))
        .collect();
    let mut said = Said::default();
    for member in &new.known {
        let Some(before_it) = old.get(member.name) else {
            continue;
        };
        said.member(
            before_it,
            member,
            &disks(before, before_it),
            &disks(after, member),
        );
    }
    said.tell(sheet);
}

/// Settings for machines that a selector finds, where nobody knows who they are.
fn selected(sheet: &mut Sheet<'_>, before: &[MemberSettings], after: &[MemberSettings]) {
    let path = FieldPath::spec("memberSettings");
    let changes = match (before, after) {
        ([one], [other]) => settings::differences(one, other),
        _ => Vec::new(),
    };
    sheet
        .say(
            MEMBER_SETTINGS_CHANGED,
            Class::Harmless,
            path,
            "settings of the machines that its selector finds change",
        )
        .effects(changes);
}

/// Only listed members have disks that are left out.
fn disks(group: &ProtectionGroupSpec, member: &Member<'_>) -> Vec<String> {
    match member.origin {
        Origin::Listed(at) => group
            .machines
            .get(at)
            .map(|listed| listed.excluded_disks.clone()),
        Origin::Selected(_) => None,
    }
    .unwrap_or_default()
}

/// What changes, with the machines that it changes for: a thousand of them may say the same.
#[derive(Default)]
struct Said<'a> {
    by_change: BTreeMap<Change, Vec<(&'a MachineName, Origin)>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Nics(String),
    Addresses(String),
    DisksOut(Vec<String>),
    DisksIn(Vec<String>),
    Target(Vec<String>),
}

impl<'a> Said<'a> {
    fn member(
        &mut self,
        before: &Member<'a>,
        after: &Member<'a>,
        old_disks: &[String],
        new_disks: &[String],
    ) {
        let mut say = |change| {
            let who = (after.name, after.origin);
            self.by_change.entry(change).or_default().push(who);
        };
        let networks = |nics: &[Nic]| -> Vec<String> {
            nics.iter().map(|nic| nic.network.to_string()).collect()
        };
        let (old, new) = (networks(before.nics), networks(after.nics));
        if old != new {
            let words = |networks: &[String]| match networks {
                [] => "no network".to_owned(),
                networks => networks.join(", "),
            };
            say(Change::Nics(format!(
                "on {} instead of {}",
                words(&new),
                words(&old)
            )));
        }
        for (old, new) in before.nics.iter().zip(after.nics) {
            for role in [SiteRole::Primary, SiteRole::Secondary] {
                let (old, now) = (addresses(old, role), addresses(new, role));
                if old != now {
                    let (old, now) = (list(old), list(now));
                    let (network, site) = (&new.network, role.as_str());
                    say(Change::Addresses(format!(
                        "on {network} at the {site} site {now} instead of {old}"
                    )));
                }
            }
        }
        if !same_set(old_disks, new_disks) {
            let only = |of: &[String], not: &[String]| -> Vec<String> {
                of.iter()
                    .filter(|disk| !not.contains(disk))
                    .cloned()
                    .collect()
            };
            let (out, back) = (only(new_disks, old_disks), only(old_disks, new_disks));
            if !out.is_empty() {
                say(Change::DisksOut(out));
            }
            if !back.is_empty() {
                say(Change::DisksIn(back));
            }
        }
        let target = settings_words(before.target_settings, after.target_settings);
        if !target.is_empty() {
            say(Change::Target(target));
        }
    }

    fn tell(self, sheet: &mut Sheet<'_>) {
        for (change, who) in self.by_change {
            let machines: Vec<&MachineName> = who.iter().map(|(name, _)| *name).collect();
            let (names, is) = (names(&machines), super::words::are(machines.len()));
            let path = who
                .first()
                .map_or_else(FieldPath::name, |(_, origin)| written(*origin));
            match change {
                Change::Nics(what) => {
                    sheet.say(
                        NICS_CHANGED,
                        Class::Harmless,
                        path,
                        format!("{names} {is} {what}"),
                    );
                }
                Change::Addresses(what) => {
                    let has = super::words::for_number(machines.len(), "has", "have");
                    let message = format!("{names} {has} {what}");
                    sheet.say(ADDRESSES_CHANGED, Class::Harmless, path, message);
                }
                Change::DisksOut(disks) => {
                    let message = format!(
                        "{} of {names} {} no longer replicated",
                        super::words::names(&disks),
                        super::words::are(disks.len())
                    );
                    sheet.say(
                        EXCLUDED_DISKS_CHANGED,
                        Class::LosesProtection,
                        path,
                        message,
                    );
                }
                Change::DisksIn(disks) => {
                    let message = format!(
                        "{} of {names} {} replicated",
                        super::words::names(&disks),
                        super::words::are(disks.len())
                    );
                    sheet.say(EXCLUDED_DISKS_CHANGED, Class::Harmless, path, message);
                }
                Change::Target(changes) => {
                    let message = format!(
                        "{names} {} something else",
                        super::words::for_number(machines.len(), "becomes", "become")
                    );
                    sheet
                        .say(TARGET_SETTINGS_CHANGED, Class::Harmless, path, message)
                        .effects(changes);
                }
            }
        }
    }
}

fn written(origin: Origin) -> FieldPath {
    match origin {
        Origin::Listed(at) => FieldPath::spec("machines").index(at),
        Origin::Selected(Some(at)) => FieldPath::spec("memberSettings").index(at),
        Origin::Selected(None) => FieldPath::spec("selector"),
    }
}

fn addresses(nic: &Nic, role: SiteRole) -> &[Address] {
    let addresses = nic.addresses.as_ref();
    addresses.map_or(&[], |addresses| addresses.at(role))
}

fn list(addresses: &[Address]) -> String {
    match addresses {
        [] => "no address".to_owned(),
        addresses => names(addresses),
    }
}

/// What is different between two settings of machines at their sites.
fn settings_words(
    before: Option<&SiteTargetSettings>,
    after: Option<&SiteTargetSettings>,
) -> Vec<String> {
    if before == after {
        return Vec::new();
    }
    let mut words = Vec::new();
    for role in [SiteRole::Primary, SiteRole::Secondary] {
        let of = |settings: Option<&SiteTargetSettings>| {
            let SiteTargetSettings { primary, secondary } = settings?.clone();
            match role {
                SiteRole::Primary => primary,
                SiteRole::Secondary => secondary,
            }
        };
        let (old, new) = (canonical(of(before)), canonical(of(after)));
        let changes = settings::differences(&old, &new);
        words.extend(
            changes
                .into_iter()
                .map(|change| format!("{} site: {change}", role.as_str())),
        );
    }
    words
}

/// Memory is what it says, however it is written; clouds do not tell the case of sizes apart.
fn canonical(settings: Option<TargetSettings>) -> Value {
    let Some(settings) = settings else {
        return Value::Object(serde_json::Map::new());
    };
    let TargetSettings { memory, size, .. } = &settings;
    let mut value = serde_json::to_value(&settings).unwrap_or_default();
    if let Some(memory) = memory {
        value["memory"] = Value::String(Quantity::from_bytes(memory.bytes()).to_string());
    }
    if let Some(size) = size {
        value["size"] = Value::String(size.to_lowercase());
    }
    value
}
