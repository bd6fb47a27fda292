//! Whether a site is ready, for what is asked today and for what a failover and its way back will need.

use std::path::Path;

use drover_api::value::Quantity;
use drover_api::{Capacity, Right};
use drover_libvirt::protocol::Readiness;
use drover_world::{FabricError, LinkState};

use super::Site;
use super::fit::Answering;
use super::hosts::Placed;

/// Less free storage than this, beside what is still to come, is too little.
const LEAST_STORAGE: u64 = 1 << 30;

impl Site {
    /// Whether the site is ready, for what is asked today and for what a failover and its way back will need.
    pub(super) async fn probe(&self) -> Result<Readiness, FabricError> {
        let mut ready = Readiness::default();
        let (mut memory, mut cpus) = (0, 0);
        let (mut abouts, mut silent) = (Vec::new(), None);
        for placed in self.hosts.iter() {
            let name = placed.host.name();
            ready.hosts.push(name.to_owned());
            let about = placed.ask_about().await;
            let answers = match about {
                Ok((about, _)) => {
                    memory += about.free_memory;
                    cpus += about.cpus;
                    let is_here = placed.is_here();
                    abouts.push(Answering { about, is_here });
                    Ok(())
                }
                Err(error) => {
                    let words = format!("{error}; what runs there is not known");
                    silent = silent.or(Some(error));
                    Err(words)
                }
            };
            ready.rights.push(right(format!("connect {name}"), answers));
            ready.rights.extend(nbd_ports(placed).await);
        }
        // A site none of whose hosts answers does not answer itself.
        if let (Some(error), true) = (silent, abouts.is_empty()) {
            return Err(error.into());
        }
        ready.rights.push(self.copies_could_run(&abouts));
        let free = free_storage(&self.folder);
        let needed = self.still_to_come().saturating_add(LEAST_STORAGE);
        ready
            .rights
            .push(right("writeCopies".into(), writable(&self.folder)));
        ready.rights.push(right(
            "storage".into(),
            match free {
                Some(free) if free < needed => Err(format!(
                    "{} MiB are free, and first copies may need {} MiB: make room in the storage pool",
                    free >> 20,
                    needed >> 20
                )),
                _ => Ok(()),
            },
        ));
        for program in ["qemu-img", "qemu-nbd"] {
            let found = std::process::Command::new(program)
                .arg("--version")
                .output();
            let found = found
                .map(drop)
                .map_err(|error| format!("install qemu-utils: {error}"));
            ready.rights.push(right(format!("run {program}"), found));
        }
        ready.rights.extend(self.peers_let_ask().await);
        ready.now = Some(jiff::Timestamp::now());
        ready.capacity = Some(Capacity {
            memory_free: Quantity::from_bytes(memory),
            storage_free: Quantity::from_bytes(free.unwrap_or(0)),
            cpus_free: cpus,
        });
        Ok(ready)
    }
}

impl Site {
    /// What first copies that are not here yet can grow to, in bytes.
    fn still_to_come(&self) -> u64 {
        let records = self.store.all().into_values();
        let halves = records.filter_map(|record| record.half);
        let coming = halves
            .filter(|half| half.holds() && half.state != LinkState::None && half.layers.is_empty());
        let disks = coming.flat_map(|half| {
            let excluded = half.subject.excluded_disks;
            let described = half.described.map(|described| described.disks);
            let disks = described.unwrap_or_default().into_iter();
            disks.filter(move |disk| !excluded.contains(&disk.target))
        });
        disks.map(|disk| disk.size).sum()
    }
}

/// Whether disks of running machines can be read from a host that is not this one, and nobody in between can
/// read them, too.
async fn nbd_ports(placed: &Placed) -> Vec<Right> {
    let Some(ports) = &placed.ports else {
        return Vec::new();
    };
    let name = placed.host.name();
    let range = ports.range();
    let range = format!("{}-{}", range.start(), range.end());
    let found = match ports.survey().await {
        Err(error) => Err(error.to_string()),
        Ok(survey) if survey.free > 0 && survey.silent.is_empty() => Ok(()),
        Ok(survey) if survey.free == 0 && survey.silent.is_empty() => Err(format!(
            "somebody else listens on all ports of {range}: give the host others, nbd=ADDRESS:FIRST-LAST"
        )),
        Ok(survey) => Err(format!(
            "nothing is heard of {} of the ports {range}: let the mover through the firewall of the host",
            survey.silent.len()
        )),
    };
    vec![right(format!("nbdPorts {name}"), found)]
}

pub(super) fn right(name: String, granted: Result<(), String>) -> Right {
    Right {
        name,
        granted: granted.is_ok(),
        hint: granted.err(),
    }
}

fn writable(folder: &Path) -> Result<(), String> {
    let tried = tempfile::Builder::new()
        .prefix(".drover-")
        .tempfile_in(folder);
    tried
        .map(drop)
        .map_err(|error| format!("the mover cannot write to {}: {error}", folder.display()))
}

fn free_storage(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}
