//! What runs, phases and points are called.

use drover_api::common::{Direction, RecoveryPointChoice, RecoveryPointType, RunKind, SitePair};
use drover_api::conditions::Condition;
use drover_api::{ActualSite, LeftProof, RecoveryRun, RecoveryRunSpec};
use drover_engine::lifecycle::RUN;

use super::moments;

/// `planned failover`, `unplanned failback`, `drill`, `reprotect`.
pub fn what(spec: &RecoveryRunSpec) -> &'static str {
    match (spec.kind, spec.direction) {
        (RunKind::PlannedFailover, Direction::ToSecondary) => "planned failover",
        (RunKind::PlannedFailover, Direction::ToPrimary) => "planned failback",
        (RunKind::UnplannedFailover, Direction::ToSecondary) => "unplanned failover",
        (RunKind::UnplannedFailover, Direction::ToPrimary) => "unplanned failback",
        (RunKind::TestFailover, _) => "drill",
        (RunKind::Reprotect, _) => "reprotect",
    }
}

/// `seoul → busan`.
pub fn way(sites: &SitePair, direction: Direction) -> String {
    format!(
        "{} → {}",
        sites.at(direction.source()),
        sites.at(direction.target())
    )
}

/// Whether nothing more can happen in a run.
pub fn is_over(run: &RecoveryRun) -> bool {
    RUN.is_final(run.phase())
}

/// Where machines are, with the site's name: `secondary (busan)`.
pub fn actual(site: Option<ActualSite>, sites: &SitePair) -> String {
    match site {
        Some(ActualSite::Primary) => format!("primary ({})", sites.primary),
        Some(ActualSite::Secondary) => format!("secondary ({})", sites.secondary),
        Some(ActualSite::Mixed) => "some here, some there".to_owned(),
        Some(ActualSite::Unknown) => "not known: a site that would know does not answer".to_owned(),
        None => "not seen yet".to_owned(),
    }
}

/// The same in one word.
pub fn actual_word(site: Option<ActualSite>) -> &'static str {
    match site {
        Some(ActualSite::Primary) => "primary",
        Some(ActualSite::Secondary) => "secondary",
        Some(ActualSite::Mixed) => "Mixed",
        Some(ActualSite::Unknown) => "Unknown",
        None => "-",
    }
}

/// Which recovery point was chosen.
pub fn point(choice: &RecoveryPointChoice) -> String {
    match (choice.kind, &choice.time, &choice.name) {
        (RecoveryPointType::Time, Some(time), _) => {
            format!("the newest not younger than {}", moments::full(*time))
        }
        (RecoveryPointType::Named, _, Some(name)) => format!("the one called {name}"),
        (RecoveryPointType::LatestAppConsistent, ..) => {
            "the newest application-consistent one".to_owned()
        }
        (RecoveryPointType::LatestProcessed, ..) => "the newest processed one".to_owned(),
        _ => "the newest, after everything received was processed".to_owned(),
    }
}

/// How it is known that a machine left, in a word or two.
pub fn proof(proof: LeftProof) -> &'static str {
    match proof {
        LeftProof::Synced => "synced",
        LeftProof::Stopped => "stopped",
        LeftProof::Fenced => "fenced",
        LeftProof::AcceptedSplitBrain => "risk taken",
    }
}

/// The condition of a type.
pub fn condition<'c>(conditions: &'c [Condition], kind: &str) -> Option<&'c Condition> {
    conditions.iter().find(|each| each.type_ == kind)
}

/// Whether the condition of a type is `True`.
pub fn holds(conditions: &[Condition], kind: &str) -> bool {
    condition(conditions, kind).is_some_and(|each| each.status == "True")
}

/// `1 machine`, `2 machines`, of the numbers that status fields have.
pub fn machines(number: u32) -> String {
    crate::text::count(usize::try_from(number).unwrap_or(usize::MAX), "machine")
}
