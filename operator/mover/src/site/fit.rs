//! Whether a machine of the other side could run here: asked when it is protected, and all the time after that,
//! because hosts change.

use drover_api::Right;
use drover_api::value::MachineName;
use drover_libvirt::protocol::Described;
use drover_world::{FabricError, LinkState};

use super::Site;
use super::refusal::{retryable, terminal};
use crate::domain::Domain;
use crate::host::About;

const HINT: &str =
    "bring QEMU and libvirt of both sides to versions that know it, or change the machine";

impl Site {
    /// Whether a host here knows what a machine is made of.
    ///
    /// # Errors
    /// When none does, or none answers.
    pub(super) async fn could_run(
        &self,
        machine: &MachineName,
        described: &Described,
    ) -> Result<(), FabricError> {
        let domain = Domain::parse(&described.xml)?;
        let hosts = self.abouts().await;
        if hosts.is_empty() {
            return Err(retryable("no host answers", "look at libvirt on the hosts"));
        }
        match unknown_everywhere(&domain, &hosts) {
            None => Ok(()),
            Some(what) => Err(terminal(
                format!("{machine} could not run here: {what}"),
                HINT,
            )),
        }
    }

    /// The same of all machines whose copies are here.
    pub(super) fn copies_could_run(&self, hosts: &[About]) -> Right {
        let records = self.store.all().into_iter();
        let unfit = records.filter_map(|(name, record)| {
            let half = record.half?;
            let copied = half.holds() && half.state != LinkState::None;
            let described = half.described.filter(|_| copied)?;
            let domain = Domain::parse(&described.xml).ok()?;
            let what = unknown_everywhere(&domain, hosts).filter(|_| !hosts.is_empty())?;
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
    async fn abouts(&self) -> Vec<About> {
        let mut abouts = Vec::new();
        for placed in self.hosts.iter() {
            abouts.extend(placed.ask_about().await.ok().map(|(about, _)| about));
        }
        abouts
    }
}

/// What no host knows; nothing where one of them knows everything.
fn unknown_everywhere(domain: &Domain, hosts: &[About]) -> Option<String> {
    let mut first = None;
    for host in hosts {
        let unknown = unknown(domain, host)?;
        first = first.or(Some(unknown));
    }
    first
}

fn unknown(domain: &Domain, host: &About) -> Option<String> {
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

    fn host(types: &[&str], models: &[&str]) -> About {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        About {
            libvirt: "9.0.0".into(),
            qemu: "7.2.22".into(),
            machine_types: owned(types),
            cpu_models: owned(models),
            emulators: Vec::new(),
            free_memory: 0,
            memory: 0,
            cpus: 1,
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
        let told = |hosts: &[About]| unknown_everywhere(&haswell, hosts);
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
        assert_eq!(unknown_everywhere(&own, &[strange]), None);
    }
}
