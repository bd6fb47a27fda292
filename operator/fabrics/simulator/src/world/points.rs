//! Recovery points, without an event for each: which instants have one follows from the rhythm of a
//! link and the time, and what each holds follows from what its guest wrote by then.

use std::collections::BTreeMap;
use std::time::Duration;

use drover_world::Point;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::history::Position;
use super::link::{LinkRecord, Policy};
use super::machine::Image;
use super::{Due, World};

const HOUR: u64 = 3_600_000;
/// Points of the last hour are at least so far apart.
const SPACING: u64 = 300_000;
/// For so long a delta that was the newest one can still be asked for.
const DELTA_KEPT: u64 = 600_000;
/// How long a received delta takes until it can be started from at once.
const PROCESSING: Duration = Duration::from_secs(10);

/// When deltas are sent and points are made, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rhythm {
    tick: u64,
    spacing: u64,
    hourly: u64,
    app: u64,
    retention: u64,
    /// Sets keep in step, and all links together do not.
    offset: u64,
}

/// A point that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredPoint {
    pub at: Timestamp,
    pub position: Position,
    pub kind: PointKind,
}

/// Why a point is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PointKind {
    /// In its turn.
    Crash,
    /// Applications were brought to rest for it.
    App,
    /// The end of a copy.
    Copy,
    /// It was the newest delta when replication paused.
    Delta,
}

impl Rhythm {
    pub fn of(policy: &Policy, chance: u64) -> Self {
        let up_to = |step: u64, of: u64| step.div_ceil(of) * of;
        let spacing = up_to(SPACING, policy.interval);
        Self {
            tick: policy.interval,
            spacing,
            hourly: up_to(HOUR, spacing),
            app: up_to(policy.app_every, spacing),
            retention: policy.retention,
            // Whole seconds, so that instants read well.
            offset: chance % (policy.interval / 1_000) * 1_000 + chance % 10 * policy.interval,
        }
    }

    fn beats(&self, step: u64, at: u64) -> bool {
        step > 0 && at.abs_diff(self.offset).is_multiple_of(step)
    }

    /// The last beat of a step that is not after an instant.
    fn last(&self, step: u64, at: u64) -> u64 {
        at - (at + step - self.offset % step) % step
    }

    /// When the next point is due.
    pub fn next_point(&self, now: Timestamp) -> Timestamp {
        instant(self.last(self.spacing, millis(now)) + self.spacing)
    }

    /// The last delta that was sent after `from`, up to `to`.
    fn last_delta(&self, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
        let last = self.last(self.tick, millis(to));
        let newest = last.max(self.last(self.spacing, millis(to)));
        let newest = instant(newest);
        (newest > from).then_some(newest)
    }

    /// Points made after `from`, up to `to`, that are still kept at `now`.
    fn made(&self, from: Timestamp, to: Timestamp, now: Timestamp) -> BTreeMap<u64, PointKind> {
        let mut made = BTreeMap::new();
        let now = millis(now);
        let mut every = |step: u64, age: u64, kind: PointKind| {
            if step == 0 {
                return;
            }
            let oldest = millis(from).max(now.saturating_sub(age));
            let mut at = self.last(step, millis(to));
            while at > oldest && instant(at) > from {
                made.insert(at, kind);
                at = at.saturating_sub(step);
            }
        };
        every(self.spacing, HOUR.min(self.retention), PointKind::Crash);
        every(self.hourly, self.retention, PointKind::Crash);
        every(self.app, self.retention, PointKind::App);
        made
    }

    fn keeps(&self, point: &StoredPoint, now: Timestamp) -> bool {
        self.keeps_of(point.at, point.kind, now)
    }

    /// Whether a point of an instant is still kept.
    pub fn keeps_of(&self, at: Timestamp, kind: PointKind, now: Timestamp) -> bool {
        let age = millis(now).saturating_sub(millis(at));
        let kept_for = match kind {
            PointKind::Delta => DELTA_KEPT,
            PointKind::Crash if !self.beats(self.hourly, millis(at)) => HOUR,
            PointKind::Crash | PointKind::App | PointKind::Copy => self.retention,
        };
        age < kept_for.min(self.retention).max(1)
    }
}

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or_default()
}

fn instant(millis: u64) -> Timestamp {
    i64::try_from(millis)
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
}

/// What is listed of a point.
pub(crate) type Listed = BTreeMap<Timestamp, (Position, PointKind)>;

impl World {
    /// The points of a link now.
    pub(super) fn points(&self, id: usize) -> Listed {
        let link = &self.links[id];
        let now = link.paused.unwrap_or(self.now);
        let mut listed: Listed = link
            .points
            .iter()
            .filter(|point| point.kind != PointKind::Delta || link.paused.is_some())
            .filter(|point| link.rhythm.keeps(point, now))
            .map(|point| (point.at, (point.position, point.kind)))
            .collect();
        let mut newest = link.applied;
        if let Some(from) = link.live {
            for (at, kind) in link.rhythm.made(from, self.now, now) {
                if let Some(position) = self.source_at(link, instant(at)) {
                    listed.insert(instant(at), (position, kind));
                }
            }
            newest = self.last_applied(link).or(newest);
        }
        let shared = self.shared_instant(link);
        let shared = shared.and_then(|at| Some((at, self.held_at(link, at)?)));
        // Only what the copy had points for at all: after a commit there are none until it is live again.
        let newest = newest.filter(|_| link.live.is_some() || !link.points.is_empty());
        for (at, position) in newest.into_iter().chain(shared) {
            listed.entry(at).or_insert((position, PointKind::Delta));
        }
        listed
    }

