//! What a machine must have, before anything is started.

use std::{
    collections::BTreeSet,
    env,
    ffi::{OsStr, OsString},
    path::Path,
};

use super::error::Error;

/// Programs that a lab runs, and the Debian package that brings each.
const PROGRAMS: [(&str, &str); 11] = [
    ("libvirtd", "libvirt-daemon-system"),
    ("virsh", "libvirt-clients"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("qemu-nbd", "qemu-utils"),
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("mke2fs", "e2fsprogs"),
    ("xz", "xz-utils"),
];

/// Administrators' programs, which are not on everybody's path.
const ALSO: [&str; 2] = ["/usr/sbin", "/sbin"];

/// The Debian packages that a lab needs, in the order of the alphabet.
pub fn packages() -> BTreeSet<&'static str> {
    PROGRAMS.iter().map(|(_, package)| *package).collect()
}

/// What every program of a lab has for its `PATH`.
pub(super) fn path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    for folder in ALSO {
        path.push(":");
        path.push(folder);
    }
    path
}

/// Looks whether this user and this machine can have a lab.
pub(super) fn check() -> Result<(), Error> {
    let missing = missing(&path());
    if !missing.is_empty() {
        return Err(Error::Missing { programs: missing });
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    Ok(())
}

/// Programs that are not in any folder of a path, each with its package.
fn missing(path: &OsStr) -> Vec<(&'static str, &'static str)> {
    let is_there = |program: &str| {
        let mut folders = env::split_paths(path);
        folders.any(|folder| Path::new(&folder).join(program).is_file())
    };
    let mut missing = PROGRAMS.to_vec();
    missing.retain(|(program, _)| !is_there(program));
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_the_line_that_installs_it() {
        // Given a machine that has all but two of them
        let folder = tempfile::tempdir().unwrap();
        for (program, _) in PROGRAMS {
            if !program.starts_with("qemu-") {
                std::fs::write(folder.path().join(program), "").unwrap();
            }
        }

        // Then these are named, and each package once.
        let error = Error::Missing {
            programs: missing(folder.path().as_os_str()),
        };
        assert_eq!(
            error.to_string(),
            "not installed: qemu-system-x86_64, qemu-img, qemu-nbd"
        );
        assert_eq!(
            error.hint().unwrap(),
            "as root: apt-get install --no-install-recommends qemu-system-x86 qemu-utils"
        );
    }
}
