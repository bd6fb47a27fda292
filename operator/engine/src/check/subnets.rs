//! Addresses are kept only when a whole subnet moves (NM-3): who would stay behind?

use std::collections::{BTreeMap, BTreeSet};

use drover_api::common::SiteRole;
use drover_api::value::{Cidr, MachineName, NetworkName, SiteName};
use drover_api::{AddressRule, NetworkPair, Nic};

use super::codes::SPLIT_SUBNET;
use super::context::{Context, Mapping, Plan};
use super::mappings::pair_path;
use super::overrides::{self, Resolved};
use super::ownership::Owners;
use super::words::{SHOWN, some_of};
use crate::problem::{FieldPath, Problem};

/// A network of a site.
type Network<'a> = (&'a SiteName, &'a NetworkName);

/// A subnet whose machines keep their addresses, and the machines in it.
struct Subnet<'a> {
    site: &'a SiteName,
    network: &'a NetworkName,
    cidr: Cidr,
    /// A pair that says so: object of the mapping, position.
    place: (usize, usize),
    /// Declared machines: position of the group, position of the member, whether it keeps its address.
    machines: Vec<(usize, usize, bool)>,
    /// Machines of the inventory that nobody protects.
    unprotected: Vec<&'a MachineName>,
}

pub(super) fn check(
    context: &Context<'_>,
    owners: &Owners,
    overrides: &[Resolved],
    problems: &mut Vec<Problem>,
) {
    let mut subnets = Subnets::kept(context);
    if subnets.list.is_empty() {
        return;
    }
    subnets.add_declared(context);
    subnets.add_unprotected(context);
    for subnet in &subnets.list {
        let mut movers: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        let mut keepers: BTreeSet<usize> = BTreeSet::new();
        for (group, member, keeps) in &subnet.machines {
            if let Some(plan) = owners.of(context, *group, *member) {
                movers.entry(plan).or_default().push((*group, *member));
                if *keeps {
                    keepers.insert(plan);
                }
            }
        }
        for (plan, moved) in &movers {
            if keepers.contains(plan) {
                let moved_by = Moved {
                    context,
                    subnet,
                    plan: *plan,
                };
                moved_by.check(owners, moved, &overrides[*plan], problems);
            }
        }
    }
}

struct Subnets<'a> {
    list: Vec<Subnet<'a>>,
    by_network: BTreeMap<Network<'a>, Vec<usize>>,
    /// All subnets that any pair declares on a network: with several, a machine of which only the
    /// network is known cannot be said to be in one of them.
    declared: BTreeMap<Network<'a>, BTreeSet<Cidr>>,
}

