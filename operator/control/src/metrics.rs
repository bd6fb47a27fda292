//! Metrics, as `OpenMetrics` has them (KU-3).
//!
//! What happens is counted where it happens. How things stand (RPO, lag, phases, readiness) is read from
//! cache and index when somebody asks, by the process that leads: a standby has none of it to tell.
//! Labels are namespaces, plans, groups, sites, kinds and phases, never machines: ten thousand of those
//! would be a burden to whoever keeps the series, and `drover describe` knows them all.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use drover_api::conditions::{DRIFTED, FAILOVER_READY};
use drover_api::value::SiteName;
use drover_api::{ActualSite, Consistency, RecoveryPlan};
use drover_world::{Link, LinkState, Observed};
use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::cache::ObjectKey;
use crate::context::Context;
use crate::drivers::Place;

/// What the text is, for whoever asks over HTTP.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Level = Gauge<f64, AtomicU64>;

/// From a millisecond to what a driver may take to answer.
const SECONDS: [f64; 11] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];
/// From a second to four hours: an RTO.
const MINUTES: [f64; 12] = [
    1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0,
];

fn quick() -> Histogram {
    Histogram::new(SECONDS)
}

fn slow() -> Histogram {
    Histogram::new(MINUTES)
}

macro_rules! labels {
    ($($name:ident { $($label:ident),* })*) => {$(
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($label: String),* }
    )*};
}

labels! {
    OfKind { kind }
    OfKindReason { kind, reason }
    OfOutcome { outcome }
    OfStep { step }
    OfStepOutcome { step, outcome }
    OfRuns { kind, phase }
    OfPlan { namespace, plan }
    OfPlanSite { namespace, plan, site }
    OfPlanKind { namespace, plan, kind }
    OfGroup { namespace, group }
    OfGroupPhase { namespace, group, phase }
    OfSite { site }
}

type Quick<L> = Family<L, Histogram, fn() -> Histogram>;

/// The metrics of a process, over all its incarnations.
pub struct Metrics {
    registry: Registry,
    /// Whose cache and index are read.
    shown: Mutex<Weak<Context>>,
    counted: Counted,
    stands: Stands,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// What is counted where it happens.
#[derive(Clone)]
struct Counted {
    reconciles: Quick<OfKind>,
    reconcile_errors: Family<OfKindReason, Counter>,
    api_requests: Quick<OfOutcome>,
    driver_requests: Quick<OfStep>,
    driver_outcomes: Family<OfStepOutcome, Counter>,
    step_retries: Family<OfStep, Counter>,
    runs: Family<OfRuns, Histogram, fn() -> Histogram>,
}

/// How things stand; read when asked.
#[derive(Clone, Default)]
struct Stands {
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
    sites: Family<OfSite, Level>,
    unreadable: Family<OfKind, Level>,
}

impl Default for Metrics {
    fn default() -> Self {
        let counted = Counted {
            reconciles: Family::new_with_constructor(quick),
            reconcile_errors: Family::default(),
            api_requests: Family::new_with_constructor(quick),
            driver_requests: Family::new_with_constructor(quick),
            driver_outcomes: Family::default(),
            step_retries: Family::default(),
            runs: Family::new_with_constructor(slow),
        };
        let stands = Stands::default();
        let mut registry = Registry::with_prefix("drover");
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The build of Drover", version);
        counted.register(&mut registry);
        stands.register(&mut registry);
        Self {
            registry,
            shown: Mutex::new(Weak::new()),
            counted,
            stands,
        }
    }
}

/// Each family with one member of no name, so that its text says all that can be said of it.
macro_rules! touch {
    ($of:expr; $($family:ident),*) => { $( drop($of.$family.get_or_create_owned(&Default::default())); )* };
}

impl Counted {
    fn touch(&self) {
        touch![self; reconciles, reconcile_errors, api_requests, driver_requests, driver_outcomes, step_retries, runs];
    }

