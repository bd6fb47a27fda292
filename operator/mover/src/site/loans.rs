//! What is lent: as long as somebody reads it, and no longer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drover_api::value::MachineName;
use drover_libvirt::protocol::{LendOne, Return};
use drover_world::FabricError;
use tokio::time::Instant;
use tracing::warn;

use super::Site;
use super::hosts::Port;
use super::power::is_off;
use super::refusal::retryable;
use crate::host::{DomainSeen, Host};
use crate::image::Served;
use crate::nbd::Way;

/// A loan that nobody reads ends after so long: what it holds grows.
const IDLE: Duration = Duration::from_mins(2);

/// What is lent now.
#[derive(Debug, Default)]
pub(super) struct Loans(BTreeMap<String, Loan>);

#[derive(Debug)]
pub(super) struct Loan {
    pub(super) machine: MachineName,
    pub(super) streams: BTreeMap<String, Way>,
    /// What serves files of a machine that is off; empty for a backup.
    pub(super) served: Vec<Served>,
    pub(super) scratch: Option<PathBuf>,
    /// Where QEMU listens, if that is not at this host.
    pub(super) _port: Option<Port>,
    pub(super) used: Instant,
    pub(super) streaming: usize,
}

impl Loans {
    fn of(&mut self, machine: &MachineName) -> Vec<Loan> {
        let names: Vec<String> = self
            .0
            .iter()
            .filter(|(_, loan)| loan.machine == *machine)
            .map(|(name, _)| name.clone())
            .collect();
        names
            .iter()
            .filter_map(|name| self.0.remove(name))
            .collect()
    }

    fn has(&self, machine: &MachineName) -> bool {
        self.0.values().any(|loan| loan.machine == *machine)
    }

    fn idle(&self) -> Vec<MachineName> {
        let idle = self
            .0
            .values()
            .filter(|loan| loan.streaming == 0 && loan.used.elapsed() > IDLE);
        idle.map(|loan| loan.machine.clone()).collect()
    }
}

/// Machines whose disks are being lent just now. Two who lend the same at once would end each other's backups,
/// and let guests go on that the other one holds.
#[derive(Debug, Default)]
pub(super) struct Lending(Mutex<BTreeSet<MachineName>>);

impl Lending {
    /// Takes all of these in hand, or none.
    pub(super) fn enter<'a>(
        &self,
        machines: impl Iterator<Item = &'a MachineName> + Clone,
    ) -> Result<InHand<'_>, FabricError> {
        let mut all = self.lock();
        if let Some(busy) = machines.clone().find(|machine| all.contains(*machine)) {
            return Err(retryable(
                format!("the disks of {busy} are being lent just now"),
                "it is asked for again",
            ));
        }
        let machines: BTreeSet<_> = machines.cloned().collect();
        all.extend(machines.iter().cloned());
        Ok(InHand {
            lending: self,
            machines,
        })
    }

    fn has(&self, machine: &MachineName) -> bool {
        self.lock().contains(machine)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<MachineName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// They are in hand, as long as this is there.
pub(super) struct InHand<'a> {
    lending: &'a Lending,
    machines: BTreeSet<MachineName>,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let mut all = self.lending.lock();
        all.retain(|machine| !self.machines.contains(machine));
    }
}

impl Site {
    /// Where a backup keeps what its machine overwrites meanwhile.
    pub(super) fn scratch(&self, machine: &MachineName) -> PathBuf {
        self.store.folder(machine).join("scratch")
    }

    pub(super) fn note_loan(&self, loan: Loan) -> String {
        let name = self.socket("loan");
        let name = name.file_stem().unwrap_or_default().to_string_lossy();
        let name = name.into_owned();
        self.loans().0.insert(name.clone(), loan);
        name
    }

    /// Where a stream of a loan leads; whoever asked says when it has ended.
    pub(super) fn stream_of(self: &Arc<Self>, loan: &str, stream: &str) -> Option<(Way, InUse)> {
        let mut loans = self.loans();
        let found = loans.0.get_mut(loan)?;
        let way = found.streams.get(stream)?.clone();
        found.streaming += 1;
        found.used = Instant::now();
        let in_use = InUse {
            site: Arc::clone(self),
            loan: loan.to_owned(),
        };
        Some((way, in_use))
    }