impl<'a> Subnets<'a> {
    fn kept(context: &Context<'a>) -> Self {
        let mut subnets = Self {
            list: Vec::new(),
            by_network: BTreeMap::new(),
            declared: BTreeMap::new(),
        };
        let mut seen: BTreeSet<(Network<'a>, Cidr)> = BTreeSet::new();
        for mapping in &context.mappings {
            for (position, pair) in mapping.spec.networks.iter().enumerate() {
                let Some(cidr) = pair.primary.subnet else {
                    continue;
                };
                let network = network_of(mapping, pair);
                subnets.declared.entry(network).or_default().insert(cidr);
                if pair.addresses == AddressRule::Keep && seen.insert((network, cidr)) {
                    let known = subnets.by_network.entry(network).or_default();
                    known.push(subnets.list.len());
                    subnets.list.push(Subnet {
                        site: network.0,
                        network: network.1,
                        cidr,
                        place: (mapping.object, position),
                        machines: Vec::new(),
                        unprotected: Vec::new(),
                    });
                }
            }
        }
        subnets
    }

    fn add_declared(&mut self, context: &Context<'a>) {
        for (position, group) in context.groups.iter().enumerate() {
            let Some(mapping) = group.mapping else {
                continue;
            };
            let mapping = &context.mappings[mapping];
            for (member, known) in group.members.known.iter().enumerate() {
                for nic in known.nics {
                    let Some((_, pair)) = mapping.pair(&nic.network) else {
                        continue;
                    };
                    if let Some(subnet) = self.subnet_of(network_of(mapping, pair), pair, nic) {
                        let keeps = pair.addresses == AddressRule::Keep;
                        let machines = &mut self.list[subnet].machines;
                        // A second interface in the same subnet adds no machine.
                        match machines.last_mut() {
                            Some((group, last, kept)) if (*group, *last) == (position, member) => {
                                *kept |= keeps;
                            }
                            _ => machines.push((position, member, keeps)),
                        }
                    }
                }
            }
        }
    }

    /// The kept subnet that an interface is in: by the subnet of its pair, else by its address, else
    /// because the network has no other.
    fn subnet_of(&self, network: Network<'a>, pair: &NetworkPair, nic: &Nic) -> Option<usize> {
        let mut kept = self.by_network.get(&network)?.iter().copied();
        if let Some(cidr) = pair.primary.subnet {
            return kept.find(|subnet| self.list[*subnet].cidr == cidr);
        }
        let addresses = nic.addresses.as_ref();
        let address = addresses.and_then(|addresses| addresses.at(SiteRole::Primary).first());
        match address {
            Some(address) => kept.find(|subnet| self.list[*subnet].cidr.contains(*address)),
            None => self.only(network),
        }
    }

    fn only(&self, network: Network<'a>) -> Option<usize> {
        let alone = self.declared.get(&network)?.len() == 1;
        let kept = self.by_network.get(&network)?.first().copied();
        kept.filter(|_| alone)
    }

    fn add_unprotected(&mut self, context: &Context<'a>) {
        let sites: BTreeSet<&SiteName> = self.list.iter().map(|subnet| subnet.site).collect();
        let groups = context.groups.iter();
        let protected: BTreeSet<(&SiteName, &MachineName)> = groups
            .filter(|group| sites.contains(&group.spec.sites.primary))
            .flat_map(|group| {
                let members = group.members.known.iter();
                members.map(|member| (&group.spec.sites.primary, member.name))
            })
            .collect();
        for site in sites {
            let Some(inventory) = context.inventories.get(site) else {
                continue;
            };
            for (name, machine) in inventory.machines() {
                if protected.contains(&(site, name)) {
                    continue;
                }
                let networks: BTreeSet<&NetworkName> = machine.networks.iter().collect();
                for network in networks {
                    if let Some(subnet) = self.only((site, network)) {
                        self.list[subnet].unprotected.push(name);
                    }
                }
            }
        }
    }
}

fn network_of<'a>(mapping: &Mapping<'a>, pair: &'a NetworkPair) -> Network<'a> {
    (&mapping.spec.sites.primary, &pair.primary.network)
}

/// A plan that moves machines of a subnet.
struct Moved<'c, 'a> {
    context: &'c Context<'a>,
    subnet: &'c Subnet<'a>,
    plan: usize,
}

impl Moved<'_, '_> {
    fn check(
        &self,
        owners: &Owners,
        moved: &[(usize, usize)],
        overrides: &Resolved,
        problems: &mut Vec<Problem>,
    ) {
        let Subnet {
            machines,
            unprotected,
            ..
        } = self.subnet;
        let stay = machines.iter().filter(|(group, member, _)| {
            owners.of(self.context, *group, *member) != Some(self.plan)
        });
        let names = stay.map(|(group, member, _)| self.name(*group, *member));
        let behind: Vec<&str> = names
            .chain(unprotected.iter().map(|name| name.as_str()))
            .take(SHOWN)
            .collect();
        if !behind.is_empty() {
            let total = machines.len() - moved.len() + unprotected.len();
            problems.push(self.stays_behind(some_of(behind, total).as_str(), moved));
        }
        self.overridden(moved, overrides, problems);
    }

