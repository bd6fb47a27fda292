//! What machines a host has, and how they are described.

use std::time::Instant;

use virt::connect::Connect;
use virt_sys as c;

use super::fault::{Fault, HostError};
use super::link::{LONG, SHORT};
use super::{Host, find, find_any, is, sys};

/// A machine, as its host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainSeen {
    /// How the host calls it.
    pub name: String,
    /// What it is, wherever it is.
    pub uuid: String,
    /// What it does.
    pub power: DomainPower,
    /// Whether the host starts it when the host itself starts.
    pub autostart: bool,
    /// Whether it is there when it is off.
    pub persistent: bool,
}

/// What a machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DomainPower {
    /// It runs.
    Running,
    /// It stands still, its memory is kept: by order, or because its storage failed.
    Paused,
    /// The guest put it to sleep.
    Asleep,
    /// Its guest is down, its QEMU not yet.
    ShuttingDown,
    /// Its guest panicked, and its QEMU is kept.
    Crashed,
    /// It is off.
    Off,
    /// It is off, because its QEMU died or could not be started.
    Failed,
}

impl DomainPower {
    /// Whether it has a QEMU, which has its disks open.
    pub fn is_active(self) -> bool {
        !matches!(self, Self::Off | Self::Failed)
    }

    pub(super) fn of(state: u32, reason: u32) -> Self {
        match (state, reason) {
            (c::VIR_DOMAIN_RUNNING | c::VIR_DOMAIN_BLOCKED, _) => Self::Running,
            (c::VIR_DOMAIN_SHUTDOWN, _) => Self::ShuttingDown,
            (c::VIR_DOMAIN_CRASHED, _) => Self::Crashed,
            (c::VIR_DOMAIN_PMSUSPENDED, _) => Self::Asleep,
            (
                c::VIR_DOMAIN_SHUTOFF,
                c::VIR_DOMAIN_SHUTOFF_CRASHED | c::VIR_DOMAIN_SHUTOFF_FAILED,
            ) => Self::Failed,
            (c::VIR_DOMAIN_SHUTOFF, _) => Self::Off,
            // Of what is not known the careful guess is that it is there, and does not run.
            _ => Self::Paused,
        }
    }
}

/// Which description of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Which {
    /// As it runs now, with what libvirt chose; as it is kept where it is off.
    Running,
    /// As it will be when it is started next.
    Persistent,
}

impl Host {
    /// All machines, on and off, by their names: as they were said to be a moment ago, if nothing was heard and
    /// nothing was done at the host since.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn domains(&self) -> Result<Vec<DomainSeen>, HostError> {
        let (mark, now) = (self.link.mark(), Instant::now());
        if let Some(seen) = self.link.known.at(mark) {
            return Ok(seen);
        }
        let seen = self.link.call("list machines", SHORT, domains).await?;
        self.link.known.keep(mark, now, seen.clone());
        Ok(seen)
    }

    /// One machine, where it is there.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn domain(&self, name: &str) -> Result<Option<DomainSeen>, HostError> {
        let (doing, name) = (format!("look at {name}"), name.to_owned());
        self.link
            .call(doing, SHORT, move |connect| domain(connect, name))
            .await
    }

    /// How libvirt describes a machine, with secrets such as passwords of consoles where our rights allow.
    ///
    /// # Errors
    /// When there is no such machine, or the host does not answer.
    pub async fn xml(&self, name: &str, which: Which) -> Result<String, HostError> {
        let (doing, name) = (format!("read the description of {name}"), name.to_owned());
        let flags = match which {
            Which::Running => 0,
            Which::Persistent => c::VIR_DOMAIN_XML_INACTIVE,
        };
        let read = move |connect: &Connect| {
            let domain = find(connect, &name)?;
            match domain
                .xml_desc(flags | c::VIR_DOMAIN_XML_SECURE)
                .map_err(Fault::from)
            {
                Err(Fault::Refused(_)) => Ok(domain.xml_desc(flags)?),
                other => other,
            }
        };
        self.link.call(doing, SHORT, read).await
    }

    /// Defines a machine, or changes its definition from its next start on. libvirt validates it.
    ///
    /// # Errors
    /// When libvirt does not accept it, or the host does not answer.
    pub async fn define(&self, xml: &str) -> Result<(), HostError> {
        let xml = xml.to_owned();
        let define = move |connect: &Connect| {
            connect.define_domain_xml_flags(&xml, c::VIR_DOMAIN_DEFINE_VALIDATE)?;
            Ok(())
        };
        self.link.change("define a machine", LONG, define).await
    }

    /// Makes the host forget a machine, with its checkpoints. Its disks stay, and so does what firmware and
    /// TPM keep: they are gone for good once they are gone. A machine that runs goes on, and is gone when it
    /// stops.
    ///
    /// # Errors
    /// When the host does not answer, or does not want to. A machine that is not there is none.
    pub async fn undefine(&self, name: &str) -> Result<(), HostError> {
        self.forget(name, KEEP).await
    }

    /// As [`undefine`](Self::undefine), with what firmware and TPM keep: of a machine that nobody makes again.
    ///
    /// # Errors
    /// As [`undefine`](Self::undefine).
    pub async fn undefine_for_good(&self, name: &str) -> Result<(), HostError> {
        self.forget(name, c::VIR_DOMAIN_UNDEFINE_NVRAM).await
    }

    async fn forget(
        &self,
        name: &str,
        flags: c::virDomainUndefineFlagsValues,
    ) -> Result<(), HostError> {
        let (doing, name) = (format!("undefine {name}"), name.to_owned());
        self.link
            .change(doing, LONG, move |connect| undefine(connect, &name, flags))
            .await
    }
}

