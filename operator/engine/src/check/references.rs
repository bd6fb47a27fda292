//! References to what is not there.

use std::collections::BTreeSet;

use drover_api::common::SitePair;
use drover_api::value::{PolicyName, SiteName};

use super::codes::{
    SITE_NOT_AMONG_MANIFESTS, UNKNOWN_MACHINE, UNKNOWN_PLAN_GROUP, UNKNOWN_REFERENCE, UNKNOWN_SITE,
};
use super::context::{Context, Group, Plan, in_plan};
use crate::declared::ByName;
use crate::problem::{FieldPath, Problem};

/// A place with a reference in it.
struct Reference<'n> {
    object: usize,
    path: FieldPath,
    namespace: &'n str,
    name: &'n str,
}

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    sites(context, problems);
    for group in &context.groups {
        of_protection_group(context, group, problems);
    }
    for plan in &context.plans {
        of_plan(context, plan, problems);
    }
    let declared = context.declared;
    for ((namespace, _), policy) in &declared.failback_policies {
        if let Some(reference) = &policy.object.spec.replication_policy_ref {
            let path = FieldPath::spec("replicationPolicyRef").field("name");
            replication_policy(
                context,
                policy.index,
                path,
                namespace,
                &reference.name,
                problems,
            );
        }
    }
    for ((namespace, _), drill) in &declared.drills {
        let name = drill.object.spec.plan_ref.name.as_str();
        let reference = Reference {
            object: drill.index,
            path: FieldPath::spec("planRef").field("name"),
            namespace,
            name,
        };
        resolve(
            context,
            "RecoveryPlan",
            &declared.plans,
            &reference,
            problems,
        );
        drill_groups(
            context,
            namespace,
            drill.index,
            &drill.object.spec,
            problems,
        );
    }
}

/// Sites are an administrator's and often not in the repository of the plans: with no site among the
/// manifests their absence is a warning, with some it is an error.
fn sites(context: &Context<'_>, problems: &mut Vec<Problem>) {
    let mut named: Vec<(usize, &SitePair)> = Vec::new();
    let declared = context.declared;
    let mappings = declared.mappings.values();
    named.extend(mappings.map(|mapping| (mapping.index, &mapping.object.spec.sites)));
    let groups = context.groups.iter();
    named.extend(groups.map(|group| (group.object, &group.spec.sites)));
    named.extend(
        context
            .plans
            .iter()
            .map(|plan| (plan.object, &plan.spec.sites)),
    );
    named.sort_by_key(|(object, _)| *object);
    let mut told: BTreeSet<&SiteName> = BTreeSet::new();
    for (object, pair) in named {
        for (role, name) in [("primary", &pair.primary), ("secondary", &pair.secondary)] {
            if context.site(name).is_some() {
                continue;
            }
            let path = FieldPath::spec("sites").field(role);
            if !declared.sites.is_empty() {
                problems.push(unknown_site(context, object, path, name));
            } else if told.insert(name) {
                problems.push(not_among_manifests(object, path, name));
            }
        }
    }
}

fn unknown_site(context: &Context<'_>, object: usize, path: FieldPath, name: &SiteName) -> Problem {
    let problem = Problem::error(
        UNKNOWN_SITE,
        object,
        path,
        format!("there is no Site `{name}`"),
    );
    let sites = context.declared.sites.keys().copied();
    problem.hint(match context.meant(name.as_str(), sites) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "declare it, or name a site that is there".to_owned(),
    })
}

fn not_among_manifests(object: usize, path: FieldPath, name: &SiteName) -> Problem {
    let message = format!(
        "no Site is among these manifests, so nothing that depends on `{name}` was checked: what \
         its pair supports, its tenants, its machines"
    );
    Problem::warning(SITE_NOT_AMONG_MANIFESTS, object, path, message)
        .hint("give the administrator's Site manifests to the check as well")
}

fn of_protection_group(context: &Context<'_>, group: &Group<'_>, problems: &mut Vec<Problem>) {
    let path = FieldPath::spec("policyRef").field("name");
    let policy = &group.spec.policy_ref.name;
    replication_policy(
        context,
        group.object,
        path,
        group.namespace,
        policy,
        problems,
    );
    if let Some(mapping) = &group.spec.network_mapping_ref {
        let reference = Reference {
            object: group.object,
            path: FieldPath::spec("networkMappingRef").field("name"),
            namespace: group.namespace,
            name: mapping.name.as_str(),
        };
        resolve(
            context,
            "NetworkMapping",
            &context.declared.mappings,
            &reference,
            problems,
        );
    }
}

