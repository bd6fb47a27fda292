//! Interfaces and the mapping of their networks (NM-1, NM-5).

use std::collections::{BTreeMap, BTreeSet};

use drover_api::common::SiteRole;
use drover_api::value::NetworkName;

use super::codes::{MAPPING_FOR_OTHER_SITES, MAPPING_MISSING, UNMAPPED_NETWORK};
use super::context::{Context, Group, Mapping};
use super::words::{SHOWN, quoted, some_of};
use crate::members::Origin;
use crate::problem::{FieldPath, Problem};

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    for group in &context.groups {
        match group.mapping {
            Some(mapping) => {
                let mapping = &context.mappings[mapping];
                of_mapping(group, mapping, problems);
                declared(context, group, mapping, problems);
                found(context, group, mapping, problems);
            }
            // A mapping that is named and not there is told already.
            None if group.spec.network_mapping_ref.is_none() => missing(group, problems),
            None => {}
        }
    }
}

fn of_mapping(group: &Group<'_>, mapping: &Mapping<'_>, problems: &mut Vec<Problem>) {
    let (own, other) = (&group.spec.sites, &mapping.spec.sites);
    if own == other {
        return;
    }
    let message = format!(
        "NetworkMapping `{}` is for `{}` and `{}`, this group is for `{}` and `{}`",
        mapping.name, other.primary, other.secondary, own.primary, own.secondary
    );
    let swapped = own.primary == other.secondary && own.secondary == other.primary;
    let hint = if swapped {
        "the roles are swapped: declare a mapping whose primary site is this group's; a mapping \
         works in both directions"
    } else {
        "name a mapping of these two sites"
    };
    let path = FieldPath::spec("networkMappingRef").field("name");
    problems.push(
        Problem::error(MAPPING_FOR_OTHER_SITES, group.object, path, message)
            .hint(hint)
            .related(
                mapping.object,
                FieldPath::spec("sites"),
                "the sites of the mapping",
            ),
    );
}

/// Networks that are written: every alias is a pair of the mapping.
fn declared(
    context: &Context<'_>,
    group: &Group<'_>,
    mapping: &Mapping<'_>,
    problems: &mut Vec<Problem>,
) {
    for (place, nic) in group.nics() {
        if mapping.pair(&nic.network).is_some() {
            continue;
        }
        let alias = nic.network.as_str();
        let message = format!("NetworkMapping `{}` has no pair `{alias}`", mapping.name);
        let path = place.path().field("network");
        let problem = Problem::error(UNMAPPED_NETWORK, group.object, path, message).related(
            mapping.object,
            FieldPath::spec("networks"),
            "the pairs of the mapping",
        );
        problems.push(problem.hint(match context.meant(alias, mapping.aliases()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "add the pair to the mapping, or name one that it has".to_owned(),
        }));
    }
}

/// Networks that the inventory reports: every one is the primary side of a pair.
fn found(
    context: &Context<'_>,
    group: &Group<'_>,
    mapping: &Mapping<'_>,
    problems: &mut Vec<Problem>,
) {
    if !context.inventories.contains_key(&group.spec.sites.primary) {
        return;
    }
    let pairs = mapping.spec.networks.iter();
    let mapped: BTreeSet<&NetworkName> = pairs
        .map(|pair| &pair.at(SiteRole::Primary).network)
        .collect();
    let mut unmapped: BTreeMap<&NetworkName, (usize, Vec<usize>)> = BTreeMap::new();
    for (position, member) in group.members.known.iter().enumerate() {
        let networks = member.found.map(|found| found.networks.as_slice());
        for network in networks.unwrap_or_default() {
            if !mapped.contains(network) {
                let (total, members) = unmapped.entry(network).or_default();
                *total += 1;
                if members.len() < SHOWN {
                    members.push(position);
                }
            }
        }
    }
    for (network, (total, members)) in unmapped {
        let names = members.iter();
        let names = names.map(|member| group.member(*member).name.as_str());
        let message = format!(
            "network `{network}` of {} at site `{}` is not in NetworkMapping `{}`",
            some_of(names, total),
            group.spec.sites.primary,
            mapping.name
        );
        let path = members.first().map(|member| group.path_of(*member));
        let path = path.unwrap_or_else(FieldPath::name);
        problems.push(
            Problem::error(UNMAPPED_NETWORK, group.object, path, message)
                .hint(format!("add a pair whose primary network is `{network}`"))
                .related(
                    mapping.object,
                    FieldPath::spec("networks"),
                    "the pairs of the mapping",
                ),
        );
    }
}