    /// Disks are not needed any more. When the copy of them is complete, older checkpoints go.
    pub(super) async fn take_back(&self, ask: Return) -> Result<(), FabricError> {
        let known = self.loans().0.contains_key(&ask.loan);
        let found = self.find(ask.machine.as_str()).await?;
        match &found {
            Some((host, seen)) if known => self.end_loans_at(host, seen, &ask.machine).await?,
            Some(_) => {}
            None => self.forget_loans_of(&ask.machine),
        }
        let Some(reached) = ask.reached else {
            return Ok(());
        };
        self.live().entry(ask.machine.clone()).or_default().lent = true;
        let one = LendOne {
            machine: ask.machine,
            disks: Vec::new(),
            from: Some(reached.clone()),
            checkpoint: reached,
            variables: None,
        };
        if let Some((host, _)) = found.filter(|(_, seen)| !is_off(seen)) {
            self.tidy_checkpoints(host, &one).await;
        }
        Ok(())
    }

    /// Ends what is lent of a machine.
    pub(super) async fn end_loans_of(&self, machine: &MachineName) -> Result<(), FabricError> {
        if let Some((host, seen)) = self.find(machine.as_str()).await? {
            return self.end_loans_at(host, &seen, machine).await;
        }
        self.forget_loans_of(machine);
        Ok(())
    }

    /// Ends what is lent of a machine that was found.
    pub(super) async fn end_loans_at(
        &self,
        host: &Host,
        seen: &DomainSeen,
        machine: &MachineName,
    ) -> Result<(), FabricError> {
        if !is_off(seen) {
            let scratch = self.scratch(machine);
            host.end_backup(&seen.name, &scratch).await?;
        }
        let loans = self.loans().of(machine);
        for loan in loans {
            // Those that serve files are ended with it.
            drop(loan.served);
            if let Some(scratch) = loan.scratch {
                let _ = tokio::fs::remove_dir_all(scratch).await;
            }
        }
        Ok(())
    }

    /// Ends a backup that is nobody's loan: who began it was cut off, or it began after nobody waited any more. What
    /// the guest overwrites meanwhile would fill the pool.
    pub(super) async fn end_what_nobody_reads(
        &self,
        host: &Host,
        seen: &DomainSeen,
        machine: &MachineName,
    ) {
        let is_lent = self.loans().has(machine) || self.lending.has(machine);
        let scratch = self.scratch(machine);
        if is_lent || !scratch.is_dir() {
            return;
        }
        match host.end_backup(&seen.name, &scratch).await {
            // One that begins only now finds no folder for it.
            Ok(()) => drop(tokio::fs::remove_dir_all(&scratch).await),
            Err(error) => warn!(%machine, %error, "a backup that nobody reads does not end"),
        }
    }

    /// The machine is gone, and with it what it lent.
    pub(super) fn forget_loans_of(&self, machine: &MachineName) {
        drop(self.loans().of(machine));
    }

    /// Ends loans that nobody reads.
    pub(super) async fn end_idle_loans(&self) {
        let idle = self.loans().idle();
        for machine in idle {
            if let Err(error) = self.end_loans_of(&machine).await {
                warn!(%machine, %error, "what was lent of it does not end");
            }
        }
    }
}

/// A stream of a loan that is open.
#[derive(Debug)]
pub(super) struct InUse {
    site: Arc<Site>,
    loan: String,
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(loan) = self.site.loans().0.get_mut(&self.loan) {
            loan.streaming = loan.streaming.saturating_sub(1);
            loan.used = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_lent_to_one_at_a_time() {
        // SPEC: PR-7
        let lending = Lending::default();
        let [one, two, three] = ["db-1", "db-2", "db-3"].map(|name| name.parse().unwrap());
        let set = lending.enter([&one, &two].into_iter()).unwrap();
        assert!(lending.enter([&two, &three].into_iter()).is_err());
        // Who was refused holds nothing.
        drop(lending.enter([&three].into_iter()).unwrap());
        drop(set);
        assert!(lending.enter([&two, &three].into_iter()).is_ok());
    }
}