/// In three round trips, however many there are.
fn domains(connect: &Connect) -> Result<Vec<DomainSeen>, Fault> {
    let listed = |flag| -> Result<Vec<String>, Fault> {
        let domains = connect.list_all_domains(flag)?;
        let names: Result<_, _> = domains.iter().map(virt::domain::Domain::name).collect();
        Ok(names?)
    };
    let seen = sys::states(connect)?;
    let autostart = listed(c::VIR_CONNECT_LIST_DOMAINS_AUTOSTART)?;
    let persistent = listed(c::VIR_CONNECT_LIST_DOMAINS_PERSISTENT)?;
    let mut domains: Vec<_> = seen
        .into_iter()
        .map(|seen| DomainSeen {
            power: DomainPower::of(seen.state, seen.reason),
            autostart: autostart.contains(&seen.name),
            persistent: persistent.contains(&seen.name),
            name: seen.name,
            uuid: seen.uuid,
        })
        .collect();
    domains.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(domains)
}

fn domain(connect: &Connect, name: String) -> Result<Option<DomainSeen>, Fault> {
    let Some(domain) = find_any(connect, &name)? else {
        return Ok(None);
    };
    let look = || -> Result<DomainSeen, Fault> {
        let (state, reason) = sys::state(&domain)?;
        let persistent = domain.is_persistent()?;
        Ok(DomainSeen {
            name,
            uuid: domain.uuid_string()?,
            power: DomainPower::of(state, reason),
            // What is not kept cannot be started by the host.
            autostart: persistent && domain.autostart()?,
            persistent,
        })
    };
    match look() {
        // It went meanwhile.
        Err(Fault::NoSuchDomain) => Ok(None),
        seen => seen.map(Some),
    }
}

/// What firmware and TPM keep stays.
const KEEP: c::virDomainUndefineFlagsValues =
    c::VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | c::VIR_DOMAIN_UNDEFINE_KEEP_TPM;

fn undefine(
    connect: &Connect,
    name: &str,
    more: c::virDomainUndefineFlagsValues,
) -> Result<(), Fault> {
    let Some(domain) = find_any(connect, name)? else {
        return Ok(());
    };
    if !domain.is_persistent()? {
        return Ok(());
    }
    let flags = c::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | c::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | c::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        | more;
    let undefined = match domain.undefine_flags(flags) {
        // Before 8.9 libvirt does not know of a TPM that is kept.
        Err(error) if is(&error, c::VIR_ERR_INVALID_ARG) => {
            domain.undefine_flags(flags & !c::VIR_DOMAIN_UNDEFINE_KEEP_TPM)
        }
        other => other,
    };
    match undefined.map_err(Fault::from) {
        Err(Fault::NoSuchDomain) => Ok(()),
        other => other,
    }
}
