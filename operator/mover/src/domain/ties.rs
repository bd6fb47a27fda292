//! What a machine needs of the host that it is on.

use std::fmt;

use super::disks::{Device, Disk, Kind};
use super::edit::Domain;
use super::tree::Element;

/// Something of a host that a machine needs, which another host may not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// What it is.
    pub what: Tied,
    /// Its path; for what has none, its name or address.
    pub path: String,
}

/// What a machine can need of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tied {
    /// The program that emulates it.
    Emulator,
    /// A kernel that it boots without its disk.
    Kernel,
    /// The first file system of that kernel.
    Initrd,
    /// A table that describes hardware.
    Table,
    /// Its firmware.
    Firmware,
    /// What its firmware remembers begins as this.
    NvramTemplate,
    /// What its firmware remembers; each machine has its own.
    Nvram,
    /// A disk on a device of the host.
    BlockDevice,
    /// A disk in a pool, by the names of pool and volume.
    Volume,
    /// A disk that another machine serves.
    NetworkDisk,
    /// A disk of some other kind.
    OtherDisk,
    /// A device of the host that is passed through.
    HostDevice,
    /// A folder of the host that the guest sees.
    Folder,
    /// What its TPM remembers; kept by libvirt under the number of the machine.
    Tpm,
    /// A secret of libvirt, by its number.
    Secret,
    /// A filter of packets, by its name.
    Filter,
    /// The code of a card.
    Rom,
}

impl fmt::Display for Tied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Emulator => "emulator",
            Self::Kernel => "kernel",
            Self::Initrd => "initrd",
            Self::Table => "table of hardware",
            Self::Firmware => "firmware",
            Self::NvramTemplate => "template of firmware variables",
            Self::Nvram => "firmware variables",
            Self::BlockDevice => "block device",
            Self::Volume => "volume of a pool",
            Self::NetworkDisk => "network disk",
            Self::OtherDisk => "disk of a rare kind",
            Self::HostDevice => "host device",
            Self::Folder => "shared folder",
            Self::Tpm => "TPM",
            Self::Secret => "secret",
            Self::Filter => "network filter",
            Self::Rom => "card firmware",
        })
    }
}

impl Domain {
    /// What must be at another host too, or be given to it otherwise, for the machine to run there. Files of
    /// disks and networks are not among them.
    pub fn ties(&self) -> Vec<Tie> {
        let mut ties = Vec::new();
        let mut add = |what, path: String| {
            let tie = Tie { what, path };
            if !tie.path.is_empty() && !ties.contains(&tie) {
                ties.push(tie);
            }
        };
        self.boot_ties(&mut add);
        for disk in self.disks() {
            disk_tie(&disk, &mut add);
        }
        if let Some(devices) = self.root.child("devices") {
            devices
                .children()
                .for_each(|device| device_ties(device, &mut add));
        }
        secrets(&self.root, &mut add);
        ties
    }

    fn boot_ties(&self, add: &mut impl FnMut(Tied, String)) {
        let boot = self
            .root
            .child("os")
            .into_iter()
            .flat_map(Element::children);
        for child in boot {
            let what = match child.name.as_str() {
                "kernel" => Tied::Kernel,
                "initrd" => Tied::Initrd,
                "dtb" => Tied::Table,
                "loader" => Tied::Firmware,
                "nvram" => {
                    add(Tied::NvramTemplate, attribute(child, "template"));
                    let source = child.child("source");
                    add(
                        Tied::Nvram,
                        source.map_or_else(String::new, |source| attribute(source, "file")),
                    );
                    Tied::Nvram
                }
                "acpi" => {
                    child
                        .named("table")
                        .for_each(|table| add(Tied::Table, table.text()));
                    continue;
                }
                _ => continue,
            };
            add(what, child.text());
        }
    }
}

fn disk_tie(disk: &Disk, add: &mut impl FnMut(Tied, String)) {
    // Media are ejected, and so need not be anywhere.
    if matches!(disk.device, Device::Cdrom | Device::Floppy) {
        return;
    }
    let path = disk.path.as_ref().map(|path| path.display().to_string());
    let target = disk.target.clone();
    match &disk.kind {
        Kind::File => {}
        Kind::Block => add(Tied::BlockDevice, path.unwrap_or(target)),
        Kind::Volume => {
            let name = |(pool, volume): &(String, String)| format!("{pool}/{volume}");
            add(Tied::Volume, disk.volume.as_ref().map_or(target, name));
        }
        Kind::Network => add(Tied::NetworkDisk, target),
        Kind::Other(_) => add(Tied::OtherDisk, path.unwrap_or(target)),
    }
}

fn device_ties(device: &Element, add: &mut impl FnMut(Tied, String)) {
    let source = |name: &str| {
        let source = device.child("source");
        source.map_or_else(String::new, |source| attribute(source, name))
    };
    let kind = device.get("type").unwrap_or_default();
    match (device.name.as_str(), kind) {
        ("emulator", _) => add(Tied::Emulator, device.text()),
        ("hostdev", _) | ("interface", "hostdev") => add(Tied::HostDevice, passed_through(device)),
        ("filesystem", "mount" | "") => add(Tied::Folder, source("dir")),
        ("filesystem", _) => add(Tied::Folder, source("file") + &source("dev")),
        ("serial" | "parallel" | "console" | "channel", "dev") => {
            add(Tied::HostDevice, source("path"));
        }
        ("tpm", _) => device.named("backend").for_each(|backend| {
            let path = backend
                .child("device")
                .map(|device| attribute(device, "path"));
            match path {
                Some(path) => add(Tied::HostDevice, path),
                None => add(Tied::Tpm, attribute(backend, "type")),
            }
        }),
        _ => {}
    }
    if let Some(rom) = device.child("rom") {
        add(Tied::Rom, attribute(rom, "file"));
    }
    if let Some(filter) = device.child("filterref") {
        add(Tied::Filter, attribute(filter, "filter"));
    }
}

/// The address of a device in the host, as libvirt writes it.
fn passed_through(device: &Element) -> String {
    let kind = device.get("type").filter(|_| device.name == "hostdev");
    let source = device.child("source");
    let parts = source.into_iter().flat_map(Element::children);
    let mut words = vec![kind.unwrap_or("pci").to_owned()];
    for part in parts {
        let values = part
            .attributes
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        words.extend(values.filter(|word| word != "type=pci"));
        let text = part.text();
        words.extend((!text.is_empty()).then_some(text));
    }
    words.join(" ")
}

/// Secrets are named in many places, always so.
fn secrets(element: &Element, add: &mut impl FnMut(Tied, String)) {
    for child in element.children() {
        if child.name == "secret" {
            let name = child.get("uuid").or_else(|| child.get("usage"));
            add(Tied::Secret, name.unwrap_or_default().to_owned());
        }
        secrets(child, add);
    }
}

fn attribute(element: &Element, name: &str) -> String {
    element.get(name).unwrap_or_default().to_owned()
}
