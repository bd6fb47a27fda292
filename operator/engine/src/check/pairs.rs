//! What the pair of sites can do, and what the declarations ask of it: the table of the specification.

use std::collections::BTreeSet;

use drover_api::common::{Direction, FailoverType};
use drover_api::{CommitPolicy, Purpose};
use drover_world::{CommitRule, DirectionRules, PairRules};

use super::codes::{COMMITS_AT_ONCE, NO_SUCH_PAIR, SITES_DIFFER, UNSUPPORTED_FAILOVER_TYPE};
use super::context::{Context, Group, Plan};
use crate::problem::{FieldPath, Problem};

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    for group in &context.groups {
        if let Some(Err(why)) = &group.pair {
            let path = FieldPath::spec("policyRef").field("name");
            let mut problem =
                Problem::error(NO_SUCH_PAIR, group.object, path, why.to_string()).hint(why.hint);
            if let Some((policy, _)) = group.policy {
                let path = FieldPath::spec("replicator");
                problem = problem.related(policy, path, "the replicator");
            }
            problems.push(problem);
        }
    }
    for plan in &context.plans {
        sites(context, plan, problems);
        standing(context, plan, Direction::ToSecondary, problems);
        standing(context, plan, Direction::ToPrimary, problems);
        request(context, plan, problems);
        commit(context, plan, problems);
    }
}

/// What a pair can do in a direction; nothing where there is no way back.
pub(super) fn in_direction(rules: &PairRules, direction: Direction) -> Option<&DirectionRules> {
    match direction {
        Direction::ToSecondary => Some(&rules.to_secondary),
        Direction::ToPrimary => rules.to_primary.as_ref().ok(),
    }
}

/// All groups of a plan are of the plan's two sites.
fn sites(context: &Context<'_>, plan: &Plan<'_>, problems: &mut Vec<Problem>) {
    let whole = plan.whole.iter().map(|whole| (whole.group, whole.path()));
    let single = plan
        .single
        .iter()
        .map(|single| (single.group, single.path()));
    let mut told: BTreeSet<usize> = BTreeSet::new();
    for (position, path) in whole.chain(single) {
        let group = &context.groups[position];
        let (own, other) = (&plan.spec.sites, &group.spec.sites);
        if own == other || !told.insert(position) {
            continue;
        }
        let message = format!(
            "ProtectionGroup `{}` is for `{}` and `{}`, this plan is for `{}` and `{}`",
            group.name, other.primary, other.secondary, own.primary, own.secondary
        );
        let swapped = own.primary == other.secondary && own.secondary == other.primary;
        let hint = if swapped {
            "the roles are swapped: make a plan whose primary site is that of the group"
        } else {
            "a plan moves machines between its own two sites: make one plan for each pair of sites"
        };
        problems.push(
            Problem::error(SITES_DIFFER, plan.object, path, message)
                .hint(hint)
                .related(
                    group.object,
                    FieldPath::spec("sites"),
                    "the sites of the group",
                ),
        );
    }
}

fn standing(
    context: &Context<'_>,
    plan: &Plan<'_>,
    direction: Direction,
    problems: &mut Vec<Problem>,
) {
    let failover = &plan.spec.failover;
    let (field, rule) = match direction {
        Direction::ToSecondary => ("toSecondary", &failover.to_secondary),
        Direction::ToPrimary => ("toPrimary", &failover.to_primary),
    };
    let kind = rule
        .as_ref()
        .map_or(FailoverType::Planned, |rule| rule.kind);
    // A plan that only drills starts no failover, so what it leaves unsaid does not matter.
    if rule.is_none() && plan.spec.active_site.is_none() {
        return;
    }
    let Some(unfit) = Unfit::find(context, plan, direction, kind) else {
        return;
    };
    let rule_path = FieldPath::spec("failover").field(field);
    let refused = unfit.refused(plan, direction, kind);
    let (path, message) = if rule.is_some() {
        (rule_path.field("type"), refused)
    } else {
        (
            FieldPath::spec("failover"),
            format!("without `failover.{field}`, {refused}"),
        )
    };
    let hint = unfit.hint(&format!("failover.{field}.type"));
    problems.push(unfit.problem(plan, path, message, hint));
}

fn request(context: &Context<'_>, plan: &Plan<'_>, problems: &mut Vec<Problem>) {
    let (Some(request), Some(target)) = (&plan.spec.request, plan.spec.active_site) else {
        return;
    };
    let direction = Direction::towards(target);
    if let Some(unfit) = Unfit::find(context, plan, direction, request.kind) {
        let path = FieldPath::spec("request").field("type");
        let message = unfit.refused(plan, direction, request.kind);
        let hint = unfit.hint("request.type");
        problems.push(unfit.problem(plan, path, message, hint));
    }
}

