//! How things stand: RPO, lag, phases, readiness, drift. Read from cache and index when somebody asks, by the
//! process that leads.

use std::collections::BTreeMap;

use drover_api::conditions::{DRIFTED, FAILOVER_READY};
use drover_api::value::SiteName;
use drover_api::{ActualSite, Consistency, RecoveryPlan};
use drover_world::{Link, LinkState, Observed};
use jiff::Timestamp;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::{
    Level, OfGroup, OfGroupPhase, OfKind, OfPlan, OfPlanDrift, OfPlanKind, OfPlanSite, OfRuns,
    OfSite, OfSiteOffered, touch,
};
use crate::cache::ObjectKey;
use crate::context::Context;
use crate::drivers::Place;

/// How things stand; read when asked.
#[derive(Clone, Default)]
pub(super) struct Stands {
    leader: Level,
    queue: Level,
    runs: Family<OfRuns, Level>,
    plan_ready: Family<OfPlan, Level>,
    plan_drifted: Family<OfPlan, Level>,
    plan_at: Family<OfPlanSite, Level>,
    plan_drill_age: Family<OfPlan, Level>,
    plan_rto: Family<OfPlanKind, Level>,
    plan_rpo: Family<OfPlanKind, Level>,
    group_rpo: Family<OfGroup, Level>,
    group_threshold: Family<OfGroup, Level>,
    group_lag: Family<OfGroup, Level>,
    group_machines: Family<OfGroupPhase, Level>,
    plan_drift: Family<OfPlanDrift, Level>,
    plan_drift_age: Family<OfPlan, Level>,
    sites: Family<OfSite, Level>,
    unprotected: Family<OfSiteOffered, Level>,
    unreadable: Family<OfKind, Level>,
}

impl Stands {
    pub(super) fn touch(&self) {
        touch![self; runs, plan_ready, plan_drifted, plan_at, plan_drill_age, plan_rto, plan_rpo, group_rpo,
            group_threshold, group_lag, group_machines, plan_drift, plan_drift_age, sites, unprotected, unreadable];
    }

    pub(super) fn register(&self, to: &mut Registry) {
        to.register("leader", "Whether this process leads", self.leader.clone());
        to.register(
            "queue_keys",
            "Objects that wait to be reconciled",
            self.queue.clone(),
        );
        to.register(
            "runs",
            "Runs that are on record, by kind and phase",
            self.runs.clone(),
        );
        to.register(
            "plan_ready",
            "Whether a failover could be started now with what is known",
            self.plan_ready.clone(),
        );
        to.register(
            "plan_drifted",
            "Whether the condition Drifted holds: what is declared and what is differ, and a person should look",
            self.plan_drifted.clone(),
        );
        to.register(
            "plan_drift",
            "Machines, drills and sites of a plan that differ from what is declared, by kind and severity",
            self.plan_drift.clone(),
        );
        to.register_with_unit(
            "plan_drift_age",
            "Time since the oldest difference of a plan and its machines was seen; absent where there is none",
            Unit::Seconds,
            self.plan_drift_age.clone(),
        );
        to.register(
            "plan_active_site",
            "Where the machines of a plan are: 1 for primary, secondary, mixed or unknown",
            self.plan_at.clone(),
        );
        to.register_with_unit(
            "plan_drill_age",
            "Time since a drill of the plan passed; absent where none ever did",
            Unit::Seconds,
            self.plan_drill_age.clone(),
        );
        to.register_with_unit(
            "plan_last_rto",
            "The RTO that the plan's newest run of a kind reached",
            Unit::Seconds,
            self.plan_rto.clone(),
        );
        to.register_with_unit(
            "plan_last_rpo",
            "The data loss that the plan's newest run of a kind meant",
            Unit::Seconds,
            self.plan_rpo.clone(),
        );
        to.register_with_unit(
            "group_rpo",
            "Age of the newest recovery point of the machine that is worst off",
            Unit::Seconds,
            self.group_rpo.clone(),
        );
        to.register_with_unit(
            "group_rpo_threshold",
            "The rpoThreshold of the group's policy",
            Unit::Seconds,
            self.group_threshold.clone(),
        );
        to.register_with_unit(
            "group_replication_lag",
            "What is not at the other site yet, of all machines together",
            Unit::Bytes,
            self.group_lag.clone(),
        );
        to.register(
            "group_machines",
            "Machines of a group, by phase of their protection",
            self.group_machines.clone(),
        );
        to.register(
            "site_reachable",
            "Whether a site answers; 0 means that what happens there is not known",
            self.sites.clone(),
        );
        to.register(
            "site_unprotected_machines",
            "Machines of a site that no protection group has, by whether a tenant may protect them",
            self.unprotected.clone(),
        );
        to.register(
            "unreadable_objects",
            "Objects that cannot be read and are left out, by kind",
            self.unreadable.clone(),
        );
    }

