//! Disks of one instant, for the mover that pulls them.
//!
//! A running machine lends by a backup, which makes a checkpoint in the same instant; one that is off lends
//! its files as they lie there, and nothing is started for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drover_api::value::MachineName;
use drover_libvirt::protocol::{
    Described, DiskDescribed, Lend, LendOne, Lent, LentDisk, LentOne, Taken,
};
use drover_world::FabricError;
use futures::future::join_all;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use tracing::warn;

use super::Site;
use super::loans::Loan;
use super::offer::Offer;
use super::power::is_off;
use super::refusal::{retryable, terminal};
use crate::domain::{Device, Disk, Domain, Kind};
use crate::host::{Backup, DomainSeen, Ending, Host, Listen, Which};
use crate::image::{self, Served};

/// A machine whose disks may be lent now, and how it is.
#[derive(Debug)]
pub(super) struct Lendable<'a> {
    pub(super) one: &'a LendOne,
    pub(super) host: &'a Host,
    pub(super) seen: DomainSeen,
    pub(super) described: Described,
}

/// Checkpoints that Drover made are called so.
pub(super) const CHECKPOINT: &str = "drover-";
/// How long guests are at rest at most, all of them together. Whoever asked for it does not wait much longer.
const AT_REST: Duration = Duration::from_secs(20);

impl Site {
    /// What a machine is.
    pub(super) async fn describe(&self, machine: &MachineName) -> Result<Described, FabricError> {
        let (host, seen) = self.must_find(machine.as_str()).await?;
        self.describe_at(host, &seen).await
    }

    async fn describe_at(&self, host: &Host, seen: &DomainSeen) -> Result<Described, FabricError> {
        let name = seen.name.as_str();
        let xml = host.xml(name, Which::Persistent).await?;
        let running = if is_off(seen) {
            None
        } else {
            Some(Domain::parse(&host.xml(name, Which::Running).await?)?)
        };
        // What a machine gets or loses when it starts next it has not, or has, until then.
        let has = |disk: &Disk| {
            let mut running = running.iter().flat_map(Domain::disks);
            is_off(seen) || running.any(|other| other.target == disk.target)
        };
        let kept = Domain::parse(&xml)?;
        let mut disks = Vec::new();
        for disk in kept.disks() {
            let Some(path) = disk.path.clone().filter(|_| is_copied(&disk) && has(&disk)) else {
                continue;
            };
            // One that is not where the mover can read it cannot be copied; who wants it is told so.
            if !tokio::fs::try_exists(&path).await.unwrap_or(true) {
                continue;
            }
            let info = image::info(&path).await?;
            disks.push(DiskDescribed {
                target: disk.target,
                path,
                format: info.format,
                size: info.virtual_size,
            });
        }
        let variables = self.variables_at(host, running.as_ref().unwrap_or(&kept));
        Ok(Described {
            variables: variables.await,
            agent: running.is_some_and(|running| running.agent_connected() == Some(true)),
            xml,
            disks,
        })
    }

    /// The files of a machine's disks, of those that are copied.
    pub(super) async fn copied_disks(
        &self,
        host: &Host,
        machine: &MachineName,
    ) -> Result<BTreeMap<String, PathBuf>, FabricError> {
        let xml = host.xml(machine.as_str(), Which::Persistent).await?;
        let disks = Domain::parse(&xml)?.disks().into_iter();
        Ok(disks
            .filter(is_copied)
            .filter_map(|disk| Some((disk.target, disk.path?)))
            .collect())
    }

    /// Lends disks of several machines at one instant.
    pub(super) async fn lend(self: &Arc<Self>, ask: Lend) -> Result<Lent, FabricError> {
        // Whoever asked may go away while guests are at rest for it: they go on all the same.
        let site = Arc::clone(self);
        let lent = tokio::spawn(async move { site.lend_now(ask).await });
        lent.await
            .map_err(|error| retryable(format!("nothing was lent: {error}"), ""))?
    }

