//! Whether the schedule of a plan has a drill due now, and why it waits where it does.
//!
//! An instant of the schedule makes one drill, whatever crashes: its name says the instant, and creating
//! it is what counts. What was missed is not piled up: of several instants only the last one is made up
//! for, and only until the starting deadline.

use std::fmt;

use drover_api::common::{PlanRef, RecoveryPointChoice, RecoveryPointType};
use drover_api::value::{Cron, DrillName, PlanName, SiteName};
use drover_api::{ActualSite, Drills, FollowedSchedule, RecoveryDrillSpec, SiteSpec};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

/// What a decision about scheduled drills is made from.
#[derive(Clone, Copy, Debug)]
pub struct DrillsView<'a> {
    /// The plan.
    pub plan: &'a PlanName,
    /// What the plan says of drills.
    pub drills: Option<&'a Drills>,
    /// The schedule that is followed, as last recorded.
    pub followed: Option<&'a FollowedSchedule>,
    /// When the plan was created, where nothing was recorded of it yet.
    pub created: Option<Timestamp>,
    /// The last instant that a drill was created for, by the record and by the drills that there are.
    pub last: Option<Timestamp>,
    /// The two sites; nothing for one that is not declared.
    pub sites: [(&'a SiteName, Option<&'a SiteSpec>); 2],
    /// Where the machines are.
    pub actual: ActualSite,
    /// Machines of the plan that are protected, and all of them.
    pub protected: (usize, usize),
    /// The run of the plan that is under way.
    pub run: Option<&'a str>,
    /// A drill of the plan that is not cleaned up.
    pub drill: Option<&'a str>,
    /// Whether the plan is suspended.
    pub suspended: bool,
    /// Now.
    pub now: Timestamp,
}

/// What the schedule means now.
#[derive(Clone, Debug, PartialEq)]
pub enum DrillDue {
    /// The plan has no schedule, or one that never fires again.
    None,
    /// Nothing is due before this instant.
    NextAt {
        /// The instant.
        at: Zoned,
        /// An instant that passed without a drill, and is too old by now.
        missed: Option<Zoned>,
    },
    /// A drill is due.
    Due {
        /// The instant of the schedule.
        at: Timestamp,
        /// Its name, which says the instant: creating it twice makes one.
        name: DrillName,
        /// The drill.
        spec: RecoveryDrillSpec,
    },
    /// A drill is due and does not begin.
    Held {
        /// The instant of the schedule.
        at: Zoned,
        /// Until when it may still begin.
        until: Zoned,
        /// Why it does not.
        why: DrillHeld,
    },
    /// The schedule rests.
    Suspended,
}

/// Why a drill that is due does not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrillHeld {
    /// A run of the plan is under way.
    Run(String),
    /// Another drill of the plan stands.
    Drill(String),
    /// A site is under maintenance (SA-10).
    Maintenance {
        /// The site.
        site: SiteName,
        /// Why.
        reason: String,
        /// When it ends by itself, where that is said.
        until: Option<Timestamp>,
    },
    /// The machines are not at one site, or it is not known where they are.
    Whereabouts,
    /// There is no recovery point to be sure of for each machine.
    NotProtected {
        /// Machines that are protected.
        protected: usize,
        /// All of them.
        machines: usize,
    },
    /// The plan's name leaves no room for that of a drill.
    Name,
}

/// The schedule to follow, and since when: from now on where it is another than before, or rested. A
/// plan that nothing was recorded of yet follows it since the plan was created.
pub fn followed_schedule(view: &DrillsView<'_>) -> Option<FollowedSchedule> {
    let rests = |drills: &&Drills| drills.suspend || view.suspended;
    let schedule = &view.drills.filter(|drills| !rests(drills))?.schedule;
    let known = view.followed.filter(|known| known.schedule == *schedule);
    Some(known.cloned().unwrap_or_else(|| FollowedSchedule {
        schedule: schedule.clone(),
        since: match view.followed {
            Some(_) => view.now,
            None => view.created.unwrap_or(view.now),
        },
    }))
}

/// Whether the schedule has a drill due now.
pub fn drill_due(view: &DrillsView<'_>) -> DrillDue {
    let Some(drills) = view.drills else {
        return DrillDue::None;
    };
    let Some(followed) = followed_schedule(view) else {
        return DrillDue::Suspended;
    };
    let zone = drills.schedule.time_zone.to_jiff();
    let cron = &drills.schedule.cron;
    let after = view
        .last
        .map_or(followed.since, |last| last.max(followed.since));
    let open = latest(cron, &zone, after, view.now);
    let deadline = |at: Timestamp| {
        let deadline = at.checked_add(drills.starting_deadline.as_std());
        deadline.unwrap_or(Timestamp::MAX)
    };
    if let Some(at) = open
        && view.now <= deadline(at)
    {
        return match begins(view, at) {
            Ok(name) => DrillDue::Due {
                at,
                name,
                spec: drill(view.plan, drills),
            },
            Err(why) => DrillDue::Held {
                at: at.to_zoned(zone.clone()),
                until: deadline(at).to_zoned(zone),
                why,
            },
        };
    }
    match cron.next_after(&view.now.to_zoned(zone.clone())) {
        Some(at) => DrillDue::NextAt {
            at,
            missed: open.map(|missed| missed.to_zoned(zone)),
        },
        None => DrillDue::None,
    }
}

