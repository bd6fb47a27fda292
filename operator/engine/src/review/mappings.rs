//! Network mappings: where machines come up, and what becomes of their addresses (NM-1 to NM-3).

use std::collections::BTreeMap;

use drover_api::common::SiteRole;
use drover_api::{AddressRule, NetworkMappingSpec, NetworkPair, ProtectionGroupSpec, SiteNetwork};

use super::codes::{
    ADDRESS_RULE_CHANGED, CANNOT_BE_CHANGED, NETWORK_ADDED, NETWORK_CHANGED, NETWORK_REMOVED,
    TEST_NETWORK_CHANGED,
};
use super::meaning::{Class, Meaning};
use super::settings;
use super::sheet::Sheet;
use super::sides::{Key, Pair, Sides, View, pairs};
use super::words::{count, names, or};
use crate::problem::FieldPath;

const KIND: &str = "NetworkMapping";

pub(super) fn review(sides: &Sides<'_>, out: &mut Vec<Meaning>) {
    let (before, after) = (
        &sides.before.declared.mappings,
        &sides.after.declared.mappings,
    );
    let all = pairs(before, after);
    settings::come_and_go(KIND, &all, |mapping| &mapping.spec, out);
    for (key, pair) in all {
        if let Pair::Both(old, new) = &pair {
            let sheet = Sheet::new(out, pair.subject(KIND, key));
            compare(sides, key, sheet, &old.object.spec, &new.object.spec);
        }
    }
}

fn compare(
    sides: &Sides<'_>,
    key: Key<'_>,
    mut sheet: Sheet<'_>,
    before: &NetworkMappingSpec,
    after: &NetworkMappingSpec,
) {
    if before == after {
        return;
    }
    let NetworkMappingSpec { sites, networks } = before;
    if *sites != after.sites {
        sheet.say(
            CANNOT_BE_CHANGED,
            Class::Refused,
            FieldPath::spec("sites"),
            "the sites of a mapping cannot be changed: make a new one",
        );
    }
    let old: BTreeMap<&str, &NetworkPair> = by_name(networks);
    for (position, new) in after.networks.iter().enumerate() {
        let path = FieldPath::spec("networks").index(position);
        let name = new.name.as_str();
        sheet.affected = affected(&sides.after, key, name);
        sheet.idle = sheet.affected.is_empty();
        if let Some(old) = old.get(name) {
            network(&mut sheet, &path, sites, old, new);
        } else {
            let (primary, secondary) = (&new.primary.network, &new.secondary.network);
            let message = format!("network {name} is new: {primary} ↔ {secondary}");
            sheet.say(NETWORK_ADDED, Class::Harmless, path, message);
        }
    }
    let still = by_name(&after.networks);
    for name in old.keys().filter(|name| !still.contains_key(*name)) {
        sheet.affected = affected(&sides.before, key, name);
        sheet.idle = sheet.affected.is_empty();
        let message = format!("network {name} is no longer mapped");
        sheet.say(
            NETWORK_REMOVED,
            Class::WeakensSafety,
            FieldPath::spec("networks"),
            message,
        );
    }
}

fn by_name(networks: &[NetworkPair]) -> BTreeMap<&str, &NetworkPair> {
    networks
        .iter()
        .map(|pair| (pair.name.as_str(), pair))
        .collect()
}

/// Whom a change of one network is about; empty where nobody is on it.
fn affected(view: &View<'_>, key: Key<'_>, alias: &str) -> Vec<String> {
    let goes_by = |spec: &ProtectionGroupSpec| {
        let reference = spec.network_mapping_ref.as_ref();
        reference.is_some_and(|reference| reference.name.as_str() == key.1)
    };
    let on_it = view
        .groups_where(key.0, goes_by)
        .into_iter()
        .filter_map(|(group, _)| {
            let members = view.members().get(&(key.0, group))?;
            let of =
                |nics: &[drover_api::Nic]| nics.iter().any(|nic| nic.network.as_str() == alias);
            let known = members
                .known
                .iter()
                .filter(|member| of(member.nics))
                .count();
            let spec = &view.declared.groups.get(&(key.0, group))?.object.spec;
            let may_be = spec
                .member_settings
                .iter()
                .any(|settings| of(&settings.nics));
            (known > 0 || may_be).then_some((group, known))
        });
    let (groups, machines): (Vec<&str>, Vec<usize>) = on_it.unzip();
    if groups.is_empty() {
        return Vec::new();
    }
    let machines = count(machines.iter().sum(), "machine");
    vec![format!("for {machines} of {}", names(&groups))]
}

fn network(
    sheet: &mut Sheet<'_>,
    path: &FieldPath,
    sites: &drover_api::common::SitePair,
    before: &NetworkPair,
    after: &NetworkPair,
) {
    let NetworkPair {
        name,
        primary: _,
        secondary: _,
        test: _,
        addresses,
    } = before;
    for role in [SiteRole::Primary, SiteRole::Secondary] {
        let site = sites.at(role);
        let (old, new) = (before.at(role), after.at(role));
        if old != new {
            let (old, new) = (network_words(old), network_words(new));
            let message = format!("on {name} machines are on {new} at {site} instead of {old}");
            sheet
                .say(
                    NETWORK_CHANGED,
                    Class::Harmless,
                    path.clone().field(role.as_str()),
                    message,
                )
                .values(Some(old), Some(new));
        }
        let (old, new) = (before.test_at(role), after.test_at(role));
        if old != new {
            let (class, message) = match new {
                Some(new) => (
                    Class::Harmless,
                    format!(
                        "drills at {site} put {name} on {new} instead of {}",
                        or(old, "nothing")
                    ),
                ),
                None => (
                    Class::WeakensSafety,
                    format!(
                        "drills at {site} have no isolated network for {name}: they cannot run"
                    ),
                ),
            };
            sheet
                .say(
                    TEST_NETWORK_CHANGED,
                    class,
                    path.clone().field("test"),
                    message,
                )
                .values(old, new);
        }
    }
    if *addresses != after.addresses {
        let subnet = before.primary.subnet.as_ref();
        let what = subnet.map_or_else(|| format!("on {name}"), |subnet| format!("of {subnet}"));
        let message = match after.addresses {
            AddressRule::Keep => format!("addresses {what} are kept: the whole subnet must move"),
            AddressRule::Assign => {
                format!("addresses {what} are those that the groups declare for each site")
            }
            AddressRule::Dynamic => format!("addresses {what} are what DHCP chooses"),
        };
        sheet
            .say(
                ADDRESS_RULE_CHANGED,
                Class::Harmless,
                path.clone().field("addresses"),
                message,
            )
            .values(Some(rule(*addresses)), Some(rule(after.addresses)));
    }
}

fn network_words(network: &SiteNetwork) -> String {
    let SiteNetwork { network, subnet } = network;
    match subnet {
        Some(subnet) => format!("{network} ({subnet})"),
        None => network.to_string(),
    }
}

fn rule(rule: AddressRule) -> &'static str {
    match rule {
        AddressRule::Keep => "Keep",
        AddressRule::Assign => "Assign",
        AddressRule::Dynamic => "Dynamic",
    }
}
