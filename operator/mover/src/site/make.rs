//! Machines are made of copies, for production and for drills.
//!
//! What is made writes to files of its own above the copy, so it stands at once and leaves the copy as it is.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use drover_api::value::MachineName;
use drover_fabric::{Answer, Materialize};
use drover_libvirt::protocol::{Asker, Make};
use drover_world::{FabricError, LinkState, Outcome};

use super::Site;
use super::jobs::Lane;
use super::place::{Wanted, is_own, may_be_made, named};
use super::power::is_off;
use super::refusal::{insist, not_late, retryable, terminal};
use crate::domain::{Domain, Nic};
use crate::host::{DomainPower, DomainSeen, Host, Start, Which};
use crate::image;
use crate::record::{Half, Made, Record};

/// What a drill makes of a machine is called so, after the machine's own name.
pub(super) const DRILL: &str = "-drill";

/// The jobs that make machines.
pub(super) const MAKE: &str = "make";
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
        if let Some(base) = &half.base
            && Self::is_written_to(base)?
        {
            return Err(retryable(
                format!(
                    "what the copy of {machine} is based on was written to: none of its points is whole"
                ),
                "both sides are compared with the next copy; if the other one is lost, what is left is in the \
                 machine's folder in the pool",
            ));
        }
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
        if self.jobs.doing(machine, Lane::Power).as_deref() == Some(MAKE) {
            return Ok(Outcome::InProgress { percent: None });
        }
        if let Some((_, seen)) = &found {
            if !is_off(seen) {
                return Err(runs_here(machine.as_str()));
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
        may_be_made(found.is_some(), &ask.with)?;
        self.acceptable(machine.as_str(), Some(half), found.as_ref(), &ask.with)
            .await?;
        let (on, seal) = self.source_of(half, &ask.with).await?;
        let agreed = half.agreed.clone().filter(|_| on == half.top());
        let epoch = ask.asker.epoch;
        let files = self.files_above(machine, &on, "made")?;
        self.store.change(machine, |record| {
            // Somebody newer may have been here while all that was looked at.
            let heard = record.half.as_ref().map_or(0, |half| half.epoch);
            not_late(record.epoch.max(heard), &ask.asker)?;
            if !record.half.as_ref().is_some_and(|now| now.is_as(half)) {
                return Err(retryable(
                    format!("something else was done with the copy of {machine} meanwhile"),
                    "it is asked for again",
                ));
            }
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
                released: false,
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
            Ok::<_, FabricError>(())
        })??;
        self.jobs.abort(machine, Lane::Copy);
        let (site, name, half) = (Arc::clone(self), machine.clone(), half.clone());
        self.jobs
            .begin(machine, Lane::Power, MAKE.into(), |_| async move {
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
            not_late(record.drill_epoch, &ask.asker)?;
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
                released: false,
                stands: false,
            };
            let former = record.drill.replace(made);
            if let Some(half) = &mut record.half {
                half.litter
                    .extend(former.into_iter().flat_map(|made| made.files.into_values()));
            }
            Ok::<_, FabricError>(())
        })??;
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
        let mut files = point.map(|point| point.files.clone()).ok_or_else(|| {
            terminal(
                format!("there is no recovery point {name}"),
                "choose one that is listed",
            )
        })?;
        // The machine is made as it is described now.
        files.retain(|disk, _| half.is_wanted(disk));
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
        let own = found.is_some() && is_own(half, making.with.drill);
        let mut domain = self
            .base_of(half, found.as_ref(), making.with.drill)
            .await?;
        if !own {
            // Those that are not copied are not here.
            let copied: Vec<&str> = making.files.keys().map(String::as_str).collect();
            domain.keep_disks(&copied);
        }
        shape(&mut domain, making)?;
        if !own {
            self.give_variables(half, &mut domain, making.with.drill)
                .await?;
        }
        let wanted = Wanted {
            machine: &making.domain,
            domain: Some(&domain),
            with: &making.with,
        };
        let stands = found.as_ref().map(|(host, _)| *host);
        let (placed, about) = self.place(&wanted, stands).await?;
        let host = &placed.host;
        let stays = own && stands.is_some_and(|stands| stands.name() == host.name());
        if !stays {
            domain.use_emulator_of(&about.emulators);
        }
        self.define(half, making, &domain, host, found).await
    }

    /// Has a machine be defined at a host, and not at the one where it stood if that is another one.
    async fn define(
        &self,
        half: &Half,
        making: &Making,
        domain: &Domain,
        at: &Host,
        found: Option<(&Host, DomainSeen)>,
    ) -> Result<(), FabricError> {
        let name = making.domain.as_str();
        if let Some((former, seen)) = &found {
            if !is_off(seen) {
                return Err(runs_here(name));
            }
            let same = domain.uuid().as_ref() == Some(&seen.uuid);
            if making.with.drill || half.adopted {
                // It has another number, and would be in the way; its disks stay.
                former.undefine(name).await?;
                self.hosts.forget(seen, None).await?;
            } else if !same && !is_own(half, making.with.drill) {
                return Err(stranger(name));
            }
        }
        let xml = domain.to_xml();
        insist(|| at.define(&xml), || Ok(())).await?;
        at.set_autostart(name, false).await?;
        self.hosts.remember(name, at.name());
        // Only now: at home nobody else knows what it is.
        match found.filter(|_| named(&making.with).is_some()) {
            Some((_, seen)) => self.hosts.forget(&seen, Some(at.name())).await,
            None => Ok(()),
        }
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
            |_| async move { insist(|| host.start(&domain, Start::GoOn), || Ok(())).await },
        )
    }

    pub(super) async fn remove_drill(
        self: &Arc<Self>,
        machine: MachineName,
        asker: &Asker,
    ) -> Answer {
        let record = self.store.get(&machine);
        not_late(record.drill_epoch, asker)?;
        if self.jobs.doing(&machine, Lane::Drill).is_some() {
            // What libvirt was asked for comes to be, whoever waits for it.
            return Ok(Outcome::InProgress { percent: None });
        }
        let domain = drill_of(&machine);
        if let (Some((host, _)), true) = (self.find(&domain).await?, record.drill.is_some()) {
            host.destroy(&domain).await?;
            let described = Domain::parse(&host.xml(&domain, Which::Persistent).await?)?;
            if described.has_own_variables() {
                host.undefine_for_good(&domain).await?;
            } else {
                host.undefine(&domain).await?;
            }
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
        self.drop_variables_of_drill(&machine).await;
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
pub(super) fn description(half: &Half) -> Result<Domain, FabricError> {
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

fn runs_here(domain: &str) -> FabricError {
    terminal(
        format!("{domain} runs here; what runs is not overwritten"),
        "look who started it, and stop it first",
    )
}

pub(super) fn stranger(machine: impl Display) -> FabricError {
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
