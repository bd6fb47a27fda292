//! Two libvirt sites with a mover each.

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use drover_api::{ReplicationPolicySpec, SiteSpec};
use drover_fabric::conformance::Drivers;
use drover_fabric::{Driver as _, PairConfig, Secrets, SiteConfig};
use drover_lab::{Lab, Side, Site};
use drover_libvirt::Libvirt;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;

/// Where movers listen for each other.
const PORT: u16 = 7443;
/// A busy machine takes a while.
pub const PATIENCE: Duration = Duration::from_mins(5);

pub struct Movers {
    lab: Lab,
    /// Emulated guests take all processors: one lab at a time.
    _alone: File,
}

impl Movers {
    /// Both sites, and a mover at each.
    pub fn start() -> Self {
        let this = Self {
            _alone: alone(),
            lab: Lab::start().unwrap(),
        };
        certificates(&this);
        for side in Side::ALL {
            this.begin(side);
        }
        this
    }

    pub fn site(&self, side: Side) -> &Site {
        self.lab.site(side)
    }

    fn folder(&self, side: Side) -> PathBuf {
        self.site(side).pool_folder().join("mover")
    }

    pub fn socket(&self, side: Side) -> PathBuf {
        self.folder(side).join("sock")
    }

    /// What the mover of a site said.
    pub fn log(&self, side: Side) -> String {
        std::fs::read_to_string(self.folder(side).join("log")).unwrap_or_default()
    }

    /// Starts the mover of a site, and returns when it answers.
    pub fn begin(&self, side: Side) {
        let folder = self.folder(side);
        let mut sh = self.site(side).command("sh").unwrap();
        // In the background, a child of the site's first process: the one that enters the namespaces would
        // stop when the mover is frozen, and then nobody would collect it.
        sh.args([
            "-c",
            r#"log=$0; pid=$1; shift; "$@" >>"$log" 2>&1 & echo $! >"$pid""#,
        ])
        .arg(folder.join("log"))
        .arg(folder.join("pid"))
        .arg(env!("CARGO_BIN_EXE_drover"))
        .args(["mover", "--log-level", "drover_mover=debug,info"])
        .arg("--pool")
        .arg(self.site(side).pool_folder())
        .arg("--socket")
        .arg(self.socket(side))
        .args(["--listen", &format!("{}:{PORT}", side.address())])
        .arg("--tls")
        .arg(&folder)
        .stdin(Stdio::null());
        output(&mut sh);
        let started = Instant::now();
        while UnixStream::connect(self.socket(side)).is_err() {
            assert!(started.elapsed() < PATIENCE, "{}", self.log(side));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends the mover of a site a signal.
    pub fn signal(&self, side: Side, signal: &str) {
        let pid = self.folder(side).join("pid");
        let mut sh = self.site(side).command("sh").unwrap();
        let script = format!(r#"kill -s {signal} "$(cat {})""#, pid.display());
        let done = sh.args(["-c", &script]).status().unwrap();
        assert!(done.success());
    }

    /// What is declared of a site.
    pub fn spec(&self, side: Side) -> SiteSpec {
        let mover = json!({
            "address": format!("unix://{}", self.socket(side).display()),
            "replicationAddress": format!("{}:{PORT}", side.address()),
        });
        let hosts = json!([{"name": "local", "uri": "qemu:///system"}]);
        let site = json!({
            "fabric": {"libvirt": {"hosts": hosts, "mover": mover}},
            "fencing": {"method": "Power"},
        });
        serde_json::from_value(site).unwrap()
    }

    /// Drivers, made anew.
    pub async fn drivers(&self) -> Drivers {
        let secrets = Secrets::default();
        let names = Side::ALL.map(|side| side.name().parse().unwrap());
        let specs = Side::ALL.map(|side| self.spec(side));
        let site = |at: usize| SiteConfig {
            name: &names[at],
            spec: &specs[at],
            secrets: &secrets,
        };
        let policy: ReplicationPolicySpec = serde_json::from_value(json!({
            "replicator": {"qemuBitmap": {}},
            "interval": "2s",
        }))
        .unwrap();
        let pair = PairConfig {
            primary: site(0),
            secondary: site(1),
            policy: &policy,
        };
        Drivers {
            primary: Libvirt.fabric(site(0)).await.unwrap(),
            secondary: Libvirt.fabric(site(1)).await.unwrap(),
            pair: Libvirt.replicator(pair).await.unwrap(),
        }
    }
}

fn alone() -> File {
    let file = File::create(std::env::temp_dir().join("drover-libvirt.lock")).unwrap();
    file.lock().unwrap();
    file
}

/// An authority of their own, and a certificate for each.
fn certificates(movers: &Movers) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    for side in Side::ALL {
        let folder = movers.folder(side);
        std::fs::create_dir_all(&folder).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec![side.address().to_owned()];
        let own = CertificateParams::new(names).unwrap();
        let own = own.signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.join("ca.crt"), ca.pem()).unwrap();
        std::fs::write(folder.join("tls.crt"), own.pem()).unwrap();
        std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    }
}

/// What a command writes, which must succeed.
pub fn output(command: &mut Command) -> Vec<u8> {
    let done = command.output().unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {error}");
    done.stdout
}
