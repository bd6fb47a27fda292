//! What is wrong inside a network mapping: pairs that cannot be told apart, drills on production.

use std::collections::{BTreeMap, BTreeSet};

use drover_api::common::SiteRole;
use drover_api::value::{Cidr, NetworkName, SiteName};
use drover_api::{AddressRule, NetworkPair};

use super::codes::{
    AMBIGUOUS_NETWORK, FIELD_REQUIRED, KEEP_CHANGES_SUBNET, KEEP_NEEDS_SUBNET, OVERLAPPING_SUBNETS,
    TEST_NETWORK_IS_PRODUCTION,
};
use super::context::{Context, Mapping};
use crate::problem::{FieldPath, Problem};

const ROLES: [SiteRole; 2] = [SiteRole::Primary, SiteRole::Secondary];

/// The path of a pair.
pub(super) fn pair_path(position: usize) -> FieldPath {
    FieldPath::spec("networks").index(position)
}

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    let production = production(context);
    for mapping in &context.mappings {
        if mapping.spec.networks.is_empty() {
            let path = FieldPath::spec("networks");
            let message = "this mapping pairs no networks";
            let problem = Problem::error(FIELD_REQUIRED, mapping.object, path, message);
            problems.push(problem.hint("add a pair: `name`, `primary` and `secondary`"));
        }
        for role in ROLES {
            ambiguous(mapping, role, problems);
            overlapping(mapping, role, problems);
        }
        for (position, pair) in mapping.spec.networks.iter().enumerate() {
            tests(mapping, position, pair, &production, problems);
            keep(mapping, position, pair, problems);
        }
    }
}

/// The production networks of each site, in all mappings, each with one place that says so.
type Production<'a> = BTreeMap<(&'a SiteName, &'a NetworkName), (usize, usize, SiteRole)>;

fn production<'a>(context: &Context<'a>) -> Production<'a> {
    let mut networks = Production::new();
    for mapping in &context.mappings {
        for (position, pair) in mapping.spec.networks.iter().enumerate() {
            for role in ROLES {
                let key = (mapping.spec.sites.at(role), &pair.at(role).network);
                let place = (mapping.object, position, role);
                networks.entry(key).or_insert(place);
            }
        }
    }
    networks
}

/// Without subnets that differ, two pairs of one network cannot be told apart.
fn ambiguous(mapping: &Mapping<'_>, role: SiteRole, problems: &mut Vec<Problem>) {
    let mut first: BTreeMap<(&NetworkName, Option<Cidr>), usize> = BTreeMap::new();
    let mut of_network: BTreeMap<&NetworkName, usize> = BTreeMap::new();
    let mut without: BTreeMap<&NetworkName, usize> = BTreeMap::new();
    for (position, pair) in mapping.spec.networks.iter().enumerate() {
        let at = pair.at(role);
        let whole_network = without.get(&at.network);
        let earlier = match at.subnet {
            Some(_) => first.get(&(&at.network, at.subnet)).or(whole_network),
            None => of_network.get(&at.network),
        };
        if let Some(earlier) = earlier {
            let other = &mapping.spec.networks[*earlier].name;
            let message = format!(
                "network `{}` is already the {} side of pair `{other}`, and no subnet tells the \
                 two apart",
                at.network,
                role.as_str()
            );
            let path = |position| pair_path(position).field(role.as_str()).field("network");
            problems.push(
                Problem::error(AMBIGUOUS_NETWORK, mapping.object, path(position), message)
                    .hint("a mapping works in both directions: give each pair its own `subnet`, or its own network")
                    .related(mapping.object, path(*earlier), "the other pair"),
            );
        }
        first.entry((&at.network, at.subnet)).or_insert(position);
        of_network.entry(&at.network).or_insert(position);
        if at.subnet.is_none() {
            without.entry(&at.network).or_insert(position);
        }
    }
}

