//! Names that must be unique in their list. The API server says so too, without the first place.

use std::collections::BTreeMap;

use drover_api::{Action, Fabric};

use super::codes::DUPLICATE_NAME;
use super::context::{Context, in_plan};
use super::words::quoted;
use crate::problem::{FieldPath, Problem};

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    for group in &context.groups {
        let names = group
            .spec
            .machines
            .iter()
            .map(|member| member.name.as_str());
        let list = FieldPath::spec("machines");
        unique(group.object, &list, "machine", names, problems);
    }
    for mapping in &context.mappings {
        let names = mapping.spec.networks.iter().map(|pair| pair.name.as_str());
        let list = FieldPath::spec("networks");
        unique(mapping.object, &list, "pair of networks", names, problems);
    }
    for plan in &context.plans {
        let list = FieldPath::spec("groups");
        unique(plan.object, &list, "group", plan.group_names(), problems);
        for (at, group) in plan.spec.groups.iter().enumerate() {
            for (field, actions) in [("before", &group.before), ("after", &group.after)] {
                actions_of(plan.object, &in_plan(at).field(field), actions, problems);
            }
        }
    }
    for site in context.declared.sites.values() {
        of_site(site.index, &site.object.spec.fabric, problems);
    }
}

fn actions_of(object: usize, list: &FieldPath, actions: &[Action], problems: &mut Vec<Problem>) {
    let names = actions.iter().map(|action| action.name.as_str());
    unique(object, list, "action", names, problems);
}

fn of_site(object: usize, fabric: &Fabric, problems: &mut Vec<Problem>) {
    let below = |arm, list| FieldPath::spec("fabric").field(arm).field(list);
    match fabric {
        Fabric::Simulator(site) => {
            let names = site.machines.iter().map(|machine| machine.name.as_str());
            unique(
                object,
                &below("simulator", "machines"),
                "machine",
                names,
                problems,
            );
        }
        Fabric::Libvirt(site) => {
            let names = site.hosts.iter().map(|host| host.name.as_str());
            unique(object, &below("libvirt", "hosts"), "host", names, problems);
        }
        Fabric::Physical(site) => {
            let names = site.servers.iter().map(|server| server.name.as_str());
            unique(
                object,
                &below("physical", "servers"),
                "server",
                names,
                problems,
            );
        }
        Fabric::Kubernetes(_)
        | Fabric::Azure(_)
        | Fabric::Vsphere(_)
        | Fabric::Hyperv(_)
        | Fabric::Plugin(_) => {}
    }
}

fn unique<'n>(
    object: usize,
    list: &FieldPath,
    what: &str,
    names: impl Iterator<Item = &'n str>,
    problems: &mut Vec<Problem>,
) {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (position, name) in names.enumerate() {
        let place = |position| list.clone().index(position).field("name");
        if let Some(earlier) = first.get(name) {
            let message = format!("there is already a {what} {} in this list", quoted(name));
            problems.push(
                Problem::error(DUPLICATE_NAME, object, place(position), message)
                    .hint("remove one of the two, or give it another name")
                    .related(object, place(*earlier), "the first one"),
            );
        } else {
            first.insert(name, position);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::testing::World;

    #[test]
    fn a_name_stands_once_in_its_list() {
        let world = World::example()
            .set(
                "ProtectionGroup/shop-data",
                "/spec/machines/1/name",
                json!("db-1"),
            )
            .set(
                "NetworkMapping/seoul-busan",
                "/spec/networks/1/name",
                json!("data"),
            )
            .set("RecoveryPlan/shop", "/spec/groups/1/name", json!("data"))
            .set(
                "RecoveryPlan/shop",
                "/spec/groups/1/after/1/name",
                json!("move-traffic"),
            )
            .set(
                "Site/busan",
                "/spec/fabric/simulator/machines",
                json!([{ "name": "a" }, { "name": "a" }]),
            );
        assert_eq!(
            world.found_of("duplicate-name"),
            [
                "error duplicate-name Site/busan spec.fabric.simulator.machines[1].name",
                "error duplicate-name NetworkMapping/seoul-busan spec.networks[1].name",
                "error duplicate-name ProtectionGroup/shop-data spec.machines[1].name",
                "error duplicate-name RecoveryPlan/shop spec.groups[1].after[1].name",
                "error duplicate-name RecoveryPlan/shop spec.groups[1].name",
            ]
        );
    }
}
