//! One protected machine: what is seen of it, against what its group declares and what it was.

use drover_api::common::SiteRole;
use drover_api::value::{Duration, NetworkName};
use drover_api::{
    Drift, DriftKind as K, HardwareSeen, MachinePhase, ProtectedMachineSpec,
    ProtectedMachineStatus, TargetSettings,
};
use drover_world::{Instance, Link, LinkState, Observed, Power};
use jiff::{SignedDuration, Timestamp};

use super::hardware::{self, Made};
use super::{Former, Found, severity};
use crate::decide::Serving;

/// So long what Drover does by itself may go on after a run, and a guest may take to start again by itself.
pub const SETTLES: SignedDuration = SignedDuration::from_mins(2);

/// Inventories are looked at about so often.
const LOOKED_AT: SignedDuration = SignedDuration::from_mins(1);

/// Everything that is known of one machine.
#[derive(Clone, Debug)]
pub struct MachineFacts<'a> {
    /// What its group declares.
    pub spec: &'a ProtectedMachineSpec,
    /// What was recorded before, and, but for drift, what is to be recorded now.
    pub status: &'a ProtectedMachineStatus,
    /// What is seen of it at the primary and at the secondary site.
    pub at: [&'a Observed<Instance>; 2],
    /// What replicates it.
    pub link: &'a Observed<Link>,
    /// The threshold of its policy.
    pub rpo_threshold: &'a Duration,
    /// The run that has it in hand.
    pub run: Option<RunInHand>,
    /// When the newest run ended that had it in hand, where none has it now.
    pub run_ended: Option<Timestamp>,
    /// When a run last started it at the site where it is active.
    pub arrived: Option<Timestamp>,
    /// What it is made of at that site, and when that was looked at.
    pub made: Option<(Made<'a>, Timestamp)>,
    /// The networks that are declared for its interfaces there, where some are.
    pub networks: Option<Vec<NetworkName>>,
    /// Whether its site makes machines that nobody listed there.
    pub provisions: bool,
    /// Whether the selector of its group matches it no longer.
    pub no_longer_selected: bool,
    /// Whether a person said that what it is made of now is as it should be.
    pub accepted: bool,
    /// The time.
    pub now: Timestamp,
}

/// A run that has a machine in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunInHand {
    /// Whether nothing of it is under way: it waits for a person.
    pub rests: bool,
    /// When it came to stand where it stands.
    pub since: Option<Timestamp>,
}

/// What was found out about a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Its differences, by kind.
    pub drift: Vec<Drift>,
    /// What it is compared with from now on.
    pub hardware: Vec<HardwareSeen>,
    /// Whether what a person accepted was taken.
    pub accepted: bool,
    /// When time alone may have changed something.
    pub again: Option<Timestamp>,
}

/// How a machine differs from what is declared, and from what it was.
pub fn machine(facts: &MachineFacts<'_>) -> Judged {
    if let Some(run) = facts.run {
        return facts.in_hand(run);
    }
    let former = Former {
        before: &facts.status.drift,
        now: facts.now,
    };
    let now = facts.recorded();
    let accepted = facts.accepted && now.is_some();
    let hardware = facts.baselines(now.as_ref(), accepted);
    let baseline = hardware
        .iter()
        .find(|seen| Some(seen.site) == facts.active());
    let compared = baseline.zip(now.as_ref());
    let against = |compare: fn(&HardwareSeen, &HardwareSeen) -> Vec<String>| match compared {
        Some((was, is)) => Found::of(&compare(was, is)),
        None => Found::Unknown,
    };
    let sizes = match compared {
        Some((was, is)) => Found::of(&hardware::sizes(was, is, facts.declared())),
        None => Found::Unknown,
    };
    let (late, late_since) = facts.late();
    let (unprotected, unprotected_since) = facts.not_protected();
    let (off, off_since) = facts.not_running();
    let since = |kind, since, found| former.judge_as(kind, severity(kind), since, found);
    let drift = [
        former.judge(K::SplitBrain, facts.split()),
        former.judge(K::Missing, facts.missing()),
        since(K::NotProtected, unprotected_since, unprotected),
        former.judge(K::ReplicationStopped, facts.stopped()),
        since(K::NotRunning, off_since, off),
        since(K::RpoExceeded, late_since, late),
        former.judge(K::DisksChanged, against(hardware::disks)),
        former.judge(K::HardwareChanged, sizes),
        former.judge(K::NetworksChanged, facts.on_networks(compared)),
        former.judge(K::SettingsChanged, facts.settings(now.as_ref())),
        former.judge(K::NoLongerSelected, facts.selection()),
    ];
    Judged {
        drift: drift.into_iter().flatten().collect(),
        accepted,
        again: facts.again(now.is_none()),
        hardware,
    }
}

