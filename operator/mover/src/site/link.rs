//! Links are taken up, committed, let go.

use std::sync::Arc;

use drover_api::InitialReplication;
use drover_api::common::SiteRole;
use drover_api::value::MachineName;
use drover_fabric::{Answer, LinkGoal};
use drover_libvirt::protocol::{
    Agree, Agreed, Agreement, Asker, Described, EnsureLink, Half as HalfSeen, Named, path,
};
use drover_world::{FabricError, LinkState, Outcome};
use tracing::info;

use super::Site;
use super::begin::base_on;
use super::eligible::eligible;
use super::jobs::Lane;
use super::make::MAKE;
use super::power::is_off;
use super::pull::What;
use super::refusal::{not_late, retryable, terminal};
use crate::record::{Half, Last, Record};

impl Site {
    /// Makes it so for a link.
    pub(super) async fn ensure_link(self: &Arc<Self>, ask: EnsureLink) -> Answer {
        let machine = ask.subject.at(ask.role).clone();
        let record = self.store.get(&machine);
        let recorded = record.half.as_ref().map_or(0, |half| half.epoch);
        not_late(recorded, &ask.asker)?;
        match ask.goal {
            LinkGoal::Related { towards } => return self.relate(&machine, ask, towards).await,
            LinkGoal::Unrelated { remove_replica } => {
                return self.unrelate(&machine, &ask.asker, remove_replica).await;
            }
            _ => {}
        }
        let half = self.heard(&machine, &ask)?;
        if half.state == LinkState::None {
            return Err(not_related(&machine));
        }
        match ask.goal {
            LinkGoal::Seeded { towards } => {
                same_way(&half, towards)?;
                self.brought(&machine, &half, What::Seed).await
            }
            LinkGoal::Resynchronized { towards } => {
                same_way(&half, towards)?;
                self.brought(&machine, &half, What::Resync).await
            }
            LinkGoal::Finalized { towards } => {
                same_way(&half, towards)?;
                self.change_half(&machine, |half| half.finalized = true)?;
                Ok(Outcome::Reached)
            }
            LinkGoal::FinalSync { towards } => {
                same_way(&half, towards)?;
                self.last_changes(&machine, &half, ask.asker.epoch).await
            }
            LinkGoal::Reversed { towards } => self.reverse(&machine, half, ask, towards).await,
            LinkGoal::Committed { left } => self.commit(&machine, &half, &ask.asker, left),
            LinkGoal::Related { .. } | LinkGoal::Unrelated { .. } | LinkGoal::SyncedBack { .. } => {
                Err(terminal("nothing does that here", ""))
            }
        }
    }

    /// Who asks is on record from now on, with what the policy says now.
    fn heard(&self, machine: &MachineName, ask: &EnsureLink) -> Result<Half, FabricError> {
        self.store.change(machine, |record| {
            let Some(half) = record.half.as_mut() else {
                return Err(not_related(machine));
            };
            not_late(half.epoch, &ask.asker)?;
            half.epoch = ask.asker.epoch;
            half.terms = ask.terms.clone();
            if half.subject.excluded_disks != ask.subject.excluded_disks {
                // What was taken was not all that is wanted now.
                half.taken_from = None;
                half.last = None;
            }
            half.subject = ask.subject.clone();
            Ok(half.clone())
        })?
    }

    pub(super) fn change_half<T: Default>(
        &self,
        machine: &MachineName,
        change: impl FnOnce(&mut Half) -> T,
    ) -> Result<T, FabricError> {
        let told = self
            .store
            .change(machine, |record| record.half.as_mut().map(change))?;
        told.ok_or_else(|| not_related(machine))
    }