    pub(super) fn clear(&self) {
        self.leader.set(0.0);
        self.queue.set(0.0);
        self.runs.clear();
        self.plan_ready.clear();
        self.plan_drifted.clear();
        self.plan_at.clear();
        self.plan_drill_age.clear();
        self.plan_rto.clear();
        self.plan_rpo.clear();
        self.group_rpo.clear();
        self.group_threshold.clear();
        self.group_lag.clear();
        self.group_machines.clear();
        self.plan_drift.clear();
        self.plan_drift_age.clear();
        self.sites.clear();
        self.unprotected.clear();
        self.unreadable.clear();
    }
}

fn flag(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

fn since(now: Timestamp, then: Timestamp) -> f64 {
    now.duration_since(then).as_secs_f64().max(0.0)
}

impl Stands {
    pub(super) fn look(&self, context: &Context) {
        self.leader.set(flag(context.gate.is_open()));
        #[expect(clippy::cast_precision_loss, reason = "nobody counts that many")]
        self.queue.set(context.queue.len() as f64);
        for (kind, count) in context.unread().counts() {
            #[expect(clippy::cast_precision_loss, reason = "nobody counts that many")]
            let count = count as f64;
            let of = OfKind { kind: kind.into() };
            self.unreadable.get_or_create(&of).set(count);
        }
        self.look_at_runs(context);
        self.look_at_plans(context);
        self.look_at_groups(context);
        self.look_at_sites(context);
    }

    fn look_at_runs(&self, context: &Context) {
        let cache = context.cache();
        let mut newest = BTreeMap::new();
        for (key, run) in cache.runs.iter() {
            let status = run.status.as_ref();
            let phase = run.phase();
            let kind = format!("{:?}", run.spec.kind);
            let of = OfRuns {
                kind: kind.clone(),
                phase: format!("{phase:?}"),
            };
            self.runs.get_or_create(&of).inc();
            let Some(rto) = status.and_then(|status| status.rto.as_ref()) else {
                continue;
            };
            let rpo = status.and_then(|status| status.rpo.as_ref());
            let of = (key.namespace.clone(), run.spec.plan_ref.name.clone(), kind);
            let reached = (
                run.spec.number,
                rto.as_std(),
                rpo.map(drover_api::value::Duration::as_std),
            );
            let entry = newest.entry(of).or_insert(reached);
            if entry.0 < reached.0 {
                *entry = reached;
            }
        }
        for ((namespace, plan, kind), (_, rto, rpo)) in newest {
            let of = OfPlanKind {
                namespace: namespace.to_string(),
                plan: plan.to_string(),
                kind,
            };
            self.plan_rto.get_or_create(&of).set(rto.as_secs_f64());
            if let Some(rpo) = rpo {
                self.plan_rpo.get_or_create(&of).set(rpo.as_secs_f64());
            }
        }
    }

    fn look_at_plans(&self, context: &Context) {
        let now = context.clock.now();
        let cache = context.cache();
        for (key, plan) in cache.plans.iter() {
            let of = OfPlan {
                namespace: key.namespace.to_string(),
                plan: key.name.to_string(),
            };
            let ready = flag(holds(plan, FAILOVER_READY));
            self.plan_ready.get_or_create(&of).set(ready);
            let drifted = flag(holds(plan, DRIFTED));
            self.plan_drifted.get_or_create(&of).set(drifted);
            self.look_at_drift(&of, plan, now);
            let status = plan.status.as_ref();
            if let Some(green) = status.and_then(|status| status.last_green_drill) {
                let age = since(now, green);
                self.plan_drill_age.get_or_create(&of).set(age);
            }
            let at = status.and_then(|status| status.active_site);
            let at = match at.unwrap_or(ActualSite::Unknown) {
                ActualSite::Primary => "primary",
                ActualSite::Secondary => "secondary",
                ActualSite::Mixed => "mixed",
                ActualSite::Unknown => "unknown",
            };
            for site in ["primary", "secondary", "mixed", "unknown"] {
                let of = OfPlanSite {
                    namespace: key.namespace.to_string(),
                    plan: key.name.to_string(),
                    site: site.into(),
                };
                self.plan_at.get_or_create(&of).set(flag(site == at));
            }
        }
    }

    fn look_at_drift(&self, of: &OfPlan, plan: &RecoveryPlan, now: Timestamp) {
        let differences = plan.status.iter().flat_map(|status| &status.differences);
        let mut oldest: Option<Timestamp> = None;
        for drift in differences {
            let kind = OfPlanDrift {
                namespace: of.namespace.clone(),
                plan: of.plan.clone(),
                kind: format!("{:?}", drift.kind),
                severity: format!("{:?}", drift.severity),
            };
            self.plan_drift
                .get_or_create(&kind)
                .set(f64::from(drift.count));
            oldest = Some(oldest.map_or(drift.since, |oldest| oldest.min(drift.since)));
        }
        if let Some(oldest) = oldest {
            self.plan_drift_age
                .get_or_create(of)
                .set(since(now, oldest));
        }
    }

    fn look_at_groups(&self, context: &Context) {
        let now = context.clock.now();
        for (of, places) in self.members(context) {
            let mut worst: Option<f64> = None;
            let mut lag = 0_u64;
            let index = context.index();
            let links = places
                .iter()
                .filter_map(|place| last(index.link(&place.pair, &place.subject.primary)));
            for link in links.filter(|link| link.state != LinkState::None) {
                lag = lag.saturating_add(link.pending_bytes);
                let age = link.points.last().map(|point| since(now, point.at));
                worst = match (worst, age) {
                    (Some(worst), Some(age)) => Some(worst.max(age)),
                    (worst, age) => worst.or(age),
                };
            }
            #[expect(clippy::cast_precision_loss, reason = "bytes of a lag are an estimate")]
            self.group_lag.get_or_create(&of).set(lag as f64);
            if let Some(worst) = worst {
                self.group_rpo.get_or_create(&of).set(worst);
            }
        }
    }

    /// The groups and where their machines stand. Cache and index are never locked together.
    fn members(&self, context: &Context) -> Vec<(OfGroup, Vec<Place>)> {
        let cache = context.cache();
        let mut groups = Vec::new();
        for (key, group) in cache.groups.iter() {
            let of = OfGroup {
                namespace: key.namespace.to_string(),
                group: key.name.to_string(),
            };
            let policy = ObjectKey::new(&key.namespace, group.spec.policy_ref.name.as_str());
            if let Some(policy) = cache.policies.get(&policy) {
                let threshold = policy.spec.rpo_threshold.as_std().as_secs_f64();
                self.group_threshold.get_or_create(&of).set(threshold);
            }
            let mut places = Vec::new();
            for machine in cache.members(key) {
                let phase = machine.status.as_ref().map(|status| status.phase);
                let of = OfGroupPhase {
                    namespace: key.namespace.to_string(),
                    group: key.name.to_string(),
                    phase: format!("{:?}", phase.unwrap_or_default()),
                };
                self.group_machines.get_or_create(&of).inc();
                places.push(Place::of(
                    &key.namespace,
                    &machine.spec,
                    Consistency::PerMachine,
                ));
            }
            groups.push((of, places));
        }
        groups
    }

    fn look_at_unprotected(&self, context: &Context) {
        let cache = context.cache();
        for (key, site) in cache.sites.iter() {
            let open = site
                .status
                .as_ref()
                .and_then(|status| status.unprotected.as_ref());
            let Some(open) = open else { continue };
            let counts = [
                ("true", open.offered),
                ("false", open.count.saturating_sub(open.offered)),
            ];
            for (offered, count) in counts {
                let of = OfSiteOffered {
                    site: key.name.to_string(),
                    offered: offered.into(),
                };
                self.unprotected.get_or_create(&of).set(f64::from(count));
            }
        }
    }

    fn look_at_sites(&self, context: &Context) {
        self.look_at_unprotected(context);
        let names: Vec<SiteName> = {
            let cache = context.cache();
            let names = cache.sites.iter().map(|(key, _)| key.name.parse());
            names.filter_map(Result::ok).collect()
        };
        let index = context.index();
        for name in names {
            let answers = index.answers_since(&name).is_some();
            let of = OfSite {
                site: name.to_string(),
            };
            self.sites.get_or_create(&of).set(flag(answers));
        }
    }
}

/// What was seen last: a lag does not end because nobody reports it.
fn last(link: Observed<Link>) -> Option<Link> {
    match link {
        Observed::Seen { value, .. } => Some(value),
        Observed::Unknown { last, .. } => last,
    }
}

fn holds(plan: &RecoveryPlan, condition: &str) -> bool {
    let conditions = plan.status.iter().flat_map(|status| &status.conditions);
    let mut found = conditions.filter(|each| each.type_ == condition);
    found.any(|each| each.status == "True")
}
