//! How long things take. The figures are those that the simulator's estimates name, so that a forecast
//! is right.

use std::time::Duration;

use drover_api::{Fabric, SimulatorFabric};
use drover_world::Estimates;

use super::machine::Traits;
use crate::Latency;

/// A gigabit per second, in bytes.
const BANDWIDTH: u64 = 125_000_000;
/// Comparing checksums is so many times as fast as copying.
const COMPARING: u64 = 10;

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    latency: Latency,
    figures: Estimates,
}

impl Time {
    pub fn new(latency: Latency) -> Self {
        let simulator = Fabric::Simulator(SimulatorFabric::default());
        Self {
            latency,
            figures: Estimates::of_fabrics(&simulator, &simulator),
        }
    }

    /// So long, or no time at all.
    pub fn or_none(&self, realistic: Duration) -> Duration {
        match self.latency {
            Latency::Zero => Duration::ZERO,
            Latency::Realistic => realistic,
        }
    }

    pub fn stop(&self, machine: &Traits) -> Duration {
        self.or_none(machine.shutdown.unwrap_or(self.figures.stop))
    }

    pub fn start(&self, machine: &Traits) -> Duration {
        self.or_none(machine.boot.unwrap_or(self.figures.start))
    }

    /// What is said of a machine's steps.
    pub fn estimates(&self, machine: &Traits) -> Estimates {
        Estimates {
            stop: machine.shutdown.unwrap_or(self.figures.stop),
            start: machine.boot.unwrap_or(self.figures.start),
            ..self.figures
        }
    }

    pub fn materialize(&self, machine: &Traits, slow: u32) -> Duration {
        let normal = machine.making.unwrap_or(self.figures.materialize);
        self.or_none(normal.saturating_mul(slow.max(1)))
    }

    /// The least that the last changes of a machine take.
    pub fn last_changes(&self, machine: &Traits) -> Duration {
        machine.last_changes.unwrap_or(self.figures.final_sync)
    }

    /// A copy of so many bytes, `compared` bytes being looked at first, in a share of the bandwidth. A
    /// final synchronisation is never quicker than its estimate.
    pub fn copy(&self, copy: &Copying) -> Duration {
        let rate = copy.bandwidth.unwrap_or(BANDWIDTH).min(BANDWIDTH) / copy.shared_by.max(1);
        let bytes = copy.bytes + copy.compared / COMPARING;
        let millis = bytes.saturating_mul(1_000) / rate.max(1);
        let normal = Duration::from_millis(millis).max(copy.least);
        self.or_none(normal.saturating_mul(copy.slow.max(1)))
    }
}

/// What a copy has to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copying {
    pub bytes: u64,
    pub compared: u64,
    pub bandwidth: Option<u64>,
    pub shared_by: u64,
    pub slow: u32,
    /// It takes as long at least.
    pub least: Duration,
}
