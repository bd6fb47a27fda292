//! Whether a run would start.

use std::fmt;

use drover_api::common::{Direction, FailoverType, RecoveryPointType, SiteRole, SourceStop};
use drover_api::value::Duration;
use drover_api::{RecoveryPlanSpec, Request, StandingRule};
use drover_world::PlanId;
use jiff::Timestamp;
use serde::Serialize;

use super::note::waits;
use super::{Failover, Intent, PlanError, Planner, Refusal, Scope, Wait, refusals, resolve};

/// Whether a run of a plan would start, as far as the declaration says. Whether an intent was served
/// already (PL-8) and whether guards hold now is for who observes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// Where the machines should be.
    pub declared: Option<SiteRole>,
    /// Where they are.
    pub actual: SiteRole,
    /// Whether that is only assumed.
    pub assumed: bool,
    /// What follows.
    pub verdict: Verdict,
}

/// What follows from declared and actual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "verdict",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Verdict {
    /// A run would start.
    Run {
        /// What it would do.
        intent: Intent,
        /// By which word.
        by: Authority,
        /// What it would wait for first.
        waits: Vec<Wait>,
    },
    /// Nothing is to be done.
    Stays {
        /// Why.
        reason: Stays,
    },
    /// Something is to be done and nothing starts.
    Held {
        /// Why, all of it.
        reasons: Vec<WhyHeld>,
    },
}

/// By which word a run starts as it does (PL-9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Authority {
    /// The plan's request.
    Request {
        /// Its id.
        id: String,
    },
    /// The standing rule for the direction.
    StandingRule,
    /// No rule: planned, which loses nothing or does not go on.
    Default,
}

/// Why nothing is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stays {
    /// The plan has no `activeSite`: it only drills and forecasts (PL-7).
    NoActiveSite,
    /// The machines are where they should be.
    AlreadyThere,
}

/// Why nothing starts although something is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum WhyHeld {
    /// The request has expired; it never falls back to a standing rule.
    RequestExpired {
        /// Its id.
        id: String,
        /// Since when.
        expired: Timestamp,
    },
    /// The pair supports no planned failover, and there is no rule and no request: an unplanned one is
    /// never chosen by itself.
    NeedsRule {
        /// What the pairs say about a planned one.
        refusals: Vec<Refusal>,
    },
    /// A pair cannot do what is asked for.
    Refused {
        /// What it says.
        refusal: Refusal,
    },
}

impl Outlook {
    /// The run that would start, if any.
    pub fn would_run(&self) -> Option<(Direction, FailoverType)> {
        self.intent()
            .map(|intent| (intent.direction(), intent.failover.kind()))
    }

    /// What the run that would start does.
    pub fn intent(&self) -> Option<&Intent> {
        match &self.verdict {
            Verdict::Run { intent, .. } => Some(intent),
            Verdict::Stays { .. } | Verdict::Held { .. } => None,
        }
    }

