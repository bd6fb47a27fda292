//! A machine that counts: see `guest/init`.

use std::path::{Path, PathBuf};

use super::assets::Assets;

/// What a guest is made of, before a site [defines](super::Site::define) it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    name: String,
    disks: u8,
    address: Option<String>,
    load_kib: u32,
    is_deaf: bool,
    has_firmware: bool,
}

impl Guest {
    /// A guest with one disk and without an address, that shuts down when it is asked to.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            disks: 1,
            address: None,
            load_kib: 0,
            is_deaf: false,
            has_firmware: false,
        }
    }

    /// With so many disks, at least one; each count goes to all of them, in order.
    #[must_use]
    pub fn with_disks(self, disks: u8) -> Self {
        Self { disks, ..self }
    }

    /// With this last part of its address, `192.168.77.…`: it serves its disk by HTTP to its site.
    #[must_use]
    pub fn with_address(self, last: u8) -> Self {
        Self {
            address: Some(format!("192.168.77.{last}")),
            ..self
        }
    }

    /// Overwrites so many KiB of each disk with each count.
    #[must_use]
    pub fn with_load(self, kib: u32) -> Self {
        Self {
            load_kib: kib,
            ..self
        }
    }

    /// Does not shut down, however nicely it is asked.
    #[must_use]
    pub fn deaf(self) -> Self {
        Self {
            is_deaf: true,
            ..self
        }
    }

    /// Boots by UEFI, of the package `ovmf`, which remembers things in a file of the pool.
    #[must_use]
    pub fn with_firmware(self) -> Self {
        Self {
            has_firmware: true,
            ..self
        }
    }

    /// How libvirt calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its disks are in the folder of a storage pool, in order.
    pub fn disks(&self, pool: &Path) -> Vec<PathBuf> {
        let disk = |number| pool.join(format!("{}-{number}.qcow2", self.name));
        (0..self.disks.max(1)).map(disk).collect()
    }

    /// Where its firmware remembers, in the folder of a storage pool.
    pub fn variables(&self, pool: &Path) -> PathBuf {
        pool.join(format!("{}-variables.fd", self.name))
    }

    /// Its console's log below libvirt's own: the same path at both sites.
    pub(super) fn console(name: &str) -> String {
        format!("console-{name}.log")
    }

    /// How libvirt describes it. At the other site the same is true, but for the folder of the pool.
    pub(super) fn xml(&self, assets: &Assets, pool: &Path) -> String {
        let Self { name, .. } = self;
        let disks: String = self.disks(pool).iter().zip('a'..).map(disk_xml).collect();
        let console = format!("/var/log/libvirt/{}", Self::console(name));
        format!(
            "<domain type='{accelerator}'><name>{name}</name>\
             <memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>\
             <os><type arch='x86_64' machine='q35'>hvm</type>{firmware}\
             <kernel>{kernel}</kernel><initrd>{initrd}</initrd>\
             <cmdline>{arguments}</cmdline></os>\
             <features><acpi/><apic/></features>\
             <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>\
             <devices>{disks}\
             <interface type='network'><source network='lan'/><model type='virtio'/></interface>\
             <serial type='file'><source path='{console}' append='on'/><target port='0'/></serial>\
             <console type='file'><source path='{console}' append='on'/><target type='serial' port='0'/></console>\
             <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>\
             <memballoon model='none'/></devices></domain>",
            accelerator = assets.accelerator(),
            memory = if self.has_firmware { 256 } else { 128 },
            firmware = self.firmware(pool),
            kernel = assets.kernel().display(),
            initrd = assets.initrd().display(),
            arguments = self.arguments(),
        )
    }

    fn firmware(&self, pool: &Path) -> String {
        if !self.has_firmware {
            return String::new();
        }
        format!(
            "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>\
             <nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>{}</nvram>",
            self.variables(pool).display()
        )
    }

    fn arguments(&self) -> String {
        let mut arguments = vec![super::assets::KERNEL_ARGUMENTS.to_owned()];
        if let Some(address) = &self.address {
            arguments.push(format!("drover.ip={address}/24"));
        }
        if self.load_kib > 0 {
            arguments.push(format!("drover.load={}", self.load_kib));
        }
        if self.is_deaf {
            arguments.push("drover.shutdown=ignore".to_owned());
        }
        arguments.join(" ")
    }
}

fn disk_xml((path, letter): (&PathBuf, char)) -> String {
    // Without the host's cache a guest's own flush is what makes its writes durable.
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' discard='unmap'/>\
         <source file='{}'/><target dev='vd{letter}' bus='virtio'/></disk>",
        path.display()
    )
}
