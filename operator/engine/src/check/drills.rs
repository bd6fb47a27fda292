//! Drills, declared and scheduled: whether they can run, and how they fit their schedule and guards.

use std::collections::{BTreeMap, BTreeSet};

use drover_api::common::{Direction, RecoveryPointChoice, RecoveryPointType, SiteRole};
use drover_api::value::{Duration, StepName};
use drover_api::{RecoveryDrillSpec, Schedule};
use jiff::Timestamp;

use super::codes::{
    DRILL_GUARD_TOO_STRICT, DRILL_GUARD_WITHOUT_DRILLS, DRILL_OUTLASTS_SCHEDULE, DRILL_UNSUPPORTED,
    NO_APP_CONSISTENT_POINTS, TEST_NETWORK_MISSING,
};
use super::context::{Context, Group, Plan};
use super::mappings::pair_path;
use super::pairs::in_direction;
use crate::problem::{FieldPath, Problem};

/// 2026-01-01T00:00:00Z: how often a schedule fires must not depend on when that is asked.
const REFERENCE: i64 = 1_767_225_600;

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    let mut intervals = Intervals::default();
    let networks = Untested::new(context);
    for plan in &context.plans {
        if let Some(drills) = &plan.spec.drills {
            let drill = Drill {
                object: plan.object,
                path: FieldPath::spec("drills").field("schedule"),
                direction: away_from_active(plan),
                groups: plan.parts.iter().copied().collect(),
            };
            drill.check(context, &networks, problems);
            let interval = intervals.of(&drills.schedule);
            schedule(plan, &drills.ttl, interval, problems);
        }
        if let Some(request) = &plan.spec.request
            && let Some(point) = &request.recovery_point
        {
            let path = FieldPath::spec("request").field("recoveryPoint");
            app_consistent(plan.object, path, point, context.parts(plan), problems);
        }
    }
    let mut rehearsed: BTreeSet<usize> = BTreeSet::new();
    for ((namespace, _), drill) in &context.declared.drills {
        let spec = &drill.object.spec;
        let Some(plan) = context.plan(namespace, spec.plan_ref.name.as_str()) else {
            continue;
        };
        rehearsed.insert(plan.object);
        let groups = groups_of(plan, &spec.groups);
        let parts = groups.iter().map(|group| &context.groups[*group]);
        let path = FieldPath::spec("recoveryPoint");
        app_consistent(drill.index, path, &spec.recovery_point, parts, problems);
        declared(plan, drill.index, spec, groups).check(context, &networks, problems);
    }
    for plan in &context.plans {
        guard(plan, rehearsed.contains(&plan.object), problems);
    }
}

/// A drill goes where a failover would.
fn away_from_active(plan: &Plan<'_>) -> Direction {
    match plan.spec.active_site {
        Some(SiteRole::Secondary) => Direction::ToPrimary,
        Some(SiteRole::Primary) | None => Direction::ToSecondary,
    }
}

fn declared(
    plan: &Plan<'_>,
    object: usize,
    spec: &RecoveryDrillSpec,
    groups: BTreeSet<usize>,
) -> Drill {
    let path = match spec.direction {
        Some(_) => FieldPath::spec("direction"),
        None => FieldPath::spec("planRef"),
    };
    Drill {
        object,
        path,
        direction: spec.direction.unwrap_or_else(|| away_from_active(plan)),
        groups,
    }
}

/// The protection groups that a drill of these groups of the plan rehearses, with those that they
/// wait for; all where none is named.
fn groups_of(plan: &Plan<'_>, names: &[StepName]) -> BTreeSet<usize> {
    if names.is_empty() {
        return plan.parts.iter().copied().collect();
    }
    let index: BTreeMap<&str, usize> = plan.group_names().zip(0..).collect();
    let at = |name: &StepName| index.get(name.as_str()).copied();
    let mut waiting: Vec<usize> = names.iter().filter_map(at).collect();
    let mut rehearsed: BTreeSet<usize> = BTreeSet::new();
    while let Some(group) = waiting.pop() {
        if !rehearsed.insert(group) {
            continue;
        }
        match &plan.spec.groups[group].depends_on {
            Some(names) => waiting.extend(names.iter().filter_map(at)),
            None => waiting.extend(group.checked_sub(1)),
        }
    }
    let whole = plan
        .whole
        .iter()
        .filter(|whole| rehearsed.contains(&whole.at));
    let single = plan
        .single
        .iter()
        .filter(|single| rehearsed.contains(&single.at));
    whole
        .map(|whole| whole.group)
        .chain(single.map(|single| single.group))
        .collect()
}

