//! How long the steps of a machine take.

use std::time::Duration;

use drover_api::{Fabric, SimulatedMachine};
use serde::Serialize;

/// How long the steps of one machine take in a failover, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Estimates {
    /// From the request to stop until it is off.
    pub stop: Duration,
    /// Sending the last changes of a stopped machine.
    pub final_sync: Duration,
    /// Making the machine at the target from a recovery point, networks included.
    pub materialize: Duration,
    /// From power-on until it is healthy.
    pub start: Duration,
}

/// Estimates and where they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Estimate {
    /// The median of recorded runs.
    Recorded(Estimates),
    /// The fabric's own figures.
    Fabric(Estimates),
}

impl Estimate {
    /// The figures.
    pub fn figures(&self) -> &Estimates {
        match self {
            Self::Recorded(figures) | Self::Fabric(figures) => figures,
        }
    }
}

const fn seconds(stop: u64, final_sync: u64, materialize: u64, start: u64) -> Estimates {
    Estimates {
        stop: Duration::from_secs(stop),
        final_sync: Duration::from_secs(final_sync),
        materialize: Duration::from_secs(materialize),
        start: Duration::from_secs(start),
    }
}

impl Estimates {
    /// What a machine of a simulated site says of itself: nothing where it says nothing.
    pub fn simulated(machine: &SimulatedMachine) -> Option<Self> {
        if machine.boot_time.is_none() && machine.shutdown_time.is_none() {
            return None;
        }
        let mut figures = SIMULATOR;
        if let Some(boot) = &machine.boot_time {
            figures.start = boot.as_std();
        }
        if let Some(shutdown) = &machine.shutdown_time {
            figures.stop = shutdown.as_std();
        }
        Some(figures)
    }

    /// The figures that a fabric names for a machine it knows nothing particular about, when machines
    /// leave `source` and start at `target`.
    pub fn of_fabrics(source: &Fabric, target: &Fabric) -> Self {
        let leaving = Self::of_fabric(source);
        let entering = Self::of_fabric(target);
        Self {
            stop: leaving.stop,
            final_sync: leaving.final_sync,
            materialize: entering.materialize,
            start: entering.start,
        }
    }

    /// Rough figures until a driver measures its own: an hour of a first run replaces them.
    fn of_fabric(fabric: &Fabric) -> Self {
        match fabric {
            Fabric::Simulator(_) => SIMULATOR,
            Fabric::Libvirt(_) => seconds(30, 10, 5, 60),
            Fabric::Kubernetes(_) => seconds(30, 30, 20, 60),
            Fabric::Azure(_) => seconds(60, 60, 180, 120),
            Fabric::Vsphere(_) => seconds(60, 60, 30, 120),
            Fabric::Hyperv(_) => seconds(60, 30, 20, 120),
            Fabric::Physical(_) => seconds(300, 60, 0, 600),
            Fabric::Plugin(_) => seconds(60, 60, 60, 120),
        }
    }
}

/// A simulated machine that says nothing of itself.
const SIMULATOR: Estimates = seconds(10, 5, 5, 30);
