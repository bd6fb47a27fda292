//! The machines of one site, seen in bulk.

use std::collections::BTreeMap;

use drover_api::Fabric;
use drover_api::SiteSpec;
use drover_api::selector::Labels;
use drover_api::value::{MachineName, NetworkName};

use crate::estimate::Estimates;

/// The machines of one site.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// By the site's own name of the machine.
    pub machines: BTreeMap<MachineName, InventoryMachine>,
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
}

impl Inventory {
    /// What a site's own declaration says of its machines, without asking anybody: a simulated or a
    /// physical site lists them. Nothing for a fabric that must be asked.
    pub fn declared(site: &SiteSpec) -> Option<Self> {
        let machines = match &site.fabric {
            Fabric::Simulator(simulator) if !simulator.machines.is_empty() => simulator
                .machines
                .iter()
                .map(|machine| {
                    let found = InventoryMachine {
                        labels: machine.labels.clone(),
                        networks: machine.networks.clone(),
                        estimates: Estimates::simulated(machine),
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
        Some(Self { machines })
    }
}
