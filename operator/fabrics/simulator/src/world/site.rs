//! One site: whether it answers, what it has, which machines it knows.

use std::collections::{BTreeMap, BTreeSet};

use drover_api::FencingMethod;
use drover_api::value::{NetworkName, SiteName, TimeZone};
use drover_fabric::InstanceKey;
use serde::{Deserialize, Serialize};

use super::index::Index;
use super::machine::Use;

/// Whether a site answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reach {
    /// It answers.
    Up,
    /// It runs, and is cut off; calls fail at once.
    CutOff,
    /// It runs, and is cut off; calls never return.
    Silent,
    /// It has no power.
    Dark,
}

/// One site.
#[allow(clippy::struct_excessive_bools)] // Faults, each independent of the others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Site {
    pub name: SiteName,
    pub reach: Reach,
    pub fencing: FencingMethod,
    pub fencing_broken: bool,
    pub time_zone: TimeZone,
    pub expired: bool,
    pub full: bool,
    /// How many times as long copies into it take.
    pub slow: u32,
    pub capacity: Use,
    /// The networks there are; unset means any.
    pub networks: Option<BTreeSet<NetworkName>>,
    /// The networks that machines of production stood on at any time.
    pub production: BTreeSet<NetworkName>,
    #[serde(skip)]
    pub used: Use,
    #[serde(skip)]
    pub machines: BTreeMap<InstanceKey, usize>,
    #[serde(skip)]
    pub index: Index,
    /// Counts how often it became reachable or ceased to be.
    #[serde(skip)]
    pub reach_changes: u64,
}

impl Site {
    pub fn new(name: SiteName) -> Self {
        Self {
            name,
            reach: Reach::Up,
            fencing: FencingMethod::None,
            fencing_broken: false,
            time_zone: TimeZone::utc(),
            expired: false,
            full: false,
            slow: 1,
            // Room for some ten thousand machines.
            capacity: Use {
                memory: 64 << 40,
                cpus: 65_536,
                storage: 4 << 50,
            },
            networks: None,
            production: BTreeSet::new(),
            used: Use::default(),
            machines: BTreeMap::new(),
            index: Index::default(),
            reach_changes: 0,
        }
    }

    /// What is free.
    pub fn free(&self) -> Use {
        Use {
            memory: self.capacity.memory.saturating_sub(self.used.memory),
            cpus: self.capacity.cpus.saturating_sub(self.used.cpus),
            storage: self.capacity.storage.saturating_sub(self.used.storage),
        }
    }
}
