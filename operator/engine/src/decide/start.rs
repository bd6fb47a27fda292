//! Whether a run is due: intent is latched, so that neither a failed run, nor a cancelled one, nor a
//! restored backup of the cluster replays it (PL-8).

use std::fmt;

use drover_api::common::SiteRole;
use drover_api::{ActualSite, IntentServed, RecoveryPlanSpec};
use jiff::Timestamp;
use serde::Serialize;

/// Whether a run is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "start"
)]
pub enum Start {
    /// A run towards this side is due.
    Due {
        /// Where to.
        to: SiteRole,
        /// Id of the request that it serves, where there is one.
        request_id: Option<String>,
    },
    /// Declared and actual agree, or nothing is declared.
    Nothing,
    /// They differ and nothing starts by itself: drift, with its reason.
    Held(Held),
}

/// Why nothing starts by itself although declared and actual differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "why")]
pub enum Held {
    /// A site that would know does not answer: unknown is not down (SA-1).
    Unknown,
    /// A run served this very intent and ended otherwise: a person resumes it or asks anew with a
    /// fresh request id.
    Served {
        /// The run.
        run: String,
    },
    /// The request is too old to start anything.
    Expired {
        /// Its id.
        id: String,
    },
    /// Nothing was ever run for the plan as far as is known here: it is new, or the store was lost.
    /// What the fabrics report is adopted (SA-11).
    Adopted,
    /// Some machines are here and some there, and no override says so: a person brings them together.
    Mixed,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str(
                "a site that would know where the machines are does not answer; unknown is not down",
            ),
            Self::Served { run } => write!(
                f,
                "run {run} served this intent and ended otherwise; a request with a fresh id asks \
                 again"
            ),
            Self::Expired { id } => write!(f, "request {id} has expired"),
            Self::Adopted => f.write_str(
                "the machines were found elsewhere than declared and adopted as they are; a request \
                 with a fresh id moves them",
            ),
            Self::Mixed => f.write_str("some machines are at the primary site and some are not"),
        }
    }
}

/// Whether a run is due, from what is declared, what is seen, the intent that was served last, and
/// whether any fabric has on record that a run touched a machine of the plan.
pub fn start(
    plan: &RecoveryPlanSpec,
    actual: ActualSite,
    served: Option<&IntentServed>,
    touched: bool,
    now: Timestamp,
) -> Start {
    let Some(declared) = plan.active_site else {
        return Start::Nothing;
    };
    let there = match actual {
        ActualSite::Primary => declared == SiteRole::Primary,
        ActualSite::Secondary => declared == SiteRole::Secondary,
        ActualSite::Mixed => return Start::Held(Held::Mixed),
        ActualSite::Unknown => return Start::Held(Held::Unknown),
    };
    if there {
        return Start::Nothing;
    }
    let request = plan.request.as_ref();
    let request_id = request.map(|request| request.id.clone());
    match served {
        Some(served) if served.active_site == declared && served.request_id == request_id => {
            return Start::Held(match &served.run {
                Some(run) => Held::Served {
                    run: run.to_string(),
                },
                None => Held::Adopted,
            });
        }
        // Without a memory of our own only a request starts anything, and only where no fabric
        // remembers a run either.
        None if request.is_none() || touched => return Start::Held(Held::Adopted),
        _ => {}
    }
    match request {
        Some(request) if request.expires <= now => Start::Held(Held::Expired {
            id: request.id.clone(),
        }),
        _ => Start::Due {
            to: declared,
            request_id,
        },
    }
}