    async fn relate(
        self: &Arc<Self>,
        machine: &MachineName,
        ask: EnsureLink,
        towards: SiteRole,
    ) -> Answer {
        let record = self.store.get(machine);
        if let Some(half) = &record.half
            && half.state != LinkState::None
        {
            same_way(half, towards)?;
            self.heard(machine, &ask)?;
            return Ok(Outcome::Reached);
        }
        let original = record
            .half
            .as_ref()
            .is_some_and(|half| half.origin == half.role && half.role == ask.role);
        let found = self.find(machine.as_str()).await?;
        let adopts = ask.terms.initial == InitialReplication::ExistingCopy
            && record.made.is_none()
            && !original;
        if record.made.is_none() && !original && !adopts && found.is_some() {
            return Err(terminal(
                format!("a machine {machine} is there already, and Drover did not make it"),
                "give the copy another name, remove the other machine, or declare \
                 `initialReplication: ExistingCopy`",
            ));
        }
        if record.made.is_some() && found.as_ref().is_some_and(|(_, seen)| !is_off(seen)) {
            return Err(retryable(
                format!("{machine} runs where the copy would be written"),
                "stop it there first",
            ));
        }
        let peer = self.peer(&ask.terms, ask.role)?;
        let source = Named {
            machine: ask.subject.at(ask.role.other()).clone(),
        };
        let described: Described = peer.call(path::DESCRIBE, &source).await?;
        eligible(&source.machine, &described, &ask.subject.excluded_disks)?;
        self.could_run(&source.machine, &described).await?;
        let autostart = found.as_ref().is_some_and(|(_, seen)| seen.autostart);
        let stands = found.as_ref().map(|(host, _)| *host).filter(|_| adopts);
        // What an earlier failover left here is made anew when it is needed.
        let left = found.as_ref().map(|(host, _)| *host);
        let left = left.filter(|_| record.made.is_some() && !original);
        let excluded = &ask.subject.excluded_disks;
        let former = record.half.as_ref();
        let kept = adopts && found.is_none() && former.is_some_and(|half| !half.layers.is_empty());
        let existing = if adopts && !kept {
            Some(self.existing(machine, found, &described, excluded).await?)
        } else {
            None
        };
        // The other side may know of turns that are not on record here, as where the pool was lost.
        let theirs = peer.call(path::HALF, &source).await;
        let theirs = theirs.map_or(0, |half: HalfSeen| half.turn);
        let ours = record.half.as_ref().map_or(0, |half| half.turn);
        let turn = ours.max(theirs) + 1;
        let agree = Agree {
            asker: ask.asker.clone(),
            subject: ask.subject.clone(),
            terms: ask.terms.clone(),
            role: ask.role.other(),
            to: Agreement::Flows { towards, turn },
        };
        let _: Agreed = peer.call(path::AGREE, &agree).await?;
        if let Some(host) = left {
            host.undefine(machine.as_str()).await?;
        }
        self.store.change(machine, |record| {
            let heard = record.half.as_ref().map_or(0, |half| half.epoch);
            not_late(heard, &ask.asker)?;
            let (former, made) = (record.half.take(), record.made.take());
            let mut half = Half::new(ask.subject, ask.role, towards, ask.terms);
            if let Some(former) = former {
                half = half.after(former);
            }
            if !kept {
                // What an earlier protection left is the base of nothing.
                let layers = std::mem::take(&mut half.layers);
                half.litter.extend(layers.into_values().flatten());
            }
            if let Some(made) = made.filter(|_| !original) {
                half.litter.extend(made.files.into_values());
            }
            half.turn = turn;
            half.epoch = ask.asker.epoch;
            half.state = LinkState::Paused;
            half.described = Some(described);
            half.adopted = existing.is_some();
            record.autostart |= half.adopted && autostart;
            if let Some(base) = existing {
                base_on(&mut half, base);
            }
            record.half = Some(half);
            Ok::<_, FabricError>(())
        })??;
        if let Some(host) = stands {
            host.set_autostart(machine.as_str(), false).await?;
        }
        info!(%machine, "its copy will be kept here");
        Ok(Outcome::Reached)
    }

    /// What flows here, and is brought over now if it was not yet.
    pub(super) async fn brought(
        self: &Arc<Self>,
        machine: &MachineName,
        half: &Half,
        what: What,
    ) -> Answer {
        if half.left.is_some() {
            self.returned(machine, half).await?;
        }
        match half.state {
            LinkState::Replicating => Ok(Outcome::Reached),
            _ => self.begin_pull(machine, what),
        }
    }

