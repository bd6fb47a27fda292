//! Which of the guards of a plan hold a run back now, and what would release it.

use drover_api::common::Window;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::drilled::is_young_enough;
use super::protect::opens;
use crate::plan::Wait;

/// What is known about what guards look at.
#[derive(Clone, Debug)]
pub struct GuardFacts<'a> {
    /// Since when the target site answers without a break; nothing while it does not.
    pub target_answers_since: Option<Timestamp>,
    /// When the last green drill ended.
    pub last_green_drill: Option<Timestamp>,
    /// The source site's time zone.
    pub source_zone: TimeZone,
    /// The target site's time zone.
    pub target_zone: TimeZone,
    /// The digest of the run that would start.
    pub digest: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// Why a guard holds the run back now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// In words, with what would release it.
    pub why: String,
    /// When time releases it, where it does.
    pub until: Option<Timestamp>,
}

/// Why this guard holds the run back now; nothing where it does not.
pub fn guarded(wait: &Wait, facts: &GuardFacts<'_>) -> Option<Guarded> {
    let now = facts.now;
    match wait {
        // The run itself waits for them, so that they are bound to it.
        Wait::Approvals { .. } => None,
        Wait::Maintenance {
            site,
            reason,
            until,
        } => Some(held(
            format!("site {site} is under maintenance: {reason}"),
            *until,
        )),
        Wait::StableTarget {
            site,
            stable_for,
            window,
        } => {
            let Some(since) = facts.target_answers_since else {
                return Some(held(format!("site {site} does not answer"), None));
            };
            let stable = since
                .checked_add(stable_for.as_std())
                .unwrap_or(Timestamp::MAX);
            if stable > now {
                let why =
                    format!("site {site} must have answered for {stable_for} without a break");
                return Some(held(why, Some(stable)));
            }
            let zone = facts.target_zone.clone();
            let window = window.as_ref()?;
            let opens = opens(window, &now.to_zoned(zone))?;
            Some(held(
                format!("the window of site {site} opens at {}", window.start),
                Some(opens),
            ))
        }
        Wait::YoungDrill { not_older_than } => {
            let Some(drill) = facts.last_green_drill else {
                return Some(held("there was no green drill yet: run one".into(), None));
            };
            (!is_young_enough(drill, not_older_than, now)).then(|| Guarded {
                why: format!("the last green drill is older than {not_older_than}: run one"),
                until: None,
            })
        }
        Wait::FreezeWindows { windows } => frozen(windows, facts),
        Wait::ReviewedDigest { digest } => {
            let same = facts.digest == Some(digest.as_str());
            (!same).then(|| Guarded {
                why: format!(
                    "the run would not be the one that was reviewed: its digest is {} and not {digest}",
                    facts.digest.unwrap_or("not known")
                ),
                until: None,
            })
        }
    }
}

fn held(why: String, until: Option<Timestamp>) -> Guarded {
    Guarded { why, until }
}

fn frozen(windows: &[Window], facts: &GuardFacts<'_>) -> Option<Guarded> {
    let now = facts.now.to_zoned(facts.source_zone.clone());
    let window = windows
        .iter()
        .find(|window| opens(window, &now).is_none())?;
    let end = window.end.to_jiff();
    let today = now
        .date()
        .to_datetime(end)
        .to_zoned(now.time_zone().clone())
        .ok();
    let tomorrow = || {
        let day = now.date().saturating_add(1.day());
        day.to_datetime(end).to_zoned(now.time_zone().clone()).ok()
    };
    let until = today.filter(|today| *today > now).or_else(tomorrow);
    Some(held(
        format!(
            "planned runs are frozen from {} to {}",
            window.start, window.end
        ),
        until.map(|until| until.timestamp()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(now: &str) -> GuardFacts<'static> {
        GuardFacts {
            target_answers_since: None,
            last_green_drill: None,
            source_zone: TimeZone::UTC,
            target_zone: TimeZone::UTC,
            digest: None,
            now: now.parse().unwrap(),
        }
    }

    #[test]
    fn a_freeze_window_says_when_it_ends() {
        // SPEC: SA-10
        let night = Window {
            start: "22:00".parse().unwrap(),
            end: "05:00".parse().unwrap(),
        };
        let wait = Wait::FreezeWindows {
            windows: vec![night],
        };
        let held = guarded(&wait, &facts("2026-03-02T23:30:00Z")).expect("inside");
        assert_eq!(held.until, Some("2026-03-03T05:00:00Z".parse().unwrap()));
        let early = guarded(&wait, &facts("2026-03-02T04:30:00Z")).expect("inside");
        assert_eq!(early.until, Some("2026-03-02T05:00:00Z".parse().unwrap()));
        assert_eq!(guarded(&wait, &facts("2026-03-02T12:00:00Z")), None);
    }

    #[test]
    fn a_target_must_have_answered_without_a_break() {
        // SPEC: FB-9, SA-1
        let wait = Wait::StableTarget {
            site: "seoul".parse().unwrap(),
            stable_for: "2h".parse().unwrap(),
            window: None,
        };
        let mut facts = facts("2026-03-02T12:00:00Z");
        assert!(guarded(&wait, &facts).is_some_and(|held| held.until.is_none()));
        facts.target_answers_since = Some("2026-03-02T11:00:00Z".parse().unwrap());
        let until = guarded(&wait, &facts).expect("too early").until;
        assert_eq!(until, Some("2026-03-02T13:00:00Z".parse().unwrap()));
        facts.target_answers_since = Some("2026-03-02T10:00:00Z".parse().unwrap());
        assert_eq!(guarded(&wait, &facts), None);
    }

    #[test]
    fn a_drill_must_be_young_enough() {
        // SPEC: RD-1
        let wait = Wait::YoungDrill {
            not_older_than: "90d".parse().unwrap(),
        };
        let mut facts = facts("2026-06-02T12:00:00Z");
        assert!(guarded(&wait, &facts).is_some());
        facts.last_green_drill = Some("2026-06-01T00:00:00Z".parse().unwrap());
        assert_eq!(guarded(&wait, &facts), None);
        facts.last_green_drill = Some("2026-01-01T00:00:00Z".parse().unwrap());
        assert!(guarded(&wait, &facts).is_some());
    }

    #[test]
    fn only_what_was_reviewed_runs() {
        let digest = "sha256:1".to_owned();
        let wait = Wait::ReviewedDigest {
            digest: digest.clone(),
        };
        let mut facts = facts("2026-06-02T12:00:00Z");
        facts.digest = Some("sha256:2");
        assert!(guarded(&wait, &facts).is_some());
        facts.digest = Some(&digest);
        assert_eq!(guarded(&wait, &facts), None);
    }
}
