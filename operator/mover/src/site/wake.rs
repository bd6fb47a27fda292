//! What is done when a mover starts, and all the time.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use drover_api::value::MachineName;
use drover_libvirt::protocol::{Half as HalfSeen, Named, path};
use drover_world::{FabricError, LinkState};
use futures::stream::{self, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Site;
use super::hosts::Whereabouts;
use super::jobs::Lane;
use super::keep::known;
use super::power::{START, is_off};
use super::pull::What;
use crate::host::{DomainPower, DomainSeen, Ending, Host};
use crate::record::{Half, Record};

/// How often is looked which copies are due.
const BEAT: Duration = Duration::from_millis(500);
/// How often guests are looked at that are not known to be well.
const LOOK: Duration = Duration::from_secs(1);
/// How often what is seldom needed is done, and for how many machines at once.
const SELDOM: Duration = Duration::from_secs(15);
const AT_ONCE: usize = 8;

impl Site {
    /// Works until the future that this is called in is dropped.
    pub async fn work(self: Arc<Self>) {
        self.wake().await;
        let (beat, look, seldom) = (Arc::clone(&self), Arc::clone(&self), Arc::clone(&self));
        tokio::join!(
            beat.keep_copying(),
            look.keep_looking(),
            seldom.keep_house(),
            self.keep_listening()
        );
    }

    /// After a start: what a crash left is tidied, and nothing that runs elsewhere starts here.
    async fn wake(self: &Arc<Self>) {
        for (machine, record) in self.store.all() {
            self.sweep(&machine, &record);
            if record.ran && !record.held {
                // Its site may have lost power; if it runs, this is forgotten at the first look.
                self.live().entry(machine.clone()).or_default().was_cut_off = true;
            }
            if record.is_at_rest() {
                // A former version wrote down no more than that. To let go on who goes on harms nobody.
                let _ = self.store.change(&machine, |record| record.paused = true);
                self.release(&machine).await;
            }
            if let Err(error) = self.end_loans_of(&machine).await {
                debug!(%machine, %error, "what it lent was not ended");
            }
        }
    }

    /// Files that are not whole are nobody's, and so are those that became whole when the record did not say
    /// so yet.
    fn sweep(&self, machine: &MachineName, record: &Record) {
        let Ok(entries) = std::fs::read_dir(self.store.folder(machine)) else {
            return;
        };
        let known = known(record);
        for entry in entries.flatten() {
            let path = entry.path();
            let ends = |with: &str| path.extension().is_some_and(|end| end == with);
            let numbered = path.file_name().is_some_and(is_numbered);
            let lost = numbered && record.half.is_some() && !known.contains(&path);
            if (ends("part") || lost)
                && let Err(error) = std::fs::remove_file(&path)
            {
                warn!(file = %path.display(), %error, "what is nobody's stays");
            }
        }
    }

    async fn keep_copying(self: Arc<Self>) {
        loop {
            self.copy_what_is_due();
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Machines of one set are copied together, at one instant.
    fn copy_what_is_due(self: &Arc<Self>) {
        let mut sets: BTreeMap<String, Set> = BTreeMap::new();
        for (machine, record) in self.store.all() {
            let Some(half) = record.half.as_ref().filter(|half| is_copied(half)) else {
                continue;
            };
            let busy = self.jobs.doing(&machine, Lane::Copy).is_some();
            if let Some(what) = cut_off(half).filter(|_| !busy) {
                info!(%machine, "what was being copied goes on");
                if let Err(error) = self.begin_pull(&machine, what) {
                    debug!(%machine, %error, "it is copied next time");
                }
            }
            let set = match &half.subject.consistency {
                Some(set) => format!("set {set} {:?}", half.role),
                None => format!("machine {machine}"),
            };
            let set = sets.entry(set).or_default();
            if half.state != LinkState::Replicating || busy {
                let in_hand = busy && half.state == LinkState::Replicating;
                let missing = if in_hand {
                    Missing::InHand
                } else {
                    Missing::Away
                };
                set.missing = set.missing.max(missing);
                continue;
            }
            let mut live = self.live();
            let live = live.entry(machine.clone()).or_default();
            let every = Duration::from_millis(half.terms.interval.max(1_000));
            let waited = live.asked_at.map_or(Duration::MAX, |at| at.elapsed());
            set.waited = set.waited.max(waited);
            set.due |= waited >= every;
            set.apart |= live.apart;
            set.machines.push(machine);
        }
        let mut due: Vec<Set> = sets.into_values().filter(Set::is_due).collect();
        // Who has waited longest comes first.
        due.sort_by_key(|set| Reverse(set.waited));
        for set in due {
            // When there is room again what is left is due all the more.
            let Ok(room) = Arc::clone(&self.copies).try_acquire_owned() else {
                return;
            };
            self.copy_set(&set.machines, room);
        }
    }

    fn copy_set(self: &Arc<Self>, machines: &[MachineName], room: OwnedSemaphorePermit) {
        for machine in machines {
            let mut live = self.live();
            let live = live.entry(machine.clone()).or_default();
            live.asked_at = Some(Instant::now());
            live.apart = false;
        }
        let Some((first, others)) = machines.split_first() else {
            return;
        };
        // The others' lanes are taken for as long as the first one's job goes on.
        let (over, wait) = watch::channel(());
        for other in others {
            let mut wait = wait.clone();
            let taken = self
                .jobs
                .begin(other, Lane::Copy, "changes".into(), |_| async move {
                    // It ends when who copies is done.
                    let _ = wait.changed().await;
                    Ok(())
                });
            if let Err(error) = taken {
                debug!(machine = %other, %error, "it is copied next time");
            }
        }
        let (site, all) = (Arc::clone(self), machines.to_owned());
        let begun = self
            .jobs
            .begin(first, Lane::Copy, "changes".into(), |percent| async move {
                let copied = site.pull(&all, What::Changes, &percent).await;
                drop((over, room));
                if let Err(error) = &copied {
                    debug!(machines = ?all, %error, "changes are asked for again");
                }
                Ok(())
            });
        if let Err(error) = begun {
            debug!(machine = %first, %error, "it is copied next time");
        }
    }

    async fn keep_looking(self: Arc<Self>) {
        let hosts = self.hosts.iter();
        let mut changes: Vec<_> = hosts.map(|placed| placed.host.changed()).collect();
        let mut powers: BTreeMap<String, DomainPower> = BTreeMap::new();
        loop {
            self.look(&mut powers).await;
            let some = changes
                .iter_mut()
                .map(|changed| Box::pin(changed.changed()));
            tokio::select! {
                _ = futures::future::select_all(some) => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Hosts that do not answer are asked again, by nobody else.
    async fn keep_listening(&self) {
        loop {
            if self.hosts.listen(|host| self.host_is_back(host)).await {
                self.store.touch();
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A host that was silent may have lost power, and what ran there with it.
    fn host_is_back(&self, host: &str) {
        for (machine, record) in self.store.all() {
            if record.host.as_deref() == Some(host) && record.ran && !record.held {
                self.live().entry(machine).or_default().was_cut_off = true;
            }
        }
    }

    /// Whose power is another one than before is told; whose guest is not known to be well is looked at.
    async fn look(&self, powers: &mut BTreeMap<String, DomainPower>) {
        let mut now = BTreeMap::new();
        let Ok(mut hosts) = self.hosts.list().await else {
            return;
        };
        let names: Vec<String> = hosts.domains.keys().cloned().collect();
        for domain in names {
            let home = self.hosts.home(&domain);
            // Of one that may be elsewhere nothing is concluded.
            let Whereabouts::At(host, seen) = hosts.whereabouts(&domain, home.as_deref()) else {
                continue;
            };
            let Ok(name) = domain.parse::<MachineName>() else {
                continue;
            };
            if seen.power == DomainPower::Running {
                // That it cannot be asked now is asked again in a moment.
                let _ = self.is_healthy(&name, host).await;
            } else if is_off(&seen)
                && let Some(live) = self.live().get_mut(&name)
            {
                live.stopped();
            }
            self.hosts.remember(&domain, host.name());
            self.note_run(&name, &seen, host);
            now.insert(seen.name, seen.power);
        }
        if now != *powers {
            *powers = now;
            self.store.touch();
        }
    }

    /// What ran starts again with its host; what a person shut down, or what was held, does not.
    fn note_run(&self, machine: &MachineName, seen: &DomainSeen, host: &Host) {
        let record = self.store.get(machine);
        let runs = seen.power == DomainPower::Running;
        if runs {
            self.live().entry(machine.clone()).or_default().was_cut_off = false;
        }
        let cut_off = self
            .live()
            .get(machine)
            .is_some_and(|live| live.was_cut_off);
        let ran = if runs {
            !record.held
        } else {
            record.ran && (cut_off || !is_off(seen))
        };
        let moved = record.host.as_deref() != Some(host.name());
        if record.half.is_some() && (record.ran != ran || moved) {
            // Written down late it is started late, by a person.
            let _ = self.store.change(machine, |record| {
                record.ran = ran;
                record.host = Some(host.name().to_owned());
            });
        }
    }

    async fn keep_house(self: Arc<Self>) {
        loop {
            // A host that does not answer keeps what is there from nobody else.
            let machines = stream::iter(self.store.all().into_keys());
            let look_after = machines.for_each_concurrent(AT_ONCE, |machine| {
                let site = Arc::clone(&self);
                async move { site.look_after(&machine).await }
            });
            tokio::join!(self.end_idle_loans(), look_after);
            tokio::time::sleep(SELDOM).await;
        }
    }

    /// What cannot wait comes first; what takes long is begun, and not waited for.
    async fn look_after(self: &Arc<Self>, machine: &MachineName) {
        let at_rest = self.live().get(machine).is_some_and(|live| live.at_rest);
        if self.store.get(machine).is_at_rest() && !at_rest {
            self.release(machine).await;
        }
        let Ok(Some((host, seen))) = self.find(machine.as_str()).await else {
            return;
        };
        let record = self.store.get(machine);
        if !is_off(&seen) {
            if record.fenced.is_some() {
                warn!(%machine, "it is fenced, and ran: its power is cut");
                if let Err(error) = host.destroy(machine.as_str()).await {
                    warn!(%machine, %error, "it runs on");
                }
                return;
            }
            self.start_further(machine, host, &seen);
            self.end_what_nobody_reads(host, &seen, machine).await;
            if self.has_to_fold(machine, &record) {
                self.begin_aside(
                    machine,
                    Lane::Fold,
                    &self.folds,
                    |site, name, room| async move {
                        let _room = room;
                        site.fold(&name).await
                    },
                );
            }
            self.note_addresses(machine, host).await;
            return;
        }
        if self.starts_with_site(machine, &record) {
            self.begin_aside(
                machine,
                Lane::Wake,
                &self.starts,
                |site, name, room| async move { site.start_with_site(&name, room).await },
            );
        }
    }

    /// Whether it ran when its site lost power, and nobody has said since that it should not.
    fn starts_with_site(&self, machine: &MachineName, record: &Record) -> bool {
        let cut_off = self
            .live()
            .get(machine)
            .is_some_and(|live| live.was_cut_off);
        cut_off && record.ran && !record.held
    }

    /// Begins what takes long, where there is room for it; what is not begun now is tried at the next round.
    fn begin_aside<F>(
        self: &Arc<Self>,
        machine: &MachineName,
        lane: Lane,
        room: &Arc<Semaphore>,
        job: impl FnOnce(Arc<Self>, MachineName, OwnedSemaphorePermit) -> F,
    ) where
        F: Future<Output = Result<(), FabricError>> + Send + 'static,
    {
        let Ok(room) = Arc::clone(room).try_acquire_owned() else {
            return;
        };
        let (name, work) = (
            machine.clone(),
            job(Arc::clone(self), machine.clone(), room),
        );
        let begun = self
            .jobs
            .begin(machine, lane, "aside".into(), |_| async move {
                if let Err(error) = work.await {
                    debug!(machine = %name, ?lane, %error, "it is tried again");
                }
                Ok(())
            });
        if let Err(error) = begun {
            debug!(%machine, ?lane, %error, "it is tried again");
        }
    }

    async fn note_addresses(&self, machine: &MachineName, host: &Host) {
        let Ok(found) = host.addresses(machine.as_str()).await else {
            return;
        };
        let found: Vec<_> = found.iter().filter_map(|one| one.parse().ok()).collect();
        let mut live = self.live();
        let live = live.entry(machine.clone()).or_default();
        if live.addresses != found {
            live.addresses = found;
            self.store.touch();
        }
    }

    /// A machine that ran when its site lost power starts again if the other side says that it did not take
    /// over. While that does not answer nobody knows, and a person or Drover decides.
    async fn start_with_site(
        self: Arc<Self>,
        machine: &MachineName,
        room: OwnedSemaphorePermit,
    ) -> Result<(), FabricError> {
        let record = self.store.get(machine);
        let Some(half) = &record.half else {
            return Ok(());
        };
        if half.state == LinkState::None || !record.starts_with_site() {
            return Ok(());
        }
        let peer = self.peer(&half.terms, half.role)?;
        let other = Named {
            machine: half.subject.at(half.role.other()).clone(),
        };
        let other: HalfSeen = peer.call(path::HALF, &other).await?;
        if other.link.epoch > record.epoch.max(half.epoch) || other.turn > half.turn {
            info!(%machine, "it was taken over by the other site, and is held here");
            self.store.change(machine, |record| record.held = true)?;
            return Ok(());
        }
        let (host, seen) = self.must_find(machine.as_str()).await?;
        if host.ending(machine.as_str()).await? == Ending::ShutDown {
            // Its host was not heard while somebody shut it down.
            self.live().entry(machine.clone()).or_default().was_cut_off = false;
            return Ok(());
        }
        let (site, host, name) = (Arc::clone(&self), host.clone(), machine.clone());
        self.jobs
            .begin(machine, Lane::Power, START.into(), |_| async move {
                let _room = room;
                // The answer took its time: whatever was asked for meanwhile is newer.
                let now = site.store.get(&name);
                if now.epoch != record.epoch || !site.starts_with_site(&name, &now) {
                    return Ok(());
                }
                info!(machine = %name, "it starts with its site");
                site.switch_on(&host, &name, &seen).await
            })?;
        Ok(())
    }
}

/// What was under way when the mover ended.
fn cut_off(half: &Half) -> Option<What> {
    match half.state {
        LinkState::Seeding => Some(What::Seed),
        LinkState::Resynchronizing => Some(What::Resync),
        _ => None,
    }
}

/// Whether a file is called as those that are made here.
fn is_numbered(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    let number = name.split_once('-').map(|(number, _)| number);
    let digits = number.is_some_and(|number| number.parse::<u64>().is_ok() && number.len() >= 5);
    digits && name.ends_with(".qcow2")
}

/// Who of a set cannot be copied now.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Missing {
    #[default]
    Nobody,
    /// One that is not there yet, or is held by a run.
    Away,
    /// One whose changes are being copied.
    InHand,
}

/// Machines that are copied together.
#[derive(Default)]
struct Set {
    /// Those that can be copied now.
    machines: Vec<MachineName>,
    /// Whether the interval of one of them is over.
    due: bool,
    /// How long ago one of them was copied last.
    waited: Duration,
    /// Whether the newest copy of one of them is of an instant of its own.
    apart: bool,
    /// Who of them cannot be copied now.
    missing: Missing,
}

fn is_copied(half: &Half) -> bool {
    half.holds() && half.state != LinkState::None && half.left.is_none()
}

impl Set {
    /// Those whose newest copies are of instants of their own get one in common at once, when nobody is on the
    /// way any more. Who is copied without one that is in hand is never of one instant with it.
    fn is_due(&self) -> bool {
        let whole = self.missing == Missing::Nobody && self.machines.len() > 1;
        let together = self.apart && whole;
        (self.due && self.missing != Missing::InHand) || together
    }
}