fn replication_policy(
    context: &Context<'_>,
    object: usize,
    path: FieldPath,
    namespace: &str,
    name: &PolicyName,
    problems: &mut Vec<Problem>,
) {
    let reference = Reference {
        object,
        path,
        namespace,
        name: name.as_str(),
    };
    resolve(
        context,
        "ReplicationPolicy",
        &context.declared.policies,
        &reference,
        problems,
    );
}

fn of_plan(context: &Context<'_>, plan: &Plan<'_>, problems: &mut Vec<Problem>) {
    if let Some(policy) = &plan.spec.failback_policy_ref {
        let reference = Reference {
            object: plan.object,
            path: FieldPath::spec("failbackPolicyRef").field("name"),
            namespace: plan.namespace,
            name: policy.name.as_str(),
        };
        let policies = &context.declared.failback_policies;
        resolve(context, "FailbackPolicy", policies, &reference, problems);
    }
    for (at, group) in plan.spec.groups.iter().enumerate() {
        let whole = group.protection_groups.iter().enumerate().map(|(i, name)| {
            let path = in_plan(at).field("protectionGroups").index(i);
            (path, name)
        });
        let single = group.machines.iter().enumerate().map(|(i, machine)| {
            let path = in_plan(at)
                .field("machines")
                .index(i)
                .field("protectionGroup");
            (path, &machine.protection_group)
        });
        for (path, name) in whole.chain(single) {
            let reference = Reference {
                object: plan.object,
                path,
                namespace: plan.namespace,
                name: name.as_str(),
            };
            resolve(
                context,
                "ProtectionGroup",
                &context.declared.groups,
                &reference,
                problems,
            );
        }
    }
    for single in &plan.single {
        let group = &context.groups[single.group];
        if single.member.is_none() && !group.members.open {
            problems.push(unknown_member(context, plan, *single, group));
        }
    }
}

fn unknown_member(
    context: &Context<'_>,
    plan: &Plan<'_>,
    single: super::context::Single,
    group: &Group<'_>,
) -> Problem {
    let name = single.name(plan).as_str();
    let message = format!(
        "`{name}` is not a member of ProtectionGroup `{}`",
        group.name
    );
    let problem = Problem::error(
        UNKNOWN_MACHINE,
        plan.object,
        single.path().field("name"),
        message,
    )
    .related(group.object, FieldPath::name(), "the protection group");
    problem.hint(match context.meant(name, group.names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "add it there, or name a machine that is a member".to_owned(),
    })
}

fn drill_groups(
    context: &Context<'_>,
    namespace: &str,
    object: usize,
    drill: &drover_api::RecoveryDrillSpec,
    problems: &mut Vec<Problem>,
) {
    let Some(plan) = context.plan(namespace, drill.plan_ref.name.as_str()) else {
        return;
    };
    if drill.groups.is_empty() {
        return;
    }
    let names: BTreeSet<&str> = plan.group_names().collect();
    for (position, name) in drill.groups.iter().enumerate() {
        if names.contains(name.as_str()) {
            continue;
        }
        let path = FieldPath::spec("groups").index(position);
        let message = format!("RecoveryPlan `{}` has no group `{name}`", plan.name);
        let problem = Problem::error(UNKNOWN_PLAN_GROUP, object, path, message).related(
            plan.object,
            FieldPath::spec("groups"),
            "the groups of the plan",
        );
        problems.push(problem.hint(unknown_group_hint(context, plan, name.as_str())));
    }
}

/// What to do about the name of a group that the plan does not have.
pub(super) fn unknown_group_hint(context: &Context<'_>, plan: &Plan<'_>, name: &str) -> String {
    match context.meant(name, plan.group_names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "name a group of the plan".to_owned(),
    }
}

