//! Figures that cannot be met, and instants that have passed.

use std::cmp::Reverse;

use drover_api::value::Duration;
use drover_api::{CommitPolicy, ReplicationPolicySpec};

use super::codes::{
    APP_CONSISTENT_BEYOND_RETENTION, MAINTENANCE_OVER, REQUEST_EXPIRED,
    RPO_OBJECTIVE_BELOW_INTERVAL, RPO_THRESHOLD_BELOW_INTERVAL, ZERO_SOAK,
};
use super::context::{Context, Plan};
use crate::problem::{FieldPath, Problem};

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    for policy in context.declared.policies.values() {
        of_policy(policy.index, &policy.object.spec, problems);
    }
    for plan in &context.plans {
        rpo(context, plan, problems);
        soak(plan, problems);
    }
    expired(context, problems);
}

fn of_policy(object: usize, policy: &ReplicationPolicySpec, problems: &mut Vec<Problem>) {
    let threshold = &policy.rpo_threshold;
    if let Some(interval) = policy
        .interval
        .as_ref()
        .filter(|interval| *interval > threshold)
    {
        let message = format!(
            "the alarm at {threshold} would never be silent: changes are sent every {interval}"
        );
        let path = FieldPath::spec("rpoThreshold");
        problems.push(
            Problem::warning(RPO_THRESHOLD_BELOW_INTERVAL, object, path, message)
                .hint("shorten `interval`, or raise the threshold")
                .related(object, FieldPath::spec("interval"), "the interval"),
        );
    }
    let points = &policy.recovery_points;
    if points.app_consistent_every > points.retention {
        let message = format!(
            "an application-consistent point is made every {} and kept for {}: most of the time \
             there is none",
            points.app_consistent_every, points.retention
        );
        let path = FieldPath::spec("recoveryPoints").field("appConsistentEvery");
        problems.push(
            Problem::warning(APP_CONSISTENT_BEYOND_RETENTION, object, path, message)
                .hint("make them more often, or lengthen `retention`"),
        );
    }
}

fn rpo(context: &Context<'_>, plan: &Plan<'_>, problems: &mut Vec<Problem>) {
    let objectives = plan.spec.objectives.as_ref();
    let Some(rpo) = objectives.and_then(|objectives| objectives.rpo.as_ref()) else {
        return;
    };
    let slowest = context
        .parts(plan)
        .filter_map(|group| {
            let (policy, spec) = group.policy?;
            Some((spec.interval.as_ref()?, group, policy))
        })
        .min_by_key(|(interval, ..)| Reverse(*interval));
    let Some((interval, group, policy)) = slowest.filter(|(interval, ..)| *interval > rpo) else {
        return;
    };
    let message = format!(
        "an RPO of {rpo} cannot be met: ProtectionGroup `{}` sends changes every {interval}",
        group.name
    );
    let path = FieldPath::spec("objectives").field("rpo");
    problems.push(
        Problem::warning(RPO_OBJECTIVE_BELOW_INTERVAL, plan.object, path, message)
            .hint("shorten `interval` in its policy, or aim lower")
            .related(policy, FieldPath::spec("interval"), "the interval"),
    );
}

fn soak(plan: &Plan<'_>, problems: &mut Vec<Problem>) {
    let commit = &plan.spec.commit;
    let zero = commit.soak.as_ref().is_some_and(Duration::is_zero);
    if zero && commit.policy == CommitPolicy::Automatic {
        let path = FieldPath::spec("commit").field("soak");
        let message = "the commit follows the checks at once, and it cannot be undone";
        problems.push(
            Problem::warning(ZERO_SOAK, plan.object, path, message)
                .hint("leave time to look at the machines, or set `policy: Manual`"),
        );
    }
}

fn expired(context: &Context<'_>, problems: &mut Vec<Problem>) {
    let Some(now) = context.now else { return };
    for plan in &context.plans {
        if let Some(request) = plan
            .spec
            .request
            .as_ref()
            .filter(|request| request.expires <= now)
        {
            let path = FieldPath::spec("request").field("expires");
            let message = format!(
                "request `{}` expired at {} and starts nothing any more",
                request.id, request.expires
            );
            problems.push(
                Problem::warning(REQUEST_EXPIRED, plan.object, path, message)
                    .hint("remove it, or write a request with a new `id` and a later `expires`"),
            );
        }
    }
    for (name, site) in &context.declared.sites {
        let maintenance = site.object.spec.maintenance.as_ref();
        let until = maintenance.and_then(|maintenance| maintenance.until);
        if let Some(until) = until.filter(|until| *until <= now) {
            let path = FieldPath::spec("maintenance").field("until");
            let message = format!("the maintenance of `{name}` ended at {until} and holds nothing");
            problems.push(
                Problem::warning(MAINTENANCE_OVER, site.index, path, message)
                    .hint("remove `maintenance`, or set a later `until`"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::testing::World;

    const PLAN: &str = "RecoveryPlan/shop";
    const POLICY: &str = "ReplicationPolicy/gold";

    #[test]
    fn an_objective_is_not_shorter_than_the_interval() {
        // SPEC: PL-11, PR-6
        let world = World::example().set(POLICY, "/spec/interval", json!("20m"));
        assert_eq!(
            world.told(),
            [
                format!(
                    "warning rpo-threshold-below-interval {POLICY} spec.rpoThreshold: the alarm at \
                     15m would never be silent: changes are sent every 20m (shorten `interval`, or \
                     raise the threshold)"
                ),
                format!(
                    "warning rpo-objective-below-interval {PLAN} spec.objectives.rpo: an RPO of 5m \
                     cannot be met: ProtectionGroup `shop-data` sends changes every 20m (shorten \
                     `interval` in its policy, or aim lower)"
                ),
            ]
        );
    }

    #[test]
    fn points_are_kept_until_the_next_one() {
        // SPEC: PR-6
        let world = World::example().set(POLICY, "/spec/recoveryPoints/retention", json!("30m"));
        assert_eq!(
            world.found(),
            [format!(
                "warning app-consistent-beyond-retention {POLICY} \
                 spec.recoveryPoints.appConsistentEvery"
            )]
        );
    }

    #[test]
    fn an_automatic_commit_leaves_time_to_look() {
        // SPEC: SA-6
        let commit = json!({ "policy": "Automatic", "soak": "0s" });
        let world = World::example().set(PLAN, "/spec/commit", commit);
        assert_eq!(
            world.found(),
            [format!("warning zero-soak {PLAN} spec.commit.soak")]
        );
    }

    #[test]
    fn what_has_expired_is_told_when_the_time_is_known() {
        // SPEC: PL-9, SA-10
        let world = World::example()
            .set(
                PLAN,
                "/spec/request",
                json!({ "id": "a", "expires": "2026-11-20T12:00:00Z", "type": "Planned" }),
            )
            .set(
                "Site/busan",
                "/spec/maintenance",
                json!({ "reason": "power", "until": "2026-11-20T12:00:00Z" }),
            );
        assert_eq!(world.found(), Vec::<String>::new());
        assert_eq!(
            world.found_at(Some("2026-11-20T11:59:59Z")),
            Vec::<String>::new()
        );
        assert_eq!(
            world.found_at(Some("2026-11-20T12:00:00Z")),
            [
                "warning maintenance-over Site/busan spec.maintenance.until".to_owned(),
                format!("warning request-expired {PLAN} spec.request.expires"),
            ]
        );
    }
}
