//! Machines start and stop.

use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error;
use virt_sys as c;

use super::awaited::Awaited;
use super::domain::DomainPower;
use super::fault::{Fault, HostError};
use super::link::{LONG, SHORT};
use super::{Host, find, is, sys, xml};

/// How a machine is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Its guest boots, or goes on with the memory that was saved when the machine was last on.
    GoOn,
    /// It stands still until it is told to go on. Memory that was saved belongs to other disks, and is thrown
    /// away.
    AnewAndStill,
}

/// How a machine that is off came to be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its guest shut down: its disks hold all that it wrote.
    ShutDown,
    /// Its memory was saved, and with it what its disks do not hold yet.
    Saved,
    /// Its power was cut, or nobody knows.
    Cut,
}

impl Host {
    /// Starts a machine; one that is on already, paused or not, stays as it is.
    ///
    /// # Errors
    /// When libvirt cannot start it, or the host does not answer.
    pub async fn start(&self, name: &str, how: Start) -> Result<(), HostError> {
        let flags = match how {
            Start::GoOn => 0,
            Start::AnewAndStill => c::VIR_DOMAIN_START_PAUSED | c::VIR_DOMAIN_START_FORCE_BOOT,
        };
        let start = move |domain: &Domain, power: DomainPower| {
            if power.is_active() {
                return Ok(());
            }
            unless_so(
                domain,
                domain.create_with_flags(flags),
                DomainPower::is_active,
            )
        };
        self.act("start", name, start).await
    }

    /// How a machine that is off came to be so.
    ///
    /// # Errors
    /// When there is no such machine, or the host does not answer.
    pub async fn ending(&self, name: &str) -> Result<Ending, HostError> {
        let (doing, name) = (format!("ask how {name} ended"), name.to_owned());
        let ask = move |connect: &Connect| {
            let domain = find(connect, &name)?;
            if domain.has_managed_save(0)? {
                return Ok(Ending::Saved);
            }
            let (_, reason) = sys::state(&domain)?;
            Ok(match reason {
                c::VIR_DOMAIN_SHUTOFF_SHUTDOWN => Ending::ShutDown,
                _ => Ending::Cut,
            })
        };
        self.link.call(doing, SHORT, ask).await
    }

    /// Lets a machine that stands still go on.
    ///
    /// # Errors
    /// When it is off, or the host does not answer.
    pub async fn resume(&self, name: &str) -> Result<(), HostError> {
        let resume = |domain: &Domain, power: DomainPower| match power {
            DomainPower::Running => Ok(()),
            power if !power.is_active() => Err(Fault::NotRunning),
            _ => Ok(domain.resume()?),
        };
        self.act("resume", name, resume).await
    }

    /// Makes a machine stand still. When nobody waits for it any more it goes on by itself as soon as it does.
    ///
    /// # Errors
    /// When it is off, or the host does not answer.
    pub async fn suspend(&self, name: &str) -> Result<(), HostError> {
        let awaited = Awaited::new();
        let is_awaited = awaited.told();
        let suspend = move |domain: &Domain, power: DomainPower| match power {
            DomainPower::Paused => Ok(()),
            power if !power.is_active() => Err(Fault::NotRunning),
            _ => {
                domain.suspend()?;
                if !is_awaited() {
                    domain.resume()?;
                }
                Ok(())
            }
        };
        self.act("suspend", name, suspend).await
    }

    /// Asks a guest to shut down, by ACPI and by its agent where there is one, and does not wait until it
    /// has.
    ///
    /// A backup that is open holds the end up for long: close it before.
    ///
    /// # Errors
    /// When the host does not answer. That the guest did not hear is none.
    pub async fn shutdown(&self, name: &str) -> Result<(), HostError> {
        self.act("shut down", name, shut_down).await
    }

    /// Switches a machine off, whatever its guest does, and returns when it is off.
    ///
    /// # Errors
    /// When its QEMU does not end, or the host does not answer.
    pub async fn destroy(&self, name: &str) -> Result<(), HostError> {
        let destroy = |domain: &Domain, power: DomainPower| {
            if !power.is_active() {
                return Ok(());
            }
            unless_so(domain, domain.destroy(), |power| !power.is_active())
        };
        self.act("switch off", name, destroy).await
    }

    /// Whether the host starts a machine when the host itself starts.
    ///
    /// # Errors
    /// When the host does not answer, or the machine is not kept.
    pub async fn set_autostart(&self, name: &str, on: bool) -> Result<(), HostError> {
        let (doing, name) = (format!("set the autostart of {name}"), name.to_owned());
        let set = move |connect: &Connect| {
            let domain = find(connect, &name)?;
            if domain.autostart()? != on {
                domain.set_autostart(on)?;
            }
            Ok(())
        };
        self.link.change(doing, SHORT, set).await
    }

    async fn act(
        &self,
        doing: &str,
        name: &str,
        act: impl FnOnce(&Domain, DomainPower) -> Result<(), Fault> + Send + 'static,
    ) -> Result<(), HostError> {
        let (doing, name) = (format!("{doing} {name}"), name.to_owned());
        let act = move |connect: &Connect| {
            let domain = find(connect, &name)?;
            act(&domain, power(&domain)?)
        };
        self.link.change(doing, LONG, act).await
    }
}

pub(super) fn power(domain: &Domain) -> Result<DomainPower, Fault> {
    let (state, reason) = sys::state(domain)?;
    Ok(DomainPower::of(state, reason))
}

/// An act that failed because somebody else was quicker did not fail.
fn unless_so(
    domain: &Domain,
    result: Result<(), Error>,
    is_so: impl Fn(DomainPower) -> bool,
) -> Result<(), Fault> {
    match result {
        Err(error) if is(&error, c::VIR_ERR_OPERATION_INVALID) && is_so(power(domain)?) => Ok(()),
        other => Ok(other?),
    }
}

fn shut_down(domain: &Domain, power: DomainPower) -> Result<(), Fault> {
    if !power.is_active() || power == DomainPower::ShuttingDown {
        return Ok(());
    }
    let acpi = domain.shutdown_flags(c::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN);
    if acpi.is_err() && !self::power(domain)?.is_active() {
        return Ok(());
    }
    let by_acpi = acpi.map_err(Fault::from);
    if !domain
        .xml_desc(0)
        .is_ok_and(|text| xml::has_agent(&text).unwrap_or(false))
    {
        return by_acpi;
    }
    // It may be on its way down already: one of both is enough.
    let by_agent = domain.shutdown_flags(c::VIR_DOMAIN_SHUTDOWN_GUEST_AGENT);
    if by_agent.is_ok() { Ok(()) } else { by_acpi }
}
