//! What a report leaves out, assumes, or wants read before anyone starts.

use std::fmt;

use drover_api::common::Window;
use drover_api::value::{Duration, GroupName, SiteName, StepName};
use drover_api::{Guards, RecoveryPlanSpec, SiteSpec, StartPolicy};
use drover_world::MachineId;
use jiff::Timestamp;
use serde::Serialize;

use super::{Failover, Intent};

/// What a report leaves out, assumes, or wants read before anyone starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "note",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Note {
    /// Members are selected by label and the inventory is not known: there may be more than are
    /// counted.
    OpenMembers {
        /// The protection group.
        protection_group: GroupName,
        /// The site whose inventory it is.
        site: SiteName,
        /// Members that are known.
        known: usize,
    },
    /// An override keeps machines out of the run (PL-6).
    StayingBehind {
        /// The machines.
        machines: Vec<MachineId>,
    },
    /// The run waits for people, and that is not counted.
    ManualSteps {
        /// Group and action of each.
        steps: Vec<(StepName, StepName)>,
    },
    /// The length of actions is assumed.
    AssumedActions {
        /// HTTP calls.
        http: usize,
        /// Scripts.
        script: usize,
        /// DNS changes.
        dns: usize,
    },
    /// Clients may keep an old address beyond the end of the run.
    ClientsKeepAddress {
        /// The record.
        record: String,
        /// For so long.
        ttl: Duration,
    },
    /// The source is given up without an attempt to stop it (SA-2).
    SourceSkipped,
    /// The stop of the source is counted as if it answered.
    SourceMayNotAnswer {
        /// The site.
        site: SiteName,
        /// How long the stop of one machine may take before it counts as failed.
        stop_timeout: Duration,
    },
    /// Data is copied back while the machines still run, before the time that is counted (FB-3).
    SyncedBefore {
        /// Whether a person must say *complete* before machines stop.
        hold: bool,
    },
    /// Everything is copied while the machines are stopped; how long that takes is not known (FB-3).
    FullCopy,
    /// The data loss depends on the recovery point that is named.
    PointGiven,
    /// The pair commits by itself at once (FO-5).
    CommitsAtOnce {
        /// The protection groups.
        protection_groups: Vec<GroupName>,
    },
    /// Machines are not protected after the commit until somebody asks for a reprotect (FO-9).
    NotProtectedAfter {
        /// The protection groups.
        protection_groups: Vec<GroupName>,
    },
    /// There is no way back from this failover (PR-9, FB-8).
    OneWay {
        /// The protection groups.
        protection_groups: Vec<GroupName>,
    },
    /// The run waits for something before it starts, and that is not counted.
    WaitsFor {
        /// What it waits for.
        wait: Wait,
    },
}

/// What a run waits for before it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "for", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Wait {
    /// The target site must have answered without a break (FB-9).
    StableTarget {
        /// The site.
        site: SiteName,
        /// For so long.
        stable_for: Duration,
        /// The daily window, in its time zone, in which the run may start.
        #[serde(skip_serializing_if = "Option::is_none")]
        window: Option<Window>,
    },
    /// People must approve it.
    Approvals {
        /// How many.
        count: u32,
    },
    /// A green drill must be young enough.
    YoungDrill {
        /// Not older than this.
        not_older_than: Duration,
    },
    /// It does not start inside one of these daily windows, in the source site's time zone.
    FreezeWindows {
        /// The windows.
        windows: Vec<Window>,
    },
    /// It must be what was reviewed.
    ReviewedDigest {
        /// The digest.
        digest: String,
    },
    /// A site is under maintenance (SA-10).
    Maintenance {
        /// The site.
        site: SiteName,
        /// Why.
        reason: String,
        /// Until when, where that is said.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
}

/// What a run waits for before it starts, as far as it is declared.
pub(super) fn waits(
    plan: &RecoveryPlanSpec,
    intent: Intent,
    sites: [&SiteSpec; 2],
    now: Option<Timestamp>,
) -> Vec<Wait> {
    let mut waits: Vec<Wait> = Vec::new();
    let names = [plan.sites.at(intent.from()), plan.sites.at(intent.to)];
    for (name, site) in names.into_iter().zip(sites) {
        let Some(maintenance) = &site.maintenance else {
            continue;
        };
        let over = maintenance
            .until
            .zip(now)
            .is_some_and(|(until, now)| until <= now);
        if !over {
            waits.push(Wait::Maintenance {
                site: name.clone(),
                reason: maintenance.reason.clone(),
                until: maintenance.until,
            });
        }
    }
    waits.extend(stability(plan, intent));
    if let Some(guards) = &plan.guards {
        waits.extend(guarded(guards, intent));
    }
    waits
}

/// A standing rule may wait for its target; a request is for now.
fn stability(plan: &RecoveryPlanSpec, intent: Intent) -> Option<Wait> {
    let rule = super::outlook::standing_rule(plan, intent.direction())?;
    let start = rule.start.as_ref()?;
    if plan.request.is_some() || start.policy != StartPolicy::WhenStable {
        return None;
    }
    Some(Wait::StableTarget {
        site: plan.sites.at(intent.to).clone(),
        stable_for: start.stable_for.clone().unwrap_or(Duration::ZERO),
        window: start.window.clone(),
    })
}

