//! Changes are brought here, and become recovery points.
//!
//! What travels is written beside what is here already, into files that are called `.part` until they are whole
//! and on disk. Only when the record says that they are there the other side forgets what it remembered of them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drover_api::value::MachineName;
use drover_fabric::Answer;
use drover_libvirt::call::Caller;
use drover_libvirt::protocol::{
    DiskDescribed, Lend, LendOne, Lent, LentDisk, LentOne, Nothing, Return, Taken, path,
};
use drover_world::{ErrorClass, FabricError, LinkState};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Site;
use super::copy::{Brought, DiskCopy, Lender};
use super::eligible::can_be_copied;
use super::jobs::{Lane, Percent};
use super::ladder::{Source, Target, rung};
use super::lend::bitmaps_since;
use super::power::is_off;
use super::refusal::{retryable, terminal};
use crate::image::{self, Served};
use crate::nbd::{Client, Wishes};
use crate::record::{Base, Half, Last, PointKept};
use crate::transfer::{Dirty, Progress};

/// What is brought here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Whatever it takes until changes can be sent as they happen.
    Seed,
    /// Both sides are compared.
    Resync,
    /// What changed since the last time.
    Changes,
    /// The last changes of a machine that was stopped, for this epoch.
    Last(u64),
}

impl What {
    fn word(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Resync => "resync",
            Self::Changes => "changes",
            Self::Last(_) => "last",
        }
    }
}

/// A disk may have another job just now, or the link a hiccup: so often it is tried before whoever asked is told.
const ATTEMPTS: u32 = 5;
const AGAIN: Duration = Duration::from_secs(1);

impl Site {
    pub(super) fn begin_pull(self: &Arc<Self>, machine: &MachineName, what: What) -> Answer {
        let (site, name) = (Arc::clone(self), machine.clone());
        let word = what.word().to_owned();
        self.jobs
            .begin(machine, Lane::Copy, word, |percent| async move {
                let mut attempt = 1;
                loop {
                    match site.pull(std::slice::from_ref(&name), what, &percent).await {
                        Err(error)
                            if error.class == ErrorClass::Retryable && attempt < ATTEMPTS =>
                        {
                            info!(machine = %name, %error, attempt, "it is tried again");
                            tokio::time::sleep(AGAIN).await;
                            attempt += 1;
                        }
                        Err(error) => {
                            site.change_half(&name, Half::pause)?;
                            return Err(error);
                        }
                        Ok(()) => return Ok(()),
                    }
                }
            })
    }

    /// Brings over what machines have, of one instant; while that fails, whoever looks learns why.
    pub(super) async fn pull(
        self: &Arc<Self>,
        machines: &[MachineName],
        what: What,
        percent: &Percent,
    ) -> Result<(), FabricError> {
        let brought = self.bring_all(machines, what, percent).await;
        for machine in machines {
            // Whatever became of this copy: older points may have to make room for the next one.
            let thinned = self.thin(machine).await;
            if let Err(error) = &thinned {
                warn!(%machine, %error, "points that need not be kept do not go");
            }
            let trouble = match (&brought, thinned) {
                (Err(error), _) => Some(error.message.clone()),
                (Ok(()), Err(error)) => Some(format!(
                    "older recovery points do not go: {}",
                    error.message
                )),
                (Ok(()), Ok(())) => None,
            };
            self.live().entry(machine.clone()).or_default().trouble = trouble;
        }
        self.store.touch();
        brought
    }

