//! What is there.

use std::collections::BTreeMap;
use std::time::Duration;

use drover_api::value::{MachineName, Quantity};
use drover_api::{Capacity, Right};
use drover_fabric::{InstanceKey, InstanceSeen};
use drover_libvirt::protocol::{Listed, Readiness, Seen, Since};
use drover_world::{Disk, FabricError, Instance, Power};
use tokio::time::Instant;

use super::Site;
use super::jobs::Lane;
use super::make::drill_of;
use super::power::{FENCE, STOP, is_off};
use crate::domain::Domain;
use crate::host::{DomainPower, DomainSeen, Host, Which};
use crate::record::Record;

/// Who waits for something newer is answered after so long at most.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A guest that has a channel for an agent and none that answers is taken for well after so long.
const NO_AGENT: Duration = Duration::from_mins(2);
/// Less free storage than this is too little.
const LEAST_STORAGE: u64 = 1 << 30;

impl Site {
    /// Everything, as it is now.
    pub(super) async fn seen(&self) -> Result<Seen, FabricError> {
        let version = *self.store.version().borrow();
        let records = self.store.all();
        let mut domains: BTreeMap<String, (&Host, DomainSeen)> = BTreeMap::new();
        for host in &self.hosts {
            for domain in host.domains().await? {
                domains.insert(domain.name.clone(), (host, domain));
            }
        }
        let mut seen = Seen {
            version,
            ..Seen::default()
        };
        for (name, record) in &records {
            let domain = domains.remove(name.as_str());
            let off = domain.as_ref().is_none_or(|(_, domain)| is_off(domain));
            let domain = domain.map(|(_, domain)| domain);
            seen.instances.push((
                key(name, false),
                self.instance(name, record, domain.as_ref()),
            ));
            seen.halves.extend(self.half_seen(name, record, off));
            seen.fences.extend(
                record
                    .fenced
                    .filter(|_| off)
                    .map(|epoch| (name.clone(), epoch)),
            );
            if record.drill_epoch == 0 {
                continue;
            }
            let drill = domains.remove(&drill_of(name)).map(|(_, domain)| domain);
            let instance = self.drill_instance(name, record, drill.as_ref());
            seen.instances.push((key(name, true), instance));
        }
        // Those that Drover was never asked about.
        for (name, (_, domain)) in domains {
            if let Ok(name) = name.parse::<MachineName>() {
                let instance = self.instance(&name, &Record::default(), Some(&domain));
                seen.instances.push((key(&name, false), instance));
            }
        }
        Ok(seen)
    }

    fn instance(
        &self,
        machine: &MachineName,
        record: &Record,
        domain: Option<&DomainSeen>,
    ) -> InstanceSeen {
        let live = self.live().get(machine).cloned().unwrap_or_default();
        let doing = self.jobs.doing(machine, Lane::Power);
        let stopping = matches!(doing.as_deref(), Some(STOP | FENCE));
        let start = record.start.as_ref();
        let power = match domain.map(|domain| domain.power) {
            None => Power::Absent,
            Some(power) if !power.is_active() => {
                if start.is_some_and(|start| start.failed.is_some()) {
                    Power::StartFailed
                } else {
                    Power::Off
                }
            }
            Some(DomainPower::ShuttingDown) => Power::Stopping,
            Some(_) if stopping => Power::Stopping,
            Some(_) if live.healthy => Power::Healthy,
            Some(_) => Power::Starting,
        };
        let copied = record
            .half
            .as_ref()
            .is_some_and(|half| !half.layers.is_empty());
        let fenced = record.fenced.is_some() && matches!(power, Power::Absent | Power::Off);
        InstanceSeen {
            instance: Instance {
                power,
                disk: if domain.is_some() || copied {
                    Disk::Whole
                } else {
                    Disk::None
                },
                fenced,
                epoch: record.epoch,
                made_at: record
                    .made
                    .as_ref()
                    .filter(|made| made.stands)
                    .map(|made| made.epoch),
            },
            addresses: live.addresses,
        }
    }

