//! Changes are brought here, and become recovery points.
//!
//! What travels is written beside what is here already, into files that are called `.part` until they are whole
//! and on disk. Only when the record says that they are there the other side forgets what it remembered of them.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drover_api::value::MachineName;
use drover_fabric::Answer;
use drover_libvirt::call::Caller;
use drover_libvirt::protocol::{Lend, LendOne, Lent, LentDisk, LentOne, Nothing, Return, path};
use drover_world::{ErrorClass, FabricError, LinkState};
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Site;
use super::jobs::{Lane, Percent};
use super::power::is_off;
use super::refusal::{retryable, terminal};
use crate::image::{self, Served};
use crate::nbd::{Client, Wishes};
use crate::record::{Base, Half, Last, PointKept};
use crate::transfer::{Copied, Dirty, Options, TargetState, Transfer};

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

const ALLOCATION: &str = "base:allocation";

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
                        ended => return ended,
                    }
                }
            })
    }

    /// Brings over what machines have, of one instant.
    pub(super) async fn pull(
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
            let reached = match brought {
                Ok(files) => {
                    let reached = self.keep_point(machine, half, one, lent.at, files, what)?;
                    Some(reached)
                }
                Err(error) => {
                    warn!(%machine, %error, "changes were not brought over");
                    failed = Some(error);
                    None
                }
            };
            let give = Return {
                loan: one.loan.clone(),
                machine: half.subject.at(half.role.other()).clone(),
                reached: reached.flatten(),
            };
            let returned: Result<Nothing, _> = peer.call(path::RETURN, &give).await;
            if let Err(error) = returned {
                // What was lent ends there by itself, and what is remembered too much costs little.
                debug!(%machine, %error, "what was lent was not given back");
            }
            self.thin(machine).await?;
        }
        self.store.touch();
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
        if let Some(live) = self.live().get_mut(machine) {
            live.asked_at = Some(Instant::now());
        }
        self.look_at_base(machine)?;
        self.change_half(machine, |half| {
            match what {
                What::Seed if half.layers.is_empty() || half.agreed.is_some() => {
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
                half.agreed = None;
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
    fn look_at_base(&self, machine: &MachineName) -> Result<(), FabricError> {
        let half = self.store.get(machine).half;
        let Some(base) = half.and_then(|half| half.base) else {
            return Ok(());
        };
        let seal = Self::seal(base.files.values())?;
        if seal != base.seal {
            warn!(%machine, "what its copy is based on was written to: both sides are compared");
            let files = base.files;
            self.change_half(machine, |half| half.begin_at_base(Base { files, seal }))?;
        }
        Ok(())
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
        let known = half.agreed.is_some() && lent.disks.iter().all(|disk| !disk.changed.is_empty());
        if half.agreed.is_some() && !known && what == What::Changes {
            self.change_half(machine, |half| {
                half.state = LinkState::ResyncRequired;
                half.agreed = None;
            })?;
            return Err(retryable(
                format!("what changed on {machine} is not known any more"),
                "both sides are compared in the policy's resync window",
            ));
        }
        let mut parts = Vec::new();
        for disk in &lent.disks {
            let file = self.new_file(machine, &disk.target)?;
            let part = file.with_extension("qcow2.part");
            let base = half.layers.get(&disk.target).and_then(|files| files.last());
            match base {
                Some(base) => {
                    let format = image::info(base).await?.format;
                    image::overlay(&part, base, &format).await?;
                }
                None => image::create(&part, disk.size).await?,
            }
            let way = match base {
                None => Way::Whole,
                Some(_) if known => Way::Changes,
                Some(_) => Way::Compare,
            };
            let copied = self.copy(peer, half, lent, disk, &part, way, percent).await;
            if let Err(error) = copied {
                let _ = tokio::fs::remove_file(&part).await;
                return Err(error);
            }
            parts.push((disk.target.clone(), part, file));
        }
        let mut files = BTreeMap::new();
        for (disk, part, file) in parts {
            image::publish(&part, &file).await?;
            files.insert(disk, file);
        }
        Ok(files)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all that one disk's copy is made from"
    )]
    async fn copy(
        &self,
        peer: &Caller,
        half: &Half,
        lent: &LentOne,
        disk: &LentDisk,
        part: &std::path::Path,
        way: Way,
        percent: &Percent,
    ) -> Result<Copied, FabricError> {
        let served = Served::writable(part, &self.socket("part")).await?;
        let target =
            Client::connect(&served.address(), &Wishes::new("").context(ALLOCATION)).await?;
        let mut wishes = Wishes::new(disk.export.clone()).context(ALLOCATION);
        for (_, context) in disk
            .changed
            .iter()
            .filter(|(stream, _)| *stream == disk.target)
        {
            wishes = wishes.context(context.clone());
        }
        let source = enter(peer, lent, &disk.target, &wishes).await?;
        let options = Options {
            bytes_per_second: half.terms.bandwidth.and_then(NonZeroU64::new),
            target: match way {
                Way::Whole => TargetState::Fresh,
                Way::Changes | Way::Compare => TargetState::Unknown,
            },
            ..Options::default()
        };
        let transfer = Transfer::new(&source, &target, options)?;
        let mut seen = transfer.progress();
        let copy: BoxFuture<'_, Result<Copied, FabricError>> = Box::pin(async {
            match way {
                Way::Whole => transfer.full().await.map_err(FabricError::from),
                Way::Compare => transfer.resync().await.map_err(FabricError::from),
                Way::Changes => {
                    let dirty = changed(peer, lent, disk, &source).await?;
                    self.missing(half, dirty.bytes());
                    transfer.delta(&dirty).await.map_err(FabricError::from)
                }
            }
        });
        let watch: BoxFuture<'_, ()> = Box::pin(async {
            while seen.changed().await.is_ok() {
                let now = *seen.borrow();
                let done = (now.done * 100).checked_div(now.total).unwrap_or(0);
                percent.send_replace(u8::try_from(done).ok());
            }
            std::future::pending::<()>().await;
        });
        let copied = tokio::select! {
            copied = copy => copied,
            () = watch => Err(retryable("the copy ended", "")),
        };
        drop(transfer);
        source.disconnect().await;
        target.disconnect().await;
        served.end().await?;
        copied
    }

    fn missing(&self, half: &Half, bytes: u64) {
        let machine = half.subject.at(half.role);
        let mut live = self.live();
        live.entry(machine.clone()).or_default().pending = bytes;
    }

    /// What was brought over is a recovery point; what the source may forget is told.
    fn keep_point(
        &self,
        machine: &MachineName,
        before: &Half,
        lent: &LentOne,
        at: Timestamp,
        files: BTreeMap<String, PathBuf>,
        what: What,
    ) -> Result<Option<String>, FabricError> {
        let number = self.store.get(machine).next;
        let name = format!("{}-{number:05}", at.strftime("%Y%m%dT%H%M%SZ"));
        // A machine that is off remembers from where it did before.
        let agreed = lent.checkpoint.clone().or_else(|| before.agreed.clone());
        if let Some(live) = self.live().get_mut(machine) {
            live.pending = 0;
        }
        self.change_half(machine, |half| {
            for (disk, file) in &files {
                half.layers
                    .entry(disk.clone())
                    .or_default()
                    .push(file.clone());
            }
            half.points.push(PointKept {
                name,
                at,
                quiesced: lent.quiesced,
                files,
            });
            if lent.quiesced {
                half.quiesced_at = Some(at);
            }
            half.agreed.clone_from(&agreed);
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
        })?;
        Ok(agreed)
    }
}

