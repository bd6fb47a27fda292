//! Machines are made of copies, for production and for drills.
//!
//! What is made writes to files of its own above the copy, so it stands at once and leaves the copy as it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drover_api::LocationType;
use drover_api::value::MachineName;
use drover_fabric::{Answer, Materialize};
use drover_libvirt::protocol::{Accepts, Asker, Make};
use drover_world::{FabricError, LinkState, Outcome};

use super::Site;
use super::jobs::Lane;
use super::power::is_off;
use super::refusal::{insist, not_late, retryable, terminal};
use crate::domain::{Domain, Nic, Tie, Tied};
use crate::host::{DomainPower, Host, Start, Which};
use crate::image;
use crate::record::{Half, Made, Record};

/// What a drill makes of a machine is called so, after the machine's own name.
pub(super) const DRILL: &str = "-drill";

/// The job that makes it.
const MAKE_DRILL: &str = "make a drill";

pub(super) fn drill_of(machine: &MachineName) -> String {
    format!("{machine}{DRILL}")
}

impl Site {
    /// A machine should stand here.
    pub(super) async fn materialize(self: &Arc<Self>, ask: Make) -> Answer {
        let machine = ask.subject.at(ask.with.site).clone();
        let record = self.store.get(&machine);
        let Some(half) = record.half.clone().filter(Half::holds) else {
            return Err(terminal(
                format!("the copies of {machine} are at the other site"),
                "look which way its data flows",
            ));
        };
        if ask.with.drill {
            not_late(record.drill_epoch, &ask.asker)?;
            return self.make_drill(&machine, &record, &half, ask).await;
        }
        not_late(record.epoch.max(half.epoch), &ask.asker)?;
        self.make_machine(&machine, &record, &half, ask).await
    }

    async fn make_machine(
        self: &Arc<Self>,
        machine: &MachineName,
        record: &Record,
        half: &Half,
        ask: Make,
    ) -> Answer {
        let found = self.find(machine.as_str()).await?;
        if let Some(made) = &record.made
            && made.stands
            && made.epoch >= ask.asker.epoch
            && found.is_some()
        {
            return Ok(Outcome::Reached);
        }
        if self.jobs.doing(machine, Lane::Power).as_deref() == Some("make") {
            return Ok(Outcome::InProgress { percent: None });
        }
        if let Some((_, seen)) = &found {
            if !is_off(seen) {
                return Err(terminal(
                    format!("{machine} runs here; what runs is not overwritten"),
                    "look who started it, and stop it first",
                ));
            }
            if record.made.is_none() && half.origin != half.role && !half.adopted {
                return Err(stranger(machine));
            }
        }
        if record.made.is_some() && half.left.is_none() {
            return Err(terminal(
                format!("{machine} stands here already, for good"),
                "reverse its replication before it is made anew",
            ));
        }
        self.acceptable(found.is_some(), &ask.with).await?;
        let (on, seal) = self.source_of(half, &ask.with).await?;
        let agreed = half.agreed.clone().filter(|_| on == half.top());
        self.jobs.abort(machine, Lane::Copy);
        let epoch = ask.asker.epoch;
        let files = self.files_above(machine, &on, "made")?;
        self.store.change(machine, |record| {
            record.epoch = epoch;
            record.held = true;
            record.start = None;
            let made = Made {
                epoch,
                domain: machine.to_string(),
                files: files.clone(),
                on: on.clone(),
                below: half.below(&on),
                seal,
                agreed,
                checkpoint: None,
                stands: false,
            };
            let former = record.made.replace(made);
            if let Some(half) = &mut record.half {
                half.litter
                    .extend(former.into_iter().flat_map(|made| made.files.into_values()));
                half.epoch = half.epoch.max(epoch);
                half.left = Some(half.role.other());
                half.in_run = true;
                half.state = LinkState::Paused;
            }
        })?;
        let (site, name, half) = (Arc::clone(self), machine.clone(), half.clone());
        self.jobs
            .begin(machine, Lane::Power, "make".into(), |_| async move {
                let making = Making {
                    domain: name.to_string(),
                    files,
                    on,
                    with: ask.with,
                };
                site.stand(&half, &making).await?;
                site.store.change(&name, |record| {
                    if let Some(made) = record.made.as_mut().filter(|made| made.epoch == epoch) {
                        made.stands = true;
                    }
                })?;
                Ok(())
            })
    }

