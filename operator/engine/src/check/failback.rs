//! The way back (FB-0, FB-8, PR-9): what is impossible is said when protection is declared.

use std::collections::BTreeMap;

use drover_api::common::{Direction, SiteRole};
use drover_api::value::FailbackPolicyName;
use drover_api::{DiskKind, FailbackPolicySpec, Profile, Purpose, SiteTargetSettings};
use drover_world::{NotReturning, PairRules, pairs};

use super::codes::{CANNOT_FAIL_BACK, DATA_SYNC_REFUSED, FAILBACK_IMPOSSIBLE, MIXED_PURPOSES};
use super::context::{Context, Group, Plan};
use super::pairs::in_direction;
use super::words::{SHOWN, some_of};
use crate::problem::{FieldPath, Problem};

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    for group in &context.groups {
        of_group(group, problems);
    }
    for plan in &context.plans {
        impossible(context, plan, problems);
        purposes(context, plan, problems);
    }
    for (policy, users) in users(context) {
        data_sync(context, policy, &users, problems);
    }
}

fn of_group(group: &Group<'_>, problems: &mut Vec<Problem>) {
    let Some(rules) = group.rules() else { return };
    if group.spec.purpose == Purpose::MigrationOnly {
        return;
    }
    if let Err(why) = rules.to_primary {
        let why = match why {
            NotReturning::OnlyAsVirtualMachine => {
                "a physical server comes back only as a virtual machine, at a vSphere site"
            }
            NotReturning::Unsupported => "its fabrics have no way back",
        };
        let message = format!("these machines cannot fail back: {why}");
        let path = FieldPath::spec("policyRef").field("name");
        problems.push(
            Problem::warning(CANNOT_FAIL_BACK, group.object, path, message).hint(
                "set `purpose: MigrationOnly` if a one-way move is meant; else plan now where the \
                 machines go after a failover",
            ),
        );
    } else if disks_matter(rules) {
        for path in ultra_disks(group) {
            let message = "machines on `Ultra` disks cannot fail back to VMware or Hyper-V";
            let problem = Problem::warning(CANNOT_FAIL_BACK, group.object, path, message);
            problems.push(problem.hint("use `Premium`, or set `purpose: MigrationOnly`"));
        }
    }
}

/// Between two Azure regions disks of every kind come back.
fn disks_matter(rules: &PairRules) -> bool {
    rules.into_azure && rules != pairs::of_profile(Profile::AzureToAzure)
}

fn ultra_disks(group: &Group<'_>) -> Vec<FieldPath> {
    let ultra = |settings: Option<&SiteTargetSettings>| {
        let at_secondary = settings.and_then(|settings| settings.secondary.as_ref());
        at_secondary.and_then(|settings| settings.disk_kind) == Some(DiskKind::Ultra)
    };
    let spec = group.spec;
    let mut holders = Vec::new();
    if ultra(spec.target_settings.as_ref()) {
        holders.push(FieldPath::default().field("spec"));
    }
    for (position, machine) in spec.machines.iter().enumerate() {
        if ultra(machine.target_settings.as_deref()) {
            holders.push(FieldPath::spec("machines").index(position));
        }
    }
    for (position, settings) in spec.member_settings.iter().enumerate() {
        if ultra(settings.target_settings.as_deref()) {
            holders.push(FieldPath::spec("memberSettings").index(position));
        }
    }
    let kind = |holder: FieldPath| {
        let settings = holder.field("targetSettings");
        settings.field("secondary").field("diskKind")
    };
    holders.into_iter().map(kind).collect()
}

/// Whether machines of this group can come back, where that is known.
fn returns(group: &Group<'_>) -> Option<bool> {
    if group.spec.purpose == Purpose::MigrationOnly {
        return Some(false);
    }
    group.rules().map(|rules| rules.to_primary.is_ok())
}

/// A plan that speaks of a failback has machines that can make it.
fn impossible(context: &Context<'_>, plan: &Plan<'_>, problems: &mut Vec<Problem>) {
    let total = plan.parts.len();
    let gone = context
        .parts(plan)
        .filter(|group| returns(group) == Some(false));
    let names: Vec<&str> = gone.map(|group| group.name).collect();
    if names.is_empty() {
        return;
    }
    let who = format!(
        "the machines of ProtectionGroup {} cannot fail back",
        some_of(names.iter().copied().take(SHOWN), names.len())
    );
    let places = [
        (
            plan.spec.failover.to_primary.is_some(),
            FieldPath::spec("failover").field("toPrimary"),
        ),
        (
            plan.spec.failback_policy_ref.is_some(),
            FieldPath::spec("failbackPolicyRef"),
        ),
    ];
    let none_returns = names.len() == total;
    for (_, path) in places.into_iter().filter(|(set, _)| *set) {
        let problem = if none_returns {
            Problem::error(FAILBACK_IMPOSSIBLE, plan.object, path, who.as_str())
                .hint("remove what this plan says of a failback: its machines only move away")
        } else {
            Problem::warning(FAILBACK_IMPOSSIBLE, plan.object, path, who.as_str()).hint(
                "put these machines into a plan of their own, so that the others can come home",
            )
        };
        problems.push(problem);
    }
    if plan.spec.request.is_some() && plan.spec.active_site == Some(SiteRole::Primary) {
        let path = FieldPath::spec("request");
        let problem = Problem::error(FAILBACK_IMPOSSIBLE, plan.object, path, who)
            .hint("with `activeSite: primary` this requests a failback: remove it");
        problems.push(problem);
    }
}

