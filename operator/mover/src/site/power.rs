//! Machines stop, start and are fenced.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use drover_api::value::MachineName;
use drover_fabric::{Answer, SiteGoal};
use drover_libvirt::protocol::{Asker, Ensure};
use drover_world::{FabricError, Outcome};
use tracing::{debug, warn};

use super::Site;
use super::jobs::Lane;
use super::refusal::{insist, not_late, retryable, terminal};
use crate::host::{DomainPower, DomainSeen, Host, Start as How};
use crate::record::{Made, Record, Start};

/// A guest that did not hear that it should shut down is told again after so long.
const TELL_AGAIN: Duration = Duration::from_secs(10);
/// How often a stop is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Jobs that end with the machine off.
pub(super) const STOP: &str = "stop";
pub(super) const FENCE: &str = "fence";
/// The job that ends with the machine on.
pub(super) const START: &str = "start";

pub(super) fn is_off(seen: &DomainSeen) -> bool {
    !seen.power.is_active()
}

impl Site {
    /// Makes it so for one machine.
    pub(super) async fn ensure(self: &Arc<Self>, ask: Ensure) -> Answer {
        let Ensure {
            asker,
            machine,
            goal,
        } = ask;
        match goal {
            SiteGoal::DrillStarted => return self.start_drill(machine, &asker).await,
            SiteGoal::DrillRemoved => return self.remove_drill(machine, &asker).await,
            SiteGoal::Stopped | SiteGoal::Fenced | SiteGoal::Started => {}
        }
        not_late(self.store.get(&machine).epoch, &asker)?;
        match goal {
            SiteGoal::Stopped => self.stop(machine, &asker).await,
            SiteGoal::Fenced => self.fence(machine, &asker).await,
            _ => self.start(machine, &asker).await,
        }
    }

    async fn stop(self: &Arc<Self>, machine: MachineName, asker: &Asker) -> Answer {
        self.store.change(&machine, |record| {
            not_late(record.epoch, asker)?;
            record.epoch = asker.epoch;
            record.held = true;
            record.ran = false;
            Ok::<_, FabricError>(())
        })??;
        let host = match self.where_on(&machine).await? {
            ControlFlow::Continue(host) => host,
            ControlFlow::Break(outcome) => return Ok(outcome),
        };
        match self.jobs.doing(&machine, Lane::Power).as_deref() {
            // That ends sooner.
            Some(FENCE) => return Ok(Outcome::InProgress { percent: None }),
            Some(STOP) | None => {}
            Some(_) => self.jobs.abort(&machine, Lane::Power),
        }
        let (site, host, name) = (Arc::clone(self), host.clone(), machine.clone());
        self.jobs
            .begin(&machine, Lane::Power, STOP.into(), |_| async move {
                // A machine with an open backup hangs while it shuts down.
                site.end_loans_of(&name).await?;
                let domain = name.as_str();
                host.set_autostart(domain, false).await?;
                let mut told: Option<tokio::time::Instant> = None;
                loop {
                    let seen = host.domain(domain).await?;
                    let Some(seen) = seen.filter(|seen| !is_off(seen)) else {
                        break;
                    };
                    if is_held_still(&site.store.get(&name), &seen) {
                        // Its guest never ran, and hears nothing.
                        host.destroy(domain).await?;
                    } else if told.is_none_or(|at| at.elapsed() >= TELL_AGAIN) {
                        told = Some(tokio::time::Instant::now());
                        host.shutdown(domain).await?;
                    }
                    tokio::time::sleep(LOOK).await;
                }
                site.note_stopped(&host, &name).await;
                site.store.touch();
                Ok(())
            })
    }

    /// The plug is pulled.
    async fn fence(self: &Arc<Self>, machine: MachineName, asker: &Asker) -> Answer {
        self.store.change(&machine, |record| {
            not_late(record.epoch, asker)?;
            record.epoch = asker.epoch;
            record.held = true;
            record.ran = false;
            record.fenced = Some(asker.epoch);
            Ok::<_, FabricError>(())
        })??;
        let host = match self.where_on(&machine).await? {
            ControlFlow::Continue(host) => host,
            ControlFlow::Break(outcome) => return Ok(outcome),
        };
        if self.jobs.doing(&machine, Lane::Power).as_deref() != Some(FENCE) {
            self.jobs.abort(&machine, Lane::Power);
        }
        let (site, host, name) = (Arc::clone(self), host.clone(), machine.clone());
        self.jobs
            .begin(&machine, Lane::Power, FENCE.into(), |_| async move {
                host.set_autostart(name.as_str(), false).await?;
                host.destroy(name.as_str()).await?;
                site.forget_loans_of(&name);
                site.note_stopped(&host, &name).await;
                site.store.touch();
                Ok(())
            })
    }

