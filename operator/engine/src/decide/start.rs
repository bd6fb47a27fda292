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

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(active: &str, request: Option<&str>) -> RecoveryPlanSpec {
        let mut spec = serde_json::json!({
            "sites": { "primary": "seoul", "secondary": "busan" },
            "activeSite": active,
            "groups": [{ "name": "data", "protectionGroups": ["data"] }],
        });
        if let Some(id) = request {
            spec["request"] = serde_json::json!({
                "id": id, "expires": "2026-03-03T00:00:00Z", "type": "Unplanned",
            });
        }
        serde_json::from_value(spec).unwrap()
    }

    fn served(site: SiteRole, request: Option<&str>, run: Option<&str>) -> IntentServed {
        IntentServed {
            active_site: site,
            request_id: request.map(str::to_owned),
            run: run.map(|run| run.parse().unwrap()),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// What follows for a plan that wants the secondary site while its machines are at the primary.
    fn wanting(request: Option<&str>, served: Option<&IntentServed>, touched: bool) -> Start {
        let plan = plan("secondary", request);
        let now = at("2026-03-02T00:00:00Z");
        start(&plan, ActualSite::Primary, served, touched, now)
    }

    #[test]
    fn a_changed_declaration_starts_a_run_once() {
        // SPEC: PL-8
        let before = served(SiteRole::Primary, None, None);
        assert!(matches!(
            wanting(None, Some(&before), true),
            Start::Due { .. }
        ));
        let same = served(SiteRole::Secondary, None, Some("shop-1"));
        let run = "shop-1".to_owned();
        assert_eq!(
            wanting(None, Some(&same), true),
            Start::Held(Held::Served { run })
        );
        // A fresh request asks again; the same one does not.
        assert!(matches!(
            wanting(Some("typhoon-1"), Some(&same), true),
            Start::Due { .. }
        ));
        let asked = served(SiteRole::Secondary, Some("typhoon-1"), Some("shop-2"));
        assert!(matches!(
            wanting(Some("typhoon-1"), Some(&asked), true),
            Start::Held(_)
        ));
    }

    #[test]
    fn without_a_memory_nothing_starts_by_itself() {
        // SPEC: SA-11
        assert_eq!(wanting(None, None, false), Start::Held(Held::Adopted));
        // A request does, unless a fabric remembers that a run touched the machines.
        assert!(matches!(
            wanting(Some("typhoon-1"), None, false),
            Start::Due { .. }
        ));
        assert_eq!(
            wanting(Some("typhoon-1"), None, true),
            Start::Held(Held::Adopted)
        );
        // What was adopted stays so.
        let adopted = served(SiteRole::Secondary, None, None);
        assert_eq!(
            wanting(None, Some(&adopted), true),
            Start::Held(Held::Adopted)
        );
    }

    #[test]
    fn a_request_that_expired_starts_nothing() {
        // SPEC: PL-9, SA-11
        let plan = plan("secondary", Some("typhoon-1"));
        let now = at("2026-03-03T00:00:00Z");
        let id = "typhoon-1".to_owned();
        let expired = Start::Held(Held::Expired { id });
        let before = served(SiteRole::Primary, None, None);
        for memory in [None, Some(&before)] {
            let start = start(&plan, ActualSite::Primary, memory, false, now);
            assert_eq!(start, expired);
        }
    }

    #[test]
    fn what_is_not_known_or_not_in_one_place_is_held() {
        // SPEC: SA-1, FO-10
        let plan = plan("secondary", Some("typhoon-1"));
        let now = at("2026-03-02T00:00:00Z");
        let held = |actual| start(&plan, actual, None, false, now);
        assert_eq!(held(ActualSite::Unknown), Start::Held(Held::Unknown));
        assert_eq!(held(ActualSite::Mixed), Start::Held(Held::Mixed));
        assert_eq!(held(ActualSite::Secondary), Start::Nothing);
    }
}
