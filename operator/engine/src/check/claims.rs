//! Machines that several protection groups claim: one machine of one site belongs to one group in the
//! whole cluster (PR-11).

use std::collections::BTreeMap;

use drover_api::value::{MachineName, SiteName};

use super::codes::MACHINE_PROTECTED_TWICE;
use super::context::{Context, Group};
use super::words::{SHOWN, quoted, some_of};
use crate::members::Origin;
use crate::problem::{FieldPath, Problem};

/// One group's claim to one machine. The order puts claims to the same machine beside each other, the
/// earliest object first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Claim<'a> {
    name: &'a MachineName,
    site: usize,
    object: usize,
    group: usize,
    member: usize,
}

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    let claims = sorted(context);
    // Selected machines are all written in one place, so they are one problem for each other group.
    let mut selected: BTreeMap<(usize, usize), (usize, Vec<&str>)> = BTreeMap::new();
    for same in claims.chunk_by(|one, other| (one.site, one.name) == (other.site, other.name)) {
        let Some((first, others)) = same.split_first() else {
            continue;
        };
        for claim in others {
            if claim.group == first.group {
                continue;
            }
            let member = context.groups[claim.group].member(claim.member);
            if let Origin::Listed(_) = member.origin {
                problems.push(listed(context, first, claim));
            } else {
                let found = selected.entry((claim.group, first.group)).or_default();
                found.0 += 1;
                if found.1.len() <= SHOWN {
                    found.1.push(claim.name.as_str());
                }
            }
        }
    }
    for ((group, first), (total, names)) in selected {
        let (group, first) = (&context.groups[group], &context.groups[first]);
        let names = some_of(names, total);
        let path = FieldPath::spec("selector");
        problems.push(claimed(group, first, path, FieldPath::name(), &names));
    }
}

fn sorted<'a>(context: &Context<'a>) -> Vec<Claim<'a>> {
    let mut sites: BTreeMap<&SiteName, usize> = BTreeMap::new();
    let mut claims = Vec::with_capacity(context.machines);
    for (position, group) in context.groups.iter().enumerate() {
        let next = sites.len();
        let site = *sites.entry(&group.spec.sites.primary).or_insert(next);
        let members = group.members.known.iter().enumerate();
        claims.extend(members.map(|(member, known)| Claim {
            name: known.name,
            site,
            object: group.object,
            group: position,
            member,
        }));
    }
    claims.sort_unstable();
    claims
}

fn listed(context: &Context<'_>, first: &Claim<'_>, claim: &Claim<'_>) -> Problem {
    let (group, other) = (&context.groups[claim.group], &context.groups[first.group]);
    let path = group.path_of(claim.member);
    let name = quoted(claim.name.as_str());
    claimed(group, other, path, other.path_of(first.member), &name)
}

fn claimed(
    group: &Group<'_>,
    other: &Group<'_>,
    path: FieldPath,
    related: FieldPath,
    names: &str,
) -> Problem {
    let site = &group.spec.sites.primary;
    let message = format!(
        "{names} at site `{site}` already belongs to ProtectionGroup `{}` in namespace `{}`",
        other.name, other.namespace
    );
    Problem::error(MACHINE_PROTECTED_TWICE, group.object, path, message)
        .hint("a machine belongs to one protection group in the whole cluster: remove it from one")
        .related(other.object, related, "the first claim")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::check::testing::World;

    #[test]
    fn a_machine_belongs_to_one_group_in_the_whole_cluster() {
        // SPEC: PR-11
        let world = World::example()
            .copy("ReplicationPolicy/gold", "gold-2")
            .set(
                "ReplicationPolicy/gold-2",
                "/metadata",
                json!({ "name": "gold", "namespace": "b" }),
            )
            .copy("ProtectionGroup/shop-data", "mine")
            .set("ProtectionGroup/mine", "/metadata/namespace", json!("b"))
            .set(
                "ProtectionGroup/mine",
                "/spec/machines",
                json!([{ "name": "db-2" }]),
            )
            .remove("ProtectionGroup/mine", "/spec/networkMappingRef");
        assert_eq!(
            world.told_of("machine-protected-twice"),
            [
                "error machine-protected-twice ProtectionGroup/mine spec.machines[0].name: `db-2` at \
              site `seoul` already belongs to ProtectionGroup `shop-data` in namespace `shop` (a \
              machine belongs to one protection group in the whole cluster: remove it from one)"
            ]
        );
    }

    #[test]
    fn the_same_name_at_another_site_is_another_machine() {
        let world = World::example()
            .with(crate::check::testing::site("jeju"))
            .copy("ProtectionGroup/shop-data", "mine")
            .set("ProtectionGroup/mine", "/spec/sites/primary", json!("jeju"))
            .set(
                "ProtectionGroup/mine",
                "/spec/machines",
                json!([{ "name": "db-2" }]),
            )
            .remove("ProtectionGroup/mine", "/spec/networkMappingRef");
        assert_eq!(world.found(), Vec::<String>::new());
    }

    #[test]
    fn selectors_that_overlap_are_one_problem() {
        let labels = json!({ "app": "shop", "tier": "web" });
        let machines: Vec<Value> = (1..=8)
            .map(|number| json!({ "name": format!("web-{number}"), "labels": labels }))
            .collect();
        let world = World::example()
            .set(
                "Site/seoul",
                "/spec/fabric/simulator/machines",
                json!(machines),
            )
            .copy("ProtectionGroup/shop-web", "other");
        let told = world.told_of("machine-protected-twice");
        assert_eq!(told.len(), 1);
        assert!(
            told[0].starts_with(
                "error machine-protected-twice ProtectionGroup/other spec.selector: `web-1`, \
                 `web-2`, `web-3`, `web-4`, `web-5` and 3 more at site `seoul`"
            ),
            "{told:?}"
        );
    }
}