    /// An override separates a machine from its subnet unless it takes the whole subnet along.
    fn overridden(
        &self,
        moved: &[(usize, usize)],
        overrides: &Resolved,
        problems: &mut Vec<Problem>,
    ) {
        if overrides.is_empty() {
            return;
        }
        let plan = self.declared();
        let elsewhere: Vec<(usize, &str)> = moved
            .iter()
            .filter_map(|(group, member)| {
                let position = *overrides.get(&(*group, *member))?;
                let site = plan.spec.overrides.get(position)?.active_site;
                let away = Some(site) != plan.spec.active_site;
                away.then(|| (position, self.name(*group, *member)))
            })
            .collect();
        let Some((position, _)) = elsewhere.iter().min() else {
            return;
        };
        if elsewhere.len() == moved.len() {
            return;
        }
        let names = some_of(elsewhere.iter().map(|(_, name)| *name), elsewhere.len());
        let message = format!(
            "{} keeps addresses, and this override would separate {names} from the others in it",
            self.what()
        );
        let path = overrides::path(*position);
        let problem = Problem::error(SPLIT_SUBNET, plan.object, path, message);
        problems.push(self.with_rule(problem).hint(
            "override every machine of the subnet, or set `addresses: Assign` for it in the mapping",
        ));
    }

    fn stays_behind(&self, names: &str, moved: &[(usize, usize)]) -> Problem {
        let plan = self.declared();
        let message = format!(
            "{} keeps addresses, and {names} would stay behind",
            self.what()
        );
        let problem = Problem::error(SPLIT_SUBNET, plan.object, self.mention(moved), message);
        self.with_rule(problem).hint(
            "addresses are kept only when the whole subnet moves: add these machines to the plan, \
             or set `addresses: Assign` for it in the mapping",
        )
    }

    fn with_rule(&self, problem: Problem) -> Problem {
        let (object, position) = self.subnet.place;
        let path = pair_path(position).field("addresses");
        problem.related(object, path, "addresses are kept here")
    }

    fn what(&self) -> String {
        let Subnet {
            site,
            network,
            cidr,
            ..
        } = self.subnet;
        format!("subnet `{cidr}` of network `{network}` at site `{site}`")
    }

    fn declared(&self) -> &Plan<'_> {
        &self.context.plans[self.plan]
    }

    fn name(&self, group: usize, member: usize) -> &str {
        self.context.groups[group].member(member).name.as_str()
    }