impl MachineFacts<'_> {
    fn active(&self) -> Option<SiteRole> {
        self.status.active_site
    }

    fn seen_at(&self, role: SiteRole) -> &Observed<Instance> {
        match role {
            SiteRole::Primary => self.at[0],
            SiteRole::Secondary => self.at[1],
        }
    }

    fn phase(&self) -> MachinePhase {
        self.status.phase
    }

    /// In a run nothing is judged that the run changes; what was recorded stands until its end. Two things are
    /// no such things: that both copies run, once the run has nothing under way and what it did was seen; and
    /// that nothing replicates, while a run that would change that waits.
    fn in_hand(&self, run: RunInHand) -> Judged {
        let former = Former {
            before: &self.status.drift,
            now: self.now,
        };
        let mut judged = Vec::new();
        let arrived = self
            .arrived
            .is_none_or(|arrived| settled(arrived, self.now));
        if run.rests && arrived {
            judged.push((K::SplitBrain, former.judge(K::SplitBrain, self.split())));
        }
        let open = self.phase() == MachinePhase::NotProtected;
        let since = run.since.filter(|_| open);
        if let Some(since) = since.filter(|since| settled(*since, self.now)) {
            let found = former.judge_as(
                K::NotProtected,
                severity(K::NotProtected),
                since,
                self.open(),
            );
            judged.push((K::NotProtected, found));
        }
        let mut drift = self.status.drift.clone();
        for (kind, found) in judged {
            drift.retain(|each| each.kind != kind);
            drift.extend(found);
        }
        drift.sort_by_key(|each| each.kind);
        Judged {
            drift,
            hardware: self.status.hardware.clone(),
            accepted: false,
            again: since.and_then(|since| self.settles(since)),
        }
    }

    fn split(&self) -> Found {
        if self.at.iter().any(|at| at.seen().is_none()) {
            return Found::Unknown;
        }
        Found::when(Serving::of(self.at) == Serving::Both, || {
            let sites = &self.spec.sites;
            format!("it runs at {} and at {}", sites.primary, sites.secondary)
        })
    }

    /// The site where it should be, the other one not having it.
    fn should_be_at(&self) -> Option<SiteRole> {
        let here = self
            .active()
            .or((!self.provisions).then_some(SiteRole::Primary))?;
        let other = self.seen_at(here.other());
        let elsewhere = other.seen().is_some_and(Instance::may_serve);
        (!elsewhere).then_some(here)
    }

    fn missing(&self) -> Found {
        let Some(here) = self.should_be_at() else {
            return Found::Same;
        };
        match self.seen_at(here).seen() {
            None => Found::Unknown,
            Some(seen) => Found::when(seen.power == Power::Absent, || {
                format!("there is no such machine at {}", self.spec.sites.at(here))
            }),
        }
    }

    fn not_running(&self) -> (Found, Timestamp) {
        let here = self.should_be_at().filter(|_| self.active().is_some());
        let Some(here) = here else {
            return (Found::Same, self.now);
        };
        let Some(seen) = self.seen_at(here).seen() else {
            return (Found::Unknown, self.now);
        };
        let off = matches!(seen.power, Power::Off | Power::StartFailed);
        let since = self.off_since(here);
        let found = Found::when(off && settled(since, self.now), || {
            format!("it is switched off at {}", self.spec.sites.at(here))
        });
        (found, since)
    }

    /// Since when it is as it is there.
    fn off_since(&self, role: SiteRole) -> Timestamp {
        let mut instances = self.status.instances.iter();
        let here = instances.find(|seen| seen.site == role && !seen.drill);
        here.map_or(self.now, |seen| seen.at)
    }

    fn not_protected(&self) -> (Found, Timestamp) {
        let since = self.run_ended.unwrap_or(self.now);
        let lasts = self.run_ended.is_none_or(|ended| settled(ended, self.now));
        let open = self.phase() == MachinePhase::NotProtected && lasts;
        (if open { self.open() } else { Found::Same }, since)
    }

    fn open(&self) -> Found {
        let at = self.active().map(|role| self.spec.sites.at(role));
        let at = at.map(|site| format!(" at {site}")).unwrap_or_default();
        Found::Differs(format!(
            "it runs{at} after a failover, and nothing replicates it"
        ))
    }

    fn stopped(&self) -> Found {
        match self.phase() {
            MachinePhase::Failed => {
                Found::Differs("its replication failed, and trying again does not mend it".into())
            }
            MachinePhase::Inconsistent => {
                Found::Differs("its disk at the other site is half-written".into())
            }
            phase if phase.is_protected() => match self.link.seen() {
                None => Found::Unknown,
                Some(link) => Found::when(link.state == LinkState::Failed, || {
                    "its replication failed".into()
                }),
            },
            _ => Found::Same,
        }
    }

    fn late(&self) -> (Found, Timestamp) {
        let Some(link) = self.link.seen() else {
            return (Found::Unknown, self.now);
        };
        let newest = link.points.last().filter(|_| self.phase().is_protected());
        let threshold = self.rpo_threshold.as_std();
        let limit = newest.and_then(|newest| newest.at.checked_add(threshold).ok());
        let Some(limit) = limit else {
            return (Found::Same, self.now);
        };
        let found = Found::when(limit < self.now, || {
            format!(
                "its newest recovery point is older than {}",
                self.rpo_threshold
            )
        });
        (found, limit)
    }

    fn declared(&self) -> Option<&TargetSettings> {
        let settings = self.spec.target_settings.as_ref()?;
        match self.active()? {
            SiteRole::Primary => settings.primary.as_ref(),
            SiteRole::Secondary => settings.secondary.as_ref(),
        }
    }

    /// What it is made of now; nothing where that was looked at before a run started it there.
    fn recorded(&self) -> Option<HardwareSeen> {
        let (made, at) = self.made?;
        let young = self.arrived.is_none_or(|arrived| at >= arrived);
        young.then_some(made.recorded(self.active()?, self.now))
    }

    /// What it is compared with. What a run made is what it should be.
    fn baselines(&self, now: Option<&HardwareSeen>, accepted: bool) -> Vec<HardwareSeen> {
        let mut kept = self.status.hardware.clone();
        let Some(active) = self.active() else {
            return kept;
        };
        let void = |seen: &HardwareSeen| {
            let remade = self.arrived.is_some_and(|arrived| seen.at < arrived);
            seen.site == active && (accepted || remade)
        };
        kept.retain(|seen| !void(seen));
        let missing = !kept.iter().any(|seen| seen.site == active);
        if missing && self.phase().is_protected() {
            kept.extend(now.cloned());
            kept.sort_by_key(|seen| seen.site);
        }
        kept
    }

    /// Where networks are declared they are what counts, if the fabric tells of any.
    fn on_networks(&self, compared: Option<(&HardwareSeen, &HardwareSeen)>) -> Found {
        let Some((was, is)) = compared else {
            return Found::Unknown;
        };
        let declared = self.networks.as_ref().filter(|_| !is.networks.is_empty());
        let should = declared.unwrap_or(&was.networks);
        Found::of(&hardware::networks(should.iter(), is.networks.iter()))
    }

    fn settings(&self, now: Option<&HardwareSeen>) -> Found {
        let mut differences = Vec::new();
        if let Some(link) = self.link.seen()
            && self.phase().is_protected()
            && link.state != LinkState::None
            && Some(link.towards) == self.active()
        {
            let site = self.spec.sites.at(link.towards);
            differences.push(format!("its data flows towards {site}, where it runs"));
        }
        match (now, self.made) {
            (Some(now), Some((made, _))) => {
                let host = made.hardware.host.as_deref();
                let declared = self.declared();
                differences.extend(
                    declared
                        .into_iter()
                        .flat_map(|it| hardware::settings(it, now, host)),
                );
                if self.active() == Some(SiteRole::Primary) && !now.disks.is_empty() {
                    differences.extend(hardware::excluded(&self.spec.excluded_disks, now));
                }
            }
            _ if differences.is_empty() => return Found::Unknown,
            _ => {}
        }
        Found::of(&differences)
    }

    fn selection(&self) -> Found {
        Found::when(self.no_longer_selected, || {
            let group = &self.spec.group_ref.name;
            format!("group {group} would not take it up any more")
        })
    }

    /// When what is so since then has lasted, where that is still to come.
    fn settles(&self, since: Timestamp) -> Option<Timestamp> {
        let at = since.saturating_add(SETTLES).unwrap_or(Timestamp::MAX);
        (at > self.now).then_some(at)
    }

    fn again(&self, not_seen: bool) -> Option<Timestamp> {
        let unprotected = self
            .run_ended
            .filter(|_| self.phase() == MachinePhase::NotProtected);
        let here = self.active().filter(|role| {
            let seen = self.seen_at(*role).seen();
            seen.is_some_and(|seen| matches!(seen.power, Power::Off | Power::StartFailed))
        });
        let off = here.map(|role| self.off_since(role));
        // What was looked at before a run is looked at again soon.
        let looked = (not_seen && self.made.is_some() && self.phase().is_protected())
            .then(|| self.now.saturating_add(LOOKED_AT).unwrap_or(Timestamp::MAX));
        let settles = [unprotected, off]
            .into_iter()
            .flatten()
            .filter_map(|since| self.settles(since));
        settles.chain(looked).min()
    }
}

fn settled(since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(since) >= SETTLES
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