fn guarded(guards: &Guards, intent: Intent) -> Vec<Wait> {
    let freezes = intent.failover == Failover::Planned && !guards.freeze_windows.is_empty();
    let approvals = guards.approvals.map(|count| Wait::Approvals { count });
    let drill = guards
        .drill_not_older_than
        .clone()
        .map(|not_older_than| Wait::YoungDrill { not_older_than });
    let freeze = freezes.then(|| Wait::FreezeWindows {
        windows: guards.freeze_windows.clone(),
    });
    let digest = guards
        .plan_digest
        .clone()
        .map(|digest| Wait::ReviewedDigest { digest });
    [approvals, drill, freeze, digest]
        .into_iter()
        .flatten()
        .collect()
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenMembers {
                protection_group,
                site,
                known,
            } => write!(
                f,
                "members of {protection_group} unknown: selected by label, no inventory of {site}; \
                 {known} counted"
            ),
            Self::StayingBehind { machines } => {
                write!(f, "kept where they are by an override: {}", list(machines))
            }
            Self::ManualSteps { steps } => {
                let names: Vec<String> = steps
                    .iter()
                    .map(|(group, action)| format!("{group}/{action}"))
                    .collect();
                let (count, s) = plural(steps.len());
                let waits = if steps.len() == 1 { "waits" } else { "wait" };
                write!(
                    f,
                    "plus {count} manual step{s} that {waits} for a person: {}",
                    list(&names)
                )
            }
            Self::AssumedActions { http, script, dns } => assumed(f, *http, *script, *dns),
            Self::ClientsKeepAddress { record, ttl } => {
                write!(
                    f,
                    "clients may keep the old address of {record} for {ttl} more"
                )
            }
            Self::SourceSkipped => f.write_str(
                "the source is not stopped: a confirmed fence or an accepted risk is needed, and \
                 the time for it is not counted",
            ),
            Self::SourceMayNotAnswer { site, stop_timeout } => write!(
                f,
                "counted as if {site} answers; where it does not, a stop is given up after \
                 {stop_timeout}"
            ),
            Self::SyncedBefore { hold: false } => {
                f.write_str("data is copied back before machines stop; that time is not counted")
            }
            Self::SyncedBefore { hold: true } => f.write_str(
                "data is copied back before machines stop, then a person says complete; that time \
                 is not counted",
            ),
            Self::FullCopy => f.write_str(
                "all data is copied while machines are stopped; how long that takes is not known \
                 and not counted",
            ),
            Self::PointGiven => {
                f.write_str("the data loss depends on the recovery point that is named")
            }
            Self::CommitsAtOnce { protection_groups } => {
                write!(f, "commits by itself at once: {}", list(protection_groups))
            }
            Self::NotProtectedAfter { protection_groups } => write!(
                f,
                "not protected after the commit until reprotected: {}",
                list(protection_groups)
            ),
            Self::OneWay { protection_groups } => {
                write!(f, "there is no way back: {}", list(protection_groups))
            }
            Self::WaitsFor { wait } => write!(f, "before it starts, it waits for {wait}"),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StableTarget {
                site,
                stable_for,
                window,
            } => {
                write!(f, "{site} to be stable for {stable_for}")?;
                match window {
                    Some(window) => write!(f, ", between {} and {}", window.start, window.end),
                    None => Ok(()),
                }
            }
            Self::Approvals { count: 1 } => f.write_str("a person's approval"),
            Self::Approvals { count } => write!(f, "the approval of {count} people"),
            Self::YoungDrill { not_older_than } => {
                write!(f, "a green drill not older than {not_older_than}")
            }
            Self::FreezeWindows { windows } => {
                let windows: Vec<String> = windows
                    .iter()
                    .map(|window| format!("{} to {}", window.start, window.end))
                    .collect();
                write!(f, "the end of a freeze window: {}", list(&windows))
            }
            Self::ReviewedDigest { digest } => write!(f, "the plan to be as reviewed, {digest}"),
            Self::Maintenance {
                site,
                reason,
                until,
            } => {
                write!(f, "the maintenance of {site} to end ({reason}")?;
                match until {
                    Some(until) => write!(f, ", until {until})"),
                    None => f.write_str(")"),
                }
            }
        }
    }
}

fn assumed(f: &mut fmt::Formatter<'_>, http: usize, script: usize, dns: usize) -> fmt::Result {
    let kinds = [
        (http, "HTTP call", super::HTTP_CALL),
        (script, "script", super::SCRIPT),
        (dns, "DNS change", super::DNS_CHANGE),
    ];
    let parts: Vec<String> = kinds
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, length)| {
            let (count, s) = plural(count);
            format!("{count} {what}{s} at {length}")
        })
        .collect();
    write!(f, "assumed without retries: {}", list(&parts))
}

fn plural(count: usize) -> (usize, &'static str) {
    (count, if count == 1 { "" } else { "s" })
}

/// Names that a line of text shows; the rest is a number.
const SHOWN: usize = 5;

fn list<T: fmt::Display>(items: &[T]) -> String {
    let shown: Vec<String> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = items.len().saturating_sub(SHOWN);
    if more == 0 {
        return shown.join(", ");
    }
    format!("{} and {more} more", shown.join(", "))
}