/// How a disk is brought over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Whole,
    Changes,
    Compare,
}

fn wanted(half: &Half, now: Timestamp, what: What) -> LendOne {
    let described = half.described.iter().flat_map(|described| &described.disks);
    let excluded = &half.subject.excluded_disks;
    LendOne {
        machine: half.subject.at(half.role.other()).clone(),
        disks: described
            .filter(|disk| !excluded.contains(&disk.target))
            .map(|disk| disk.target.clone())
            .collect(),
        from: half.agreed.clone().filter(|_| what != What::Resync),
        checkpoint: format!("{}{}", super::lend::CHECKPOINT, now.as_millisecond()),
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

async fn enter(
    peer: &Caller,
    lent: &LentOne,
    stream: &str,
    wishes: &Wishes,
) -> Result<Client, FabricError> {
    let path = format!("{}/{}/{stream}", path::STREAM, lent.loan);
    let stream = peer.stream(&path).await?;
    Ok(Client::enter(stream, wishes).await?)
}

/// What changed, by all that remembers it.
async fn changed(
    peer: &Caller,
    lent: &LentOne,
    disk: &LentDisk,
    source: &Client,
) -> Result<Dirty, FabricError> {
    let mut dirty = Dirty::default();
    for (stream, context) in &disk.changed {
        let more = if *stream == disk.target {
            Dirty::read(source, context).await?
        } else {
            let wishes = Wishes::new(disk.export.clone()).context(context.clone());
            let client = enter(peer, lent, stream, &wishes).await?;
            let more = Dirty::read(&client, context).await?;
            client.disconnect().await;
            more
        };
        dirty = dirty.union(&more);
    }
    Ok(dirty)
}