/// Subnets are nested or disjoint, so in the order of their first addresses the ones around the
/// current one are a stack.
fn overlapping(mapping: &Mapping<'_>, role: SiteRole, problems: &mut Vec<Problem>) {
    let pairs = mapping.spec.networks.iter().enumerate();
    let mut subnets: Vec<(Cidr, usize)> = pairs
        .filter_map(|(position, pair)| Some((pair.at(role).subnet?, position)))
        .collect();
    subnets
        .sort_by_key(|(subnet, position)| (subnet.net().network(), subnet.prefix_len(), *position));
    let mut around: Vec<(Cidr, usize)> = Vec::new();
    for (subnet, position) in subnets {
        while around
            .last()
            .is_some_and(|(outer, _)| !outer.overlaps(&subnet))
        {
            around.pop();
        }
        if let Some((outer, other)) = around.last() {
            let network = |position: usize| &mapping.spec.networks[position].at(role).network;
            let same_network = network(position) == network(*other);
            // The same subnet of the same network is told as ambiguous.
            if !(same_network && *outer == subnet) {
                let problem = overlap(mapping, role, (subnet, position), (*outer, *other));
                problems.push(if same_network {
                    problem
                } else {
                    Problem {
                        severity: crate::problem::Severity::Warning,
                        ..problem
                    }
                });
            }
        }
        around.push((subnet, position));
    }
}

fn overlap(
    mapping: &Mapping<'_>,
    role: SiteRole,
    (subnet, position): (Cidr, usize),
    (outer, other): (Cidr, usize),
) -> Problem {
    let name = &mapping.spec.networks[other].name;
    let message = format!("subnet `{subnet}` overlaps `{outer}` of pair `{name}`");
    let path = |position| pair_path(position).field(role.as_str()).field("subnet");
    Problem::error(OVERLAPPING_SUBNETS, mapping.object, path(position), message)
        .hint("an address must belong to one subnet: correct one of the two")
        .related(mapping.object, path(other), "the other subnet")
}

/// A drill never touches production: its network is nobody's production network (NM-1).
fn tests(
    mapping: &Mapping<'_>,
    position: usize,
    pair: &NetworkPair,
    production: &Production<'_>,
    problems: &mut Vec<Problem>,
) {
    for role in ROLES {
        let Some(test) = pair.test_at(role) else {
            continue;
        };
        let site = mapping.spec.sites.at(role);
        let own = &pair.at(role).network == test;
        let used = (mapping.object, position, role);
        let used = if own {
            Some(&used)
        } else {
            production.get(&(site, test))
        };
        let Some((object, other, there)) = used else {
            continue;
        };
        let message =
            format!("`{test}` is a production network at site `{site}`, so a drill would touch it");
        let path = pair_path(position).field("test").field(role.as_str());
        problems.push(
            Problem::error(TEST_NETWORK_IS_PRODUCTION, mapping.object, path, message)
                .hint("name an isolated network that nothing else uses")
                .related(
                    *object,
                    pair_path(*other).field(there.as_str()).field("network"),
                    "production here",
                ),
        );
    }
}

/// Addresses are kept only with a subnet that exists at both sites (NM-3).
fn keep(mapping: &Mapping<'_>, position: usize, pair: &NetworkPair, problems: &mut Vec<Problem>) {
    if pair.addresses != AddressRule::Keep {
        return;
    }
    let without: BTreeSet<SiteRole> = ROLES
        .into_iter()
        .filter(|role| pair.at(*role).subnet.is_none())
        .collect();
    for role in &without {
        let path = pair_path(position).field(role.as_str());
        let message = format!("`addresses: Keep` needs the `subnet` of {}", role.as_str());
        let problem = Problem::error(KEEP_NEEDS_SUBNET, mapping.object, path, message);
        problems.push(problem.hint("addresses are kept when a whole subnet moves: name it"));
    }
    let (primary, secondary) = (pair.primary.subnet, pair.secondary.subnet);
    if let (Some(primary), Some(secondary)) = (primary, secondary)
        && primary != secondary
    {
        let path = pair_path(position).field("secondary").field("subnet");
        let message =
            format!("`addresses: Keep` with `{primary}` at primary and `{secondary}` at secondary");
        problems.push(
            Problem::error(KEEP_CHANGES_SUBNET, mapping.object, path, message)
                .hint("declare the same subnet at both sites, or set `addresses: Assign`")
                .related(
                    mapping.object,
                    pair_path(position).field("primary").field("subnet"),
                    "the other side",
                ),
        );
    }
}