    async fn make_drill(
        self: &Arc<Self>,
        machine: &MachineName,
        record: &Record,
        half: &Half,
        ask: Make,
    ) -> Answer {
        let domain = drill_of(machine);
        let found = self.find(&domain).await?;
        if let Some(made) = &record.drill
            && made.stands
            && made.epoch >= ask.asker.epoch
            && found.is_some()
        {
            return Ok(Outcome::Reached);
        }
        if let Some((_, seen)) = &found {
            if !is_off(seen) {
                return Err(retryable(
                    format!("a drill of {machine} still stands"),
                    "end that drill first",
                ));
            }
            if record.drill.is_none() {
                return Err(stranger(machine));
            }
        }
        let (on, _) = self.source_of(half, &ask.with).await?;
        let epoch = ask.asker.epoch;
        if self.jobs.doing(machine, Lane::Drill).is_some() {
            return Ok(Outcome::InProgress { percent: None });
        }
        let files = self.files_above(machine, &on, "drill")?;
        self.store.change(machine, |record| {
            record.drill_epoch = epoch;
            let made = Made {
                epoch,
                domain: domain.clone(),
                files: files.clone(),
                on: on.clone(),
                below: half.below(&on),
                seal: None,
                agreed: None,
                checkpoint: None,
                stands: false,
            };
            let former = record.drill.replace(made);
            if let Some(half) = &mut record.half {
                half.litter
                    .extend(former.into_iter().flat_map(|made| made.files.into_values()));
            }
        })?;
        let (site, name, half) = (Arc::clone(self), machine.clone(), half.clone());
        self.jobs
            .begin(machine, Lane::Drill, MAKE_DRILL.into(), |_| async move {
                let making = Making {
                    domain,
                    files,
                    on,
                    with: ask.with,
                };
                site.stand(&half, &making).await?;
                site.store.change(&name, |record| {
                    if let Some(made) = &mut record.drill {
                        made.stands = true;
                    }
                })?;
                Ok(())
            })
    }

    /// What a machine is made of: the last changes, or a recovery point; with the seal of what that was taken
    /// from, where it is all there was.
    async fn source_of(
        &self,
        half: &Half,
        with: &Materialize,
    ) -> Result<(BTreeMap<String, PathBuf>, Option<String>), FabricError> {
        let top = half.top();
        let seal = half.last.as_ref().map(|last| last.seal.clone());
        let Some(name) = &with.point else {
            let (Some(seal), false) = (seal, top.is_empty()) else {
                return Err(not_here(half));
            };
            // Somebody may have started the machine that was left.
            if self.seal_of_source(half).await?.as_ref() != Some(&seal) {
                return Err(not_here(half));
            }
            return Ok((top, Some(seal)));
        };
        let point = half.points.iter().find(|point| point.name == *name);
        let files = point.map(|point| point.files.clone()).ok_or_else(|| {
            terminal(
                format!("there is no recovery point {name}"),
                "choose one that is listed",
            )
        })?;
        let seal = seal.filter(|_| files == top);
        Ok((files, seal))
    }

    fn files_above(
        &self,
        machine: &MachineName,
        on: &BTreeMap<String, PathBuf>,
        what: &str,
    ) -> Result<BTreeMap<String, PathBuf>, FabricError> {
        on.keys()
            .map(|disk| {
                let file = self.new_file(machine, &format!("{what}-{disk}"))?;
                Ok((disk.clone(), file))
            })
            .collect()
    }