    /// As an observer is told of them.
    pub(super) fn points_seen(&self, id: usize) -> Vec<Point> {
        let processing = self.time.or_none(PROCESSING);
        let silences = &self.machines[self.links[id].source()].silences;
        let silent = |at: Timestamp| {
            let mut silences = silences.iter();
            silences.any(|(from, until)| *from <= at && until.is_none_or(|until| at < until))
        };
        self.points(id)
            .into_iter()
            .map(|(at, (_, kind))| Point {
                at,
                name: at.to_string(),
                app_consistent: matches!(kind, PointKind::App | PointKind::Copy)
                    && self.links[id].policy.app_every > 0
                    && !silent(at),
                processed: super::machine::later(at, processing) <= self.now,
            })
            .collect()
    }

    /// What a point holds, by its name. One that was listed a moment ago and was thinned since is still
    /// found.
    pub(super) fn point_named(&self, id: usize, name: &str) -> Option<Position> {
        let at: Timestamp = name.parse().ok()?;
        if let Some((position, _)) = self.points(id).get(&at) {
            return Some(*position);
        }
        let link = &self.links[id];
        let now = link.paused.unwrap_or(self.now);
        let stored = link.points.iter().find(|point| point.at == at);
        if let Some(point) = stored.filter(|point| link.rhythm.keeps(point, now)) {
            return Some(point.position);
        }
        let young = millis(self.now).saturating_sub(millis(at)) < DELTA_KEPT;
        let sent = link.rhythm.beats(link.rhythm.tick, millis(at))
            || self.shared_instant(link) == Some(at);
        self.held_at(link, at).filter(|_| young && sent)
    }

    /// What a link's copy can show of an instant: while it is live any instant since, and of a stopped
    /// source everything since the final synchronisation.
    fn held_at(&self, link: &LinkRecord, at: Timestamp) -> Option<Position> {
        if link.live.is_some_and(|from| from <= at) && at <= self.now {
            return self.source_at(link, at);
        }
        let complete = link.complete_since.is_some_and(|since| since <= at);
        link.applied
            .map(|(_, position)| position)
            .filter(|_| complete)
    }

    fn source_at(&self, link: &LinkRecord, at: Timestamp) -> Option<Position> {
        self.machines[link.source()].position_at(at)
    }

    fn last_applied(&self, link: &LinkRecord) -> Option<(Timestamp, Position)> {
        let at = link.rhythm.last_delta(link.live?, self.now)?;
        let position = self.source_at(link, at)?;
        // Where nothing was written there is nothing to send.
        let news = link.applied.is_none_or(|(_, held)| held != position);
        news.then_some((at, position))
    }

    /// What the copy holds now.
    pub(super) fn applied(&self, id: usize) -> Option<Position> {
        let link = &self.links[id];
        let newest = self.last_applied(link).or(link.applied);
        newest.map(|(_, position)| position)
    }

    /// Writes down the points made until now. What the guest does may change after it.
    pub(super) fn settle_points(&mut self, id: usize) {
        let Some(from) = self.links[id].live else {
            return;
        };
        let link = &self.links[id];
        let now = link.paused.unwrap_or(self.now);
        let mut points: Vec<StoredPoint> = Vec::new();
        for (at, kind) in link.rhythm.made(from, self.now, now) {
            let at = instant(at);
            if let Some(position) = self.source_at(link, at) {
                points.push(StoredPoint { at, position, kind });
            }
        }
        let applied = self.last_applied(link).or(link.applied);
        let shared = self.shared_instant(link);
        let shared = shared.and_then(|at| Some((at, self.held_at(link, at)?)));
        for (at, position) in applied.into_iter().chain(shared) {
            if points
                .iter()
                .chain(&link.points)
                .all(|point| point.at != at)
            {
                let kind = PointKind::Delta;
                points.push(StoredPoint { at, position, kind });
            }
        }
        let link = &mut self.links[id];
        link.points.retain(|point| link.rhythm.keeps(point, now));
        link.points.extend(points);
        link.points.sort_by_key(|point| point.at);
        link.applied = applied;
        link.live = Some(self.now);
        let target = link.target();
        if let Some((_, position)) = applied {
            self.machines[target].image = Image::At(position);
            self.changes.machines.insert(target);
        }
    }

    /// Adds a point of now: a copy ended.
    pub(super) fn add_point(&mut self, id: usize, position: Position) {
        let point = StoredPoint {
            at: self.now,
            position,
            kind: PointKind::Copy,
        };
        let link = &mut self.links[id];
        link.applied = Some((self.now, position));
        link.points.retain(|other| other.at != point.at);
        link.points.push(point);
        self.share_instant(id);
        self.expect_processed(id);
    }

    /// What was received last is reported again when it is processed.
    pub(super) fn expect_processed(&mut self, id: usize) {
        let Some(newest) = self.links[id].points.last() else {
            return;
        };
        let at = super::machine::later(newest.at, self.time.or_none(PROCESSING));
        if at > self.now {
            self.queue(at, Due::Processed(id));
        }
    }
}
