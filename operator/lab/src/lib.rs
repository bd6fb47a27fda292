//! Two libvirt sites on one machine, with real guests and a WAN between them that can fail.
//!
//! ```no_run
//! use drover_lab::{Guest, Lab, Side};
//!
//! let lab = Lab::start().unwrap();
//! let primary = lab.site(Side::Primary);
//! primary.define(&Guest::new("db-1").with_disks(2)).unwrap();
//! primary.virsh(&["start", "db-1"]).unwrap();
//! let console = primary.wait_for("db-1", |console| console.heartbeat() > Some(10)).unwrap();
//! lab.wan().black_hole().unwrap();
//! ```
//!
//! A site is a stock `libvirtd` without systemd in a network, mount and process namespace of its own; the
//! sites are joined by a third network namespace, the WAN. All of them live inside one process namespace
//! whose first process reads from a pipe that this process holds: however this process ends, all that it
//! started ends with it, and its folder goes. No namespace or interface has a name that others could see,
//! so a run that was killed leaves nothing that could stand in the way of the next.
//!
//! Guests run under KVM where a probe shows that it works, else they are emulated: then a boot takes
//! seconds on a quiet machine, and tens of seconds on a busy one.
//!
//! It wants root: a QEMU that libvirt starts gives up groups, which a user namespace of one user forbids.
//! What the loss of power does to what a guest wrote without waiting for it is not part of the lab: the
//! machine that holds the disks is never really switched off.

use std::sync::Arc;

use tempfile::TempDir;

mod assets;
mod certificates;
mod console;
mod error;
mod guest;
mod listener;
mod movers;
mod namespace;
mod requirements;
mod scripts;
mod site;
mod wan;

use assets::Assets;
pub use console::{Boot, Console};
use error::Doing as _;
pub use error::Error;
pub use guest::Guest;
pub use listener::{Heard, Listener};
pub use movers::Movers;
use namespace::Namespace;
pub use requirements::packages;
use scripts::Scripts;
pub use site::{Service, Site};
use wan::Cable;
pub use wan::Wan;

/// One of the two sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Where guests run as long as nothing happens.
    Primary,
    /// Where they run when something did.
    Secondary,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Primary, Self::Secondary];

    /// How it is called in the names of folders and interfaces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Primary => Self::Secondary,
            Self::Secondary => Self::Primary,
        }
    }

    /// Where the others reach it over the WAN.
    pub fn address(self) -> &'static str {
        match self {
            Self::Primary => "10.77.1.1",
            Self::Secondary => "10.77.2.1",
        }
    }
}

/// Two sites and the WAN between them, which belong to this process.
///
/// Dropping it ends everything that runs in it, and removes its folder.
#[derive(Debug)]
pub struct Lab {
    assets: Arc<Assets>,
    // In the order in which they end: the folder goes last.
    sites: [Site; 2],
    wan: Arc<Wan>,
    scripts: Scripts,
    folder: TempDir,
}

impl Lab {
    /// Looks whether this user and this machine can have one, before anything is started.
    ///
    /// # Errors
    ///
    /// If a program is missing, or this is not root.
    pub fn check() -> Result<(), Error> {
        requirements::check()
    }

    /// Starts both sites and returns when their `libvirtd` answer.
    ///
    /// The first time on a machine this downloads Debian packages and builds the guest, see `guest/build`;
    /// what that says goes to stderr.
    ///
    /// # Errors
    ///
    /// If a program is missing, if this user may not make namespaces, or if a `libvirtd` does not answer in
    /// time.
    pub fn start() -> Result<Self, Error> {
        Self::check()?;
        let folder = tempfile::Builder::new()
            .prefix("drover-libvirt-")
            .tempdir()
            .doing("make a temporary folder")?;
        let scripts = Scripts::lay_out(folder.path())?;
        let wan = Arc::new(Wan::new(Namespace::of_lab(folder.path(), &scripts)?));
        let assets = Arc::new(Assets::find(&scripts, wan.namespace())?);
        let site = |side| {
            let (wan, assets) = (Arc::clone(&wan), Arc::clone(&assets));
            Site::new(side, Cable::of(side), folder.path(), &scripts, wan, assets)
        };
        let lab = Self {
            sites: [site(Side::Primary)?, site(Side::Secondary)?],
            wan: Arc::clone(&wan),
            scripts: scripts.clone(),
            assets: Arc::clone(&assets),
            folder,
        };
        // Both at once: each takes seconds of its own.
        for site in &lab.sites {
            site.switch_on()?;
        }
        for site in &lab.sites {
            site.wait_until_ready()?;
            site.furnish()?;
        }
        Ok(lab)
    }

    /// Whether guests run under KVM; else they are emulated.
    pub fn has_kvm(&self) -> bool {
        self.assets.has_kvm()
    }

    /// Another host of a site, which shares the folder of its storage pool and nothing else, and returns when
    /// its `libvirtd` answers. It is switched off when what is returned is dropped.
    ///
    /// # Errors
    ///
    /// If there is one already, or its `libvirtd` does not answer in time.
    pub fn second_host(&self, side: Side) -> Result<Site, Error> {
        let (wan, assets) = (Arc::clone(&self.wan), Arc::clone(&self.assets));
        let (cable, folder) = (Cable::of_second(side), self.folder.path());
        let host = Site::new(side, cable, folder, &self.scripts, wan, assets)?;
        host.switch_on()?;
        host.wait_until_ready()?;
        host.furnish()?;
        Ok(host)
    }

    /// One of the sites.
    pub fn site(&self, side: Side) -> &Site {
        match side {
            Side::Primary => &self.sites[0],
            Side::Secondary => &self.sites[1],
        }
    }

    /// What is between them.
    pub fn wan(&self) -> &Wan {
        &self.wan
    }
}