    /// Makes files and definition; begun again after a crash it ends the same.
    async fn stand(&self, half: &Half, making: &Making) -> Result<(), FabricError> {
        for (disk, file) in &making.files {
            let Some(on) = making.on.get(disk) else {
                continue;
            };
            let format = image::info(on).await?.format;
            image::overlay(file, on, &format).await?;
            image::settle(file).await?;
        }
        let found = self.find(&making.domain).await?;
        // At home it is what it was there, wherever it comes from.
        let own = found
            .as_ref()
            .filter(|_| !making.with.drill && half.origin == half.role);
        let mut domain = match own {
            Some((host, _)) => Domain::parse(&host.xml(&making.domain, Which::Persistent).await?)?,
            None => description(half)?,
        };
        if own.is_none() {
            // Those that are not copied are not here.
            let copied: Vec<&str> = making.files.keys().map(String::as_str).collect();
            domain.keep_disks(&copied);
        }
        shape(&mut domain, making)?;
        let named = making.with.settings.as_ref().and_then(|to| to.host.clone());
        let named = named.or_else(|| making.with.location.host.clone());
        let host = if let Some((host, _)) = &found {
            *host
        } else {
            let named = named.as_ref().map(drover_api::value::HostName::as_str);
            let networks = making.with.nics.iter().map(|nic| nic.network.to_string());
            self.place(named, &networks.collect::<Vec<_>>()).await?
        };
        missing_here(&domain)?;
        if half.adopted && found.is_some() && !making.with.drill {
            // It has another number; its disks stay.
            host.undefine(&making.domain).await?;
        }
        let xml = domain.to_xml();
        insist(|| host.define(&xml)).await?;
        host.set_autostart(&making.domain, false).await?;
        Ok(())
    }

    /// Whether a machine could be made with these settings.
    pub(super) async fn accepts(&self, ask: Accepts) -> Result<(), FabricError> {
        let record = self.store.get(&ask.machine);
        let found = self.find(ask.machine.as_str()).await?;
        let original = record
            .half
            .as_ref()
            .is_some_and(|half| half.origin == half.role || half.adopted);
        if found.is_some() && record.made.is_none() && !original && !ask.with.drill {
            return Err(stranger(&ask.machine));
        }
        self.acceptable(found.is_some(), &ask.with).await
    }

    async fn acceptable(&self, there: bool, with: &Materialize) -> Result<(), FabricError> {
        let elsewhere = with.location.kind == LocationType::Alternate;
        if elsewhere && !there && !with.location.create_if_missing {
            return Err(terminal(
                "there is no such machine at the other location",
                "declare createIfMissing",
            ));
        }
        let mut known = Vec::new();
        let mut silent = None;
        for placed in self.hosts.iter() {
            match placed.ask_about().await {
                Ok((_, networks)) => known.extend(networks),
                Err(error) => silent = silent.or(Some(error)),
            }
        }
        for nic in &with.nics {
            if !known.iter().any(|network| network == nic.network.as_str()) {
                if let Some(error) = silent {
                    return Err(error.into());
                }
                return Err(terminal(
                    format!("there is no network {} here", nic.network),
                    "make the network, or map another one",
                ));
            }
        }
        Ok(())
    }

    pub(super) async fn start_drill(
        self: &Arc<Self>,
        machine: MachineName,
        asker: &Asker,
    ) -> Answer {
        let record = self.store.get(&machine);
        not_late(record.drill_epoch, asker)?;
        if record.drill.as_ref().is_none_or(|made| !made.stands) {
            // It is seen as soon as libvirt knows it, a moment before it stands.
            if self.jobs.doing(&machine, Lane::Drill).as_deref() == Some(MAKE_DRILL) {
                return Ok(Outcome::InProgress { percent: None });
            }
            return Err(terminal(
                format!("there is no drill of {machine} to start"),
                "make it first",
            ));
        }
        let domain = drill_of(&machine);
        let (host, seen) = self.must_find(&domain).await?;
        let name = live_name(&domain)?;
        if seen.power == DomainPower::Running {
            let healthy = self.is_healthy(&name, host).await?;
            return Ok(if healthy {
                Outcome::Reached
            } else {
                Outcome::InProgress { percent: None }
            });
        }
        let host: Host = host.clone();
        self.jobs.begin(
            &machine,
            Lane::Drill,
            "start a drill".into(),
            |_| async move { insist(|| host.start(&domain, Start::GoOn)).await },
        )
    }

