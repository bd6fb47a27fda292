//! Whether a run is due: intent is latched, so that neither a failed run, nor a cancelled one, nor a
//! restored backup of the cluster replays it (PL-8).

use std::fmt;

use drover_api::annotations::SUSPEND;
use drover_api::common::{MachineRef, RunKind, SiteRole};
use drover_api::{IntentServed, Override, RecoveryPlanSpec, RecoveryRun, RunPhase};
use jiff::Timestamp;
use serde::Serialize;

use crate::plan::{Balance, wanted};

/// Whether a run is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "start"
)]
pub enum Start {
    /// A run towards this side is due, of the machines that should be there and are not.
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
    /// A run served this very intent, and machines are elsewhere all the same: a person resumes it or
    /// asks anew with a fresh request id.
    Served {
        /// The run.
        run: String,
        /// Machines that are elsewhere than declared.
        machines: usize,
    },
    /// The request is too old to start anything.
    Expired {
        /// Its id.
        id: String,
    },
    /// A run is due, and the plan is suspended.
    Suspended {
        /// Where to.
        to: SiteRole,
        /// Machines that are elsewhere than declared.
        machines: usize,
    },
    /// Nothing was ever run for the plan as far as is known here: it is new, or the store was lost.
    /// What the fabrics report is adopted (SA-11).
    Adopted {
        /// Machines that are elsewhere than declared.
        machines: usize,
    },
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str(
                "a site that would know where the machines are does not answer; unknown is not down",
            ),
            Self::Served { run, machines } => write!(
                f,
                "{} elsewhere than declared, and run {run} served this intent; a \
                 request with a fresh id moves them",
                several(*machines, "are", "is")
            ),
            Self::Suspended { to, machines } => write!(
                f,
                "suspended: {} to the {} site when the annotation {SUSPEND} is taken away",
                several(*machines, "would go", "would go"),
                to.as_str()
            ),
            Self::Expired { id } => write!(f, "request {id} has expired"),
            Self::Adopted { machines } => write!(
                f,
                "{} found elsewhere than declared and adopted as they are; a request with a fresh id \
                 moves them",
                several(*machines, "were", "was")
            ),
        }
    }
}

fn several(machines: usize, are: &str, is: &str) -> String {
    match machines {
        1 => format!("1 machine {is}"),
        machines => format!("{machines} machines {are}"),
    }
}

/// The intent that was served last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The intent.
    pub intent: IntentServed,
    /// Whether the run that served it was committed and others of its machines go the other way.
    pub more: bool,
}

impl Served {
    /// What a run served; nothing for one that moves no machines.
    pub fn by(run: &RecoveryRun) -> Option<Self> {
        let moves = matches!(
            run.spec.kind,
            RunKind::PlannedFailover | RunKind::UnplannedFailover
        );
        if !moves {
            return None;
        }
        let declared = run.spec.intent.as_ref();
        let phase = run.status.as_ref().map(|status| status.record.phase);
        Some(Self {
            intent: IntentServed {
                active_site: declared.map_or(run.spec.direction.target(), |of| of.active_site),
                overrides: declared.map_or_else(Vec::new, |of| of.overrides.clone()),
                request_id: run.spec.request_id.clone(),
                run: Some(run.metadata.name.as_deref()?.parse().ok()?),
            },
            more: declared.is_some_and(|of| of.more) && phase == Some(RunPhase::Committed),
        })
    }

    /// Whether the declaration is still the one that was served. A request that was used up may be taken
    /// away: that asks for nothing.
    fn is(&self, plan: &RecoveryPlanSpec) -> bool {
        let asked = plan.request.as_ref().map(|request| &request.id);
        let (before, now) = (&self.intent.overrides, &plan.overrides);
        Some(self.intent.active_site) == plan.active_site
            && (asked.is_none() || self.intent.request_id.as_ref() == asked)
            && sorted(before) == sorted(now)
    }
}

/// Overrides say the same in any order.
fn sorted(overrides: &[Override]) -> Vec<&Override> {
    let mut sorted: Vec<&Override> = overrides.iter().collect();
    sorted.sort();
    sorted
}

