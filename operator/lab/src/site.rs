//! A site: a `libvirtd` of its own, and what it keeps.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    Console, Guest, Side, Wan,
    assets::Assets,
    error::{Doing as _, Error},
    namespace::{Namespace, run, tail},
    scripts::Scripts,
    wan::Cable,
};

/// An emulated guest boots in seconds on a quiet machine; a busy one with two cores gets the benefit of the
/// doubt.
const TIMEOUT: Duration = Duration::from_mins(5);
const INTERVAL: Duration = Duration::from_millis(100);

/// Root without a daemon that hands out rights, and no cgroups, which a container may not have.
const QEMU_CONF: &str = r#"user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"#;

/// The networks of guests: that of production, and one where drills are alone.
const NETWORKS: [&str; 2] = ["lan", "isolated"];

/// A bridge that is there already: libvirt has nothing to filter, so no firewall is needed.
fn network(name: &str) -> String {
    format!("<network><name>{name}</name><forward mode='bridge'/><bridge name='{name}'/></network>")
}

/// One of the two sites of a [`Lab`](super::Lab).
#[derive(Debug)]
pub struct Site {
    // Declared first, because fields are dropped in this order.
    power: Mutex<Option<Power>>,
    side: Side,
    cable: Cable,
    folder: PathBuf,
    pool: PathBuf,
    scripts: Scripts,
    wan: Arc<Wan>,
    assets: Arc<Assets>,
}

/// What a site that is switched on has.
#[derive(Debug)]
struct Power {
    namespace: Namespace,
    libvirtd: Option<Service>,
}

/// A program that runs at a site in the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its process, as the site numbers them.
    pid: String,
}

impl Site {
    pub(super) fn new(
        side: Side,
        cable: Cable,
        lab: &Path,
        scripts: &Scripts,
        wan: Arc<Wan>,
        assets: Arc<Assets>,
    ) -> Result<Self, Error> {
        let folder = lab.join(cable.name);
        for part in ["etc", "lib/images", "cache", "log", "run"] {
            fs::create_dir_all(folder.join(part)).doing("make the folders of a site")?;
        }
        assets.bring_capabilities(&folder.join("cache"))?;
        // libvirt refuses to migrate to a host with the same one; that of this machine is both sites'.
        let uuid =
            fs::read_to_string("/proc/sys/kernel/random/uuid").doing("make a random uuid")?;
        let libvirtd_conf = format!(
            "auth_unix_ro = \"none\"\nauth_unix_rw = \"none\"\nhost_uuid = \"{}\"\n\
             listen_tls = 0\nlisten_tcp = 1\nauth_tcp = \"none\"\nlisten_addr = \"{}\"\n",
            uuid.trim(),
            cable.address
        );
        for (name, text) in [("qemu.conf", QEMU_CONF), ("libvirtd.conf", &libvirtd_conf)] {
            fs::write(folder.join("etc").join(name), text).doing("configure libvirtd")?;
        }
        Ok(Self {
            power: Mutex::new(None),
            side,
            cable,
            pool: lab.join(side.name()).join("lib/images"),
            folder,
            scripts: scripts.clone(),
            wan,
            assets,
        })
    }

    /// Which one it is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Where its libvirt is reached from this process.
    pub fn uri(&self) -> String {
        format!("qemu:///system?socket={}", self.socket().display())
    }

    /// Where the disks of its guests are, seen from this process and from the site alike; the storage pool
    /// `default`.
    pub fn pool_folder(&self) -> PathBuf {
        self.pool.clone()
    }

    /// Where its libvirt is reached over TCP from other hosts of the lab: by anybody, so this is for tests.
    pub fn remote_uri(&self) -> String {
        format!("qemu+tcp://{}/system", self.cable.address)
    }