fn purposes(context: &Context<'_>, plan: &Plan<'_>, problems: &mut Vec<Problem>) {
    let of = |purpose| {
        let mut groups = plan.parts.iter();
        groups.find(|part| context.groups[**part].spec.purpose == purpose)
    };
    let (Some(moves), Some(_)) = (of(Purpose::MigrationOnly), of(Purpose::DisasterRecovery)) else {
        return;
    };
    let group = &context.groups[*moves];
    let whole = plan.whole.iter().find(|whole| whole.group == *moves);
    let single = plan.single.iter().find(|single| single.group == *moves);
    let path = whole
        .map(|whole| whole.path())
        .or_else(|| single.map(|single| single.path()))
        .unwrap_or_else(|| FieldPath::spec("groups"));
    let message = format!(
        "ProtectionGroup `{}` only moves, and others of this plan are to come back: after a \
         failover the plan cannot be brought home whole",
        group.name
    );
    problems.push(
        Problem::warning(MIXED_PURPOSES, plan.object, path, message)
            .hint("put machines that only move into a plan of their own")
            .related(group.object, FieldPath::spec("purpose"), "a one-way move"),
    );
}

/// A failback policy: its object and spec.
type Policy<'a> = (usize, &'a FailbackPolicySpec);

/// The plans that use each failback policy.
fn users<'c, 'a>(context: &'c Context<'a>) -> Vec<(Policy<'a>, Vec<&'c Plan<'a>>)> {
    let mut users: BTreeMap<(&str, &str), Vec<&Plan<'_>>> = BTreeMap::new();
    for plan in &context.plans {
        let name = plan.spec.failback_policy_ref.as_ref();
        if let Some(name) = name.map(|reference| FailbackPolicyName::as_str(&reference.name)) {
            users.entry((plan.namespace, name)).or_default().push(plan);
        }
    }
    let policies = context.declared.failback_policies.iter();
    policies
        .filter_map(|(key, policy)| {
            let users = users.remove(key)?;
            Some(((policy.index, &policy.object.spec), users))
        })
        .collect()
}

/// `dataSync` and what happens between its phases exist only where the failback itself synchronises
/// (FB-0).
fn data_sync(
    context: &Context<'_>,
    (object, policy): Policy<'_>,
    users: &[&Plan<'_>],
    problems: &mut Vec<Problem>,
) {
    let fields: Vec<&'static str> = [
        ("dataSync", policy.data_sync.is_some()),
        ("betweenPhases", policy.between_phases.is_some()),
    ]
    .into_iter()
    .filter_map(|(field, set)| set.then_some(field))
    .collect();
    if fields.is_empty() {
        return;
    }
    let refusing: Vec<&Plan<'_>> = users
        .iter()
        .copied()
        .filter(|plan| synchronizes(context, plan) == Some(false))
        .collect();
    if refusing.is_empty() {
        return;
    }
    let reference = || FieldPath::spec("failbackPolicyRef");
    if refusing.len() < users.len() {
        for plan in refusing {
            let message = format!(
                "this policy says `{}`, and the pairs of this plan do not synchronise within the \
                 failback",
                fields.join("` and `")
            );
            problems.push(
                Problem::error(
                    DATA_SYNC_REFUSED,
                    plan.object,
                    reference().field("name"),
                    message,
                )
                .hint("use a failback policy without them")
                .related(object, FieldPath::spec(fields[0]), "the policy"),
            );
        }
        return;
    }
    for field in fields {
        let message = format!(
            "`{field}` is for pairs that synchronise within the failback, and those of the plans \
             that use this policy do not"
        );
        let mut problem =
            Problem::error(DATA_SYNC_REFUSED, object, FieldPath::spec(field), message).hint(
                format!("remove `{field}`: here data is replicated back before the failback"),
            );
        for plan in refusing.iter().take(SHOWN) {
            problem = problem.related(plan.object, reference(), "a plan that uses the policy");
        }
        problems.push(problem);
    }
}