/// A protection group whose pair does not support a type of failover.
struct Unfit<'c, 'a> {
    group: &'c Group<'a>,
    rules: &'static PairRules,
    /// The types that all groups of the plan support.
    common: Vec<FailoverType>,
}

impl<'c, 'a> Unfit<'c, 'a> {
    fn find(
        context: &'c Context<'a>,
        plan: &Plan<'_>,
        direction: Direction,
        kind: FailoverType,
    ) -> Option<Self> {
        let mut unfit: Option<(&Group<'_>, &'static PairRules)> = None;
        let mut common = vec![FailoverType::Planned, FailoverType::Unplanned];
        for group in context.parts(plan) {
            let Some(rules) = group.rules() else { continue };
            // What cannot come back at all is a matter of its own.
            let leaves_for_good = group.spec.purpose == Purpose::MigrationOnly;
            let Some(way) = in_direction(rules, direction) else {
                continue;
            };
            if direction == Direction::ToPrimary && leaves_for_good {
                continue;
            }
            common.retain(|kind| supports(way, *kind));
            if unfit.is_none() && !supports(way, kind) {
                unfit = Some((group, rules));
            }
        }
        let (group, rules) = unfit?;
        Some(Self {
            group,
            rules,
            common,
        })
    }

    fn refused(&self, plan: &Plan<'_>, direction: Direction, kind: FailoverType) -> String {
        let sites = &plan.spec.sites;
        format!(
            "a failover from `{}` to `{}` would be `{kind:?}`, which the pair `{}` of \
             ProtectionGroup `{}` does not support in this direction",
            sites.at(direction.source()),
            sites.at(direction.target()),
            self.rules.name,
            self.group.name
        )
    }

    fn hint(&self, field: &str) -> String {
        match self.common.first() {
            Some(kind) => format!("set `{field}: {kind:?}`"),
            None => "no type is supported by all groups of this plan: make one plan for each pair"
                .to_owned(),
        }
    }

    fn problem(&self, plan: &Plan<'_>, path: FieldPath, message: String, hint: String) -> Problem {
        let policy = FieldPath::spec("policyRef");
        Problem::error(UNSUPPORTED_FAILOVER_TYPE, plan.object, path, message)
            .hint(hint)
            .related(
                self.group.object,
                policy,
                "the pair follows from this policy and the sites",
            )
    }
}

fn supports(way: &DirectionRules, kind: FailoverType) -> bool {
    match kind {
        FailoverType::Planned => way.planned,
        FailoverType::Unplanned => way.unplanned,
    }
}