    /// Runs a command of `virsh` at this site, and gives what it wrote.
    ///
    /// # Errors
    ///
    /// If it does not succeed.
    pub fn virsh(&self, args: &[&str]) -> Result<String, Error> {
        run(Command::new("virsh")
            .args(["--quiet", "--connect", &self.uri()])
            .args(args)
            .stdin(Stdio::null()))
    }

    /// A command inside the site, as somebody logged in there would run it. It ends with the site.
    ///
    /// # Errors
    ///
    /// If the site is switched off.
    pub fn command(&self, program: &str) -> Result<Command, Error> {
        self.with_power(|power| Ok(power.enter(program)))
    }

    /// Starts a program in the background, which ends with the site. What it says is appended to `log`.
    ///
    /// # Errors
    ///
    /// If the site is switched off.
    pub fn begin(
        &self,
        log: &Path,
        program: &OsStr,
        arguments: &[&OsStr],
    ) -> Result<Service, Error> {
        self.with_power(|power| power.begin(log, program, arguments))
    }

    /// Sends it a signal, such as `KILL`; 0 tells whether it runs.
    ///
    /// # Errors
    ///
    /// If it does not run, or the site is switched off.
    pub fn signal(&self, service: &Service, signal: &str) -> Result<(), Error> {
        self.with_power(|power| power.signal(service, signal))
    }

    /// Kills its `libvirtd` as a crash does; guests go on.
    ///
    /// # Errors
    ///
    /// If the site is switched off.
    pub fn kill_libvirtd(&self) -> Result<(), Error> {
        self.with_power(|power| {
            let Some(libvirtd) = power.libvirtd.take() else {
                return Ok(());
            };
            let script = r#"kill -s KILL "$1"; while kill -s 0 "$1" 2>&-; do sleep 0.05; done"#;
            let mut sh = power.enter("sh");
            run(sh.args(["-c", script, "sh", &libvirtd.pid])).map(drop)
        })
    }

    /// Starts its `libvirtd` again, and returns when it answers.
    ///
    /// # Errors
    ///
    /// If the site is switched off, or `libvirtd` does not answer.
    pub fn start_libvirtd_again(&self) -> Result<(), Error> {
        self.start_libvirtd()?;
        self.wait_until_ready()
    }

    /// Starts its `libvirtd` again where that ended by itself, as systemd does on a host; whether it had. One
    /// that was killed here stays dead.
    ///
    /// # Errors
    ///
    /// If it does not answer then.
    pub fn restart_crashed_libvirtd(&self) -> Result<bool, Error> {
        let crashed = match &*self.lock() {
            Some(power) => {
                let libvirtd = power.libvirtd.as_ref();
                libvirtd.is_some_and(|libvirtd| power.signal(libvirtd, "0").is_err())
            }
            None => false,
        };
        if crashed {
            self.start_libvirtd_again()?;
        }
        Ok(crashed)
    }

    /// From now on its `libvirtd` says nothing, and who asks it waits, as for a host that cannot be reached;
    /// guests go on.
    ///
    /// # Errors
    ///
    /// If the site is switched off.
    pub fn freeze_libvirtd(&self) -> Result<(), Error> {
        self.with_libvirtd(|power, libvirtd| power.signal(libvirtd, "STOP"))
    }

    /// Its `libvirtd` answers again, also what was asked meanwhile.
    ///
    /// # Errors
    ///
    /// If the site is switched off.
    pub fn thaw_libvirtd(&self) -> Result<(), Error> {
        self.with_libvirtd(|power, libvirtd| power.signal(libvirtd, "CONT"))
    }

    /// The loss of the site: all that runs there is gone at once, and nobody is told. Its disks keep what
    /// is on them.
    pub fn kill_everything(&self) {
        drop(self.lock().take());
        self.wan.detach(self.cable);
    }