/// Whether a run is due, from what is declared, how many machines are where, the intent that was served
/// last, and whether any fabric has on record that a run touched a machine of the plan.
pub fn start(
    plan: &RecoveryPlanSpec,
    balance: &Balance,
    served: Option<&Served>,
    touched: bool,
    now: Timestamp,
) -> Start {
    let Some(declared) = plan.active_site else {
        return Start::Nothing;
    };
    if balance.unknown > 0 || *balance == Balance::default() {
        return Start::Held(Held::Unknown);
    }
    let machines = balance.misplaced();
    if machines == 0 {
        return Start::Nothing;
    }
    // The plan goes first; single machines that go the other way follow in a run of their own.
    let mut to = declared;
    if balance.towards(declared) == 0 {
        to = declared.other();
    }
    let request = plan.request.as_ref();
    match served {
        Some(served) if served.is(plan) => match &served.intent.run {
            Some(_) if served.more && to != declared => {}
            Some(run) => {
                let run = run.to_string();
                return Start::Held(Held::Served { run, machines });
            }
            None => return Start::Held(Held::Adopted { machines }),
        },
        // Without a memory of our own only a request starts anything, and only where no fabric
        // remembers a run either.
        None if request.is_none() || touched => return Start::Held(Held::Adopted { machines }),
        _ => {}
    }
    match request {
        Some(request) if request.expires <= now => Start::Held(Held::Expired {
            id: request.id.clone(),
        }),
        _ => Start::Due {
            to,
            request_id: request.map(|request| request.id.clone()),
        },
    }
}

impl Start {
    /// While a plan is suspended nothing begins.
    #[must_use]
    pub fn unless_suspended(self, suspended: bool, balance: &Balance) -> Self {
        match self {
            Self::Due { to, .. } if suspended => Self::Held(Held::Suspended {
                to,
                machines: balance.misplaced(),
            }),
            other => other,
        }
    }
}