    /// A failover that is not committed is over when the machine runs again at the side that it left: what was
    /// made here goes.
    async fn returned(&self, machine: &MachineName, half: &Half) -> Result<(), FabricError> {
        if self.jobs.doing(machine, Lane::Power).as_deref() == Some(MAKE) {
            return Err(retryable(
                format!("{machine} is being made just now"),
                "it goes when it stands",
            ));
        }
        if self.seal_of_source(half).await?.is_some() {
            return Err(terminal(
                format!(
                    "the failover of {machine} is not committed; nothing else travels before it"
                ),
                "commit or cancel the failover first",
            ));
        }
        if let Some((host, seen)) = self.find(machine.as_str()).await? {
            if !is_off(&seen) {
                return Err(retryable(
                    format!("{machine} runs at both sides"),
                    "stop it where it is not wanted",
                ));
            }
            if half.origin != half.role {
                host.undefine(machine.as_str()).await?;
            }
        }
        self.store.change(machine, |record| {
            let made = record.made.take();
            if let Some(half) = &mut record.half {
                let files = made.into_iter().flat_map(|made| made.files.into_values());
                half.litter.extend(files);
                half.left = None;
            }
        })?;
        Ok(())
    }

    /// The seal of the disks at the other side; none while the machine runs there.
    pub(super) async fn seal_of_source(&self, half: &Half) -> Result<Option<String>, FabricError> {
        let peer = self.peer(&half.terms, half.role)?;
        let source = Named {
            machine: half.subject.at(half.role.other()).clone(),
        };
        let other: HalfSeen = peer.call(path::HALF, &source).await?;
        Ok(other.seal)
    }

    async fn last_changes(
        self: &Arc<Self>,
        machine: &MachineName,
        half: &Half,
        epoch: u64,
    ) -> Answer {
        let Some(seal) = self.seal_of_source(half).await? else {
            return Err(retryable(
                format!("{machine} still runs at the other side; its last changes are not known"),
                "stop it first",
            ));
        };
        match &half.last {
            Some(last) if last.seal == seal && last.epoch == epoch => Ok(Outcome::Reached),
            Some(last) if last.seal == seal => {
                // Nothing was written since they were brought here.
                self.change_half(machine, |half| half.last = Some(Last { epoch, seal }))?;
                Ok(Outcome::Reached)
            }
            _ => {
                if self
                    .jobs
                    .doing(machine, Lane::Copy)
                    .is_some_and(|what| what != "last")
                {
                    self.jobs.abort(machine, Lane::Copy);
                }
                self.begin_pull(machine, What::Last(epoch))
            }
        }
    }

    /// The failover stands: other points go (FO-5, FB-6).
    pub(super) fn commit(
        self: &Arc<Self>,
        machine: &MachineName,
        half: &Half,
        asker: &Asker,
        left: SiteRole,
    ) -> Answer {
        if half.committed.is_some_and(|epoch| epoch >= asker.epoch) {
            return Ok(Outcome::Reached);
        }
        let record = self.store.get(machine);
        let made = record.made.filter(|made| made.stands);
        let (Some(made), true) = (made, half.left == Some(left)) else {
            return Err(terminal(
                format!("there is no failover of {machine} to commit"),
                "look where the machine runs",
            ));
        };
        self.change_half(machine, |half| {
            half.committed = Some(asker.epoch);
            half.left = None;
            half.in_run = false;
            half.last = None;
            half.forget_agreement();
            half.points.clear();
            half.base = None;
            half.state = LinkState::Paused;
            for (disk, files) in &mut half.layers {
                let on = made.on.get(disk);
                let kept = files.iter().position(|file| Some(file) == on);
                let above = files.split_off(kept.map_or(files.len(), |at| at + 1));
                half.litter.extend(above);
                files.extend(made.files.get(disk).cloned());
            }
        })?;
        Ok(Outcome::Reached)
    }

