//! Declared addresses of interfaces (NM-2, NM-4).

use std::net::IpAddr;

use drover_api::common::SiteRole;
use drover_api::value::{Address, NetworkName, SiteName};
use drover_api::{AddressRule, NetworkPair, Nic, NicAddresses};

use super::codes::{
    ADDRESS_CHANGES, ADDRESS_MISSING, ADDRESS_OUTSIDE_SUBNET, DUPLICATE_ADDRESS,
    PUBLIC_ADDRESS_KEPT,
};
use super::context::{Context, Group, Mapping, NicPlace, places};
use super::mappings::pair_path;
use crate::members::Origin;
use crate::problem::{FieldPath, Problem};

const ROLES: [SiteRole; 2] = [SiteRole::Primary, SiteRole::Secondary];

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    for group in &context.groups {
        let Some(mapping) = group.mapping else {
            continue;
        };
        let mapping = &context.mappings[mapping];
        for (place, nic) in group.nics() {
            if let Some((position, pair)) = mapping.pair(&nic.network) {
                let one = Interface {
                    group,
                    mapping,
                    place,
                    position,
                    pair,
                    addresses: nic.addresses.as_ref(),
                };
                one.check(problems);
            }
        }
    }
    duplicates(context, problems);
}

/// One interface with the pair that it is on.
struct Interface<'c, 'a> {
    group: &'c Group<'a>,
    mapping: &'c Mapping<'a>,
    place: NicPlace,
    position: usize,
    pair: &'c NetworkPair,
    addresses: Option<&'c NicAddresses>,
}

impl Interface<'_, '_> {
    fn check(&self, problems: &mut Vec<Problem>) {
        if self.pair.addresses == AddressRule::Assign {
            self.assigned(problems);
        }
        if self.addresses.is_none() {
            return;
        }
        let keep = self.pair.addresses == AddressRule::Keep;
        if keep {
            self.kept(problems);
        }
        let into_azure = self.group.rules().is_some_and(|rules| rules.into_azure);
        for role in ROLES {
            for (index, address) in self.at(role).iter().enumerate() {
                let public = keep && into_azure && is_public(address.ip());
                let subnet = self.pair.at(role).subnet;
                let outside = subnet.is_some_and(|subnet| !subnet.contains(*address));
                let path = || self.path(role).index(index);
                if public {
                    problems.push(self.public(path(), *address, outside || subnet.is_none()));
                } else if outside {
                    problems.push(self.outside(path(), role, *address));
                }
            }
        }
    }

    fn at(&self, role: SiteRole) -> &[Address] {
        self.addresses.map_or(&[], |addresses| addresses.at(role))
    }

    fn path(&self, role: SiteRole) -> FieldPath {
        self.place.path().field("addresses").field(role.as_str())
    }

    /// Nobody can invent the address at the secondary site; the one at the primary site can be read
    /// from the guest before the first failover (NM-4).
    fn assigned(&self, problems: &mut Vec<Problem>) {
        let listed = matches!(self.place.origin, Origin::Listed(_));
        let object = self.group.object;
        for role in ROLES {
            if !self.at(role).is_empty() {
                continue;
            }
            let message = format!(
                "pair `{}` says `addresses: Assign`, and this interface has no address at {}",
                self.pair.name,
                role.as_str()
            );
            let path = self.place.path();
            let problem = match role {
                SiteRole::Primary if listed => {
                    Problem::warning(ADDRESS_MISSING, object, path, message).hint(
                        "declare it, so that a failback does not depend on what the guest said",
                    )
                }
                // Machines that share their settings have no place for it.
                SiteRole::Primary => continue,
                SiteRole::Secondary => {
                    Problem::error(ADDRESS_MISSING, object, path, message).hint(if listed {
                        "declare it under `addresses`"
                    } else {
                        "list the machine under `machines` with its own addresses, or set \
                         `addresses: Dynamic` in the mapping"
                    })
                }
            };
            problems.push(self.with_pair(problem));
        }
    }

    fn kept(&self, problems: &mut Vec<Problem>) {
        let (primary, secondary) = (self.at(SiteRole::Primary), self.at(SiteRole::Secondary));
        let declared = !primary.is_empty() && !secondary.is_empty();
        let same = primary.len() == secondary.len()
            && primary.iter().all(|address| secondary.contains(address));
        if declared && !same {
            let message = format!(
                "pair `{}` says `addresses: Keep`, and the addresses differ between the sites",
                self.pair.name
            );
            let path = self.path(SiteRole::Secondary);
            let problem = Problem::error(ADDRESS_CHANGES, self.group.object, path, message)
                .hint("declare the same addresses at both sites, or set `addresses: Assign`");
            problems.push(self.with_pair(problem));
        }
    }