    fn drill_instance(
        &self,
        machine: &MachineName,
        record: &Record,
        domain: Option<&DomainSeen>,
    ) -> InstanceSeen {
        let live = drill_of(machine).parse().ok();
        let live = live.and_then(|name: MachineName| self.live().get(&name).cloned());
        let live = live.unwrap_or_default();
        let power = match domain {
            None => Power::Absent,
            Some(domain) if is_off(domain) => Power::Off,
            Some(_) if live.healthy => Power::Healthy,
            Some(_) => Power::Starting,
        };
        InstanceSeen {
            instance: Instance {
                power,
                disk: if record.drill.is_some() {
                    Disk::Whole
                } else {
                    Disk::None
                },
                fenced: false,
                epoch: record.drill_epoch,
                made_at: record
                    .drill
                    .as_ref()
                    .filter(|made| made.stands)
                    .map(|made| made.epoch),
            },
            addresses: live.addresses,
        }
    }

    /// Whether the guest of a running domain is well: its agent answers, or it has none.
    pub(super) async fn is_healthy(
        &self,
        name: &MachineName,
        host: &Host,
    ) -> Result<bool, FabricError> {
        let known = self.live().get(name).cloned().unwrap_or_default();
        if known.healthy {
            return Ok(true);
        }
        let since = known.running_since.unwrap_or_else(Instant::now);
        let running = Domain::parse(&host.xml(name.as_str(), Which::Running).await?)?;
        let healthy = !running.has_agent()
            || running.agent_connected() == Some(true)
            || since.elapsed() > NO_AGENT;
        {
            let mut all = self.live();
            let live = all.entry(name.clone()).or_default();
            live.running_since = Some(since);
            live.healthy = healthy;
        }
        if healthy {
            self.store.touch();
        }
        Ok(healthy)
    }

    /// Answers when there may be something newer.
    pub(super) async fn changed(&self, since: Since) {
        let mut version = self.store.version();
        let newer = version.wait_for(|version| *version != since.version);
        // After a while whoever asks looks anyway.
        let _ = tokio::time::timeout(LONGEST_WAIT, newer).await;
    }

    /// The machines of the site, but for those that drills made.
    pub(super) async fn inventory(&self) -> Result<Vec<Listed>, FabricError> {
        let drills: Vec<String> = self.store.all().keys().map(drill_of).collect();
        let mut listed = Vec::new();
        for host in &self.hosts {
            for seen in host.domains().await? {
                let Ok(name) = seen.name.parse::<MachineName>() else {
                    continue;
                };
                if drills.contains(&seen.name) {
                    continue;
                }
                let domain = Domain::parse(&host.xml(&seen.name, Which::Persistent).await?)?;
                let networks = domain.interfaces().into_iter();
                let networks = networks.filter_map(|nic| nic.network.or(nic.bridge));
                listed.push(Listed {
                    name,
                    networks: networks
                        .filter_map(|network| network.parse().ok())
                        .collect(),
                    labels: BTreeMap::from([("host".to_owned(), host.name().to_owned())]),
                });
            }
        }
        Ok(listed)
    }

    /// Whether the site is ready, for what is asked today and for what a failover and its way back will need.
    pub(super) async fn probe(&self) -> Result<Readiness, FabricError> {
        let mut ready = Readiness::default();
        let (mut memory, mut cpus) = (0, 0);
        for host in &self.hosts {
            ready.hosts.push(host.name().to_owned());
            let about = host.about().await?;
            memory += about.free_memory;
            cpus += about.cpus;
            ready
                .rights
                .push(right(format!("connect {}", host.name()), Ok(())));
        }
        let free = free_storage(&self.folder);
        ready
            .rights
            .push(right("writeCopies".into(), writable(&self.folder)));
        ready.rights.push(right(
            "storage".into(),
            match free {
                Some(free) if free < LEAST_STORAGE => {
                    Err("less than 1 GiB is free: make room in the storage pool".into())
                }
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
        ready.capacity = Some(Capacity {
            memory_free: Quantity::from_bytes(memory),
            storage_free: Quantity::from_bytes(free.unwrap_or(0)),
            cpus_free: cpus,
        });
        Ok(ready)
    }
}

fn key(name: &MachineName, drill: bool) -> InstanceKey {
    InstanceKey {
        name: name.clone(),
        drill,
    }
}

fn right(name: String, granted: Result<(), String>) -> Right {
    Right {
        name,
        granted: granted.is_ok(),
        hint: granted.err(),
    }
}

fn writable(folder: &std::path::Path) -> Result<(), String> {
    let tried = tempfile::Builder::new()
        .prefix(".drover-")
        .tempfile_in(folder);
    tried
        .map(drop)
        .map_err(|error| format!("the mover cannot write to {}: {error}", folder.display()))
}

fn free_storage(folder: &std::path::Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}