/// The drill that the schedule makes.
fn drill(plan: &PlanName, drills: &Drills) -> RecoveryDrillSpec {
    RecoveryDrillSpec {
        plan_ref: PlanRef { name: plan.clone() },
        recovery_point: RecoveryPointChoice::of(RecoveryPointType::LatestProcessed),
        ttl: drills.ttl.clone(),
        direction: None,
        groups: Vec::new(),
    }
}

/// In UTC, because an hour that the clocks repeat has its times twice. A schedule knows no seconds.
fn drill_name(plan: &PlanName, at: Timestamp) -> Option<DrillName> {
    let at = at.to_zoned(TimeZone::UTC);
    let (date, time) = (at.date(), at.time());
    let name = format!(
        "{plan}-{:04}{:02}{:02}-{:02}{:02}",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute()
    );
    name.parse().ok()
}

/// The name of the drill of this instant, or why none can begin now.
fn begins(view: &DrillsView<'_>, at: Timestamp) -> Result<DrillName, DrillHeld> {
    if let Some(run) = view.run {
        return Err(DrillHeld::Run(run.to_owned()));
    }
    if let Some(drill) = view.drill {
        return Err(DrillHeld::Drill(drill.to_owned()));
    }
    if let Some(maintenance) = maintenance(view) {
        return Err(maintenance);
    }
    if matches!(view.actual, ActualSite::Mixed | ActualSite::Unknown) {
        return Err(DrillHeld::Whereabouts);
    }
    let (protected, machines) = view.protected;
    if protected < machines || machines == 0 {
        return Err(DrillHeld::NotProtected {
            protected,
            machines,
        });
    }
    drill_name(view.plan, at).ok_or(DrillHeld::Name)
}

fn maintenance(view: &DrillsView<'_>) -> Option<DrillHeld> {
    view.sites.into_iter().find_map(|(name, site)| {
        let maintenance = site?.maintenance.as_ref()?;
        let over = maintenance.until.is_some_and(|until| until <= view.now);
        (!over).then(|| DrillHeld::Maintenance {
            site: name.clone(),
            reason: maintenance.reason.clone(),
            until: maintenance.until,
        })
    })
}

/// The last instant of the schedule after one moment and not after another.
///
/// It looks back a minute, then two, then four: what lies far back is not walked through, however
/// often the schedule fires.
fn latest(cron: &Cron, zone: &TimeZone, after: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let mut back = std::time::Duration::from_mins(1);
    loop {
        let from = now.checked_sub(back).unwrap_or(Timestamp::MIN).max(after);
        if let Some(found) = last_between(cron, zone, from, now) {
            return Some(found);
        }
        if from == after {
            return None;
        }
        back = back.saturating_mul(2);
    }
}

fn last_between(cron: &Cron, zone: &TimeZone, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
    let mut found: Option<Zoned> = None;
    loop {
        let from = found.clone().unwrap_or_else(|| from.to_zoned(zone.clone()));
        match cron.next_after(&from) {
            Some(next) if next.timestamp() <= to && next > from => found = Some(next),
            _ => return found.map(|found| found.timestamp()),
        }
    }
}

impl DrillDue {
    /// When time alone changes it.
    pub fn wakes(&self) -> Option<Timestamp> {
        match self {
            Self::None | Self::Due { .. } | Self::Suspended => None,
            Self::NextAt { at, .. } => Some(at.timestamp()),
            Self::Held { until, why, .. } => {
                // At the deadline it may still begin; after it, it is missed.
                let missed = until.timestamp().checked_add(SignedDuration::from_secs(1));
                let over = match why {
                    DrillHeld::Maintenance { until, .. } => *until,
                    _ => None,
                };
                over.into_iter().chain(missed.ok()).min()
            }
        }
    }
}

impl fmt::Display for DrillDue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("there is no schedule, or it never fires again"),
            Self::NextAt { at, missed: None } => write!(f, "the next drill is due at {at}"),
            Self::NextAt {
                at,
                missed: Some(missed),
            } => write!(
                f,
                "the drill of {missed} was missed: it did not begin before its starting deadline; the \
                 next one is due at {at}"
            ),
            Self::Due { name, .. } => write!(f, "drill {name} is due"),
            Self::Held { at, until, why } => write!(
                f,
                "the drill of {at} waits: {why}; after {until} it counts as missed"
            ),
            Self::Suspended => {
                f.write_str("the plan or its schedule is suspended: no drill is made")
            }
        }
    }
}

impl fmt::Display for DrillHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(run) => write!(f, "run {run} is under way"),
            Self::Drill(drill) => write!(f, "drill {drill} is not cleaned up yet"),
            Self::Maintenance { site, reason, .. } => {
                write!(f, "site {site} is under maintenance: {reason}")
            }
            Self::Whereabouts => {
                f.write_str("it is not known at which one site the plan's machines are")
            }
            Self::NotProtected {
                protected,
                machines,
            } => write!(f, "{protected} of {machines} machines are protected"),
            Self::Name => f.write_str("the name of the plan is too long for that of a drill"),
        }
    }
}

#[cfg(test)]
mod tests;
