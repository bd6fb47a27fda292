//! The disks of a machine, and where they are kept.

use std::path::{Path, PathBuf};

use super::edit::Domain;
use super::error::DomainError;
use super::tree::Element;

/// A disk of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What it is known by: `vda`.
    pub target: String,
    /// The file or device, where it is one of this host.
    pub path: Option<PathBuf>,
    /// The pool and the volume, where it is kept in one.
    pub volume: Option<(String, String)>,
    /// `raw`, `qcow2` and so on.
    pub format: String,
    /// Where it is kept.
    pub kind: Kind,
    /// What the guest sees.
    pub device: Device,
    /// Whether the guest cannot write it.
    pub readonly: bool,
    /// Whether several machines may write it at once.
    pub shareable: bool,
}

/// Where a disk is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In a file.
    File,
    /// On a device of the host.
    Block,
    /// In a volume of a pool.
    Volume,
    /// On another machine.
    Network,
    /// Somewhere else, by libvirt's name for it.
    Other(String),
}

/// What a guest sees of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// A disk.
    Disk,
    /// A disk that it may send any command to.
    Lun,
    /// A drive whose medium can be ejected.
    Cdrom,
    /// A drive whose medium can be ejected.
    Floppy,
}

impl Disk {
    fn of(disk: &Element) -> Self {
        let source = disk.child("source");
        let from = |name: &str| source.and_then(|source| source.get(name));
        let kind = Kind::of(disk.get("type").unwrap_or("file"));
        let path = match &kind {
            Kind::File => from("file"),
            Kind::Block => from("dev"),
            Kind::Other(name) if name == "dir" => from("dir"),
            _ => None,
        };
        let owned = |text: &str| text.to_owned();
        let part = |name: &str, key: &str| {
            let found = disk.child(name).and_then(|part| part.get(key));
            found.map(owned)
        };
        Self {
            target: part("target", "dev").unwrap_or_default(),
            path: path.map(PathBuf::from),
            volume: from("pool").map(owned).zip(from("volume").map(owned)),
            format: part("driver", "type").unwrap_or_else(|| "raw".to_owned()),
            kind,
            device: Device::of(disk),
            readonly: disk.child("readonly").is_some(),
            shareable: disk.child("shareable").is_some(),
        }
    }
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            "file" => Self::File,
            "block" => Self::Block,
            "volume" => Self::Volume,
            "network" => Self::Network,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl Device {
    fn of(disk: &Element) -> Self {
        match disk.get("device") {
            Some("cdrom") => Self::Cdrom,
            Some("floppy") => Self::Floppy,
            Some("lun") => Self::Lun,
            _ => Self::Disk,
        }
    }

    /// Whether its medium can be ejected.
    pub fn is_removable(&self) -> bool {
        matches!(self, Self::Cdrom | Self::Floppy)
    }
}

impl Domain {
    /// All disks, also drives without a medium.
    pub fn disks(&self) -> Vec<Disk> {
        self.devices("disk").map(Disk::of).collect()
    }

    /// Has a disk be kept in a file of this format.
    ///
    /// # Errors
    /// When there is no such disk.
    pub fn set_disk(&mut self, target: &str, path: &Path, format: &str) -> Result<(), DomainError> {
        let is_it = |disk: &&mut Element| {
            let known_by = disk.child("target");
            known_by.is_some_and(|known_by| known_by.is("dev", target))
        };
        let missing = || DomainError::NoDisk {
            target: target.to_owned(),
        };
        let disk = self.devices_mut("disk").find(is_it).ok_or_else(missing)?;
        disk.set("type", "file");
        if disk.is("device", "lun") {
            // Commands of any kind are for real devices.
            disk.set("device", "disk");
            disk.unset("sgio");
            disk.unset("rawio");
        }
        disk.retain(|child| !matches!(child.name.as_str(), "backingStore" | "mirror" | "auth"));
        let driver = disk.make("driver");
        if driver.get("name").is_none() {
            driver.set("name", "qemu");
        }
        driver.set("type", format);
        if format != "qcow2" {
            driver.unset("discard_no_unref");
            driver.remove("metadata_cache");
        }
        let source = disk.make("source");
        source.attributes.clear();
        source.set("file", &path.to_string_lossy());
        // Where the other storage is and how to get in is of no use here.
        source.retain(|child| matches!(child.name.as_str(), "encryption" | "seclabel"));
        Ok(())
    }

    /// Takes away the disks that are not among these; drives whose medium can be ejected stay.
    pub fn keep_disks(&mut self, targets: &[&str]) {
        let Some(devices) = self.root.child_mut("devices") else {
            return;
        };
        devices.retain(|device| {
            let target = device.child("target").and_then(|target| target.get("dev"));
            device.name != "disk"
                || Device::of(device).is_removable()
                || target.is_some_and(|target| targets.contains(&target))
        });
    }

    /// Takes the media out of all drives: they are not at the other site.
    pub fn eject_removable(&mut self) {
        for disk in self.devices_mut("disk") {
            if Device::of(disk).is_removable() {
                disk.set("type", "file");
                let medium = ["source", "backingStore", "mirror", "auth"];
                disk.retain(|child| !medium.contains(&child.name.as_str()));
            }
        }
    }
}