    /// The host where a machine is on that is to be off; or what to answer where it is off already.
    async fn where_on(
        &self,
        machine: &MachineName,
    ) -> Result<ControlFlow<Outcome, &Host>, FabricError> {
        // Before it is looked at: who began before is not sure to have seen what is on record now.
        let is_starting = self.is_starting(machine);
        Ok(match self.find(machine.as_str()).await? {
            None => ControlFlow::Break(Outcome::Reached),
            Some((_, seen)) if is_off(&seen) && is_starting => {
                ControlFlow::Break(Outcome::InProgress { percent: None })
            }
            Some((host, seen)) if is_off(&seen) => {
                self.note_stopped(host, machine).await;
                ControlFlow::Break(Outcome::Reached)
            }
            Some((host, _)) => ControlFlow::Continue(host),
        })
    }

    /// How its disks are now that it is off, the first time that this is asked since it ran.
    async fn note_stopped(&self, host: &Host, machine: &MachineName) {
        if self.store.get(machine).stopped.is_some() {
            return;
        }
        let sealed = async {
            let disks = self.copied_disks(host, machine).await?;
            let seal = Self::seal(disks.values())?;
            self.store
                .change(machine, |record| record.stopped = Some(seal))?;
            Ok::<_, FabricError>(())
        };
        if let Err(error) = sealed.await {
            // Then both sides are compared.
            debug!(%machine, %error, "how its disks are is not known");
        }
    }

    async fn start(self: &Arc<Self>, machine: MachineName, asker: &Asker) -> Answer {
        let (host, seen) = self.must_find(machine.as_str()).await?;
        let record = self.store.get(&machine);
        may_start(&machine, &record)?;
        if let Some(start) = &record.start
            && start.epoch == asker.epoch
            && let Some(why) = &start.failed
        {
            return Err(terminal(
                format!("{machine} did not start: {why}"),
                "look at the guest and its host, then resume",
            ));
        }
        self.store.change(&machine, |record| {
            // Somebody newer may have been here while the machine was looked for.
            not_late(record.epoch, asker)?;
            record.epoch = asker.epoch;
            record.held = false;
            record.fenced = None;
            record.ran = true;
            if record
                .start
                .as_ref()
                .is_none_or(|start| start.epoch < asker.epoch)
            {
                record.start = Some(Start {
                    epoch: asker.epoch,
                    failed: None,
                    healthy: false,
                });
            }
            Ok::<_, FabricError>(())
        })??;
        if self.jobs.doing(&machine, Lane::Power).as_deref() == Some(STOP) {
            // It should not stop any more; a guest that heard of it before does, and is started then.
            self.jobs.abort(&machine, Lane::Power);
        }
        let complete = match &record.made {
            Some(made) => made.checkpoint.is_some(),
            None => true,
        };
        if seen.power == DomainPower::Running && self.is_healthy(&machine, host).await? {
            self.store.change(&machine, |record| {
                if let Some(start) = &mut record.start {
                    start.healthy = true;
                }
            })?;
            return Ok(Outcome::Reached);
        }
        if seen.power == DomainPower::Running && complete {
            return Ok(Outcome::InProgress { percent: None });
        }
        let (site, host, name) = (Arc::clone(self), host.clone(), machine.clone());
        let epoch = asker.epoch;
        self.jobs
            .begin(&machine, Lane::Power, START.into(), |_| async move {
                let started = site.switch_on(&host, &name, &seen).await;
                if let Err(error) = &started
                    && error.class == drover_world::ErrorClass::Terminal
                {
                    site.failed_to_start(&name, epoch, error)?;
                }
                site.store.touch();
                started
            })
    }

    fn failed_to_start(
        &self,
        machine: &MachineName,
        epoch: u64,
        error: &FabricError,
    ) -> Result<(), FabricError> {
        self.store.change(machine, |record| {
            if let Some(start) = &mut record.start
                && start.epoch == epoch
            {
                start.failed = Some(error.message.clone());
            }
        })?;
        Ok(())
    }

