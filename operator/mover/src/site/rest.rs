//! Guests come to rest for the instant of a copy, and go on after it.

use std::collections::BTreeSet;
use std::time::Duration;

use drover_api::value::MachineName;
use drover_world::FabricError;
use futures::future::join_all;
use tokio::time::timeout;
use tracing::warn;

use super::Site;
use super::lend::Lendable;
use super::power::is_off;
use crate::domain::Domain;
use crate::host::{DomainPower, Which};
use crate::record::Record;

/// How long a guest may take to bring its applications to rest; one that takes longer is copied as it is.
const FREEZE: Duration = Duration::from_secs(8);
/// How long is waited for a guest to go on. It is told in any case, and again all the time.
const RELEASE: Duration = Duration::from_secs(8);

impl Site {
    /// Freezes the file systems of guests that have an agent; whoever may be frozen is written down first.
    pub(super) async fn bring_to_rest(
        &self,
        machines: &[Lendable<'_>],
        resting: &mut BTreeSet<MachineName>,
    ) -> BTreeSet<MachineName> {
        let mut asked = Vec::new();
        let can = |machine: &&Lendable<'_>| !is_off(&machine.seen) && machine.described.agent;
        for Lendable {
            one, host, seen, ..
        } in machines.iter().filter(can)
        {
            let noted = self.note_rest(&one.machine, |record| record.frozen = true);
            if noted.is_ok() {
                resting.insert(one.machine.clone());
                asked.push((&one.machine, host.freeze(&seen.name)));
            }
        }
        let frozen = asked.into_iter().map(|(machine, freeze)| async move {
            match timeout(FREEZE, freeze).await {
                Ok(Ok(())) => Some(machine.clone()),
                Ok(Err(error)) => {
                    warn!(%machine, %error, "its applications were not brought to rest");
                    None
                }
                Err(_elapsed) => {
                    warn!(%machine, "its applications did not come to rest in time");
                    None
                }
            }
        });
        join_all(frozen).await.into_iter().flatten().collect()
    }

    /// Of one machine a backup is one instant; several are held still until each has its own. If one cannot
    /// be held they would be of several instants, and nothing is lent. Who stands still by somebody else's
    /// order is left so.
    pub(super) async fn hold_still(
        &self,
        machines: &[Lendable<'_>],
        resting: &mut BTreeSet<MachineName>,
    ) -> Result<(), FabricError> {
        let runs = |machine: &&Lendable<'_>| machine.seen.power == DomainPower::Running;
        let running: Vec<_> = machines.iter().filter(runs).collect();
        if running.len() < 2 {
            return Ok(());
        }
        for Lendable {
            one, host, seen, ..
        } in running
        {
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
        match timeout(RELEASE, self.let_go_on(machine)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%machine, %error, "it is still at rest"),
            // What was asked for is done as soon as it can be.
            Err(_elapsed) => warn!(%machine, "it is not known to go on yet"),
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
            // From now on a pause is somebody else's.
            self.store.change(machine, |record| record.paused = false)?;
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
}