    async fn unrelate(
        self: &Arc<Self>,
        machine: &MachineName,
        asker: &Asker,
        remove: bool,
    ) -> Answer {
        let record = self.store.get(machine);
        let Some(half) = &record.half else {
            return Ok(Outcome::Reached);
        };
        if half.holds() {
            self.jobs.abort(machine, Lane::Copy);
            if record.made.is_some() {
                self.give_autostart(machine, &record).await?;
            }
            let goes = self.store.change(machine, |record| {
                over(record, asker);
                let made = record.made.is_some();
                let half = record.half.as_mut();
                let half = half.filter(|half| remove && !made && half.origin != half.role);
                half.map(|half| {
                    let layers = std::mem::take(&mut half.layers);
                    half.litter.extend(layers.into_values().flatten());
                })
            })?;
            if goes.is_some() {
                self.drop_variables(machine).await?;
            }
            self.tidy(machine).await?;
        } else {
            self.let_go_of_source(machine, asker).await?;
        }
        Ok(Outcome::Reached)
    }

    pub(super) async fn let_go_of_source(
        &self,
        machine: &MachineName,
        asker: &Asker,
    ) -> Result<(), FabricError> {
        self.end_loans_of(machine).await?;
        let record = self.store.get(machine);
        if let Some((host, seen)) = self.find(machine.as_str()).await?
            && !is_off(&seen)
        {
            if record.fenced.is_some() {
                return Err(retryable(
                    format!("{machine} is fenced, and runs"),
                    "it is let go of when its power is cut",
                ));
            }
            for checkpoint in host.checkpoints(machine.as_str()).await? {
                if checkpoint.starts_with(super::lend::CHECKPOINT) {
                    host.drop_checkpoint(machine.as_str(), &checkpoint).await?;
                }
            }
        }
        self.give_autostart(machine, &record).await?;
        self.store.change(machine, |record| over(record, asker))?;
        Ok(())
    }

    /// A machine that started with its site by Drover is started by libvirt from now on. What is held, or was left,
    /// is not: it serves at the other side.
    async fn give_autostart(
        &self,
        machine: &MachineName,
        record: &Record,
    ) -> Result<(), FabricError> {
        if record.starts_with_site()
            && !record.held
            && record.fenced.is_none()
            && let Some((host, _)) = self.find(machine.as_str()).await?
        {
            host.set_autostart(machine.as_str(), true).await?;
        }
        Ok(())
    }

    /// How a link is at this side.
    pub(super) async fn half_of(&self, machine: &MachineName) -> Result<HalfSeen, FabricError> {
        let record = self.store.get(machine);
        let off = match self.find(machine.as_str()).await? {
            Some((_, seen)) => is_off(&seen) && !self.is_starting(machine),
            None => true,
        };
        self.half_seen(machine, &record, off)
            .ok_or_else(|| not_related(machine))
    }

    pub(super) fn half_seen(
        &self,
        machine: &MachineName,
        record: &Record,
        off: bool,
    ) -> Option<HalfSeen> {
        let half = record.half.as_ref()?;
        let seal = if half.holds() {
            half.last.as_ref().map(|last| last.seal.clone())
        } else {
            let described = half.described.as_ref().filter(|_| off);
            described.and_then(|described| {
                Self::seal(described.disks.iter().map(|disk| &disk.path)).ok()
            })
        };
        let live = self.live().get(machine).cloned().unwrap_or_default();
        Some(HalfSeen {
            sites: half.terms.sites.clone(),
            subject: half.subject.clone(),
            role: half.role,
            turn: half.turn,
            link: half.link(live.pending, live.trouble),
            seal,
        })
    }
}

/// Nobody but a person says from now on whether it may run.
fn over(record: &mut Record, asker: &Asker) {
    record.autostart = false;
    record.held = false;
    record.fenced = None;
    if let Some(half) = &mut record.half {
        half.epoch = asker.epoch;
        half.state = LinkState::None;
        half.finalized = false;
        half.last = None;
        half.forget_agreement();
        half.points.clear();
        half.in_run = false;
        half.left = None;
    }
}

fn same_way(half: &Half, towards: SiteRole) -> Result<(), FabricError> {
    if half.towards == towards && half.role == towards {
        return Ok(());
    }
    Err(terminal(
        format!("data of {} flows the other way", half.subject.primary),
        "fail over and commit first, then reverse it",
    ))
}

fn not_related(machine: &MachineName) -> FabricError {
    terminal(
        format!("the sites do not know of each other's {machine}"),
        "relate them first",
    )
}
