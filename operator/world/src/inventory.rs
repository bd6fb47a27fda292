//! The machines of one site, seen in bulk.

use std::collections::BTreeMap;
use std::sync::Arc;

use drover_api::Fabric;
use drover_api::SiteSpec;
use drover_api::selector::{Labels, Selector};
use drover_api::value::{MachineName, NetworkName};
use serde::{Deserialize, Serialize};

use crate::estimate::Estimates;

/// The machines of one site.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    machines: BTreeMap<MachineName, InventoryMachine>,
    /// The machines that carry a label, by its key and value: many groups may select from one large
    /// inventory, and none of them should look at all of it.
    labelled: BTreeMap<(String, String), Vec<MachineName>>,
}

/// One machine of a site.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InventoryMachine {
    /// Labels or tags.
    pub labels: Labels,
    /// Networks of its interfaces, in order.
    pub networks: Vec<NetworkName>,
    /// The fabric's own figures for this machine, where it has some.
    pub estimates: Option<Estimates>,
    /// What it is made of, where the fabric tells. Shared: inventories of thousands are copied.
    pub hardware: Option<Arc<Hardware>>,
}

/// What a machine is made of. What a fabric does not tell is unset, and is not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hardware {
    /// Virtual processors.
    #[serde(default)]
    pub cpus: Option<u32>,
    /// Memory in bytes.
    #[serde(default)]
    pub memory: Option<u64>,
    /// The host that it is defined at.
    #[serde(default)]
    pub host: Option<String>,
    /// Its disks.
    #[serde(default)]
    pub disks: Vec<HardDisk>,
}

/// A disk of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HardDisk {
    /// Its name in the machine's configuration.
    pub name: String,
    /// Its size in bytes, where the fabric tells.
    #[serde(default)]
    pub size: Option<u64>,
}

impl FromIterator<(MachineName, InventoryMachine)> for Inventory {
    fn from_iter<I: IntoIterator<Item = (MachineName, InventoryMachine)>>(machines: I) -> Self {
        let machines: BTreeMap<MachineName, InventoryMachine> = machines.into_iter().collect();
        let mut labelled: BTreeMap<(String, String), Vec<MachineName>> = BTreeMap::new();
        for (name, machine) in &machines {
            for (key, value) in &machine.labels {
                let carriers = labelled.entry((key.clone(), value.clone())).or_default();
                carriers.push(name.clone());
            }
        }
        Self { machines, labelled }
    }
}

impl Inventory {
    /// All machines, by the site's own name of them.
    pub fn machines(&self) -> &BTreeMap<MachineName, InventoryMachine> {
        &self.machines
    }

    /// The machine of this name.
    pub fn get(&self, name: &MachineName) -> Option<&InventoryMachine> {
        self.machines.get(name)
    }

    /// The machines that a selector finds, by name.
    pub fn select(&self, selector: &Selector) -> Vec<(&MachineName, &InventoryMachine)> {
        let rarest = selector
            .match_labels
            .iter()
            .map(|(key, value)| {
                self.labelled
                    .get(&(key.clone(), value.clone()))
                    .map_or(&[][..], Vec::as_slice)
            })
            .min_by_key(|carriers| carriers.len());
        let matches = |machine: &InventoryMachine| selector.matches(&machine.labels);
        match rarest {
            Some(carriers) => carriers
                .iter()
                .filter_map(|name| self.machines.get_key_value(name))
                .filter(|(_, machine)| matches(machine))
                .collect(),
            None => self
                .machines
                .iter()
                .filter(|(_, machine)| matches(machine))
                .collect(),
        }
    }

    /// What a site's own declaration says of its machines, without asking anybody: a simulated or a
    /// physical site lists them. Nothing for a fabric that must be asked.
    pub fn declared(site: &SiteSpec) -> Option<Self> {
        let machines: Self = match &site.fabric {
            Fabric::Simulator(simulator) if !simulator.machines.is_empty() => simulator
                .machines
                .iter()
                .map(|machine| {
                    let found = InventoryMachine {
                        labels: machine.labels.clone(),
                        networks: machine.networks.clone(),
                        estimates: Estimates::simulated(machine),
                        hardware: None,
                    };
                    (machine.name.clone(), found)
                })
                .collect(),
            Fabric::Physical(physical) => physical
                .servers
                .iter()
                .map(|server| {
                    let found = InventoryMachine {
                        labels: server.labels.clone(),
                        ..InventoryMachine::default()
                    };
                    (server.name.clone(), found)
                })
                .collect(),
            _ => return None,
        };
        Some(machines)
    }
}