    /// Why no run would start, in words; empty where one would.
    pub fn why_not(&self) -> Vec<String> {
        match &self.verdict {
            Verdict::Run { .. } => Vec::new(),
            Verdict::Stays { reason } => vec![reason.to_string()],
            Verdict::Held { reasons } => reasons.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Whether a run would start.
pub(super) fn of(
    planner: &Planner<'_>,
    id: &PlanId,
    actual: Option<SiteRole>,
) -> Result<Outlook, PlanError> {
    let plan = planner.spec(id)?;
    let outlook = |verdict| Outlook {
        declared: plan.active_site,
        actual: actual.unwrap_or(SiteRole::Primary),
        assumed: actual.is_none(),
        verdict,
    };
    let actual = actual.unwrap_or(SiteRole::Primary);
    let Some(declared) = plan.active_site else {
        let reason = Stays::NoActiveSite;
        return Ok(outlook(Verdict::Stays { reason }));
    };
    let sent = |entry: &drover_api::Override| entry.active_site == actual.other();
    let verdict = if declared != actual {
        verdict(planner, id, plan, declared, Scope::Plan)?
    } else if plan.overrides.iter().any(sent) {
        verdict(planner, id, plan, actual.other(), Scope::Overrides)?
    } else {
        let reason = Stays::AlreadyThere;
        Verdict::Stays { reason }
    };
    Ok(outlook(verdict))
}

fn verdict(
    planner: &Planner<'_>,
    id: &PlanId,
    plan: &RecoveryPlanSpec,
    to: SiteRole,
    scope: Scope,
) -> Result<Verdict, PlanError> {
    if let Some(request) = &plan.request
        && is_expired(request, planner.now)
    {
        let expired = WhyHeld::RequestExpired {
            id: request.id.clone(),
            expired: request.expires,
        };
        return Ok(Verdict::Held {
            reasons: vec![expired],
        });
    }
    let (failover, by) = asked_for(plan, Direction::towards(to));
    let intent = Intent {
        to,
        failover,
        scope,
    };
    let resolved = resolve(planner, id, intent)?;
    let refusals = refusals(&resolved, intent);
    if refusals.is_empty() {
        let sites = [resolved.source, resolved.target];
        let waits = waits(plan, intent, sites, planner.now);
        return Ok(Verdict::Run { intent, by, waits });
    }
    // What no type of failover could do is not mended by a rule that chooses one.
    let only_the_type = |refusal: &Refusal| matches!(refusal, Refusal::NotSupported { .. });
    let reasons = if by == Authority::Default && refusals.iter().all(only_the_type) {
        vec![WhyHeld::NeedsRule { refusals }]
    } else {
        let refused = |refusal| WhyHeld::Refused { refusal };
        refusals.into_iter().map(refused).collect()
    };
    Ok(Verdict::Held { reasons })
}

/// What a run of the whole plan to this side is asked for.
pub(super) fn intent(plan: &RecoveryPlanSpec, to: SiteRole) -> Intent {
    let (failover, _) = asked_for(plan, Direction::towards(to));
    Intent {
        to,
        failover,
        scope: Scope::Plan,
    }
}

/// What a run of the whole plan to this side is like, whatever is requested.
pub(super) fn standing(plan: &RecoveryPlanSpec, to: SiteRole) -> Intent {
    let rule = standing_rule(plan, Direction::towards(to));
    Intent {
        to,
        failover: rule.map_or(Failover::Planned, of_rule),
        scope: Scope::Plan,
    }
}

/// How a run in this direction goes, and by which word: the request, else the standing rule, else
/// planned.
fn asked_for(plan: &RecoveryPlanSpec, direction: Direction) -> (Failover, Authority) {
    if let Some(request) = &plan.request {
        let point = request.recovery_point.as_ref();
        let failover = match request.kind {
            FailoverType::Planned => Failover::Planned,
            FailoverType::Unplanned => Failover::Unplanned {
                source_stop: request.source_stop.unwrap_or(SourceStop::Attempt),
                recovery_point: point.map_or(RecoveryPointType::Latest, |point| point.kind),
            },
        };
        let id = request.id.clone();
        return (failover, Authority::Request { id });
    }
    match standing_rule(plan, direction) {
        Some(rule) => (of_rule(rule), Authority::StandingRule),
        None => (Failover::Planned, Authority::Default),
    }
}

fn of_rule(rule: &StandingRule) -> Failover {
    match rule.kind {
        FailoverType::Planned => Failover::Planned,
        FailoverType::Unplanned => Failover::Unplanned {
            source_stop: rule.source_stop.unwrap_or(SourceStop::Required),
            recovery_point: RecoveryPointType::Latest,
        },
    }
}

/// The standing rule for a direction.
pub(super) fn standing_rule(
    plan: &RecoveryPlanSpec,
    direction: Direction,
) -> Option<&StandingRule> {
    match direction {
        Direction::ToSecondary => plan.failover.to_secondary.as_ref(),
        Direction::ToPrimary => plan.failover.to_primary.as_ref(),
    }
}

/// The loss above which a run in this direction is held: that of a request which has not expired, else
/// that of the standing rule.
pub(super) fn max_data_loss(
    plan: &RecoveryPlanSpec,
    direction: Direction,
    now: Option<Timestamp>,
) -> Option<&Duration> {
    let request = plan.request.as_ref();
    request
        .filter(|request| !is_expired(request, now))
        .and_then(|request| request.max_data_loss.as_ref())
        .or_else(|| standing_rule(plan, direction)?.max_data_loss.as_ref())
}

fn is_expired(request: &Request, now: Option<Timestamp>) -> bool {
    now.is_some_and(|now| request.expires <= now)
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoActiveSite => "the plan has no activeSite: it only drills and forecasts",
            Self::AlreadyThere => "the machines are where they should be",
        })
    }
}

impl fmt::Display for WhyHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestExpired { id, expired } => {
                write!(f, "request {id} expired at {expired}")
            }
            Self::NeedsRule { refusals } => {
                f.write_str("no rule and no request says how, and planned is not possible")?;
                for refusal in refusals {
                    write!(f, "; {refusal}")?;
                }
                Ok(())
            }
            Self::Refused { refusal } => refusal.fmt(f),
        }
    }
}
