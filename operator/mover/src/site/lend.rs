//! Disks of one instant, for the mover that pulls them.
//!
//! A running machine lends by a backup, which makes a checkpoint in the same instant; one that is off lends
//! its files as they lie there, and nothing is started for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drover_api::value::MachineName;
use drover_libvirt::protocol::{Described, DiskDescribed, Lend, LendOne, Lent, LentDisk, LentOne};
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
use crate::host::{Backup, DomainPower, DomainSeen, Ending, Host, Listen, Which};
use crate::image::{self, Served};
use crate::record::Record;

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
        let domain = Domain::parse(&xml)?;
        let mut disks = Vec::new();
        for disk in domain.disks() {
            let (true, Some(path)) = (is_copied(&disk), disk.path) else {
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
        let agent = !is_off(seen) && {
            let running = Domain::parse(&host.xml(name, Which::Running).await?)?;
            running.agent_connected() == Some(true)
        };
        Ok(Described { xml, agent, disks })
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
        for (one, (host, seen, _)) in ask.machines.iter().zip(&found) {
            // A checkpoint goes with the machine that runs, and not before.
            if !is_off(seen) {
                self.tidy_checkpoints(host, one).await;
            }
        }
        let mut resting = BTreeSet::new();
        let lent = timeout(AT_REST, self.lend_at_rest(&ask, &found, &mut resting)).await;
        // Who held its guests is let go of at once, whoever else does not answer.
        join_all(resting.iter().map(|machine| self.release(machine))).await;
        let (at, machines) = lent.map_err(|_elapsed| {
            retryable(
                format!(
                    "guests were not at rest together within {} s",
                    AT_REST.as_secs()
                ),
                "look at the hosts, and at the agents of the guests",
            )
        })??;
        for (one, lent) in ask.machines.iter().zip(&machines) {
            self.store.change(&one.machine, |record| {
                if let Some(half) = &mut record.half {
                    half.described = Some(lent.described.clone());
                }
            })?;
        }
        Ok(Lent { at, machines })
    }

    /// A machine whose disks may be lent now, and how it is.
    async fn lendable(
        &self,
        ask: &Lend,
        one: &LendOne,
    ) -> Result<(&Host, DomainSeen, Described), FabricError> {
        self.end_loans_of(&one.machine).await?;
        let (host, seen) = self.must_find(one.machine.as_str()).await?;
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
                Ok((host, seen, described))
            }
        }
    }

    /// Lends disks while those guests are at rest that have to be; who that may be is noted before.
    async fn lend_at_rest(
        &self,
        ask: &Lend,
        found: &[(&Host, DomainSeen, Described)],
        resting: &mut BTreeSet<MachineName>,
    ) -> Result<(Timestamp, Vec<LentOne>), FabricError> {
        let frozen = self.bring_to_rest(ask, found, resting).await;
        self.hold_still(ask, found, resting).await?;
        let at = Timestamp::now();
        Ok((at, self.lend_each(ask, found, &frozen).await?))
    }

    /// Who is held meanwhile waits for all of them.
    async fn lend_each(
        &self,
        ask: &Lend,
        found: &[(&Host, DomainSeen, Described)],
        frozen: &BTreeSet<MachineName>,
    ) -> Result<Vec<LentOne>, FabricError> {
        let mut lent = Vec::new();
        for (one, (host, seen, described)) in ask.machines.iter().zip(found) {
            let quiesced = frozen.contains(&one.machine);
            lent.push(if is_off(seen) {
                self.lend_files(host, one, described).await?
            } else {
                self.lend_running(host, one, described, quiesced).await?
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

    /// Freezes the file systems of guests that have an agent; whoever may be frozen is written down first.
    async fn bring_to_rest(
        &self,
        ask: &Lend,
        found: &[(&Host, DomainSeen, Described)],
        resting: &mut BTreeSet<MachineName>,
    ) -> BTreeSet<MachineName> {
        let mut asked = Vec::new();
        for (one, (host, seen, described)) in ask.machines.iter().zip(found) {
            let can = ask.quiesce && !is_off(seen) && described.agent;
            if can
                && self
                    .note_rest(&one.machine, |record| record.frozen = true)
                    .is_ok()
            {
                resting.insert(one.machine.clone());
                asked.push((&one.machine, host.freeze(&seen.name)));
            }
        }
        let frozen = asked.into_iter().map(|(machine, freeze)| async move {
            match freeze.await {
                Ok(()) => Some(machine.clone()),
                Err(error) => {
                    warn!(%machine, %error, "its applications were not brought to rest");
                    // The others wait for it; this one need not.
                    self.release(machine).await;
                    None
                }
            }
        });
        join_all(frozen).await.into_iter().flatten().collect()
    }

    /// Of one machine a backup is one instant; several are held still until each has its own. If one cannot
    /// be held they would be of several instants, and nothing is lent. Who stands still by somebody else's
    /// order is left so.
    async fn hold_still(
        &self,
        ask: &Lend,
        found: &[(&Host, DomainSeen, Described)],
        resting: &mut BTreeSet<MachineName>,
    ) -> Result<(), FabricError> {
        let machines = ask.machines.iter().zip(found);
        let running: Vec<_> = machines
            .filter(|(_, (_, seen, _))| seen.power == DomainPower::Running)
            .collect();
        if running.len() < 2 {
            return Ok(());
        }
        for (one, (host, seen, _)) in running {
            self.note_rest(&one.machine, |record| record.paused = true)?;
            resting.insert(one.machine.clone());
            host.suspend(&seen.name).await?;
        }
        Ok(())
    }

    /// Written down before it is so: whatever becomes of this process, the guest is let go on.
    fn note_rest(
        &self,
        machine: &MachineName,
        how: impl FnOnce(&mut Record),
    ) -> Result<(), FabricError> {
        self.set_at_rest(machine, true);
        let noted = self.store.change(machine, how);
        if noted.is_err() {
            self.set_at_rest(machine, false);
        }
        Ok(noted?)
    }

    fn set_at_rest(&self, machine: &MachineName, is: bool) {
        self.live().entry(machine.clone()).or_default().at_rest = is;
    }

    /// Thaws a guest, and lets it go on. What stays at rest is tried again all the time.
    pub(super) async fn release(&self, machine: &MachineName) {
        self.set_at_rest(machine, false);
        if let Err(error) = self.let_go_on(machine).await {
            warn!(%machine, %error, "it is still at rest");
        }
    }

    async fn let_go_on(&self, machine: &MachineName) -> Result<(), FabricError> {
        let over = || {
            self.store.change(machine, |record| {
                record.frozen = false;
                record.paused = false;
            })
        };
        let Some((host, seen)) = self.find(machine.as_str()).await? else {
            return Ok(over()?);
        };
        if is_off(&seen) {
            return Ok(over()?);
        }
        let record = self.store.get(machine);
        if record.paused {
            host.resume(machine.as_str()).await?;
        }
        if record.frozen {
            let running = Domain::parse(&host.xml(machine.as_str(), Which::Running).await?)?;
            // An agent that does not answer just now may have frozen its guest. Thawing once more harms nobody.
            if running.has_agent() {
                host.thaw(machine.as_str()).await?;
            }
        }
        Ok(over()?)
    }

    async fn lend_running(
        &self,
        host: &Host,
        one: &LendOne,
        described: &Described,
        quiesced: bool,
    ) -> Result<LentOne, FabricError> {
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
            listen: Listen::Socket(self.socket("backup")),
            scratch: scratch.clone(),
        };
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
        let disks = disks_of(one, described, |target| {
            let context = format!("qemu:dirty-bitmap:backup-{target}");
            let changed = backup.from.is_some().then(|| (target.to_owned(), context));
            (target.to_owned(), changed.into_iter().collect())
        })?;
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
        })
    }

    async fn lend_files(
        &self,
        host: &Host,
        one: &LendOne,
        described: &Described,
    ) -> Result<LentOne, FabricError> {
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
        let mut changed_of = BTreeMap::new();
        for disk in &described.disks {
            if !one.disks.contains(&disk.target) {
                continue;
            }
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
            changed_of.insert(disk.target.clone(), changed);
        }
        let disks = disks_of(one, described, |target| {
            (String::new(), changed_of.remove(target).unwrap_or_default())
        })?;
        // Whose power was cut left its applications as they were.
        let quiesced = host.ending(one.machine.as_str()).await? == Ending::ShutDown;
        Ok(LentOne {
            loan: self.note_loan(loan),
            quiesced,
            checkpoint: None,
            seal: Some(seal),
            disks,
            described: described.clone(),
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

fn disks_of(
    one: &LendOne,
    described: &Described,
    mut told: impl FnMut(&str) -> (String, Vec<(String, String)>),
) -> Result<Vec<LentDisk>, FabricError> {
    let disks = one.disks.iter().map(|target| {
        let disk = described.disks.iter().find(|disk| disk.target == *target);
        let size = disk.map(|disk| disk.size).ok_or_else(|| {
            terminal(
                format!("{} has no disk {target} any more", one.machine),
                "let go of the machine, and protect it again",
            )
        })?;
        let (export, changed) = told(target);
        Ok(LentDisk {
            target: target.clone(),
            size,
            export,
            changed,
        })
    });
    disks.collect()
}
