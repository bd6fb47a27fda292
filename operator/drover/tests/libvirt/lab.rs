//! Two libvirt sites with a mover each.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use drover_api::{ReplicationPolicySpec, SiteSpec};
use drover_fabric::conformance::Drivers;
use drover_fabric::{Driver as _, PairConfig, Secrets, SiteConfig};
use drover_lab::{Lab, Side, Site, Wan};
use drover_libvirt::Libvirt;
use jiff::Timestamp;
use serde_json::{Value, json};

/// How the second host of the primary site is called.
pub const SECOND: &str = "second";
/// A busy machine takes a while.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// Both sites, and a mover at each, for one test at a time.
pub struct Movers {
    both: drover_lab::Movers,
    /// Another host of the primary site, where there is one.
    second: Option<Site>,
    /// Emulated guests take all processors: one lab at a time.
    _alone: File,
}

impl Movers {
    /// Both sites, and a mover at each.
    pub fn start() -> Self {
        Self::with(|_| None)
    }

    /// The same, and the primary site has a second host, which its mover reaches over TCP.
    pub fn with_second_host() -> Self {
        Self::with(|lab| Some(lab.second_host(Side::Primary).unwrap()))
    }

    fn with(second: impl FnOnce(&Lab) -> Option<Site>) -> Self {
        let alone = alone();
        let drover = Path::new(env!("CARGO_BIN_EXE_drover"));
        let lab = Lab::start().unwrap();
        let second = second(&lab);
        let more: Vec<String> = second
            .iter()
            .map(|second| format!("{SECOND}={}", second.remote_uri()))
            .collect();
        Self {
            both: drover_lab::Movers::with_hosts(lab, drover, more).unwrap(),
            second,
            _alone: alone,
        }
    }

    pub fn wan(&self) -> &Wan {
        self.both.lab().wan()
    }

    /// The second host of the primary site.
    pub fn second(&self) -> &Site {
        self.second.as_ref().unwrap()
    }

    pub fn site(&self, side: Side) -> &Site {
        self.both.site(side)
    }

    /// What the mover of a site said.
    pub fn log(&self, side: Side) -> String {
        self.both.log(side)
    }

    /// What the mover of a site has on record of a machine; nothing where it has nothing.
    pub fn record(&self, side: Side, machine: &str) -> Value {
        let folder = self.copies(side, machine);
        let record = std::fs::read(folder.join("machine.json")).unwrap_or_default();
        serde_json::from_slice(&record).unwrap_or_default()
    }

    /// Where the mover of a site keeps what it has of a machine.
    pub fn copies(&self, side: Side, machine: &str) -> PathBuf {
        self.site(side).pool_folder().join("drover").join(machine)
    }

    /// The instants of a machine's recovery points at a site, oldest first.
    pub fn points(&self, side: Side, machine: &str) -> Vec<Timestamp> {
        let record = self.record(side, machine);
        let points = record["half"]["points"].as_array().cloned();
        let at = |point: &Value| point["at"].as_str().unwrap().parse().unwrap();
        points.iter().flatten().map(at).collect()
    }

    /// When the disks of a recovery point were taken at the latest.
    pub fn taken_by(&self, side: Side, machine: &str, at: Timestamp) -> Timestamp {
        let record = self.record(side, machine);
        let points = record["half"]["points"].as_array();
        let at = json!(at);
        let point = points.into_iter().flatten().find(|one| one["at"] == at);
        let by = point.and_then(|point| point["by"].as_str());
        by.unwrap().parse().unwrap()
    }

    /// Starts the mover of a site, and returns when it answers.
    pub fn begin(&self, side: Side) {
        self.both.begin(side).unwrap();
    }

    /// Sends the mover of a site a signal.
    pub fn signal(&self, side: Side, signal: &str) {
        self.both.signal(side, signal).unwrap();
    }

    /// What is declared of a site.
    pub fn spec(&self, side: Side) -> SiteSpec {
        let mover = json!({
            "address": self.both.address(side),
            "replicationAddress": drover_lab::Movers::replication_address(side),
        });
        let mut hosts = vec![json!({"name": "local", "uri": "qemu:///system"})];
        if let (Some(second), Side::Primary) = (&self.second, side) {
            hosts.push(json!({"name": SECOND, "uri": second.remote_uri()}));
        }
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

/// Waits until no other lab of these tests runs.
pub fn alone() -> File {
    let file = File::create(std::env::temp_dir().join("drover-libvirt.lock")).unwrap();
    file.lock().unwrap();
    file
}

/// What a command writes, which must succeed.
pub fn output(command: &mut Command) -> Vec<u8> {
    let done = command.output().unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {error}");
    done.stdout
}