fn resolve<'a, T>(
    context: &Context<'a>,
    kind: &str,
    map: &ByName<'a, T>,
    reference: &Reference<'_>,
    problems: &mut Vec<Problem>,
) {
    let Reference {
        object,
        path,
        namespace,
        name,
    } = reference;
    if map.contains_key(&(*namespace, *name)) {
        return;
    }
    let message = format!("there is no {kind} `{name}` in namespace `{namespace}`");
    problems.push(
        Problem::error(UNKNOWN_REFERENCE, *object, path.clone(), message)
            .hint(context.elsewhere(kind, map, namespace, name)),
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::testing::World;

    #[test]
    fn a_reference_to_nothing_says_what_was_probably_meant() {
        // SPEC: BI-1
        let world = World::example().set(
            "ProtectionGroup/shop-web",
            "/spec/policyRef/name",
            json!("gld"),
        );
        assert_eq!(
            world.told(),
            [
                "error unknown-reference ProtectionGroup/shop-web spec.policyRef.name: there is no \
              ReplicationPolicy `gld` in namespace `shop` (did you mean `gold`?)"
            ]
        );
    }

    #[test]
    fn an_object_of_that_name_in_another_namespace_is_pointed_out() {
        let world = World::example().set(
            "FailbackPolicy/home-again",
            "/metadata/namespace",
            json!("office"),
        );
        let told = world.told();
        let of_plan = told.iter().find(|line| line.contains("RecoveryPlan/shop"));
        assert_eq!(
            of_plan.unwrap(),
            "error unknown-reference RecoveryPlan/shop spec.failbackPolicyRef.name: there is no \
             FailbackPolicy `home-again` in namespace `shop` (there is one in namespace `office`, \
             and references stay within a namespace: declare it in `shop` too)"
        );
    }

    #[test]
    fn every_kind_of_reference_is_followed() {
        let world = World::example()
            .set(
                "ProtectionGroup/shop-web",
                "/spec/networkMappingRef/name",
                json!("x"),
            )
            .set(
                "FailbackPolicy/home-again",
                "/spec/replicationPolicyRef/name",
                json!("x"),
            )
            .set(
                "RecoveryPlan/shop",
                "/spec/failbackPolicyRef/name",
                json!("x"),
            )
            .set(
                "RecoveryPlan/shop",
                "/spec/groups/1/protectionGroups/0",
                json!("x"),
            )
            .set(
                "RecoveryPlan/shop",
                "/spec/groups/1/machines",
                json!([{ "protectionGroup": "y", "name": "z" }]),
            )
            .set(
                "RecoveryDrill/shop-november",
                "/spec/planRef/name",
                json!("x"),
            );
        assert_eq!(
            world.found_of("unknown-reference"),
            [
                "error unknown-reference ProtectionGroup/shop-web spec.networkMappingRef.name",
                "error unknown-reference FailbackPolicy/home-again spec.replicationPolicyRef.name",
                "error unknown-reference RecoveryPlan/shop spec.failbackPolicyRef.name",
                "error unknown-reference RecoveryPlan/shop spec.groups[1].machines[0].protectionGroup",
                "error unknown-reference RecoveryPlan/shop spec.groups[1].protectionGroups[0]",
                "error unknown-reference RecoveryDrill/shop-november spec.planRef.name",
            ]
        );
    }

    #[test]
    fn a_missing_site_is_an_error_only_where_sites_are_declared() {
        let some = World::example().without("Site/busan");
        assert_eq!(some.found_of("unknown-site").len(), 4);
        let none = some.without("Site/seoul");
        assert_eq!(
            none.found(),
            [
                "warning site-not-among-manifests NetworkMapping/seoul-busan spec.sites.primary",
                "warning site-not-among-manifests NetworkMapping/seoul-busan spec.sites.secondary",
            ]
        );
    }

    #[test]
    fn a_machine_that_is_no_member_is_named() {
        let machine = |name: &str| json!([{ "protectionGroup": "shop-data", "name": name }]);
        let world = World::example()
            .set(
                "RecoveryPlan/shop",
                "/spec/groups/0/protectionGroups",
                json!([]),
            )
            .set(
                "RecoveryPlan/shop",
                "/spec/groups/0/machines",
                machine("db-3"),
            );
        assert!(world.found().contains(
            &"error unknown-machine RecoveryPlan/shop spec.groups[0].machines[0].name".to_owned()
        ));
    }

    #[test]
    fn members_that_are_not_known_yet_raise_no_alarm() {
        let machine = json!([{ "protectionGroup": "shop-web", "name": "web-7" }]);
        let world = World::example()
            .set(
                "RecoveryPlan/shop",
                "/spec/groups/1/protectionGroups",
                json!([]),
            )
            .set("RecoveryPlan/shop", "/spec/groups/1/machines", machine);
        assert_eq!(world.found(), Vec::<String>::new());
    }

    #[test]
    fn a_drill_names_groups_of_its_plan() {
        let world = World::example().set(
            "RecoveryDrill/shop-november",
            "/spec/groups",
            json!(["data", "wbe"]),
        );
        assert_eq!(
            world.told(),
            [
                "error unknown-plan-group RecoveryDrill/shop-november spec.groups[1]: RecoveryPlan \
              `shop` has no group `wbe` (did you mean `web`?)"
            ]
        );
    }
}