/// A mapping is needed as soon as a member has an interface.
fn missing(group: &Group<'_>, problems: &mut Vec<Problem>) {
    let hint = "set `networkMappingRef`: without it nobody knows which network a machine is on \
                after a failover";
    if let Some((place, _)) = group.nics().next() {
        let who = match place.origin {
            Origin::Listed(at) => quoted(group.spec.machines[at].name.as_str()),
            Origin::Selected(_) => "a selected machine".to_owned(),
        };
        let message = format!("{who} has network interfaces, and this group has no mapping");
        let problem = Problem::error(MAPPING_MISSING, group.object, place.path(), message);
        problems.push(problem.hint(hint));
        return;
    }
    let mut known = group.members.known.iter().enumerate();
    let connected = known.find_map(|(position, member)| {
        let network = member.found?.networks.first()?;
        Some((position, member.name, network))
    });
    if let Some((position, name, network)) = connected {
        let message = format!(
            "`{name}` is on network `{network}` at site `{}`, and this group has no mapping",
            group.spec.sites.primary
        );
        let path = group.path_of(position);
        let problem = Problem::error(MAPPING_MISSING, group.object, path, message);
        problems.push(problem.hint(hint));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::testing::{World, sites};

    const DATA: &str = "ProtectionGroup/shop-data";
    const MACHINES: &str = "/spec/fabric/simulator/machines";

    #[test]
    fn machines_with_interfaces_need_a_mapping() {
        // SPEC: NM-5
        let world = World::example().remove(DATA, "/spec/networkMappingRef");
        assert_eq!(
            world.found(),
            ["error mapping-missing ProtectionGroup/shop-data spec.machines[0].nics[0]"]
        );
        let seen = World::example()
            .set(
                "Site/seoul",
                MACHINES,
                json!([{ "name": "db-1", "networks": ["vlan20"] }]),
            )
            .remove(DATA, "/spec/networkMappingRef")
            .set(DATA, "/spec/machines", json!([{ "name": "db-1" }]));
        assert_eq!(
            seen.found_of("mapping-missing"),
            ["error mapping-missing ProtectionGroup/shop-data spec.machines[0].name"]
        );
    }

    #[test]
    fn an_alias_that_is_not_mapped_is_named_before_a_failover() {
        // SPEC: NM-5
        let world = World::example()
            .set(DATA, "/spec/machines/0/nics/0/network", json!("dat"))
            .set(
                "ProtectionGroup/shop-web",
                "/spec/memberSettings/0/nics/0/network",
                json!("x"),
            );
        assert_eq!(
            world.told(),
            [
                "error unmapped-network ProtectionGroup/shop-data spec.machines[0].nics[0].network: \
                 NetworkMapping `seoul-busan` has no pair `dat` (did you mean `data`?)",
                "error unmapped-network ProtectionGroup/shop-web \
                 spec.memberSettings[0].nics[0].network: NetworkMapping `seoul-busan` has no pair \
                 `x` (add the pair to the mapping, or name one that it has)",
            ]
        );
    }

    #[test]
    fn a_network_that_the_inventory_reports_is_mapped_too() {
        // SPEC: NM-5
        let web = json!({ "app": "shop", "tier": "web" });
        let world = World::example().set(
            "Site/seoul",
            MACHINES,
            json!([
                { "name": "db-1", "networks": ["vlan20"] },
                { "name": "db-2", "networks": ["vlan20", "vlan99"] },
                { "name": "web-1", "labels": web, "networks": ["vlan10", "vlan98"] },
                { "name": "web-2", "labels": web, "networks": ["vlan98"] },
            ]),
        );
        assert_eq!(
            world.told(),
            [
                "error unmapped-network ProtectionGroup/shop-data spec.machines[1].name: network \
                 `vlan99` of `db-2` at site `seoul` is not in NetworkMapping `seoul-busan` (add a \
                 pair whose primary network is `vlan99`)",
                "error unmapped-network ProtectionGroup/shop-web spec.selector: network `vlan98` \
                 of `web-1` and `web-2` at site `seoul` is not in NetworkMapping `seoul-busan` \
                 (add a pair whose primary network is `vlan98`)",
            ]
        );
    }

    #[test]
    fn the_mapping_is_of_the_same_sites() {
        let swapped = json!({ "primary": "busan", "secondary": "seoul" });
        let world = World::example().set("NetworkMapping/seoul-busan", "/spec/sites", swapped);
        let told = world.told_of("mapping-for-other-sites");
        assert_eq!(told.len(), 2);
        assert!(told[0].contains("the roles are swapped"), "{told:?}");
        let same = World::example().set("NetworkMapping/seoul-busan", "/spec/sites", sites());
        assert_eq!(same.found(), Vec::<String>::new());
    }
}