    pub(super) async fn remove_drill(
        self: &Arc<Self>,
        machine: MachineName,
        asker: &Asker,
    ) -> Answer {
        let record = self.store.get(&machine);
        not_late(record.drill_epoch, asker)?;
        self.jobs.abort(&machine, Lane::Drill);
        let domain = drill_of(&machine);
        if let (Some((host, _)), true) = (self.find(&domain).await?, record.drill.is_some()) {
            host.destroy(&domain).await?;
            host.undefine_for_good(&domain).await?;
        }
        self.store.change(&machine, |record| {
            record.drill_epoch = asker.epoch;
            let made = record.drill.take();
            let files = made.into_iter().flat_map(|made| made.files.into_values());
            if let Some(half) = &mut record.half {
                half.litter.extend(files);
            }
        })?;
        self.live().remove(&live_name(&domain)?);
        self.tidy(&machine).await?;
        Ok(Outcome::Reached)
    }
}

struct Making {
    domain: String,
    files: BTreeMap<String, PathBuf>,
    on: BTreeMap<String, PathBuf>,
    with: Materialize,
}

fn live_name(domain: &str) -> Result<MachineName, FabricError> {
    domain.parse().map_err(|_| {
        terminal(
            format!("{domain} is no name of a machine"),
            "give the machine a shorter name",
        )
    })
}

/// The machine as it was described when its data was taken.
fn description(half: &Half) -> Result<Domain, FabricError> {
    let described = half.described.as_ref().ok_or_else(|| {
        retryable(
            "nobody knows yet what the machine is",
            "wait for its first copy",
        )
    })?;
    let mut domain = Domain::parse(&described.xml)?;
    domain.drop_runtime();
    domain.eject_removable();
    Ok(domain)
}

fn shape(domain: &mut Domain, making: &Making) -> Result<(), FabricError> {
    domain.set_name(&making.domain);
    if making.with.drill {
        domain.set_uuid(None);
        domain.stand_alone();
    }
    for (disk, file) in &making.files {
        domain.set_disk(disk, file, "qcow2")?;
    }
    // A drill is alone: an interface that nobody mapped for it is on no network.
    if making.with.drill || !making.with.nics.is_empty() {
        let macs = domain.interfaces();
        let nics: Vec<Nic> = making
            .with
            .nics
            .iter()
            .enumerate()
            .map(|(at, nic)| Nic {
                network: nic.network.to_string(),
                mac: macs.get(at).and_then(|former| former.mac.clone()),
                up: true,
            })
            .collect();
        domain.set_interfaces(&nics);
    }
    if let Some(settings) = &making.with.settings {
        if let Some(cpus) = settings.cpus {
            domain.set_cpus(cpus);
        }
        if let Some(memory) = &settings.memory {
            domain.set_memory(memory.bytes());
        }
    }
    Ok(())
}

/// What a description refers to on its host must be there, too.
fn missing_here(domain: &Domain) -> Result<(), FabricError> {
    let file = |tie: &Tie| {
        matches!(
            tie.what,
            Tied::Emulator
                | Tied::Kernel
                | Tied::Initrd
                | Tied::Table
                | Tied::Firmware
                | Tied::NvramTemplate
                | Tied::Rom
        )
    };
    let ties = domain.ties().into_iter();
    let missing = ties.filter(file).find(|tie| !Path::new(&tie.path).exists());
    match missing {
        None => Ok(()),
        Some(tie) => Err(terminal(
            format!("{} {} is not here", tie.what, tie.path),
            "bring it to the hosts of this site, too",
        )),
    }
}

fn stranger(machine: &MachineName) -> FabricError {
    terminal(
        format!("Drover did not make the machine {machine} that is there"),
        "give the machine another name at this site, or remove the other one",
    )
}

fn not_here(half: &Half) -> FabricError {
    retryable(
        format!("the last changes of {} are not here", half.subject.primary),
        "stop the source and synchronise finally, or name a recovery point",
    )
}
