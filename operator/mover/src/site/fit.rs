//! Whether a machine of the other side could run here: asked when it is protected, and all the time after that,
//! because hosts change.

use std::path::Path;

use drover_api::Right;
use drover_api::value::MachineName;
use drover_libvirt::protocol::Described;
use drover_world::{FabricError, LinkState};

use super::Site;
use super::refusal::{retryable, terminal};
use crate::domain::{Domain, Tie, Tied};
use crate::host::About;

pub(super) const HINT: &str = "bring it here: QEMU and libvirt in versions that know it, files under the same \
     path; or change the machine";

/// A host that answers.
#[derive(Clone, Debug)]
pub(super) struct Answering {
    /// What it is.
    pub(super) about: About,
    /// Whether the mover stands there, and sees its files.
    pub(super) is_here: bool,
}

impl Site {
    /// Whether a host here knows what a machine is made of, and has it, as far as the mover sees.
    ///
    /// # Errors
    /// When none does, or none answers.
    pub(super) async fn could_run(
        &self,
        machine: &MachineName,
        described: &Described,
    ) -> Result<(), FabricError> {
        let domain = Domain::parse(&described.xml)?;
        let hosts = self.answering().await;
        if hosts.is_empty() {
            return Err(retryable("no host answers", "look at libvirt on the hosts"));
        }
        match unfit_everywhere(&domain, &hosts) {
            None => Ok(()),
            Some(what) => Err(terminal(
                format!("{machine} could not run here: {what}"),
                HINT,
            )),
        }
    }

    /// The same of all machines whose copies are here.
    pub(super) fn copies_could_run(&self, hosts: &[Answering]) -> Right {
        let records = self.store.all().into_iter();
        let unfit = records.filter_map(|(name, record)| {
            let half = record.half?;
            let copied = half.holds() && half.state != LinkState::None;
            let described = half.described.filter(|_| copied)?;
            let domain = Domain::parse(&described.xml).ok()?;
            let what = unfit_everywhere(&domain, hosts).filter(|_| !hosts.is_empty())?;
            Some(format!("{name} ({what})"))
        });
        let unfit: Vec<String> = unfit.collect();
        Right {
            name: "runCopies".to_owned(),
            granted: unfit.is_empty(),
            hint: (!unfit.is_empty())
                .then(|| format!("{} could not run here: {HINT}", unfit.join(", "))),
        }
    }

    /// What the hosts are that answer.
    async fn answering(&self) -> Vec<Answering> {
        let mut answering = Vec::new();
        for placed in self.hosts.iter() {
            if let Ok((about, _)) = placed.ask_about().await {
                let is_here = placed.is_here();
                answering.push(Answering { about, is_here });
            }
        }
        answering
    }
}

/// What no host knows or has; nothing where one of them would do.
fn unfit_everywhere(domain: &Domain, hosts: &[Answering]) -> Option<String> {
    let mut first = None;
    for host in hosts {
        let unfit = unknown(domain, &host.about)
            .or_else(|| missing_here(domain).filter(|_| host.is_here))?;
        first = first.or(Some(unfit));
    }
    first
}

/// What a machine refers to and is not on the host where the mover stands; of others it sees no files. Which
/// program emulates it is the host's own choice.
pub(super) fn missing_here(domain: &Domain) -> Option<String> {
    let file = |tie: &Tie| {
        matches!(
            tie.what,
            Tied::Kernel
                | Tied::Initrd
                | Tied::Table
                | Tied::Firmware
                | Tied::NvramTemplate
                | Tied::Rom
        )
    };
    let ties = domain.ties().into_iter();
    let missing = ties.filter(file).find(|tie| !Path::new(&tie.path).exists());
    missing.map(|tie| format!("{} {} is not here", tie.what, tie.path))
}

/// What a host does not know of what a machine is made of.
pub(super) fn unknown(domain: &Domain, host: &About) -> Option<String> {
    let qemu = &host.qemu;
    let machine_type = domain
        .machine_type()
        .filter(|wanted| !host.machine_types.contains(wanted));
    if let Some(wanted) = machine_type {
        return Some(format!(
            "QEMU {qemu} does not know the machine type {wanted}"
        ));
    }
    let model = domain
        .cpu_model()
        .filter(|wanted| !host.cpu_models.is_empty() && !host.cpu_models.contains(wanted));
    model.map(|wanted| {
        format!(
            "libvirt {} does not know the processor {wanted}",
            host.libvirt
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(types: &[&str], models: &[&str]) -> Answering {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let about = About {
            libvirt: "9.0.0".into(),
            qemu: "7.2.22".into(),
            machine_types: owned(types),
            cpu_models: owned(models),
            emulators: Vec::new(),
            free_memory: 0,
            memory: 0,
            cpus: 1,
        };
        Answering {
            about,
            is_here: true,
        }
    }

    fn machine(cpu: &str) -> Domain {
        Domain::parse(&format!(
            "<domain type='kvm'><name>db-1</name><os><type arch='x86_64' machine='pc-q35-9.2'>hvm</type></os>{cpu}</domain>"
        ))
        .unwrap()
    }

    #[test]
    fn a_machine_runs_where_one_host_knows_all_of_it() {
        // SPEC: PR-1, RD-1
        let haswell = machine("<cpu mode='custom'><model fallback='forbid'>Haswell</model></cpu>");
        let old = host(&["pc-q35-7.2"], &["Haswell"]);
        let new = host(&["pc-q35-9.2"], &["Haswell"]);
        let strange = host(&["pc-q35-9.2"], &["Denverton"]);
        let told = |hosts: &[Answering]| unfit_everywhere(&haswell, hosts);
        assert_eq!(
            told(std::slice::from_ref(&old)).unwrap(),
            "QEMU 7.2.22 does not know the machine type pc-q35-9.2"
        );
        assert_eq!(
            told(std::slice::from_ref(&strange)).unwrap(),
            "libvirt 9.0.0 does not know the processor Haswell"
        );
        assert!(told(&[old.clone(), strange.clone()]).is_some());
        assert_eq!(told(&[old, new]), None);
        // What libvirt says nothing of, and what is the host's own, is not compared.
        assert_eq!(told(&[host(&["pc-q35-9.2"], &[])]), None);
        let own = machine("<cpu mode='host-model'><model>Haswell</model></cpu>");
        assert_eq!(unfit_everywhere(&own, &[strange]), None);
    }

    #[test]
    fn files_are_looked_for_where_the_mover_stands() {
        // SPEC: PR-1, RD-1
        let booted = |kernel: &str| {
            Domain::parse(&format!(
                "<domain type='kvm'><name>db-1</name><os><kernel>{kernel}</kernel></os><devices>\
                 <emulator>/nowhere/qemu</emulator></devices></domain>"
            ))
            .unwrap()
        };
        let here = host(&[], &[]);
        let elsewhere = Answering {
            is_here: false,
            ..here.clone()
        };
        let absent = booted("/nowhere/vmlinuz");
        let missing = Some("kernel /nowhere/vmlinuz is not here".to_owned());
        let here = std::slice::from_ref(&here);
        assert_eq!(unfit_everywhere(&absent, here), missing);
        assert_eq!(unfit_everywhere(&absent, &[elsewhere]), None);
        assert_eq!(unfit_everywhere(&booted("/dev/null"), here), None);
    }
}
