//! What is made once on a machine and kept for the next lab.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use super::{
    error::{Doing as _, Error},
    namespace::Namespace,
    scripts::Scripts,
};

/// For every boot. An emulated timer on a busy machine can be too late for the kernel's own check of it.
pub(super) const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet loglevel=1 panic=-1 no_timer_check";

/// A guest under KVM says that it lives within a second; where KVM is broken it says nothing for ever.
const PROBE_SECONDS: &str = "10";

#[derive(Debug)]
pub(super) struct Assets {
    folder: PathBuf,
    has_kvm: bool,
}

impl Assets {
    /// Looks for the guest, and builds it where there is none; what runs for that ends with the lab.
    pub(super) fn find(scripts: &Scripts, lab: &Namespace) -> Result<Self, Error> {
        // stderr is inherited: a first build takes a while and says so.
        let output = lab
            .enter(&["--pid"], "bash")
            .arg(scripts.build())
            .stderr(Stdio::inherit())
            .output()
            .doing("build the guest")?;
        if !output.status.success() {
            return Err(Error::Build {
                status: output.status,
            });
        }
        let folder = OsString::from_vec(output.stdout.trim_ascii_end().to_vec());
        let mut this = Self {
            folder: folder.into(),
            has_kvm: false,
        };
        this.has_kvm = this.find_kvm(lab)?;
        Ok(this)
    }

    pub(super) fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    pub(super) fn initrd(&self) -> PathBuf {
        self.folder.join("initrd.gz")
    }

    /// A disk with a file system that nothing was written to.
    pub(super) fn empty_disk(&self) -> PathBuf {
        self.folder.join("data.qcow2")
    }

    /// Whether guests run under KVM.
    pub(super) fn has_kvm(&self) -> bool {
        self.has_kvm
    }

    /// What runs guests, as libvirt calls it.
    pub(super) fn accelerator(&self) -> &'static str {
        if self.has_kvm { "kvm" } else { "qemu" }
    }

    /// Spares a site the seconds in which libvirt asks QEMU what it can do: libvirt itself sees whether
    /// what it learned before is still true.
    pub(super) fn bring_capabilities(&self, cache: &Path) -> Result<(), Error> {
        let to = cache.join("qemu/capabilities");
        fs::create_dir_all(&to).doing("make the folders of a site")?;
        copy_files(&self.folder.join("capabilities"), &to);
        Ok(())
    }

    /// Keeps what the libvirt of a site has learned.
    pub(super) fn keep_capabilities(&self, learned: &Path) {
        let kept = self.folder.join("capabilities");
        // Whole files by rename: other labs read them meanwhile. Without them libvirt is slower, no more.
        if fs::create_dir_all(&kept).is_ok() {
            copy_files(learned, &kept);
        }
    }

    /// Whether guests run under KVM: its device may be there and every guest still hang, so one is booted.
    /// The answer is kept until this machine is booted anew.
    fn find_kvm(&self, lab: &Namespace) -> Result<bool, Error> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/kvm");
        if device.is_err() {
            return Ok(false);
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .doing("read the id of this machine's boot")?;
        let kept = self.folder.join(format!("kvm-{}", boot.trim()));
        if let Ok(answer) = fs::read_to_string(&kept) {
            return Ok(answer == "yes");
        }
        let probe = lab
            .enter(&["--pid"], "timeout")
            .args([PROBE_SECONDS, "qemu-system-x86_64", "-accel", "kvm"])
            .args(["-m", "128", "-nodefaults", "-display", "none"])
            .args(["-no-reboot", "-serial", "stdio"])
            .arg("-kernel")
            .arg(self.kernel())
            .arg("-initrd")
            .arg(self.initrd())
            .args(["-append", &format!("{KERNEL_ARGUMENTS} drover.probe")])
            .output()
            .doing("run qemu-system-x86_64")?;
        let works = String::from_utf8_lossy(&probe.stdout).contains("PROBED");
        fs::write(&kept, if works { "yes" } else { "no" }).doing("keep what the probe found")?;
        Ok(works)
    }
}

/// Copies what can be copied, each file whole or not at all.
fn copy_files(from: &Path, to: &Path) {
    for file in fs::read_dir(from).into_iter().flatten().flatten() {
        let (path, name) = (file.path(), file.file_name());
        if path.extension().is_some_and(|extension| extension == "xml") {
            let Ok(part) = tempfile::NamedTempFile::new_in(to) else {
                continue;
            };
            if fs::copy(path, &part).is_ok() {
                let _ = part.persist(to.join(name));
            }
        }
    }
}