/// Whether the declaration no longer wants what a run does: one of its machines should not be where it
/// goes (PL-8).
pub fn withdrawn<'a>(
    plan: &RecoveryPlanSpec,
    to: SiteRole,
    mut machines: impl Iterator<Item = &'a MachineRef>,
) -> bool {
    if plan.overrides.is_empty() {
        return plan.active_site.is_some_and(|declared| declared != to);
    }
    machines.any(|machine| {
        wanted(plan, &machine.protection_group, &machine.name).is_some_and(|wanted| wanted != to)
    })
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

    fn served(site: SiteRole, request: Option<&str>, run: Option<&str>) -> Served {
        Served {
            intent: IntentServed {
                active_site: site,
                overrides: vec![],
                request_id: request.map(str::to_owned),
                run: run.map(|run| run.parse().unwrap()),
            },
            more: false,
        }
    }

    /// Four machines, so many of which have to go to each side.
    fn balance(to_primary: usize, to_secondary: usize) -> Balance {
        Balance {
            in_place: 4 - to_primary - to_secondary,
            to_primary,
            to_secondary,
            unknown: 0,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// What follows for a plan that wants the secondary site while its machines are at the primary.
    fn wanting(request: Option<&str>, served: Option<&Served>, touched: bool) -> Start {
        let plan = plan("secondary", request);
        let now = at("2026-03-02T00:00:00Z");
        start(&plan, &balance(0, 4), served, touched, now)
    }

    #[test]
    fn a_suspended_plan_starts_nothing_and_says_what_it_would() {
        // SPEC: KU-2, PL-8
        let before = served(SiteRole::Primary, None, None);
        let due = wanting(None, Some(&before), true);
        let held = due.clone().unless_suspended(true, &balance(0, 4));
        let (to, machines) = (SiteRole::Secondary, 4);
        assert_eq!(held, Start::Held(Held::Suspended { to, machines }));
        assert_eq!(due.clone().unless_suspended(false, &balance(0, 4)), due);
        let nothing = Start::Nothing.unless_suspended(true, &balance(0, 0));
        assert_eq!(nothing, Start::Nothing);
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
            Start::Held(Held::Served { run, machines: 4 })
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
        assert_eq!(
            wanting(None, None, false),
            Start::Held(Held::Adopted { machines: 4 })
        );
        // A request does, unless a fabric remembers that a run touched the machines.
        assert!(matches!(
            wanting(Some("typhoon-1"), None, false),
            Start::Due { .. }
        ));
        assert_eq!(
            wanting(Some("typhoon-1"), None, true),
            Start::Held(Held::Adopted { machines: 4 })
        );
        // What was adopted stays so.
        let adopted = served(SiteRole::Secondary, None, None);
        assert_eq!(
            wanting(None, Some(&adopted), true),
            Start::Held(Held::Adopted { machines: 4 })
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
            let start = start(&plan, &balance(0, 4), memory, false, now);
            assert_eq!(start, expired);
        }
    }

    #[test]
    fn what_is_not_known_is_held() {
        // SPEC: SA-1, FO-10
        let plan = plan("secondary", Some("typhoon-1"));
        let now = at("2026-03-02T00:00:00Z");
        let unknown = Balance {
            unknown: 1,
            ..balance(0, 3)
        };
        for balance in [unknown, Balance::default()] {
            let start = start(&plan, &balance, None, false, now);
            assert_eq!(start, Start::Held(Held::Unknown));
        }
        let there = start(&plan, &balance(0, 0), None, false, now);
        assert_eq!(there, Start::Nothing);
    }

    #[test]
    fn machines_that_are_elsewhere_than_the_rest_are_brought_by_a_fresh_request() {
        // SPEC: FO-10, PL-8
        let now = at("2026-03-02T00:00:00Z");
        let same = served(SiteRole::Secondary, None, Some("shop-1"));
        let held = start(
            &plan("secondary", None),
            &balance(0, 1),
            Some(&same),
            true,
            now,
        );
        let run = "shop-1".to_owned();
        assert_eq!(held, Start::Held(Held::Served { run, machines: 1 }));
        let asked = plan("secondary", Some("the-rest"));
        let due = start(&asked, &balance(0, 1), Some(&same), true, now);
        assert!(matches!(
            due,
            Start::Due {
                to: SiteRole::Secondary,
                ..
            }
        ));
    }

    #[test]
    fn overrides_are_part_of_the_intent_and_follow_the_plan() {
        // SPEC: PL-6, PL-8
        let now = at("2026-03-02T00:00:00Z");
        let mut with = plan("primary", None);
        with.overrides = serde_json::from_value(serde_json::json!([
            {"machine": "web-1", "activeSite": "secondary"},
            {"machine": "web-2", "activeSite": "secondary"},
        ]))
        .unwrap();
        let before = served(SiteRole::Primary, None, None);
        let to = |start| match start {
            Start::Due { to, .. } => Some(to),
            _ => None,
        };
        let away = start(&with, &balance(0, 2), Some(&before), true, now);
        assert_eq!(to(away), Some(SiteRole::Secondary));
        let mut same = served(SiteRole::Primary, None, Some("shop-1"));
        same.intent.overrides = with.overrides.iter().rev().cloned().collect();
        let again = start(&with, &balance(0, 1), Some(&same), true, now);
        assert_eq!(to(again), None);
        // Taking them away is a new intent.
        let home = start(
            &plan("primary", None),
            &balance(2, 0),
            Some(&same),
            true,
            now,
        );
        assert_eq!(to(home), Some(SiteRole::Primary));
        // Both ways at once: the plan first, then the others, once the first run is committed.
        let both = start(&with, &balance(1, 1), Some(&before), true, now);
        assert_eq!(to(both), Some(SiteRole::Primary));
        same.more = true;
        let then = start(&with, &balance(0, 1), Some(&same), true, now);
        assert_eq!(to(then), Some(SiteRole::Secondary));
        let failed = start(&with, &balance(1, 1), Some(&same), true, now);
        assert_eq!(to(failed), None);
    }
}
