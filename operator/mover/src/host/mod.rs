//! One host: a connection to its libvirt, asynchronous and safe.
//!
//! A host may freeze, restart or vanish at any time. Whatever is asked for is answered within a limited time,
//! with [`HostError::Unreachable`] where the host says nothing; the next question connects anew. Acts can be
//! repeated: what is so already is no error.
//!
//! What may not enter: decisions about machines, retries, and what another host says.
//!
//! ```no_run
//! use drover_mover::host::Host;
//!
//! # async fn example() -> Result<(), drover_mover::host::HostError> {
//! let host = Host::new("host-1", "qemu+tls://host-1.example/system");
//! for domain in host.domains().await? {
//!     if domain.power.is_active() {
//!         host.shutdown(&domain.name).await?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod about;
mod awaited;
mod backup;
mod checkpoint;
mod domain;
mod event;
mod fault;
mod fold;
mod guest;
mod known;
mod link;
mod opening;
mod power;
mod sys;
mod xml;

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;
use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys as c;

pub use about::{About, Pool};
pub use backup::{Backup, Listen};
pub use domain::{DomainPower, DomainSeen, Which};
pub use fault::{HostError, Task};
pub use power::{Ending, Start};

use fault::Fault;
use link::Link;

/// A host, by the address of its libvirt.
///
/// Clones share one connection. It is made when it is first needed.
#[derive(Clone)]
pub struct Host {
    link: Arc<Link>,
}

impl Host {
    /// A host under a name of our own, at an address such as `qemu+tls://host-1.example/system`.
    ///
    /// Nobody is asked for a password: what the address needs is there, or [`HostError::Refused`] says not.
    pub fn new(name: impl Into<String>, uri: impl Into<String>) -> Self {
        Self {
            link: Arc::new(Link::new(name.into(), uri.into())),
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.link.name()
    }

    /// A count that grows when any machine of the host starts, stops or the like, when the agent of a guest
    /// comes or goes, and when the connection does.
    ///
    /// A connection that is lost is made anew by the next question, not by itself.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.link.changed()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut host = f.debug_struct("Host");
        host.field("name", &self.name())
            .field("uri", &self.link.uri())
            .finish_non_exhaustive()
    }
}

/// A domain that must be there.
fn find(connect: &Connect, name: &str) -> Result<Domain, Fault> {
    Ok(connect.lookup_domain_by_name(name)?)
}

/// A domain that may be there.
fn find_any(connect: &Connect, name: &str) -> Result<Option<Domain>, Fault> {
    match find(connect, name) {
        Ok(domain) => Ok(Some(domain)),
        Err(Fault::NoSuchDomain) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// A domain that must be there and must not be off.
fn find_active(connect: &Connect, name: &str) -> Result<Domain, Fault> {
    let domain = find(connect, name)?;
    if domain.is_active()? {
        Ok(domain)
    } else {
        Err(Fault::NotRunning)
    }
}

/// The disks of a domain, as it runs.
fn disks(domain: &Domain) -> Result<Vec<xml::Disk>, Fault> {
    xml::disks(&domain.xml_desc(0)?)
}

/// Whether an error of libvirt has this code.
fn is(error: &virt::error::Error, code: c::virErrorNumber) -> bool {
    error.code().to_raw() == code
}