/// A drill that is declared or scheduled.
struct Drill {
    object: usize,
    path: FieldPath,
    direction: Direction,
    groups: BTreeSet<usize>,
}

impl Drill {
    fn check(&self, context: &Context<'_>, networks: &Untested, problems: &mut Vec<Problem>) {
        let groups = || {
            self.groups
                .iter()
                .map(|group| (*group, &context.groups[*group]))
        };
        let unable = groups().find_map(|(_, group)| {
            let rules = group.rules()?;
            let way = in_direction(rules, self.direction);
            (!way.is_some_and(|way| way.test)).then_some((group, rules.name))
        });
        if let Some((group, pair)) = unable {
            let target = group.spec.sites.at(self.direction.target());
            let message = format!(
                "the pair `{pair}` of ProtectionGroup `{}` supports no drill at `{target}`",
                group.name
            );
            problems.push(
                Problem::error(DRILL_UNSUPPORTED, self.object, self.path.clone(), message)
                    .hint("drill in the other direction, or rehearse only what this pair supports")
                    .related(
                        group.object,
                        FieldPath::spec("policyRef"),
                        "the pair follows from this policy and the sites",
                    ),
            );
            return;
        }
        let target = self.direction.target();
        let missing: BTreeSet<(usize, usize)> = groups()
            .filter_map(|(position, group)| Some((group.mapping?, networks.of(position, target))))
            .flat_map(|(mapping, pairs)| pairs.iter().map(move |pair| (mapping, *pair)))
            .collect();
        for (mapping, pair) in missing {
            let mapping = &context.mappings[mapping];
            let name = &mapping.spec.networks[pair].name;
            let message = format!(
                "a drill at `{}` needs an isolated network for pair `{name}`, and there is none",
                mapping.spec.sites.at(target)
            );
            problems.push(
                Problem::error(
                    TEST_NETWORK_MISSING,
                    self.object,
                    self.path.clone(),
                    message,
                )
                .hint(format!(
                    "set `test.{}` of the pair in NetworkMapping `{}`",
                    target.as_str(),
                    mapping.name
                ))
                .related(
                    mapping.object,
                    pair_path(pair),
                    "the pair without a test network",
                ),
            );
        }
    }
}

/// For each protection group, the pairs that its interfaces are on and that have no isolated network.
struct Untested {
    at_primary: Vec<Vec<usize>>,
    at_secondary: Vec<Vec<usize>>,
}

impl Untested {
    fn new(context: &Context<'_>) -> Self {
        let at = |role: SiteRole| {
            let groups = context.groups.iter();
            groups.map(|group| untested(context, group, role)).collect()
        };
        Self {
            at_primary: at(SiteRole::Primary),
            at_secondary: at(SiteRole::Secondary),
        }
    }

    fn of(&self, group: usize, role: SiteRole) -> &[usize] {
        match role {
            SiteRole::Primary => &self.at_primary[group],
            SiteRole::Secondary => &self.at_secondary[group],
        }
    }
}

fn untested(context: &Context<'_>, group: &Group<'_>, role: SiteRole) -> Vec<usize> {
    let Some(mapping) = group.mapping.map(|mapping| &context.mappings[mapping]) else {
        return Vec::new();
    };
    // Most mappings have all their test networks, and then no interface needs to be looked at.
    if mapping
        .spec
        .networks
        .iter()
        .all(|pair| pair.test_at(role).is_some())
    {
        return Vec::new();
    }
    let nics = group
        .nics()
        .filter_map(|(_, nic)| mapping.pair(&nic.network));
    let without = nics.filter(|(_, pair)| pair.test_at(role).is_none());
    let pairs: BTreeSet<usize> = without.map(|(position, _)| position).collect();
    pairs.into_iter().collect()
}