    async fn bring_all(
        self: &Arc<Self>,
        machines: &[MachineName],
        what: What,
        percent: &Percent,
    ) -> Result<(), FabricError> {
        let mut halves = Vec::new();
        for machine in machines {
            halves.push(self.prepare(machine, what).await?);
        }
        let Some(first) = halves.first() else {
            return Ok(());
        };
        let peer = self.peer(&first.terms, first.role)?;
        let now = Timestamp::now();
        let lend = Lend {
            machines: halves.iter().map(|half| wanted(half, now, what)).collect(),
            quiesce: halves.iter().any(|half| rest_is_due(half, now)) && what == What::Changes,
            last: match what {
                What::Last(epoch) => Some(epoch),
                _ => None,
            },
        };
        let lent: Lent = peer.call(path::LEND, &lend).await?;
        let mut failed = None;
        for ((machine, half), one) in machines.iter().zip(&halves).zip(&lent.machines) {
            let brought = self.bring(&peer, machine, half, one, what, percent).await;
            let kept = brought
                .and_then(|files| self.keep_point(machine, half, one, lent.taken, files, what));
            let give = Return {
                loan: one.loan.clone(),
                machine: half.subject.at(half.role.other()).clone(),
                reached: kept.as_ref().ok().cloned().flatten(),
            };
            let returned: Result<Nothing, _> = peer.call(path::RETURN, &give).await;
            if let Err(error) = returned {
                // What was lent ends there by itself, and what is remembered too much costs little.
                debug!(%machine, %error, "what was lent was not given back");
            }
            // One machine's trouble is not that of the others.
            if let Err(error) = kept {
                warn!(%machine, %error, "changes were not brought over");
                if error.class == ErrorClass::Terminal {
                    // Who asks next learns why.
                    self.change_half(machine, Half::pause)?;
                }
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Nothing may run on what is written now.
    async fn prepare(&self, machine: &MachineName, what: What) -> Result<Half, FabricError> {
        if let Some((_, seen)) = self.find(machine.as_str()).await?
            && !is_off(&seen)
        {
            return Err(retryable(
                format!("{machine} runs where the copy would be written"),
                "stop it there first",
            ));
        }
        {
            let mut live = self.live();
            let live = live.entry(machine.clone()).or_default();
            live.asked_at = Some(Instant::now());
            live.apart |= what != What::Changes;
        }
        self.look_at_base(machine).await?;
        if what == What::Seed {
            self.take_up_seeds(machine).await?;
        }
        self.change_half(machine, |half| {
            match what {
                // Until it was complete once it is the first copy, whatever it begins with.
                What::Seed
                    if half.layers.is_empty() || half.agreed.is_some() || !half.finalized =>
                {
                    half.state = LinkState::Seeding;
                }
                What::Seed | What::Resync => half.state = LinkState::Resynchronizing,
                What::Changes => {}
                What::Last(_) => {
                    half.state = LinkState::Paused;
                    half.in_run = true;
                    half.last = None;
                }
            }
            if what == What::Resync {
                half.forget_agreement();
            }
            if matches!(what, What::Seed | What::Resync) {
                half.in_run = false;
                half.last = None;
            }
            Some(half.clone())
        })?
        .ok_or_else(|| terminal("there is no link", "relate the sites first"))
    }

    /// Somebody may have started the machine that the copy is based on, by hand.
    pub(super) async fn look_at_base(&self, machine: &MachineName) -> Result<(), FabricError> {
        let Some(half) = self.store.get(machine).half else {
            return Ok(());
        };
        let Some(mut base) = half.base.clone() else {
            return Ok(());
        };
        if Self::is_written_to(&base)? {
            // While nobody is there to compare with, what is here stays as it is.
            self.seal_of_source(&half).await?;
            warn!(%machine, "what its copy is based on was written to: both sides are compared");
            base.seal = Self::seal(base.files.values())?;
            self.change_half(machine, |half| half.begin_at_base(base))?;
        }
        Ok(())
    }

    /// Whether somebody else wrote to what a copy is based on: then what is above it is of no use.
    pub(super) fn is_written_to(base: &Base) -> Result<bool, FabricError> {
        Ok(!base.merging && Self::seal(base.files.values())? != base.seal)
    }

    /// Brings over the disks of one machine; what is returned is whole and on disk.
    async fn bring(
        self: &Arc<Self>,
        peer: &Caller,
        machine: &MachineName,
        half: &Half,
        lent: &LentOne,
        what: What,
        percent: &Percent,
    ) -> Result<BTreeMap<String, PathBuf>, FabricError> {
        let forgotten = lent.disks.iter().any(|disk| is_forgotten(half, lent, disk));
        if forgotten && what == What::Changes {
            self.change_half(machine, |half| {
                half.state = LinkState::ResyncRequired;
                half.forget_agreement();
            })?;
            return Err(retryable(
                format!("what changed on {machine} is not known any more"),
                "both sides are compared in the policy's resync window",
            ));
        }
        let ours = self.written_here(half).await?;
        let rate = half.terms.bandwidth.and_then(NonZeroU64::new);
        let throttle = self.throttles.of(&link_of(half), rate);
        let mut parts = Vec::new();
        for disk in &lent.disks {
            let own = ours.get(&disk.target);
            let rung = rung(source(half, lent, disk), target(half, &disk.target, own));
            let file = self.new_file(machine, &disk.target)?;
            let part = Part(file.with_extension("qcow2.part"));
            self.layer(machine, half, disk, &part.0).await?;
            let copy = DiskCopy {
                from: Lender {
                    peer,
                    loan: &lent.loan,
                    compressed: half.terms.compression,
                },
                disk,
                into: &part.0,
                socket: self.socket("part"),
                rung,
                ours: own,
                throttle: Arc::clone(&throttle),
            };
            let Brought { copied, travelled } =
                copy.run(|done| self.say(machine, percent, done)).await?;
            let target = &disk.target;
            info!(%machine, target, %rung, travelled, written = copied.written, "it is here");
            parts.push((disk.target.clone(), part, file));
        }
        if lent.seal.is_some() && self.seal_of_source(half).await? != lent.seal {
            return Err(retryable(
                format!("{machine} was started, or written to, while its disks were copied"),
                "they are copied again",
            ));
        }
        if let Some(variables) = &lent.variables {
            self.keep_variables(machine, variables).await?;
        }
        let mut files = BTreeMap::new();
        for (disk, part, file) in parts {
            image::publish(&part.0, &file).await?;
            files.insert(disk, file);
        }
        Ok(files)
    }

    /// A file that a disk is brought into: above what is here, and as large as the disk is now.
    async fn layer(
        &self,
        machine: &MachineName,
        half: &Half,
        disk: &LentDisk,
        part: &Path,
    ) -> Result<(), FabricError> {
        let base = half.layers.get(&disk.target).and_then(|files| files.last());
        let Some(base) = base else {
            return Ok(image::create(part, disk.size).await?);
        };
        let info = image::info(base).await?;
        match disk.size.cmp(&info.virtual_size) {
            Ordering::Equal => image::overlay(part, base, &info.format).await?,
            Ordering::Greater => {
                image::larger_overlay(part, base, &info.format, disk.size).await?;
            }
            Ordering::Less => {
                return Err(terminal(
                    format!(
                        "the disk {} of {machine} shrank from {} to {} bytes",
                        disk.target, info.virtual_size, disk.size
                    ),
                    "enlarge it again; or let go of the machine with its copy, and protect it anew",
                ));
            }
        }
        Ok(())
    }

    /// What was written to what the copy is based on, disk by disk, where its bitmaps remember all of it.
    async fn written_here(&self, half: &Half) -> Result<BTreeMap<String, Dirty>, FabricError> {
        let mut written = BTreeMap::new();
        let (Some(own), Some(base)) = (&half.own, &half.base) else {
            return Ok(written);
        };
        for (disk, file) in &base.files {
            let bitmaps = bitmaps_since(file, Some(own)).await?;
            if bitmaps.is_empty() {
                continue;
            }
            match self.union_of(file, &bitmaps).await {
                Ok(dirty) => drop(written.insert(disk.clone(), dirty)),
                Err(error) => info!(disk, %error, "what was written here is not known"),
            }
        }
        Ok(written)
    }

    async fn union_of(&self, file: &Path, bitmaps: &[String]) -> Result<Dirty, FabricError> {
        let mut dirty = Dirty::default();
        for bitmap in bitmaps {
            dirty = dirty.union(&self.bitmap(file, bitmap).await?);
        }
        Ok(dirty)
    }

    async fn bitmap(&self, file: &Path, bitmap: &str) -> Result<Dirty, FabricError> {
        let format = image::info(file).await?.format;
        let served = Served::readonly(file, &format, Some(bitmap), &self.socket("own")).await?;
        let context = format!("qemu:dirty-bitmap:{bitmap}");
        let wishes = Wishes::new("").context(context.clone());
        let client = Client::connect(&served.address(), &wishes).await?;
        let dirty = Dirty::read(&client, &context).await;
        client.disconnect().await;
        served.end().await?;
        Ok(dirty?)
    }

    fn say(&self, machine: &MachineName, percent: &Percent, now: Progress) {
        let done = (now.done * 100).checked_div(now.total).unwrap_or(0);
        percent.send_replace(u8::try_from(done).ok());
        let mut live = self.live();
        live.entry(machine.clone()).or_default().pending = now.total.saturating_sub(now.done);
    }

    /// What was brought over is a recovery point; what the source may forget is told.
    ///
    /// # Errors
    /// When something else was done with the copy meanwhile: then what was brought stands on what is not the
    /// newest any more.
    pub(super) fn keep_point(
        &self,
        machine: &MachineName,
        before: &Half,
        lent: &LentOne,
        taken: Taken,
        files: BTreeMap<String, PathBuf>,
        what: What,
    ) -> Result<Option<String>, FabricError> {
        let number = self.store.get(machine).next;
        let name = format!("{}-{number:05}", taken.at.strftime("%Y%m%dT%H%M%SZ"));
        // A machine that is off remembers from where it did before.
        let agreed = lent.checkpoint.clone().or_else(|| before.agreed.clone());
        if let Some(live) = self.live().get_mut(machine) {
            live.pending = 0;
        }
        let kept = self.change_half(machine, |half| {
            if !half.is_as(before) {
                half.litter.extend(files.into_values());
                return false;
            }
            for (disk, file) in &files {
                half.layers
                    .entry(disk.clone())
                    .or_default()
                    .push(file.clone());
            }
            half.points.push(PointKept {
                name,
                taken,
                quiesced: lent.quiesced,
                files,
            });
            if lent.quiesced {
                half.quiesced_at = Some(taken.at);
            }
            half.agreed.clone_from(&agreed);
            half.taken_from.clone_from(&lent.seal);
            half.own = None;
            half.described = Some(lent.described.clone());
            match (what, &lent.seal) {
                (What::Last(epoch), Some(seal)) => {
                    half.last = Some(Last {
                        epoch,
                        seal: seal.clone(),
                    });
                }
                _ => half.state = LinkState::Replicating,
            }
            true
        })?;
        if kept {
            return Ok(agreed);
        }
        Err(retryable(
            format!("something else was done with the copy of {machine} meanwhile"),
            "what was brought over is left out, and comes again",
        ))
    }
}

/// A file that is not whole, which goes with this: unless it is published it is nobody's, and takes room.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // One that was published has another name.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Machines that replicate between the same sites under the same limit share it.
fn link_of(half: &Half) -> String {
    let sites = &half.terms.sites;
    format!("{} {} {:?}", sites.primary, sites.secondary, half.towards)
}

/// What became of a disk at the source since both sides agreed.
fn source(half: &Half, lent: &LentOne, disk: &LentDisk) -> Source {
    let newest = half.points.last();
    let was_taken = newest.is_some_and(|point| point.files.contains_key(&disk.target));
    if was_taken && lent.seal.is_some() && lent.seal == half.taken_from {
        return Source::Untouched;
    }
    match half.agreed {
        Some(_) if !disk.changed.is_empty() => Source::Remembers,
        _ => Source::Unknown,
    }
}

/// Whether what changed on a disk should be known, and is not any more.
fn is_forgotten(half: &Half, lent: &LentOne, disk: &LentDisk) -> bool {
    let is_known = half.agreed.is_some() && half.layers.contains_key(&disk.target);
    is_known && !disk.came_since && source(half, lent, disk) == Source::Unknown
}

/// What became of a disk's copy since both sides agreed.
fn target(half: &Half, disk: &str, written: Option<&Dirty>) -> Target {
    match (half.layers.get(disk), &half.own, written) {
        (None, ..) => Target::Empty,
        (Some(_), None, _) => Target::Untouched,
        (Some(_), Some(_), Some(_)) => Target::Remembers,
        (Some(_), Some(_), None) => Target::Unknown,
    }
}

/// A disk that came since is copied from now on, if it can be; that it cannot is told as drift.
fn wanted(half: &Half, now: Timestamp, what: What) -> LendOne {
    let described = half.described.iter().flat_map(|described| &described.disks);
    let wanted = |disk: &&DiskDescribed| {
        let is_copied = half.layers.contains_key(&disk.target) || can_be_copied(disk);
        half.is_wanted(&disk.target) && is_copied
    };
    LendOne {
        machine: half.subject.at(half.role.other()).clone(),
        disks: described
            .filter(wanted)
            .map(|disk| disk.target.clone())
            .collect(),
        from: half.agreed.clone().filter(|_| what != What::Resync),
        checkpoint: format!("{}{}", super::lend::CHECKPOINT, now.as_millisecond()),
        variables: half.variables.clone(),
    }
}

/// Whether applications are to be brought to rest for the next point.
fn rest_is_due(half: &Half, now: Timestamp) -> bool {
    let every = half.terms.app_every;
    let since = |at: Timestamp| now.duration_since(at).as_millis();
    every > 0
        && half
            .quiesced_at
            .is_none_or(|at| since(at) >= i128::from(every))
}
