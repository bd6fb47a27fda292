//! What is there.

use std::collections::BTreeMap;
use std::time::Duration;

use drover_api::value::MachineName;
use drover_fabric::{InstanceKey, InstanceSeen};
use drover_libvirt::protocol::{Listed, Seen, Since};
use drover_world::{Disk, FabricError, HardDisk, Hardware, Instance, Power};
use tokio::time::Instant;

use super::Site;
use super::hosts::{Listing, Whereabouts};
use super::jobs::Lane;
use super::make::drill_of;
use super::power::{FENCE, START, STOP, is_off};
use super::refusal::retryable;
use crate::domain::Domain;
use crate::host::{DomainPower, DomainSeen, Host, Which};
use crate::record::Record;

/// Who waits for something newer is answered after so long at most.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A guest that has a channel for an agent and none that answers is taken for well after so long.
const NO_AGENT: Duration = Duration::from_mins(2);

/// What is known of a machine at this site.
enum Known {
    /// It is there.
    There(DomainSeen),
    /// It is not.
    Absent,
    /// A host that may have it does not answer, or two machines have its name.
    Unclear,
}

impl Known {
    fn is_clear(&self) -> bool {
        !matches!(self, Self::Unclear)
    }

    fn there(&self) -> Option<&DomainSeen> {
        match self {
            Self::There(seen) => Some(seen),
            Self::Absent | Self::Unclear => None,
        }
    }
}

impl Site {
    /// Everything, as it is now.
    pub(super) async fn seen(&self) -> Result<Seen, FabricError> {
        let version = *self.store.version().borrow();
        let records = self.store.all();
        let mut hosts = self.hosts.list().await?;
        let mut seen = Seen {
            version,
            silent: not_clear(&hosts, &records),
            ..Seen::default()
        };
        for (name, record) in &records {
            // What is not known is not told, nor that it is off.
            let domain = self.domain_in(&mut hosts, name.as_str());
            let off = match &domain {
                Known::There(domain) => is_off(domain) && !self.is_starting(name),
                Known::Absent => true,
                Known::Unclear => false,
            };
            if domain.is_clear() {
                let instance = self.instance(name, record, domain.there());
                seen.instances.push((key(name, false), instance));
            }
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
            let drill = self.domain_in(&mut hosts, &drill_of(name));
            if drill.is_clear() {
                let instance = self.drill_instance(name, record, drill.there());
                seen.instances.push((key(name, true), instance));
            }
        }
        // Those that Drover was never asked about.
        let names: Vec<String> = hosts.domains.keys().cloned().collect();
        for domain in names {
            if let Ok(name) = domain.parse::<MachineName>()
                && let Known::There(known) = self.domain_in(&mut hosts, &domain)
            {
                let instance = self.instance(&name, &Record::default(), Some(&known));
                seen.instances.push((key(&name, false), instance));
            }
        }
        Ok(seen)
    }

    /// Whether somebody starts it just now.
    pub(super) fn is_starting(&self, machine: &MachineName) -> bool {
        self.jobs.doing(machine, Lane::Power).as_deref() == Some(START)
    }

    /// A machine among those of all hosts.
    fn domain_in(&self, hosts: &mut Listing<'_>, domain: &str) -> Known {
        match hosts.whereabouts(domain, self.hosts.home(domain).as_deref()) {
            Whereabouts::At(_, seen) => Known::There(seen),
            Whereabouts::Nowhere => Known::Absent,
            Whereabouts::Unknown(_) if self.never_here(domain) => Known::Absent,
            Whereabouts::Unknown(_) | Whereabouts::Twice(_) => Known::Unclear,
        }
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
            // Whatever was asked meanwhile: it may be on in the next moment.
            Some(power) if !power.is_active() && self.is_starting(machine) => Power::Starting,
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
    ///
    /// # Errors
    /// When a host does not answer: whoever asked keeps what was said before.
    pub(super) async fn inventory(&self) -> Result<Vec<Listed>, FabricError> {
        let drills: Vec<String> = self.store.all().keys().map(drill_of).collect();
        let hosts = self.hosts.list().await?;
        if let Some(silent) = hosts.silent.first() {
            return Err(retryable(
                silent.why(),
                "the machines of the site are listed when all its hosts answer",
            ));
        }
        let mut listed = Vec::new();
        for (domain, (host, _)) in hosts.domains {
            let Ok(name) = domain.parse::<MachineName>() else {
                continue;
            };
            if drills.contains(&domain) {
                continue;
            }
            let domain = Domain::parse(&host.xml(&domain, Which::Persistent).await?)?;
            let networks = domain.interfaces().into_iter();
            let networks = networks.filter_map(|nic| nic.network.or(nic.bridge));
            listed.push(Listed {
                name,
                networks: networks
                    .filter_map(|network| network.parse().ok())
                    .collect(),
                labels: BTreeMap::from([("host".to_owned(), host.name().to_owned())]),
                hardware: Some(hardware(&domain, host.name())),
            });
        }
        Ok(listed)
    }
}

/// The hosts of which not everything is known: those that do not answer, and those where two machines have the
/// name of one that is looked after. Who is not told of may be there.
fn not_clear(hosts: &Listing<'_>, records: &BTreeMap<MachineName, Record>) -> Vec<String> {
    let is_ours = |domain: &str| {
        let mut names = records.keys();
        names.any(|name| name.as_str() == domain || drill_of(name) == domain)
    };
    let silent = hosts.silent.iter().map(|placed| placed.host.name());
    let twice = hosts.twice.iter().filter(|(domain, _)| is_ours(domain));
    let named = silent.chain(twice.flat_map(|(_, both)| *both));
    named.map(str::to_owned).collect()
}

/// What a machine is made of. libvirt's description has no sizes of disks, and a drive whose medium can be
/// ejected is nothing that is protected.
fn hardware(domain: &Domain, host: &str) -> Hardware {
    let disks = domain.disks().into_iter();
    let disks = disks.filter(|disk| !disk.device.is_removable());
    Hardware {
        cpus: domain.cpus(),
        memory: domain.memory(),
        host: Some(host.to_owned()),
        disks: disks
            .map(|disk| HardDisk {
                name: disk.target,
                size: None,
            })
            .collect(),
    }
}

fn key(name: &MachineName, drill: bool) -> InstanceKey {
    InstanceKey {
        name: name.clone(),
        drill,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Options;

    #[tokio::test]
    async fn who_is_started_just_now_is_not_off() {
        // SPEC: SA-2, FO-8
        let pool = tempfile::tempdir().unwrap();
        let options = Options {
            hosts: Vec::new(),
            folder: pool.path().to_owned(),
            run: pool.path().join("run"),
            tls: None,
        };
        let site = Site::open(options).unwrap();
        let machine: MachineName = "db-1".parse().unwrap();
        let off = DomainSeen {
            name: "db-1".to_owned(),
            uuid: String::new(),
            power: DomainPower::Off,
            autostart: false,
            persistent: true,
        };
        let fenced = Record {
            fenced: Some(7),
            ..Record::default()
        };
        let seen = || site.instance(&machine, &fenced, Some(&off)).instance;
        assert_eq!((seen().power, seen().fenced), (Power::Off, true));
        let start = |_| std::future::pending();
        site.jobs
            .begin(&machine, Lane::Power, START.into(), start)
            .unwrap();
        assert_eq!((seen().power, seen().fenced), (Power::Starting, false));
        site.jobs.abort(&machine, Lane::Power);
        assert_eq!((seen().power, seen().fenced), (Power::Off, true));
    }
}