/// Where there are no other points to choose, the failover itself is the commit (FO-5), and a commit
/// cannot be undone (SA-6).
fn commit(context: &Context<'_>, plan: &Plan<'_>, problems: &mut Vec<Problem>) {
    if plan.spec.active_site.is_none() {
        return;
    }
    let at_once = |rules: &PairRules| {
        let directions = [Direction::ToSecondary, Direction::ToPrimary];
        let mut ways = directions
            .iter()
            .filter_map(|way| in_direction(rules, *way));
        ways.any(|way| way.commit == CommitRule::AtOnce)
    };
    let mut groups = context.parts(plan);
    let found =
        groups.find_map(|group| Some((group, group.rules().filter(|rules| at_once(rules))?)));
    let Some((group, rules)) = found else { return };
    let said = match plan.spec.commit.policy {
        CommitPolicy::Manual => "nobody is asked to commit",
        CommitPolicy::Automatic => "the soak time is not waited for",
    };
    let message = format!(
        "the pair `{}` of ProtectionGroup `{}` commits at once: {said}",
        rules.name, group.name
    );
    problems.push(
        Problem::warning(COMMITS_AT_ONCE, plan.object, FieldPath::spec("commit"), message)
            .hint("a commit cannot be undone: put what must be looked at before it into `before` actions or `guards.approvals`")
            .related(group.object, FieldPath::spec("policyRef"), "the pair follows from this policy and the sites"),
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::testing::World;

    const PLAN: &str = "RecoveryPlan/shop";

    #[test]
    fn a_replicator_replicates_between_its_own_fabrics() {
        // SPEC: PR-1
        let world = World::example().set(
            "ReplicationPolicy/gold",
            "/spec/replicator",
            json!({ "qemuBitmap": {} }),
        );
        assert_eq!(
            world.told()[0],
            "error no-such-pair ProtectionGroup/shop-data spec.policyRef.name: qemuBitmap does not \
             replicate from simulator to simulator (qemuBitmap replicates between two libvirt sites)"
        );
    }

    #[test]
    fn what_a_pair_does_not_support_is_refused_with_what_it_does() {
        // SPEC: FO (direction table)
        let world = World::of_profile("VMwareToAzure");
        assert_eq!(
            world.told_of("unsupported-failover-type"),
            [
                format!(
                    "error unsupported-failover-type {PLAN} spec.failover.toPrimary.type: a \
                     failover from `busan` to `seoul` would be `Planned`, which the pair `VMware to \
                     Azure` of ProtectionGroup `shop-data` does not support in this direction (set \
                     `failover.toPrimary.type: Unplanned`)"
                ),
                format!(
                    "error unsupported-failover-type {PLAN} spec.failover.toSecondary.type: a \
                     failover from `seoul` to `busan` would be `Planned`, which the pair `VMware to \
                     Azure` of ProtectionGroup `shop-data` does not support in this direction (set \
                     `failover.toSecondary.type: Unplanned`)"
                ),
            ]
        );
    }

    #[test]
    fn the_default_counts_too() {
        // SPEC: PL-9
        let world = World::of_profile("AzureToAzure").remove(PLAN, "/spec/failover");
        let told = world.told();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[1].contains("spec.failover: without `failover.toSecondary`, a failover"),
            "{told:?}"
        );
        assert!(
            told[1].ends_with("(set `failover.toSecondary.type: Unplanned`)"),
            "{told:?}"
        );
        let drills_only = world.remove(PLAN, "/spec/activeSite");
        assert_eq!(drills_only.found(), Vec::<String>::new());
    }

    #[test]
    fn a_request_asks_for_what_is_supported_in_its_direction() {
        let request = |site: &str| {
            World::of_profile("HyperVToAzure")
                .set(PLAN, "/spec/activeSite", json!(site))
                .set(
                    PLAN,
                    "/spec/request",
                    json!({ "id": "a", "expires": "2026-11-20T12:00:00Z", "type": "Unplanned" }),
                )
                .found_of("unsupported-failover-type")
        };
        assert_eq!(request("secondary"), Vec::<String>::new());
        assert_eq!(
            request("primary"),
            [format!(
                "error unsupported-failover-type {PLAN} spec.request.type"
            )]
        );
    }

    #[test]
    fn a_plan_over_several_pairs_does_what_all_of_them_support() {
        let rule = json!({ "type": "Unplanned" });
        let world = World::example()
            .copy("ReplicationPolicy/gold", "azure")
            .set(
                "ReplicationPolicy/azure",
                "/spec/replicator",
                json!({ "simulator": { "profile": "HyperVToAzure" } }),
            )
            .set(
                "ProtectionGroup/shop-web",
                "/spec/policyRef/name",
                json!("azure"),
            )
            .copy("ReplicationPolicy/azure", "vmware")
            .set(
                "ReplicationPolicy/vmware",
                "/spec/replicator/simulator/profile",
                json!("VMwareToAzure"),
            )
            .set(
                "ProtectionGroup/shop-data",
                "/spec/policyRef/name",
                json!("vmware"),
            )
            .set(PLAN, "/spec/failover/toPrimary", rule.clone())
            .set(PLAN, "/spec/failover/toSecondary", rule);
        let told = world.told_of("unsupported-failover-type");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("ProtectionGroup `shop-web`"), "{told:?}");
        assert!(
            told[0].contains("no type is supported by all groups"),
            "{told:?}"
        );
    }

    #[test]
    fn a_plan_and_its_groups_have_the_same_sites() {
        // SPEC: NM-3
        let swapped = json!({ "primary": "busan", "secondary": "seoul" });
        let world = World::example().set(PLAN, "/spec/sites", swapped);
        assert_eq!(
            world.found(),
            [
                format!("error sites-differ {PLAN} spec.groups[0].protectionGroups[0]"),
                format!("error sites-differ {PLAN} spec.groups[1].protectionGroups[0]"),
            ]
        );
    }

    #[test]
    fn a_pair_that_commits_at_once_is_shown() {
        // SPEC: FO-5, SA-6
        let world = World::of_profile("HyperVSan");
        assert_eq!(
            world.found(),
            [format!("warning commits-at-once {PLAN} spec.commit")]
        );
        assert!(world.told()[0].contains("nobody is asked to commit"));
    }
}