fn app_consistent<'c, 'a: 'c>(
    object: usize,
    path: FieldPath,
    point: &RecoveryPointChoice,
    mut groups: impl Iterator<Item = &'c Group<'a>>,
    problems: &mut Vec<Problem>,
) {
    if point.kind != RecoveryPointType::LatestAppConsistent {
        return;
    }
    let without = groups.find_map(|group| {
        let (policy, spec) = group.policy?;
        let none = spec.recovery_points.app_consistent_every.is_zero();
        none.then_some((group, policy))
    });
    if let Some((group, policy)) = without {
        let message = format!(
            "ProtectionGroup `{}` has no application-consistent points: its policy makes none",
            group.name
        );
        let every = FieldPath::spec("recoveryPoints").field("appConsistentEvery");
        problems.push(
            Problem::warning(
                NO_APP_CONSISTENT_POINTS,
                object,
                path.field("type"),
                message,
            )
            .hint("choose another point, or set `appConsistentEvery` in the policy")
            .related(policy, every, "the policy"),
        );
    }
}

/// How often schedules fire. Many plans share one, and finding it out is slow.
#[derive(Default)]
struct Intervals(BTreeMap<(String, String), Option<Duration>>);

impl Intervals {
    /// The time between the first two times that a schedule fires in the year of reference.
    fn of(&mut self, schedule: &Schedule) -> Option<Duration> {
        let zone = schedule.time_zone.name().to_owned();
        let known = self.0.entry((schedule.cron.to_string(), zone));
        known.or_insert_with(|| interval(schedule)).clone()
    }
}

fn interval(schedule: &Schedule) -> Option<Duration> {
    let begin = Timestamp::from_second(REFERENCE).ok()?;
    let begin = begin.to_zoned(schedule.time_zone.to_jiff());
    let first = schedule.cron.next_after(&begin)?;
    let second = schedule.cron.next_after(&first)?;
    let seconds = second.timestamp().as_second() - first.timestamp().as_second();
    Some(Duration::from_secs(u64::try_from(seconds).ok()?))
}

fn schedule(
    plan: &Plan<'_>,
    ttl: &Duration,
    interval: Option<Duration>,
    problems: &mut Vec<Problem>,
) {
    let Some(interval) = interval else { return };
    if *ttl > interval {
        let path = FieldPath::spec("drills").field("ttl");
        let message = format!("a drill stands for {ttl}, and the next one is due after {interval}");
        problems.push(
            Problem::warning(DRILL_OUTLASTS_SCHEDULE, plan.object, path, message)
                .hint("shorten `ttl`, or drill less often"),
        );
    }
    let guards = plan.spec.guards.as_ref();
    let guard = guards.and_then(|guards| guards.drill_not_older_than.as_ref());
    if let Some(guard) = guard.filter(|guard| **guard < interval) {
        let path = FieldPath::spec("guards").field("drillNotOlderThan");
        let message = format!(
            "no run starts when the last green drill is older than {guard}, and drills are \
             {interval} apart"
        );
        problems.push(
            Problem::warning(DRILL_GUARD_TOO_STRICT, plan.object, path, message)
                .hint("drill more often, or let the guard last longer")
                .related(
                    plan.object,
                    FieldPath::spec("drills").field("schedule"),
                    "the schedule",
                ),
        );
    }
}