    /// Where the plan names the first of the machines that it moves.
    fn mention(&self, moved: &[(usize, usize)]) -> FieldPath {
        let plan = self.declared();
        let Some((group, member)) = moved.first() else {
            return FieldPath::spec("groups");
        };
        let whole = plan.whole.iter().find(|whole| whole.group == *group);
        let single = plan
            .single
            .iter()
            .find(|single| single.group == *group && single.member == Some(*member));
        match (whole, single) {
            (Some(whole), _) => whole.path(),
            (None, Some(single)) => single.path(),
            (None, None) => FieldPath::spec("groups"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::testing::World;

    const DATA: &str = "ProtectionGroup/shop-data";
    const WEB: &str = "ProtectionGroup/shop-web";
    const PLAN: &str = "RecoveryPlan/shop";
    const MACHINES: &str = "/spec/fabric/simulator/machines";

    /// The example, with a data network that keeps its addresses and two databases on it.
    fn kept() -> World {
        let nics = json!([{ "network": "data" }]);
        let pair = "/spec/networks/0";
        World::example()
            .set(
                "NetworkMapping/seoul-busan",
                &format!("{pair}/addresses"),
                json!("Keep"),
            )
            .set(
                "NetworkMapping/seoul-busan",
                &format!("{pair}/secondary/subnet"),
                json!("10.20.0.0/24"),
            )
            .set(
                DATA,
                "/spec/machines",
                json!([{ "name": "db-1", "nics": nics }, { "name": "db-2", "nics": nics }]),
            )
            .set(DATA, "/spec/consistency", json!("PerMachine"))
    }

    #[test]
    fn a_whole_subnet_may_move() {
        // SPEC: NM-3
        assert_eq!(kept().found(), Vec::<String>::new());
    }

    #[test]
    fn a_machine_that_nobody_moves_stays_behind() {
        // SPEC: NM-3
        let world = kept().copy(DATA, "reports").set(
            "ProtectionGroup/reports",
            "/spec/machines",
            json!([{ "name": "report-1", "nics": [{ "network": "data" }] }]),
        );
        assert_eq!(
            world.told(),
            [format!(
                "error split-subnet {PLAN} spec.groups[0].protectionGroups[0]: subnet \
                 `10.20.0.0/24` of network `vlan20` at site `seoul` keeps addresses, and \
                 `report-1` would stay behind (addresses are kept only when the whole subnet \
                 moves: add these machines to the plan, or set `addresses: Assign` for it in the \
                 mapping)"
            )]
        );
        let groups = json!(["shop-data", "reports"]);
        let together = world.set(PLAN, "/spec/groups/0/protectionGroups", groups);
        assert_eq!(together.found(), Vec::<String>::new());
    }

    #[test]
    fn two_plans_split_a_subnet() {
        // SPEC: NM-3
        let world = kept()
            .copy(DATA, "reports")
            .set(
                "ProtectionGroup/reports",
                "/spec/machines",
                json!([{ "name": "report-1", "nics": [{ "network": "data" }] }]),
            )
            .copy(PLAN, "reports")
            .set(
                "RecoveryPlan/reports",
                "/spec/groups",
                json!([{ "name": "all", "protectionGroups": ["reports"] }]),
            );
        assert_eq!(
            world.found(),
            [
                format!("error split-subnet {PLAN} spec.groups[0].protectionGroups[0]"),
                "error split-subnet RecoveryPlan/reports spec.groups[0].protectionGroups[0]"
                    .to_owned(),
            ]
        );
    }

    #[test]
    fn a_machine_of_the_inventory_that_nobody_protects_stays_behind() {
        // SPEC: NM-3
        let world = kept().set(
            "Site/seoul",
            MACHINES,
            json!([
                { "name": "db-1", "networks": ["vlan20"] },
                { "name": "db-2", "networks": ["vlan20"] },
                { "name": "printer", "networks": ["vlan20"] },
                { "name": "web-1", "labels": { "app": "shop", "tier": "web" } },
            ]),
        );
        let told = world.told();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("and `printer` would stay behind"),
            "{told:?}"
        );
    }

    #[test]
    fn an_override_that_keeps_one_machine_behind_splits_the_subnet() {
        // SPEC: NM-3, PL-6
        let one = json!([{ "machine": "db-2", "activeSite": "secondary" }]);
        let all = json!([
            { "machine": "db-1", "activeSite": "secondary" },
            { "machine": "db-2", "activeSite": "secondary" },
        ]);
        assert_eq!(
            kept().set(PLAN, "/spec/overrides", one).found(),
            [format!("error split-subnet {PLAN} spec.overrides[0]")]
        );
        assert_eq!(
            kept().set(PLAN, "/spec/overrides", all).found(),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_plan_that_only_drills_splits_nothing() {
        let nics = json!([{ "network": "data" }]);
        let world = kept()
            .remove(PLAN, "/spec/activeSite")
            .remove(WEB, "/spec/selector")
            .remove(WEB, "/spec/memberSettings")
            .set(
                WEB,
                "/spec/machines",
                json!([{ "name": "web-1", "nics": nics }]),
            )
            .set(
                PLAN,
                "/spec/groups/1/protectionGroups",
                json!(["shop-data"]),
            )
            .set(PLAN, "/spec/groups/0/protectionGroups", json!(["shop-web"]));
        assert!(world.found_of("split-subnet").is_empty());
    }
}