    fn register(&self, to: &mut Registry) {
        to.register_with_unit(
            "reconcile_duration",
            "How long one reconcile of an object took, by kind",
            Unit::Seconds,
            self.reconciles.clone(),
        );
        to.register(
            "reconcile_errors",
            "Reconciles that failed and are tried again, by kind and reason",
            self.reconcile_errors.clone(),
        );
        to.register_with_unit(
            "api_request_duration",
            "How long the Kubernetes API took to answer, by outcome; watches are not counted",
            Unit::Seconds,
            self.api_requests.clone(),
        );
        to.register_with_unit(
            "driver_request_duration",
            "How long a driver took to answer a request, by step",
            Unit::Seconds,
            self.driver_requests.clone(),
        );
        to.register(
            "driver_requests",
            "Requests to drivers, by step and outcome",
            self.driver_outcomes.clone(),
        );
        to.register(
            "step_retries",
            "Steps of machines that failed and are tried again, by step",
            self.step_retries.clone(),
        );
        to.register_with_unit(
            "run_duration",
            "From the beginning of a run to the phase that it was for, by kind and that phase",
            Unit::Seconds,
            self.runs.clone(),
        );
    }
}

impl Stands {
    fn touch(&self) {
        touch![self; runs, plan_ready, plan_drifted, plan_at, plan_drill_age, plan_rto, plan_rpo, group_rpo,
            group_threshold, group_lag, group_machines, sites, unreadable];
    }

    fn register(&self, to: &mut Registry) {
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
            "Whether declared and actual site differ and nothing starts by itself",
            self.plan_drifted.clone(),
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
            "unreadable_objects",
            "Objects that cannot be read and are left out, by kind",
            self.unreadable.clone(),
        );
    }

    fn clear(&self) {
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
        self.sites.clear();
        self.unreadable.clear();
    }
}

impl Metrics {
    /// All of it, as text of type [`CONTENT_TYPE`].
    pub fn text(&self) -> String {
        // One asks at a time: what stands is cleared and filled in between.
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        self.stands.clear();
        if let Some(context) = shown.upgrade() {
            self.stands.look(&context);
        }
        let mut text = String::new();
        // Writing into memory does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// The text of a process that has each metric once, with labels that are empty: for the page about them.
    pub fn example() -> String {
        let example = Self::default();
        example.counted.touch();
        example.stands.touch();
        let mut text = String::new();
        let _ = encode(&mut text, &example.registry);
        text
    }

    /// The incarnation that works now.
    pub(crate) fn show(&self, context: &Arc<Context>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = Arc::downgrade(context);
    }

    /// None works any more.
    pub(crate) fn hide(&self) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Weak::new();
    }

    pub(crate) fn reconciled(&self, kind: &str, took: Duration) {
        let of = OfKind { kind: kind.into() };
        let family = &self.counted.reconciles;
        family.get_or_create(&of).observe(took.as_secs_f64());
    }

    pub(crate) fn reconcile_failed(&self, kind: &str, reason: &str) {
        let of = OfKindReason {
            kind: kind.into(),
            reason: reason.into(),
        };
        self.counted.reconcile_errors.get_or_create(&of).inc();
    }

    pub(crate) fn api_answered(&self, outcome: &str, took: Duration) {
        let of = OfOutcome {
            outcome: outcome.into(),
        };
        let family = &self.counted.api_requests;
        family.get_or_create(&of).observe(took.as_secs_f64());
    }

    pub(crate) fn driver_answered(&self, step: &str, outcome: &str, took: Duration) {
        let family = &self.counted.driver_requests;
        let of = OfStep { step: step.into() };
        family.get_or_create(&of).observe(took.as_secs_f64());
        let of = OfStepOutcome {
            step: step.into(),
            outcome: outcome.into(),
        };
        self.counted.driver_outcomes.get_or_create(&of).inc();
    }

    pub(crate) fn retried(&self, step: &str) {
        let of = OfStep { step: step.into() };
        self.counted.step_retries.get_or_create(&of).inc();
    }

    pub(crate) fn run_reached(&self, kind: &str, phase: &str, took: Duration) {
        let of = OfRuns {
            kind: kind.into(),
            phase: phase.into(),
        };
        let family = &self.counted.runs;
        family.get_or_create(&of).observe(took.as_secs_f64());
    }
}

fn flag(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

fn since(now: Timestamp, then: Timestamp) -> f64 {
    now.duration_since(then).as_secs_f64().max(0.0)
}

impl Stands {
    fn look(&self, context: &Context) {
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

    fn look_at_sites(&self, context: &Context) {
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