    /// Power returns to a site that was lost: `libvirtd` starts, and guests that are marked for autostart.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub fn restore(&self) -> Result<(), Error> {
        self.switch_on()?;
        self.wait_until_ready()
    }

    /// Makes the disks of a guest, and the guest; it is not started.
    ///
    /// # Errors
    ///
    /// If there is one of that name.
    pub fn define(&self, guest: &Guest) -> Result<(), Error> {
        for disk in guest.disks(&self.pool_folder()) {
            fs::copy(self.assets.empty_disk(), disk).doing("make a disk")?;
        }
        self.define_xml(&guest.xml(&self.assets, &self.pool_folder()))?;
        // libvirt asks QEMU what it can do when it first needs to know.
        self.assets.keep_capabilities(&self.capabilities());
        Ok(())
    }

    /// Defines a machine from libvirt's own description of it.
    ///
    /// # Errors
    ///
    /// If libvirt refuses.
    pub fn define_xml(&self, xml: &str) -> Result<(), Error> {
        let file = tempfile::NamedTempFile::new().doing("make a temporary file")?;
        fs::write(&file, xml).doing("write a temporary file")?;
        let path = file.path().to_string_lossy();
        self.virsh(&["define", "--validate", &path]).map(drop)
    }

    /// Kills a guest's QEMU, as nothing but a bug does; libvirt notices by itself.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn kill_guest(&self, name: &str) -> Result<(), Error> {
        let script = r#"kill -s KILL "$(cat "/run/libvirt/qemu/$1.pid")""#;
        self.with_power(|power| {
            let mut sh = power.enter("sh");
            run(sh.args(["-c", script, "sh", name])).map(drop)
        })
    }

    /// What a guest said so far, over all its boots at this site.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub fn console(&self, name: &str) -> Result<Console, Error> {
        Console::read(&self.console_log(name)).doing(format!("read the console of {name}"))
    }

    /// Waits until a guest has said something.
    ///
    /// # Errors
    ///
    /// If it does not in minutes; the end of its console is quoted.
    pub fn wait_for(&self, name: &str, said: impl Fn(&Console) -> bool) -> Result<Console, Error> {
        let mut heard = Console::default();
        let what = format!("{name} has not said what was waited for");
        wait_until(&what, &self.console_log(name), || {
            heard = self.console(name)?;
            Ok(said(&heard))
        })?;
        Ok(heard)
    }

    /// Waits until libvirt says that a guest is in a state, such as `shut off`.
    ///
    /// # Errors
    ///
    /// If it does not in minutes, or does not know the guest.
    pub fn wait_for_state(&self, name: &str, state: &str) -> Result<(), Error> {
        let what = format!("{name} is not {state}");
        wait_until(&what, &self.console_log(name), || {
            Ok(self.virsh(&["domstate", name])?.trim() == state)
        })
    }

    // --- how it starts ----------------------------------------------------------------------

    pub(super) fn switch_on(&self) -> Result<(), Error> {
        let what = format!("the {} site", self.cable.name);
        let lab = self.wan.namespace();
        let namespace = lab.of_site(&self.folder, &self.scripts, &what)?;
        self.wan.attach(self.cable, &namespace)?;
        *self.lock() = Some(Power {
            namespace,
            libvirtd: None,
        });
        self.start_libvirtd()
    }

    fn start_libvirtd(&self) -> Result<(), Error> {
        self.with_power(|power| {
            power.libvirtd = Some(power.begin(
                &self.libvirtd_log(),
                "libvirtd".as_ref(),
                &["--listen".as_ref()],
            )?);
            Ok(())
        })
    }

    pub(super) fn wait_until_ready(&self) -> Result<(), Error> {
        let site = self.cable.name;
        let what = format!("libvirtd of the {site} site does not answer");
        wait_until(&what, &self.libvirtd_log(), || {
            let libvirtd = self.with_libvirtd(|_, libvirtd| Ok(libvirtd.clone()))?;
            ensure_runs(
                self,
                &libvirtd,
                &format!("libvirtd of the {site} site"),
                &self.libvirtd_log(),
            )?;
            // The socket is there before somebody listens.
            Ok(self.socket().exists() && self.virsh(&["list"]).is_ok())
        })
    }

    /// Gives a new site its storage pool and its network.
    pub(super) fn furnish(&self) -> Result<(), Error> {
        let folder = self.pool_folder();
        let pool = ["pool-define-as", "default", "dir", "--target"];
        self.virsh(&[&pool[..], &[&*folder.to_string_lossy()]].concat())?;
        for command in ["pool-start", "pool-autostart"] {
            self.virsh(&[command, "default"])?;
        }
        let file = self.folder.join("network.xml");
        for name in NETWORKS {
            fs::write(&file, network(name)).doing("write a network")?;
            self.virsh(&["net-define", &file.to_string_lossy()])?;
            for command in ["net-start", "net-autostart"] {
                self.virsh(&[command, name])?;
            }
        }
        Ok(())
    }

    fn with_power<T>(&self, act: impl FnOnce(&mut Power) -> Result<T, Error>) -> Result<T, Error> {
        let site = self.cable.name;
        let mut power = self.lock();
        act(power.as_mut().ok_or(Error::Off { site })?)
    }

    fn with_libvirtd<T>(
        &self,
        act: impl FnOnce(&Power, &Service) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let what = || format!("libvirtd of the {} site", self.side.name());
        self.with_power(|power| match &power.libvirtd {
            Some(libvirtd) => act(power, libvirtd),
            None => Err(Error::Ended {
                what: what(),
                log: tail(&self.libvirtd_log()),
            }),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Power>> {
        self.power.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("run/libvirt-sock")
    }

    /// Where libvirt keeps what it learned about this machine's QEMU.
    fn capabilities(&self) -> PathBuf {
        self.folder.join("cache/qemu/capabilities")
    }

    fn libvirtd_log(&self) -> PathBuf {
        self.folder.join("libvirtd.log")
    }

    pub(super) fn console_log(&self, name: &str) -> PathBuf {
        self.folder.join("log").join(Guest::console(name))
    }
}

impl Power {
    /// A command with the site's network, files and processes.
    fn enter(&self, program: &str) -> Command {
        self.namespace
            .enter(&["--net", "--mount", "--pid"], program)
    }

    /// In the background, a child of the site's first process: the one that enters the namespaces would stop
    /// when the program is frozen, and then nobody would collect it.
    fn begin(&self, log: &Path, program: &OsStr, arguments: &[&OsStr]) -> Result<Service, Error> {
        let script = r#"log=$1; shift; "$@" >>"$log" 2>&1 & echo $!"#;
        let mut sh = self.enter("sh");
        sh.args(["-c", script, "sh"]).arg(log);
        let pid = run(sh.arg(program).args(arguments))?.trim().to_owned();
        Ok(Service { pid })
    }

    fn signal(&self, service: &Service, signal: &str) -> Result<(), Error> {
        let script = r#"kill -s "$1" "$2""#;
        let mut sh = self.enter("sh");
        run(sh.args(["-c", script, "sh", signal, &service.pid])).map(drop)
    }
}

/// What a site needs, and ended by itself, will never answer.
pub(super) fn ensure_runs(
    site: &Site,
    service: &Service,
    what: &str,
    log: &Path,
) -> Result<(), Error> {
    if site.signal(service, "0").is_ok() {
        return Ok(());
    }
    Err(Error::Ended {
        what: what.to_owned(),
        log: tail(log),
    })
}

pub(super) fn wait_until(
    what: &str,
    log: &Path,
    mut is_so: impl FnMut() -> Result<bool, Error>,
) -> Result<(), Error> {
    let started = Instant::now();
    while !is_so()? {
        let after = started.elapsed();
        if after > TIMEOUT {
            return Err(Error::TooLate {
                what: what.to_owned(),
                after,
                log: tail(log),
            });
        }
        thread::sleep(INTERVAL);
    }
    Ok(())
}
