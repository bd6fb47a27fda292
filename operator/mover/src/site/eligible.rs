//! Whether a machine can be protected: what no copy of it could have is found before anybody relies on one.

use drover_api::value::MachineName;
use drover_libvirt::protocol::{Described, DiskDescribed};
use drover_world::FabricError;

use super::lend::is_copied;
use super::refusal::{retryable, terminal};
use crate::domain::{Domain, Tie, Tied};

/// Whether all of a machine can be copied, but for disks that a person excluded.
pub(super) fn eligible(
    machine: &MachineName,
    described: &Described,
    excluded: &[String],
) -> Result<(), FabricError> {
    let domain = Domain::parse(&described.xml)?;
    copyable(machine, described, excluded)?;
    nothing_forgotten(machine, &domain, described, excluded)?;
    nothing_tied(machine, &domain)
}

/// Whether a disk can remember what changed.
pub(super) fn can_be_copied(disk: &DiskDescribed) -> bool {
    disk.format == "qcow2"
}

/// Whether all disks of a machine can be copied as they change.
fn copyable(
    machine: &MachineName,
    described: &Described,
    excluded: &[String],
) -> Result<(), FabricError> {
    let disks = described.disks.iter();
    let mut copied = disks
        .filter(|disk| !excluded.contains(&disk.target))
        .peekable();
    if copied.peek().is_none() {
        return Err(terminal(
            format!("{machine} has no disk that could be copied"),
            "look at its disks: files in qcow2 are copied, and not all may be excluded",
        ));
    }
    match copied.find(|disk| !can_be_copied(disk)) {
        None => Ok(()),
        Some(disk) => Err(terminal(
            format!(
                "the disk {} of {machine} is {}, which cannot remember what changed",
                disk.target, disk.format
            ),
            "convert it to qcow2, or exclude it",
        )),
    }
}

/// A disk that the guest writes and that cannot be copied is excluded by a person, never in silence.
fn nothing_forgotten(
    machine: &MachineName,
    domain: &Domain,
    described: &Described,
    excluded: &[String],
) -> Result<(), FabricError> {
    let forgotten = domain.disks().into_iter().find(|disk| {
        let copied = described
            .disks
            .iter()
            .any(|known| known.target == disk.target);
        !copied && !disk.readonly && !disk.device.is_removable() && !excluded.contains(&disk.target)
    });
    match forgotten {
        None => Ok(()),
        Some(disk) if is_copied(&disk) => Err(retryable(
            format!(
                "the disk {} of {machine} is not where the mover can read it, or the machine has it only from its \
                 next start on",
                disk.target
            ),
            "look at the storage of the site, or exclude it",
        )),
        Some(disk) => Err(terminal(
            format!(
                "the disk {} of {machine} is no file of its own",
                disk.target
            ),
            "move it to a file in qcow2, or exclude it",
        )),
    }
}

/// What a machine would miss at another site is taken away by a person, and not found out on the worst day.
fn nothing_tied(machine: &MachineName, domain: &Domain) -> Result<(), FabricError> {
    let ties = domain.ties().into_iter();
    let tied = |tie: &Tie| matches!(tie.what, Tied::Tpm | Tied::HostDevice | Tied::Folder);
    let ties: Vec<String> = ties
        .filter(tied)
        .map(|tie| format!("{} ({})", tie.what, tie.path))
        .collect();
    if ties.is_empty() {
        return Ok(());
    }
    Err(terminal(
        format!(
            "{machine} has what no copy of it can have: {}",
            ties.join(", ")
        ),
        "detach it from the machine, or do not protect that",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_come_along_is_refused_before_anybody_relies_on_it() {
        // SPEC: PR-1, RD-1
        let told = |devices: &str| {
            let xml = format!("<domain><name>db-1</name><devices>{devices}</devices></domain>");
            let domain = Domain::parse(&xml).unwrap();
            nothing_tied(&"db-1".parse().unwrap(), &domain).map_err(|error| error.message)
        };
        assert_eq!(told("<emulator>/usr/bin/qemu</emulator>"), Ok(()));
        let both = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>\
            <filesystem type='mount'><source dir='/srv/shared'/></filesystem>";
        let expected =
            "db-1 has what no copy of it can have: TPM (emulator), shared folder (/srv/shared)";
        assert_eq!(told(both), Err(expected.to_owned()));
    }
}