    fn outside(&self, path: FieldPath, role: SiteRole, address: Address) -> Problem {
        let network = self.pair.at(role);
        let subnet = network.subnet.map(|subnet| subnet.to_string());
        let message = format!(
            "`{address}` is not in subnet `{}` of network `{}`",
            subnet.unwrap_or_default(),
            network.network
        );
        Problem::error(ADDRESS_OUTSIDE_SUBNET, self.group.object, path, message)
            .hint("correct the address, or the pair that the interface is on")
            .related(
                self.mapping.object,
                pair_path(self.position)
                    .field(role.as_str())
                    .field("subnet"),
                "the subnet",
            )
    }

    /// Space outside RFC 1918 may be internal all the same: inside the declared subnet it is a
    /// question, elsewhere an error (NM-3).
    fn public(&self, path: FieldPath, address: Address, certain: bool) -> Problem {
        let object = self.group.object;
        let problem = if certain {
            let message = format!("`{address}` is a public address and cannot be kept in Azure");
            Problem::error(PUBLIC_ADDRESS_KEPT, object, path, message)
        } else {
            let message = format!("if `{address}` is a public address, it cannot be kept in Azure");
            Problem::warning(PUBLIC_ADDRESS_KEPT, object, path, message)
        };
        self.with_pair(problem.hint(
            "set `addresses: Assign` for this pair and move clients with a `dns` action; internal \
             space outside RFC 1918 can be kept",
        ))
    }

    fn with_pair(&self, problem: Problem) -> Problem {
        let path = pair_path(self.position).field("addresses");
        problem.related(self.mapping.object, path, "the rule of the pair")
    }
}

/// Whether the internet routes this address.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let shared = first == 100 && (64..128).contains(&second);
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared)
        }
        IpAddr::V6(ip) => {
            let unique_local = ip.segments()[0] & 0xfe00 == 0xfc00;
            !(unique_local || ip.is_loopback() || ip.is_unicast_link_local())
        }
    }
}

/// One use of an address. The order puts uses of the same address of the same network beside each
/// other, the earliest object first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Use<'a> {
    address: Address,
    site: &'a SiteName,
    network: &'a NetworkName,
    object: usize,
    group: usize,
    member: usize,
    nic: usize,
    index: usize,
    role: SiteRole,
}

/// The same address on two interfaces of one network: each would take it from the other.
fn duplicates(context: &Context<'_>, problems: &mut Vec<Problem>) {
    let mut uses: Vec<Use<'_>> = Vec::new();
    for (position, group) in context.groups.iter().enumerate() {
        let Some(mapping) = group.mapping else {
            continue;
        };
        let mapping = &context.mappings[mapping];
        for (member, known) in group.members.known.iter().enumerate() {
            for (nic, declared) in known.nics.iter().enumerate() {
                if let (Some(addresses), Some((_, pair))) =
                    (&declared.addresses, mapping.pair(&declared.network))
                {
                    let interface = (position, member, nic);
                    uses.extend(uses_of(group, interface, pair, addresses));
                }
            }
        }
    }
    uses.sort_unstable();
    let same = |one: &Use<'_>, other: &Use<'_>| {
        one.address == other.address && one.site == other.site && one.network == other.network
    };
    for uses in uses.chunk_by(same) {
        let Some((first, others)) = uses.split_first() else {
            continue;
        };
        for other in others {
            let name = |one: &Use<'_>| context.groups[one.group].member(one.member).name;
            let machine =
                |one: &Use<'_>| (&context.groups[one.group].spec.sites.primary, name(one));
            // One machine in two groups is told as such.
            if machine(first) == machine(other) && first.group != other.group {
                continue;
            }
            let Use {
                address,
                site,
                network,
                ..
            } = other;
            let message = format!(
                "`{address}` on network `{network}` at site `{site}` already belongs to `{}`",
                name(first)
            );
            let object = context.groups[other.group].object;
            let earlier = context.groups[first.group].object;
            problems.push(
                Problem::error(DUPLICATE_ADDRESS, object, use_path(context, other), message)
                    .hint("give each interface its own address")
                    .related(earlier, use_path(context, first), "the first use"),
            );
        }
    }
}

fn uses_of<'c>(
    group: &'c Group<'_>,
    (position, member, nic): (usize, usize, usize),
    pair: &'c NetworkPair,
    addresses: &'c NicAddresses,
) -> impl Iterator<Item = Use<'c>> {
    ROLES.into_iter().flat_map(move |role| {
        let addresses = addresses.at(role).iter().enumerate();
        addresses.map(move |(index, address)| Use {
            address: *address,
            site: group.spec.sites.at(role),
            network: &pair.at(role).network,
            object: group.object,
            group: position,
            member,
            nic,
            index,
            role,
        })
    })
}

