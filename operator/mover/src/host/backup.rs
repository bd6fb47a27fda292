//! Backups: a machine's disks as they were at one instant, to be read over NBD while the machine goes on.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys as c;

use super::fault::{Fault, HostError};
use super::link::{LONG, SHORT};
use super::power::power;
use super::{DomainPower, Host, disks, find_active, find_any, is, sys, xml};

/// An aborted job takes milliseconds to end, more where storage is slow.
const ABORTED: Duration = Duration::from_mins(1);
const INTERVAL: Duration = Duration::from_millis(20);

/// A backup, before it is begun.
///
/// The exports are called as the disks are. With `from` each has the context
/// `qemu:dirty-bitmap:backup-` and its name, which tells what changed since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The checkpoint since which changes are wanted. Without it everything is new.
    pub from: Option<String>,
    /// The checkpoint that is made in the same instant.
    pub checkpoint: String,
    /// The disks, such as `vda`.
    pub disks: Vec<String>,
    /// Those of them that the machine did not have at the checkpoint `from`: of these everything is new.
    pub fresh: Vec<String>,
    /// Where QEMU listens.
    pub listen: Listen,
    /// A folder at the host for what the guest overwrites while the backup is open.
    pub scratch: PathBuf,
}

/// Where QEMU offers the disks of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A socket at the host: a path of at most 107 bytes.
    Socket(PathBuf),
    /// A port of one of the host's addresses.
    Tcp {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
        /// With the certificates of the host (`backup_tls_x509_cert_dir`).
        tls: bool,
    },
}

impl Host {
    /// Begins a backup, which stays open until [`end_backup`](Self::end_backup), whoever holds it.
    ///
    /// # Errors
    /// [`HostError::NoBitmap`] when what changed since `from` is not known; [`HostError::Busy`] when the machine
    /// has another job, such as a backup; [`HostError::PortTaken`] when somebody listens there. When the machine does not run or has no such disk, or the host does
    /// not answer. Where the host does not answer the backup may be open all the same.
    pub async fn begin_backup(&self, name: &str, backup: &Backup) -> Result<(), HostError> {
        let (doing, name, backup) = (
            format!("begin a backup of {name}"),
            name.to_owned(),
            backup.clone(),
        );
        self.link
            .call(doing, LONG, move |connect| begin(connect, &name, &backup))
            .await
    }

    /// Closes the backup that is open, whoever reads it, if its scratch files are in this folder: another one is
    /// somebody else's. The checkpoint of its instant stays.
    ///
    /// # Errors
    /// When the host does not answer. That none is open, or no such machine is there, is none.
    pub async fn end_backup(&self, name: &str, scratch: &Path) -> Result<(), HostError> {
        let (doing, name) = (format!("end the backup of {name}"), name.to_owned());
        let scratch = scratch.to_owned();
        self.link
            .call(doing, LONG, move |connect| end(connect, &name, &scratch))
            .await
    }

    /// Whether a backup is open.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn backup_open(&self, name: &str) -> Result<bool, HostError> {
        let (doing, name) = (format!("look for a backup of {name}"), name.to_owned());
        let look = move |connect: &Connect| match find_any(connect, &name)? {
            Some(domain) => is_open(&domain),
            None => Ok(false),
        };
        self.link.call(doing, SHORT, look).await
    }
}

fn begin(connect: &Connect, name: &str, backup: &Backup) -> Result<(), Fault> {
    let domain = find_active(connect, name)?;
    if power(&domain)? == DomainPower::ShuttingDown {
        return Err(Fault::Busy("it is being shut down".to_owned()));
    }
    if is_open(&domain)? {
        return Err(Fault::Busy("a backup is open".to_owned()));
    }
    if let Some(from) = &backup.from
        && !sys::checkpoints(&domain)?.contains(from)
    {
        return Err(Fault::NoBitmap(format!("there is no checkpoint {from}")));
    }
    let disks = disks(&domain)?;
    let checkpoint = xml::checkpoint(&backup.checkpoint, &backup.disks, &disks)?;
    sys::begin_backup(&domain, &xml::backup(name, backup, &disks)?, &checkpoint)
}

fn end(connect: &Connect, name: &str, scratch: &Path) -> Result<(), Fault> {
    let Some(domain) = find_any(connect, name)? else {
        return Ok(());
    };
    let begun = Instant::now();
    // Only a backup is aborted: another job of the machine is somebody else's, and so may a backup be.
    match open(&domain)? {
        Some(backup) if xml::scratches_in(&backup, scratch)? => {}
        _ => return Ok(()),
    }
    match sys::abort_job(&domain) {
        // It ended meanwhile.
        Err(error) if is(&error, c::VIR_ERR_OPERATION_INVALID) && !is_open(&domain)? => {
            return Ok(());
        }
        other => other?,
    }
    while is_open(&domain)? {
        if begun.elapsed() > ABORTED {
            return Err(Fault::Busy(
                "the backup was aborted and does not end".to_owned(),
            ));
        }
        thread::sleep(INTERVAL);
    }
    Ok(())
}

fn is_open(domain: &Domain) -> Result<bool, Fault> {
    Ok(open(domain)?.is_some())
}

/// The backup that is open, as libvirt describes it.
fn open(domain: &Domain) -> Result<Option<String>, Fault> {
    match sys::backup(domain) {
        Ok(description) => Ok(Some(description)),
        Err(error) if is(&error, c::VIR_ERR_NO_DOMAIN_BACKUP) => Ok(None),
        // A machine that is off has no jobs.
        Err(error) => match error.into() {
            Fault::NotRunning | Fault::NoSuchDomain => Ok(None),
            fault => Err(fault),
        },
    }
}
