//! One libvirt site, as its mover tells of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use drover_api::value::{MachineName, SiteName};
use drover_api::{FencingMethod, Right};
use drover_fabric::{
    Answer, Capabilities, Cursor, Extent, Fabric, InstanceKey, InstanceSeen, Materialize, Probe,
    Sightings, SiteGoal,
};
use drover_world::{EpochEnforcement, FabricError, Inventory, InventoryMachine, Stamp};
use jiff::{SignedDuration, Timestamp};

use crate::call::Caller;
use crate::driver::refused;
use crate::protocol::{Accepts, Asker, Ensure, Listed, Nothing, Readiness, Seen, Since, path};

#[derive(Debug)]
pub(crate) struct LibvirtSite {
    pub name: SiteName,
    pub mover: Caller,
    /// The hosts that are declared.
    pub hosts: BTreeSet<String>,
    pub fencing: FencingMethod,
}

pub(crate) fn asker(stamp: &Stamp) -> Asker {
    Asker {
        run: stamp.run.clone(),
        epoch: stamp.epoch,
    }
}

/// Returns when a mover says that there may be something newer, or does not answer.
pub(crate) async fn newer(mover: &Caller, version: u64) {
    let asked: Result<Nothing, _> = mover.call(path::CHANGED, &Since { version }).await;
    // That it does not answer is seen by who looks next.
    if asked.is_err() {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

/// Whether a clock agrees with this one, as far as that can be told: it was read between these two instants.
fn clock(asked: Timestamp, told: Timestamp, answered: Timestamp) -> Right {
    let late = asked.duration_since(told);
    let early = told.duration_since(answered);
    let (apart, which) = if late > early {
        (late, "behind")
    } else {
        (early, "ahead of")
    };
    Right {
        name: "clock".to_owned(),
        granted: apart <= APART,
        hint: (apart > APART).then(|| {
            format!(
                "the mover's clock is at least {} s {which} Drover's, and recovery points are told by it: \
                 synchronise both, for example with chrony",
                apart.as_secs()
            )
        }),
    }
}

pub(crate) async fn seen(mover: &Caller) -> Result<Seen, FabricError> {
    Ok(mover.call(path::OBSERVE, &Nothing {}).await?)
}

/// Clocks that are further apart than this make ages of recovery points misleading.
const APART: SignedDuration = SignedDuration::from_secs(5);

#[async_trait]
impl Fabric for LibvirtSite {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            epochs: EpochEnforcement::Enforced,
            fencing: self.fencing != FencingMethod::None,
            drills: true,
            provisions: false,
        }
    }

    async fn probe(&self) -> Result<Probe, FabricError> {
        let asked = Timestamp::now();
        let ready: Readiness = self.mover.call(path::PROBE, &Nothing {}).await?;
        let known: BTreeSet<String> = ready.hosts.iter().cloned().collect();
        let mut rights = ready.rights;
        if let Some(told) = ready.now {
            rights.push(clock(asked, told, Timestamp::now()));
        }
        for host in self.hosts.difference(&known) {
            rights.push(Right {
                name: format!("host {host}"),
                granted: false,
                hint: Some(format!(
                    "the mover of {} was not started with a host {host}",
                    self.name
                )),
            });
        }
        Ok(Probe {
            rights,
            capacity: ready.capacity,
        })
    }

    async fn inventory(&self) -> Result<Inventory, FabricError> {
        let listed: Vec<Listed> = self.mover.call(path::INVENTORY, &Nothing {}).await?;
        let machines = listed.into_iter().map(|machine| {
            let found = InventoryMachine {
                labels: machine.labels.into_iter().collect(),
                networks: machine.networks,
                estimates: None,
                hardware: machine.hardware.map(Arc::new),
            };
            (machine.name, found)
        });
        Ok(machines.collect())
    }

    async fn observe(
        &self,
        _: Option<Cursor>,
    ) -> Result<Sightings<InstanceKey, InstanceSeen>, FabricError> {
        let seen = seen(&self.mover).await?;
        Ok(Sightings {
            cursor: Cursor(seen.version),
            extent: if seen.silent.is_empty() {
                Extent::All
            } else {
                Extent::Part
            },
            seen: seen.instances,
            gone: Vec::new(),
        })
    }

    async fn changed(&self, since: Cursor) {
        newer(&self.mover, since.0).await;
    }

    async fn fences(&self) -> Result<Vec<(MachineName, u64)>, FabricError> {
        Ok(seen(&self.mover).await?.fences)
    }

    async fn ensure(&self, stamp: &Stamp, machine: &MachineName, goal: SiteGoal) -> Answer {
        if goal == SiteGoal::Fenced && self.fencing == FencingMethod::None {
            return Err(FabricError {
                class: drover_world::ErrorClass::Unsupported,
                ..refused(
                    format!("{} has no means of fencing", self.name),
                    "declare a fencing method for the site, or accept the risk by name",
                )
            });
        }
        let ensure = Ensure {
            asker: asker(stamp),
            machine: machine.clone(),
            goal,
        };
        Ok(self.mover.call(path::ENSURE, &ensure).await?)
    }

    async fn accepts(&self, machine: &MachineName, with: &Materialize) -> Result<(), FabricError> {
        let asked = Accepts {
            machine: machine.clone(),
            with: with.clone(),
        };
        let Nothing {} = self.mover.call(path::ACCEPTS, &asked).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_read_while_it_was_asked_is_right() {
        // SPEC: RD-1
        let at = |second: i64| Timestamp::from_second(1_000 + second).unwrap();
        assert!(clock(at(0), at(5), at(20)).granted);
        assert!(clock(at(0), at(-5), at(20)).granted);
        assert!(clock(at(0), at(25), at(20)).granted);
        let behind = clock(at(0), at(-60), at(20)).hint.unwrap();
        assert!(behind.contains("at least 60 s behind Drover's"), "{behind}");
        let ahead = clock(at(0), at(90), at(20)).hint.unwrap();
        assert!(ahead.contains("at least 70 s ahead of Drover's"), "{ahead}");
    }
}