/// Whether some pair of the plan synchronises within the failback, where all are known.
fn synchronizes(context: &Context<'_>, plan: &Plan<'_>) -> Option<bool> {
    if plan.parts.is_empty() {
        return None;
    }
    let directions = [Direction::ToSecondary, Direction::ToPrimary];
    let mut known = true;
    for group in context.parts(plan) {
        let Some(rules) = group.rules() else {
            known = false;
            continue;
        };
        let mut ways = directions
            .iter()
            .filter_map(|way| in_direction(rules, *way));
        if ways.any(drover_world::DirectionRules::synchronizes_within_failback) {
            return Some(true);
        }
    }
    known.then_some(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::testing::World;

    const PLAN: &str = "RecoveryPlan/shop";
    const DATA: &str = "ProtectionGroup/shop-data";
    const WEB: &str = "ProtectionGroup/shop-web";
    const POLICY: &str = "FailbackPolicy/home-again";

    #[test]
    fn how_to_synchronise_is_only_for_pairs_that_do_it_within_the_failback() {
        // SPEC: FB-0
        let world = World::example().set(
            "ReplicationPolicy/gold",
            "/spec/replicator",
            json!({ "simulator": { "profile": "LibvirtToLibvirt" } }),
        );
        assert_eq!(
            world.found(),
            [
                format!("error data-sync-refused {POLICY} spec.betweenPhases"),
                format!("error data-sync-refused {POLICY} spec.dataSync"),
            ]
        );
        assert_eq!(world.related(), [format!("{PLAN} spec.failbackPolicyRef")]);
        assert_eq!(
            World::of_profile("LibvirtToLibvirt").found(),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_policy_that_fits_one_plan_may_not_fit_another() {
        // SPEC: FB-0
        let world = World::example()
            .copy("ReplicationPolicy/gold", "kvm")
            .set(
                "ReplicationPolicy/kvm",
                "/spec/replicator",
                json!({ "simulator": { "profile": "LibvirtToLibvirt" } }),
            )
            .copy(DATA, "other")
            .set(
                "ProtectionGroup/other",
                "/spec/machines",
                json!([{ "name": "other-1" }]),
            )
            .set(
                "ProtectionGroup/other",
                "/spec/policyRef/name",
                json!("kvm"),
            )
            .copy(PLAN, "other")
            .set(
                "RecoveryPlan/other",
                "/spec/groups",
                json!([{ "name": "all", "protectionGroups": ["other"] }]),
            );
        assert_eq!(
            world.found(),
            ["error data-sync-refused RecoveryPlan/other spec.failbackPolicyRef.name"]
        );
    }

    #[test]
    fn machines_without_a_way_back_are_told_when_they_are_protected() {
        // SPEC: FB-8
        let world = World::of_profile("PhysicalToAzure").remove(PLAN, "/spec/activeSite");
        let told = world.told_of("cannot-fail-back");
        assert_eq!(told.len(), 2);
        assert!(
            told[0].contains("these machines cannot fail back: a physical server comes back only"),
            "{told:?}"
        );
        let moved = world
            .set(DATA, "/spec/purpose", json!("MigrationOnly"))
            .set(WEB, "/spec/purpose", json!("MigrationOnly"));
        assert!(moved.found_of("cannot-fail-back").is_empty());
    }

    #[test]
    fn some_disks_do_not_come_back() {
        // SPEC: FB-8
        let ultra = json!({ "secondary": { "diskKind": "Ultra" } });
        let with = |profile: &str| {
            World::of_profile(profile)
                .set(DATA, "/spec/targetSettings", ultra.clone())
                .set(DATA, "/spec/machines/1/targetSettings", ultra.clone())
                .set(WEB, "/spec/memberSettings/0/targetSettings", ultra.clone())
                .found_of("cannot-fail-back")
        };
        let end = "targetSettings.secondary.diskKind";
        assert_eq!(
            with("HyperVToAzure"),
            [
                format!("warning cannot-fail-back {DATA} spec.machines[1].{end}"),
                format!("warning cannot-fail-back {DATA} spec.{end}"),
                format!("warning cannot-fail-back {WEB} spec.memberSettings[0].{end}"),
            ]
        );
        assert_eq!(with("AzureToAzure"), Vec::<String>::new());
    }

    #[test]
    fn a_plan_of_machines_that_only_move_speaks_of_no_failback() {
        // SPEC: PR-9
        let world = World::example()
            .set(DATA, "/spec/purpose", json!("MigrationOnly"))
            .set(WEB, "/spec/purpose", json!("MigrationOnly"))
            .set(
                PLAN,
                "/spec/request",
                json!({ "id": "a", "expires": "2026-11-20T12:00:00Z", "type": "Planned" }),
            );
        assert_eq!(
            world.found(),
            ["failbackPolicyRef", "failover.toPrimary", "request"]
                .map(|path| format!("error failback-impossible {PLAN} spec.{path}"))
        );
    }

    #[test]
    fn machines_that_only_move_are_in_a_plan_of_their_own() {
        // SPEC: PR-9
        let world = World::example().set(WEB, "/spec/purpose", json!("MigrationOnly"));
        assert_eq!(
            world.found(),
            [
                format!("warning failback-impossible {PLAN} spec.failbackPolicyRef"),
                format!("warning failback-impossible {PLAN} spec.failover.toPrimary"),
                format!("warning mixed-purposes {PLAN} spec.groups[1].protectionGroups[0]"),
            ]
        );
    }
}