fn use_path(context: &Context<'_>, one: &Use<'_>) -> FieldPath {
    let member = context.groups[one.group].member(one.member);
    let nic: Option<(NicPlace, &Nic)> = places(member.origin, member.nics).nth(one.nic);
    let path = nic.map_or_else(FieldPath::name, |(place, _)| place.path());
    path.field("addresses")
        .field(one.role.as_str())
        .index(one.index)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::check::testing::World;

    const DATA: &str = "ProtectionGroup/shop-data";
    const MAPPING: &str = "NetworkMapping/seoul-busan";

    fn addresses(primary: &[&str], secondary: &[&str]) -> World {
        let addresses = json!({ "primary": primary, "secondary": secondary });
        World::example().set(DATA, "/spec/machines/0/nics/0/addresses", addresses)
    }

    fn at(what: &str, path: &str) -> String {
        format!("{what} {DATA} spec.machines[0].nics[0]{path}")
    }

    #[test]
    fn an_address_is_in_the_subnet_of_its_network() {
        // SPEC: NM-2
        let world = addresses(&["10.20.0.11"], &["10.20.0.11"]);
        assert_eq!(
            world.told(),
            [
                at("error address-outside-subnet", ".addresses.secondary[0]")
                    + ": `10.20.0.11` is not in subnet `10.120.0.0/24` of network `vlan120` (correct \
                   the address, or the pair that the interface is on)"
            ]
        );
    }

    #[test]
    fn an_assigned_address_is_declared() {
        // SPEC: NM-2, NM-4
        assert_eq!(
            addresses(&[], &["10.120.0.11"]).found(),
            [at("warning address-missing", "")]
        );
        assert_eq!(
            addresses(&["10.20.0.11"], &[]).found(),
            [at("error address-missing", "")]
        );
        // Machines that share their settings cannot share an address.
        let shared = World::example().set(MAPPING, "/spec/networks/1/addresses", json!("Assign"));
        let told = shared.told();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("list the machine under `machines`"),
            "{told:?}"
        );
    }

    #[test]
    fn two_interfaces_do_not_share_an_address() {
        let world = addresses(&["10.20.0.12"], &["10.120.0.11"]);
        assert_eq!(
            world.told(),
            [format!(
                "error duplicate-address {DATA} spec.machines[1].nics[0].addresses.primary[0]: \
                 `10.20.0.12` on network `vlan20` at site `seoul` already belongs to `db-1` (give \
                 each interface its own address)"
            )]
        );
    }

    #[test]
    fn selected_machines_do_not_share_an_address_either() {
        let labels = json!({ "app": "shop", "tier": "web" });
        let world = World::example()
            .set(
                "Site/seoul",
                "/spec/fabric/simulator/machines",
                json!([{ "name": "web-1", "labels": labels }, { "name": "web-2", "labels": labels }]),
            )
            .set(
                "ProtectionGroup/shop-web",
                "/spec/memberSettings/0/nics/0/addresses",
                json!({ "primary": ["10.10.0.1"] }),
            );
        assert_eq!(
            world.found(),
            ["error duplicate-address ProtectionGroup/shop-web \
              spec.memberSettings[0].nics[0].addresses.primary[0]"]
        );
    }

    /// The data network is kept; both machines are in the one plan.
    fn kept(address: &str, subnet: &str) -> World {
        addresses(&[address], &[address])
            .set(DATA, "/spec/machines/1/nics", json!([]))
            .set(MAPPING, "/spec/networks/0/addresses", json!("Keep"))
            .set(MAPPING, "/spec/networks/0/primary/subnet", json!(subnet))
            .set(MAPPING, "/spec/networks/0/secondary/subnet", json!(subnet))
    }

    #[test]
    fn a_kept_address_is_the_same_at_both_sites() {
        // SPEC: NM-3
        let world = kept("10.20.0.11", "10.20.0.0/24");
        assert_eq!(world.found(), Vec::<String>::new());
        let pointer = "/spec/machines/0/nics/0/addresses/secondary";
        let world = world.set(DATA, pointer, json!(["10.20.0.13"]));
        assert_eq!(
            world.found(),
            [at("error address-changes", ".addresses.secondary")]
        );
    }

    #[test]
    fn a_public_address_is_not_kept_in_azure() {
        // SPEC: NM-3
        let azure = json!({ "simulator": { "profile": "HyperVToAzure" } });
        let found = |address, subnet, replicator: &Value| {
            kept(address, subnet)
                .set(
                    "ReplicationPolicy/gold",
                    "/spec/replicator",
                    replicator.clone(),
                )
                .found_of("public-address-kept")
        };
        let path = |role: &str| format!(".addresses.{role}[0]");
        assert_eq!(
            found("203.0.113.9", "10.20.0.0/24", &azure),
            ["primary", "secondary"].map(|role| at("error public-address-kept", &path(role)))
        );
        // Internal space outside RFC 1918 can be kept: only a person knows.
        assert_eq!(
            found("203.0.113.9", "203.0.113.0/24", &azure),
            ["primary", "secondary"].map(|role| at("warning public-address-kept", &path(role)))
        );
        let own = json!({ "simulator": {} });
        assert_eq!(
            found("203.0.113.9", "203.0.113.0/24", &own),
            Vec::<String>::new()
        );
        assert_eq!(
            found("10.20.0.9", "10.20.0.0/24", &azure),
            Vec::<String>::new()
        );
    }
}