#[cfg(test)]
mod test {
    use serde_json::{Value, json};

    use crate::check::testing::World;

    const MAPPING: &str = "NetworkMapping/seoul-busan";

    fn changed(pointer: &str, value: Value) -> Vec<String> {
        World::example()
            .set(
                "ProtectionGroup/shop-data",
                "/spec/machines/0/nics",
                json!([]),
            )
            .set(
                "ProtectionGroup/shop-data",
                "/spec/machines/1/nics",
                json!([]),
            )
            .set(MAPPING, &format!("/spec/networks/{pointer}"), value)
            .found()
    }

    #[test]
    fn two_pairs_of_one_network_are_told_apart_by_their_subnets() {
        // SPEC: NM-1
        let at = |path: &str| {
            vec![format!(
                "error ambiguous-network {MAPPING} spec.networks[1].{path}"
            )]
        };
        let secondary = |subnet: Value| json!({ "network": "vlan120", "subnet": subnet });
        assert_eq!(
            changed("1/secondary", json!({ "network": "vlan120" })),
            at("secondary.network")
        );
        assert_eq!(
            changed("1/secondary", secondary(json!("10.120.0.0/24"))),
            at("secondary.network")
        );
        assert_eq!(
            changed("1/secondary", secondary(json!("10.121.0.0/24"))),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_address_belongs_to_one_subnet() {
        let at = |severity: &str, path: &str| {
            vec![format!(
                "{severity} overlapping-subnets {MAPPING} spec.networks[{path}.subnet"
            )]
        };
        // Different networks may reuse a range; it is seldom meant.
        assert_eq!(
            changed("0/primary/subnet", json!("10.0.0.0/8")),
            at("warning", "1].primary")
        );
        assert_eq!(
            changed(
                "0/primary",
                json!({ "network": "vlan10", "subnet": "10.10.0.128/25" })
            ),
            at("error", "0].primary")
        );
    }

    #[test]
    fn a_drill_is_on_nobodys_production_network() {
        // SPEC: NM-1, FO-1
        let at = |path: &str| {
            vec![format!(
                "error test-network-is-production {MAPPING} spec.networks[1].test.{path}"
            )]
        };
        assert_eq!(changed("1/test/primary", json!("vlan10")), at("primary"));
        assert_eq!(
            changed("1/test/secondary", json!("vlan120")),
            at("secondary")
        );
        // That network is at the other site.
        assert_eq!(
            changed("1/test/secondary", json!("vlan20")),
            Vec::<String>::new()
        );
    }

    #[test]
    fn another_mapping_of_the_site_counts_too() {
        let world = World::example().copy(MAPPING, "other").set(
            "NetworkMapping/other",
            "/spec/networks",
            json!([{
                "name": "backup",
                "primary": { "network": "vlan30" },
                "secondary": { "network": "isolated-110" },
            }]),
        );
        assert_eq!(
            world.found(),
            [format!(
                "error test-network-is-production {MAPPING} spec.networks[1].test.secondary"
            )]
        );
    }

    #[test]
    fn addresses_are_kept_in_a_subnet_that_both_sites_have() {
        // SPEC: NM-3
        let at = |code: &str, path: &str| format!("error {code} {MAPPING} spec.networks[1].{path}");
        assert_eq!(
            changed("1/addresses", json!("Keep")),
            [at("keep-changes-subnet", "secondary.subnet")]
        );
        let pair = json!({
            "name": "web",
            "primary": { "network": "vlan10" },
            "secondary": { "network": "vlan110", "subnet": "10.10.0.0/24" },
            "test": { "primary": "isolated-10", "secondary": "isolated-110" },
            "addresses": "Keep",
        });
        assert_eq!(changed("1", pair), [at("keep-needs-subnet", "primary")]);
    }

    #[test]
    fn a_mapping_maps_something() {
        let world = World::example().copy(MAPPING, "none").set(
            "NetworkMapping/none",
            "/spec/networks",
            json!([]),
        );
        assert_eq!(
            world.found(),
            ["error field-required NetworkMapping/none spec.networks"]
        );
    }
}