fn guard(plan: &Plan<'_>, rehearsed: bool, problems: &mut Vec<Problem>) {
    let guards = plan.spec.guards.as_ref();
    let guarded = guards.is_some_and(|guards| guards.drill_not_older_than.is_some());
    if guarded && plan.spec.drills.is_none() && !rehearsed {
        let path = FieldPath::spec("guards").field("drillNotOlderThan");
        let message = "no run starts without a recent green drill, and no drill is declared";
        problems.push(
            Problem::warning(DRILL_GUARD_WITHOUT_DRILLS, plan.object, path, message)
                .hint("set `drills.schedule`, or create a `RecoveryDrill` often enough"),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::testing::World;

    const PLAN: &str = "RecoveryPlan/shop";
    const DRILL: &str = "RecoveryDrill/shop-november";
    const MAPPING: &str = "NetworkMapping/seoul-busan";

    #[test]
    fn a_drill_needs_a_pair_that_supports_it_in_its_direction() {
        // SPEC: FO-1, FO (direction table)
        let world = World::of_profile("HyperVToAzure");
        assert_eq!(world.found(), Vec::<String>::new());
        let back = world
            .clone()
            .set(DRILL, "/spec/direction", json!("ToPrimary"));
        assert_eq!(
            back.found(),
            [format!("error drill-unsupported {DRILL} spec.direction")]
        );
        // A drill goes away from the active site.
        let home = world.set(PLAN, "/spec/activeSite", json!("secondary"));
        assert_eq!(
            home.found(),
            [
                format!("error drill-unsupported {PLAN} spec.drills.schedule"),
                format!("error drill-unsupported {DRILL} spec.planRef"),
            ]
        );
    }

    #[test]
    fn a_drill_of_some_groups_needs_only_what_those_can() {
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
            .set(DRILL, "/spec/direction", json!("ToPrimary"));
        let of = |groups| {
            world
                .clone()
                .set(DRILL, "/spec/groups", groups)
                .found_of("drill-unsupported")
        };
        assert_eq!(of(json!(["data"])), Vec::<String>::new());
        assert_eq!(of(json!(["web"])).len(), 1);
    }

    #[test]
    fn a_drill_needs_isolated_networks_at_its_target() {
        // SPEC: NM-1, FO-1
        let world = World::example().remove(MAPPING, "/spec/networks/1/test/secondary");
        assert_eq!(
            world.found(),
            [
                format!("error test-network-missing {PLAN} spec.drills.schedule"),
                format!("error test-network-missing {DRILL} spec.planRef"),
            ]
        );
        assert_eq!(world.related(), [format!("{MAPPING} spec.networks[1]")]);
        let other_side = World::example().remove(MAPPING, "/spec/networks/1/test/primary");
        assert_eq!(other_side.found(), Vec::<String>::new());
        let only_data =
            world
                .remove(PLAN, "/spec/drills")
                .set(DRILL, "/spec/groups", json!(["data"]));
        assert_eq!(only_data.found(), Vec::<String>::new());
    }

    #[test]
    fn a_drill_ends_before_the_next_one() {
        let world = World::example()
            .set(PLAN, "/spec/drills/schedule/cron", json!("0 3 * * *"))
            .set(PLAN, "/spec/drills/ttl", json!("25h"));
        assert_eq!(
            world.told(),
            [format!(
                "warning drill-outlasts-schedule {PLAN} spec.drills.ttl: a drill stands for 25h, \
                 and the next one is due after 1d (shorten `ttl`, or drill less often)"
            )]
        );
    }

    #[test]
    fn a_guard_asks_for_drills_that_are_made() {
        // SPEC: RD-1
        let strict = World::example().set(PLAN, "/spec/guards/drillNotOlderThan", json!("7d"));
        assert_eq!(
            strict.found(),
            [format!(
                "warning drill-guard-too-strict {PLAN} spec.guards.drillNotOlderThan"
            )]
        );
        let by_hand = World::example().remove(PLAN, "/spec/drills");
        assert_eq!(by_hand.found(), Vec::<String>::new());
        let none = by_hand.without(DRILL);
        assert_eq!(
            none.found(),
            [format!(
                "warning drill-guard-without-drills {PLAN} spec.guards.drillNotOlderThan"
            )]
        );
    }

    #[test]
    fn a_point_that_no_policy_makes_cannot_be_chosen() {
        // SPEC: FO-4, PR-6
        let world = World::example()
            .set(
                "ReplicationPolicy/gold",
                "/spec/recoveryPoints/appConsistentEvery",
                json!("0s"),
            )
            .set(
                PLAN,
                "/spec/request",
                json!({
                    "id": "a",
                    "expires": "2026-11-20T12:00:00Z",
                    "type": "Unplanned",
                    "recoveryPoint": { "type": "LatestAppConsistent" },
                }),
            );
        assert_eq!(
            world.found(),
            [
                format!("warning no-app-consistent-points {PLAN} spec.request.recoveryPoint.type"),
                format!("warning no-app-consistent-points {DRILL} spec.recoveryPoint.type"),
            ]
        );
    }
}
