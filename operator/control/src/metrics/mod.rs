//! Metrics, as `OpenMetrics` has them (KU-3).
//!
//! What happens is counted where it happens. How things stand (RPO, lag, phases, readiness) is read from
//! cache and index when somebody asks, by the process that leads: a standby has none of it to tell.
//! Labels are namespaces, plans, groups, sites, kinds and phases, never machines: ten thousand of those
//! would be a burden to whoever keeps the series, and `drover describe` knows them all.

mod stands;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::context::Context;
use stands::Stands;

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
    OfPlanDrift { namespace, plan, kind, severity }
    OfSite { site }
    OfSiteOffered { site, offered }
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
pub(super) use touch;

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
