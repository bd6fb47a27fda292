//! Whether a run is due: intent is latched, so that neither a failed run, nor a cancelled one, nor a
//! restored backup of the cluster replays it (PL-8).

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
}

/// Whether a run is due, from what is declared, what is seen, and the intent that the last run served.
pub fn start(
    plan: &RecoveryPlanSpec,
    actual: ActualSite,
    served: Option<&IntentServed>,
    now: Timestamp,
) -> Start {
    let Some(declared) = plan.active_site else {
        return Start::Nothing;
    };
    let there = match actual {
        ActualSite::Primary => declared == SiteRole::Primary,
        ActualSite::Secondary => declared == SiteRole::Secondary,
        // Machines that an override sends elsewhere are seen one by one, not here.
        ActualSite::Mixed => false,
        ActualSite::Unknown => return Start::Held(Held::Unknown),
    };
    if there {
        return Start::Nothing;
    }
    let request = plan.request.as_ref();
    let request_id = request.map(|request| request.id.clone());
    if let Some(served) = served
        && served.active_site == declared
        && served.request_id == request_id
    {
        return Start::Held(Held::Served {
            run: served.run.to_string(),
        });
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
