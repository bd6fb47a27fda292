//! What a first copy begins from: nothing, a machine that is here already, or files that were brought by other
//! means.
//!
//! Whatever it is, both sides are compared, and only what differs travels: what was brought may be old, or
//! damaged. It becomes what the copy is based on, so that writing to it later is noticed.

use std::collections::BTreeMap;
use std::path::Path;

use drover_api::InitialReplication;
use drover_api::value::MachineName;
use drover_libvirt::protocol::Described;
use drover_world::FabricError;
use tracing::info;

use super::Site;
use super::power::is_off;
use super::refusal::{retryable, terminal};
use crate::host::{DomainSeen, Host};
use crate::image;
use crate::record::{Base, Half, wants};

/// Where a copy that was brought by other means is looked for, in the folder of its machine.
const SEED: &str = "seed";

impl Site {
    /// What a machine's first copy begins from, where that is a machine that stands here.
    pub(super) async fn existing(
        &self,
        machine: &MachineName,
        found: Option<(&Host, DomainSeen)>,
        wanted: &Described,
        excluded: &[String],
    ) -> Result<Base, FabricError> {
        let Some((host, seen)) = found else {
            return Err(terminal(
                format!("there is no machine {machine} here whose disks the copy could begin with"),
                "define it, or declare `initialReplication: Online`",
            ));
        };
        if !is_off(&seen) {
            return Err(retryable(
                format!("{machine} runs where the copy would be written"),
                "stop it there first",
            ));
        }
        let mut disks = self.copied_disks(host, machine).await?;
        disks.retain(|disk, _| wants(wanted, excluded, disk));
        if disks.is_empty() {
            return Err(terminal(
                format!("{machine} has other disks here than at the other site"),
                "give its disks the same names (`vda`), or declare `initialReplication: Online`",
            ));
        }
        info!(%machine, ?disks, "its copy begins with what is here");
        let seal = Self::seal(disks.values())?;
        Ok(Base::new(disks, seal))
    }

    /// Takes up what was brought by other means, before the first copy begins.
    pub(super) async fn take_up_seeds(&self, machine: &MachineName) -> Result<(), FabricError> {
        let Some(half) = self.store.get(machine).half else {
            return Ok(());
        };
        let waits = half.terms.initial == InitialReplication::OfflineSeed;
        if !waits || !half.layers.is_empty() {
            return Ok(());
        }
        let Some(described) = &half.described else {
            return Ok(());
        };
        let mut files = BTreeMap::new();
        for disk in &described.disks {
            if !half.is_wanted(&disk.target) {
                continue;
            }
            let file = self.store.folder(machine).join(SEED);
            let file = file.join(format!("{}.qcow2", disk.target));
            fit(machine, &disk.target, &file, disk.size).await?;
            files.insert(disk.target.clone(), file);
        }
        info!(%machine, ?files, "its copy begins with what was brought");
        let seal = Self::seal(files.values())?;
        self.change_half(machine, |half| base_on(half, Base::new(files, seal)))
    }
}

/// The copy is based on these files from now on.
pub(super) fn base_on(half: &mut Half, base: Base) {
    for (disk, file) in &base.files {
        half.layers.insert(disk.clone(), vec![file.clone()]);
    }
    half.base = Some(base);
}

/// Whether a file can be what a disk's copy begins with.
async fn fit(machine: &MachineName, disk: &str, file: &Path, size: u64) -> Result<(), FabricError> {
    let shown = file.display();
    if !file.is_file() {
        return Err(retryable(
            format!(
                "the copy of the disk {disk} of {machine} was not brought yet: there is no {shown}"
            ),
            "bring it under another name in that folder and rename it, or declare `initialReplication: Online`",
        ));
    }
    let info = image::info(file).await?;
    let refused = if info.format != "qcow2" {
        Some(format!("it is {}", info.format))
    } else if let Some(below) = info.backing {
        Some(format!("it is based on {}", below.display()))
    } else if info.virtual_size > size {
        Some(format!(
            "it has {} bytes, the disk {size}",
            info.virtual_size
        ))
    } else {
        None
    };
    match refused {
        None => Ok(()),
        Some(why) => Err(terminal(
            format!("the copy of the disk {disk} of {machine} in {shown} cannot be used: {why}"),
            "bring a qcow2 file that stands alone (`qemu-img convert -O qcow2`)",
        )),
    }
}