    async fn lend_now(&self, ask: Lend) -> Result<Lent, FabricError> {
        let _in_hand = self
            .lending
            .enter(ask.machines.iter().map(|one| &one.machine))?;
        let mut found = Vec::new();
        for one in &ask.machines {
            found.push(self.lendable(&ask, one).await?);
        }
        for machine in &found {
            // A checkpoint goes with the machine that runs, and not before.
            if !is_off(&machine.seen) {
                self.tidy_checkpoints(machine.host, machine.one).await;
            }
        }
        let mut resting = BTreeSet::new();
        let lent = timeout(AT_REST, self.lend_at_rest(&ask, &found, &mut resting)).await;
        // Who held its guests is let go of at once, whoever else does not answer.
        join_all(resting.iter().map(|machine| self.release(machine))).await;
        let (taken, mut machines) = lent.map_err(|_elapsed| {
            retryable(
                format!(
                    "guests were not at rest together within {} s",
                    AT_REST.as_secs()
                ),
                "look at the hosts, and at the agents of the guests",
            )
        })??;
        for (machine, lent) in found.iter().zip(&mut machines) {
            lent.variables = self.lend_variables(machine).await;
        }
        for (one, lent) in ask.machines.iter().zip(&machines) {
            self.store.change(&one.machine, |record| {
                if let Some(half) = &mut record.half {
                    half.described = Some(lent.described.clone());
                }
            })?;
        }
        Ok(Lent { taken, machines })
    }