    /// What was made of a copy gets a checkpoint before its guest runs: not even its first write escapes.
    pub(super) async fn switch_on(
        &self,
        host: &Host,
        machine: &MachineName,
        seen: &DomainSeen,
    ) -> Result<(), FabricError> {
        let domain = machine.as_str();
        self.still_wanted(machine)?;
        self.store.change(machine, |record| {
            if !record.held {
                record.stopped = None;
            }
        })?;
        if let Some(live) = self.live().get_mut(machine) {
            live.healthy = false;
            live.running_since = None;
        }
        // Nobody reads files that a guest writes.
        self.end_loans_of(machine).await?;
        let made = self.store.get(machine).made;
        let fresh = made.filter(|made| made.checkpoint.is_none());
        let Some(made) = fresh else {
            if seen.power == DomainPower::Paused {
                self.let_run(host, machine).await?;
            } else {
                let start = || host.start(domain, How::GoOn);
                insist(start, || self.still_wanted(machine)).await?;
                if self.store.get(machine).fenced.is_some() {
                    host.destroy(domain).await?;
                }
            }
            return Ok(());
        };
        if is_off(seen) {
            let start = || host.start(domain, How::AnewAndStill);
            insist(start, || self.still_wanted(machine)).await?;
        }
        let checkpoint = format!("drover-made-{}", made.epoch);
        let disks: Vec<String> = made.files.keys().cloned().collect();
        if !host.checkpoints(domain).await?.contains(&checkpoint) {
            host.checkpoint(domain, &checkpoint, &disks).await?;
        }
        self.store.change(machine, |record| {
            if let Some(made) = &mut record.made {
                made.checkpoint = Some(checkpoint);
            }
        })?;
        if let Err(error) = self.still_wanted(machine) {
            // Its guest never ran, and does not hear that it should shut down.
            host.destroy(domain).await?;
            return Err(error);
        }
        self.let_run(host, machine).await
    }

    async fn let_run(&self, host: &Host, machine: &MachineName) -> Result<(), FabricError> {
        host.resume(machine.as_str()).await?;
        self.store.change(machine, |record| {
            if let Some(made) = &mut record.made {
                made.released = true;
            }
        })?;
        Ok(())
    }

    /// Goes on with a start that was cut off while its guest was held still: nobody asks for it again, because it
    /// is seen to start.
    pub(super) fn start_further(
        self: &Arc<Self>,
        machine: &MachineName,
        host: &Host,
        seen: &DomainSeen,
    ) {
        let record = self.store.get(machine);
        if record.held || !is_held_still(&record, seen) {
            return;
        }
        let (site, host, name, seen) = (
            Arc::clone(self),
            host.clone(),
            machine.clone(),
            seen.clone(),
        );
        let start = |_| async move { site.switch_on(&host, &name, &seen).await };
        if let Err(error) = self.jobs.begin(machine, Lane::Power, START.into(), start) {
            warn!(%machine, %error, "it does not start; it is tried again");
        }
    }

    /// Whether nobody stopped it since it was asked to start.
    fn still_wanted(&self, machine: &MachineName) -> Result<(), FabricError> {
        if !self.store.get(machine).held {
            return Ok(());
        }
        Err(retryable(
            format!("{machine} was stopped before it started"),
            "ask for it again",
        ))
    }
}

/// Whether a machine that was made stands still because it was not let run yet.
fn is_held_still(record: &Record, seen: &DomainSeen) -> bool {
    let made = record.made.as_ref();
    seen.power == DomainPower::Paused && made.is_some_and(|made| made.stands && !made.released)
}

/// Whether a machine may be started from the disks that are here (FB-5).
fn may_start(machine: &MachineName, record: &Record) -> Result<(), FabricError> {
    let copy = record
        .half
        .as_ref()
        .is_some_and(|half| half.holds() && half.state != drover_world::LinkState::None);
    match &record.made {
        Some(Made { stands: false, .. }) => Err(terminal(
            format!("{machine} is being made"),
            "wait until it stands",
        )),
        None if copy => Err(terminal(
            format!("what is here of {machine} is the base of a copy"),
            "make the machine of the copy first",
        )),
        _ => Ok(()),
    }
}