    async fn lendable<'a>(
        &'a self,
        ask: &Lend,
        one: &'a LendOne,
    ) -> Result<Lendable<'a>, FabricError> {
        let (host, seen) = self.must_find(one.machine.as_str()).await?;
        self.end_loans_at(host, &seen, &one.machine).await?;
        let held = self.store.get(&one.machine).held;
        match ask.last {
            Some(_) if !(is_off(&seen) && held) => Err(retryable(
                format!("{} still runs; its last changes are not known", one.machine),
                "stop it first",
            )),
            Some(_) if host.ending(&seen.name).await? == Ending::Saved => Err(terminal(
                format!(
                    "{} did not shut down, its memory was saved: its disks do not hold all that its guest wrote",
                    one.machine
                ),
                "start it, so that it can be shut down; or drop what was saved: virsh managedsave-remove",
            )),
            None if held && !is_off(&seen) => Err(retryable(
                format!("{} is being stopped", one.machine),
                "its last changes are asked for when it is off",
            )),
            _ => {
                let described = self.describe_at(host, &seen).await?;
                all_there(one, &described)?;
                Ok(Lendable {
                    one,
                    host,
                    seen,
                    described,
                })
            }
        }
    }

    /// Lends disks while those guests are at rest that have to be; who that may be is noted before.
    async fn lend_at_rest(
        &self,
        ask: &Lend,
        found: &[Lendable<'_>],
        resting: &mut BTreeSet<MachineName>,
    ) -> Result<(Taken, Vec<LentOne>), FabricError> {
        let frozen = if ask.quiesce {
            self.bring_to_rest(found, resting).await
        } else {
            BTreeSet::new()
        };
        self.hold_still(found, resting).await?;
        let at = Timestamp::now();
        let lent = self.lend_each(found, &frozen).await?;
        let by = Some(Timestamp::now());
        Ok((Taken { at, by }, lent))
    }

    /// Who is held meanwhile waits for all of them.
    async fn lend_each(
        &self,
        found: &[Lendable<'_>],
        frozen: &BTreeSet<MachineName>,
    ) -> Result<Vec<LentOne>, FabricError> {
        let mut lent = Vec::new();
        for machine in found {
            lent.push(if is_off(&machine.seen) {
                self.lend_files(machine).await?
            } else {
                let quiesced = frozen.contains(&machine.one.machine);
                self.lend_running(machine, quiesced).await?
            });
        }
        Ok(lent)
    }

    /// A failed attempt may have left checkpoints that nobody refers to.
    pub(super) async fn tidy_checkpoints(&self, host: &Host, one: &LendOne) {
        let name = one.machine.as_str();
        let Ok(known) = host.checkpoints(name).await else {
            return;
        };
        let ours = known.iter().filter(|known| known.starts_with(CHECKPOINT));
        for checkpoint in ours.filter(|known| one.from.as_ref() != Some(*known)) {
            // One that cannot go now goes with the next copy.
            if let Err(error) = host.drop_checkpoint(name, checkpoint).await {
                warn!(machine = name, checkpoint, %error, "a checkpoint stays");
            }
        }
    }

    async fn lend_running(
        &self,
        machine: &Lendable<'_>,
        quiesced: bool,
    ) -> Result<LentOne, FabricError> {
        let Lendable {
            one,
            host,
            described,
            ..
        } = machine;
        let domain = one.machine.as_str();
        let scratch = self.scratch(&one.machine);
        // What a backup left that ended with its libvirtd is in the way of the next one.
        let _ = tokio::fs::remove_dir_all(&scratch).await;
        tokio::fs::create_dir_all(&scratch)
            .await
            .map_err(|error| retryable(error.to_string(), "look at the storage of the site"))?;
        let known = host.checkpoints(domain).await?;
        let mut backup = Backup {
            from: one.from.clone().filter(|from| known.contains(from)),
            checkpoint: one.checkpoint.clone(),
            disks: one.disks.clone(),
            fresh: Vec::new(),
            listen: Listen::Socket(self.socket("backup")),
            scratch: scratch.clone(),
        };
        if let Some(from) = &backup.from {
            let had = host.checkpoint_disks(domain, from).await?;
            let wanted = one.disks.iter();
            backup.fresh = wanted.filter(|disk| !had.contains(disk)).cloned().collect();
        }
        let (way, port) = match self.offer(host, domain, &mut backup).await {
            Err(Offer::NoBitmap) => {
                for checkpoint in known.iter().filter(|known| known.starts_with(CHECKPOINT)) {
                    host.drop_checkpoint(domain, checkpoint).await?;
                }
                backup.from = None;
                let offered = self.offer(host, domain, &mut backup).await;
                offered.map_err(|error| error.of(domain))?
            }
            offered => offered.map_err(|error| error.of(domain))?,
        };
        let disks = wanted(one, described).map(|disk| {
            let came_since = backup.from.is_some() && backup.fresh.contains(&disk.target);
            let known = backup.from.is_some() && !came_since;
            let context = format!("qemu:dirty-bitmap:backup-{}", disk.target);
            let changed = known.then(|| (disk.target.clone(), context));
            LentDisk {
                target: disk.target.clone(),
                size: disk.size,
                export: disk.target.clone(),
                changed: changed.into_iter().collect(),
                came_since,
            }
        });
        let disks = disks.collect();
        let streams = one.disks.iter().map(|disk| (disk.clone(), way.clone()));
        let loan = Loan {
            machine: one.machine.clone(),
            streams: streams.collect(),
            served: Vec::new(),
            scratch: Some(scratch),
            _port: port,
            used: Instant::now(),
            streaming: 0,
        };
        Ok(LentOne {
            loan: self.note_loan(loan),
            quiesced,
            checkpoint: Some(one.checkpoint.clone()),
            seal: None,
            disks,
            described: described.clone(),
            variables: None,
        })
    }

    async fn lend_files(&self, machine: &Lendable<'_>) -> Result<LentOne, FabricError> {
        let Lendable {
            one,
            host,
            described,
            ..
        } = machine;
        let seal = Self::seal(described.disks.iter().map(|disk| &disk.path))?;
        let mut loan = Loan {
            machine: one.machine.clone(),
            streams: BTreeMap::new(),
            served: Vec::new(),
            scratch: None,
            _port: None,
            used: Instant::now(),
            streaming: 0,
        };
        let mut disks = Vec::new();
        for disk in wanted(one, described) {
            let bitmaps = bitmaps_since(&disk.path, one.from.as_deref()).await?;
            let mut changed = Vec::new();
            // One server tells of one bitmap.
            let servers = bitmaps
                .iter()
                .map(Some)
                .chain(bitmaps.is_empty().then_some(None));
            for (at, bitmap) in servers.enumerate() {
                let stream = match at {
                    0 => disk.target.clone(),
                    more => format!("{}.{more}", disk.target),
                };
                let socket = self.socket("file");
                let bitmap = bitmap.map(String::as_str);
                let served = Served::readonly(&disk.path, &disk.format, bitmap, &socket).await?;
                loan.streams.insert(stream.clone(), served.address().into());
                loan.served.push(served);
                changed.extend(bitmap.map(|name| (stream, format!("qemu:dirty-bitmap:{name}"))));
            }
            disks.push(LentDisk {
                target: disk.target.clone(),
                size: disk.size,
                export: String::new(),
                came_since: changed.is_empty()
                    && one.from.is_some()
                    && !is_noted(&disk.path).await?,
                changed,
            });
        }
        if disks.iter().all(|disk| disk.changed.is_empty()) {
            // It is not one disk that is new: somebody took away what all of them remembered.
            for disk in &mut disks {
                disk.came_since = false;
            }
        }
        // Whose power was cut left its applications as they were.
        let quiesced = host.ending(one.machine.as_str()).await? == Ending::ShutDown;
        Ok(LentOne {
            loan: self.note_loan(loan),
            quiesced,
            checkpoint: None,
            seal: Some(seal),
            disks,
            described: described.clone(),
            variables: None,
        })
    }
}

/// Whether a disk is one that is copied: a file that the guest writes, and nobody else.
pub(super) fn is_copied(disk: &Disk) -> bool {
    disk.kind == Kind::File && disk.device == Device::Disk && !disk.readonly && !disk.shareable
}

/// The bitmaps that say together what changed since a checkpoint; none where one of them is broken, or where a
/// snapshot was made since: then an image below has what changed before that.
pub(super) async fn bitmaps_since(
    disk: &Path,
    from: Option<&str>,
) -> Result<Vec<String>, FabricError> {
    let Some(from) = from else {
        return Ok(Vec::new());
    };
    let mut chain = image::chain(disk).await?.into_iter();
    let Some(top) = chain.next() else {
        return Ok(Vec::new());
    };
    let was_snapped = chain.any(|below| below.bitmap(from).is_some());
    let ours = top.bitmaps.into_iter();
    let ours: Vec<_> = ours
        .filter(|bitmap| bitmap.name.starts_with(CHECKPOINT))
        .collect();
    let whole = ours.iter().all(|bitmap| !bitmap.broken);
    if whole && !was_snapped && ours.iter().any(|bitmap| bitmap.name == from) {
        return Ok(ours.into_iter().map(|bitmap| bitmap.name).collect());
    }
    Ok(Vec::new())
}

/// Whether an image ever had a checkpoint of Drover's.
async fn is_noted(disk: &Path) -> Result<bool, FabricError> {
    let bitmaps = image::info(disk).await?.bitmaps;
    Ok(bitmaps
        .iter()
        .any(|bitmap| bitmap.name.starts_with(CHECKPOINT)))
}

/// The disks that somebody asked for.
fn wanted<'a>(
    one: &'a LendOne,
    described: &'a Described,
) -> impl Iterator<Item = &'a DiskDescribed> {
    let disks = described.disks.iter();
    disks.filter(|disk| one.disks.contains(&disk.target))
}

/// What is wanted must be there: a disk that was taken away is a person's to say something of.
fn all_there(one: &LendOne, described: &Described) -> Result<(), FabricError> {
    let known = |target: &String| described.disks.iter().any(|disk| disk.target == *target);
    let Some(target) = one.disks.iter().find(|target| !known(target)) else {
        return Ok(());
    };
    let machine = &one.machine;
    let mut listed = Domain::parse(&described.xml)?.disks().into_iter();
    if listed.any(|disk| disk.target == *target) {
        return Err(retryable(
            format!("the disk {target} of {machine} is not where the mover can read it"),
            "look at the storage of the site",
        ));
    }
    Err(terminal(
        format!("{machine} has no disk {target} any more"),
        "attach it again, list it in `excludedDisks`, or let go of the machine and protect it again",
    ))
}
