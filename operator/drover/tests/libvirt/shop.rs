//! A shop on two libvirt sites, and the operator that follows its manifests: the whole of Drover.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use drover_lab::{Guest, Side, Site};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lab::{Movers, PATIENCE, output};

/// The machines of the shop, with two disks each.
pub const MACHINES: [&str; 2] = ["db-1", "web-1"];
const DISKS: usize = 2;

pub struct Shop {
    up: Child,
    folder: TempDir,
    pub movers: Movers,
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.up.kill();
        let _ = self.up.wait();
        if std::thread::panicking() {
            self.tell();
        }
    }
}

impl Shop {
    /// Everything runs, and is protected.
    pub fn open() -> Self {
        let movers = Movers::start();
        let home = movers.site(Side::Primary);
        for (at, name) in (11..).zip(MACHINES) {
            let guest = Guest::new(name).with_disks(2).with_address(at);
            home.define(&guest).unwrap();
            home.virsh(&["start", name]).unwrap();
        }
        for name in MACHINES {
            let counts = |console: &drover_lab::Console| console.heartbeat() > Some(2);
            home.wait_for(name, counts).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("shop")).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let up = Command::new(env!("CARGO_BIN_EXE_drover"))
            .args(["up", "shop", "--data", "data", "--listen", "0"])
            .args(["--log", "info"])
            .current_dir(folder.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let shop = Self { up, folder, movers };
        shop.declare("primary", &json!({}));
        Self::until("the shop is protected", || {
            let all = shop.get("protectedmachines");
            let phases: Vec<_> = all
                .iter()
                .map(|one| one["status"]["phase"].clone())
                .collect();
            phases == ["Protected", "Protected"]
        });
        // The first copies are of instants of their own; the next ones are not.
        std::thread::sleep(std::time::Duration::from_secs(12));
        shop
    }

    /// Where machines should be, and what is asked for this one run.
    pub fn declare(&self, active: &str, request: &Value) {
        let site = |side: Side, name: &str| {
            let spec = self.movers.spec(side);
            let mut spec = serde_json::to_value(&spec).unwrap();
            spec["tenants"] = json!([{"namespaceSelector": {}, "inventorySelector": {}}]);
            object("Site", name, &spec)
        };
        let sites = json!({"primary": "primary", "secondary": "secondary"});
        let machine = |name: &&str| json!({"name": name, "nics": [{"network": "lan"}]});
        let mut plan = json!({
            "sites": sites,
            "activeSite": active,
            "failover": {"toSecondary": {"type": "Planned"}, "toPrimary": {"type": "Planned"}},
            "commit": {"policy": "Manual"},
            "failbackPolicyRef": {"name": "home-again"},
            "groups": [{"name": "all", "protectionGroups": ["shop"]}],
        });
        if request != &json!({}) {
            plan["request"] = request.clone();
        }
        let objects = [
            site(Side::Primary, "primary"),
            site(Side::Secondary, "secondary"),
            object(
                "ReplicationPolicy",
                "bitmaps",
                &json!({
                    "replicator": {"qemuBitmap": {}},
                    "interval": "5s",
                    "rpoThreshold": "1m",
                }),
            ),
            object(
                "NetworkMapping",
                "lan",
                &json!({
                    "sites": sites,
                    "networks": [{
                        "name": "lan",
                        "primary": {"network": "lan", "subnet": "192.168.77.0/24"},
                        "secondary": {"network": "lan", "subnet": "192.168.77.0/24"},
                        "test": {"primary": "isolated", "secondary": "isolated"},
                        "addresses": "Dynamic",
                    }],
                }),
            ),
            object(
                "ProtectionGroup",
                "shop",
                &json!({
                    "sites": sites,
                    "policyRef": {"name": "bitmaps"},
                    "networkMappingRef": {"name": "lan"},
                    "consistency": "Group",
                    "machines": MACHINES.iter().map(machine).collect::<Vec<_>>(),
                }),
            ),
            object(
                "FailbackPolicy",
                "home-again",
                &json!({"reprotect": "Automatic"}),
            ),
            object("RecoveryPlan", "shop", &plan),
        ];
        let text: Vec<String> = objects.iter().map(ToString::to_string).collect();
        // A file that is half written is nobody's manifest.
        let path = self.folder.path();
        std::fs::write(path.join("part.yaml"), text.join("\n---\n")).unwrap();
        let mut drover = Command::new(env!("CARGO_BIN_EXE_drover"));
        output(drover.arg("validate").arg(path.join("part.yaml")));
        std::fs::rename(path.join("part.yaml"), path.join("shop/shop.yaml")).unwrap();
    }

    pub fn site(&self, side: Side) -> &Site {
        self.movers.site(side)
    }

    /// Waits until it is so.
    #[track_caller]
    pub fn until(what: &str, so: impl Fn() -> bool) {
        let started = Instant::now();
        while !so() {
            assert!(started.elapsed() < PATIENCE, "{what}: in vain");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    /// Waits until a run is so far.
    #[track_caller]
    pub fn until_phase(&self, run: &str, phase: &str) {
        Self::until(&format!("{run} is {phase}"), || {
            let runs = self.get("recoveryruns");
            let mut of_name = runs.iter().filter(|one| one["metadata"]["name"] == run);
            of_name.any(|one| one["status"]["phase"] == phase)
        });
    }

    fn drover(&self, arguments: &[&str]) -> Command {
        let mut drover = Command::new(env!("CARGO_BIN_EXE_drover"));
        drover
            .args(arguments)
            .args(["--namespace", "shop", "--kubeconfig"])
            .arg(self.path("data/kubeconfig"))
            .stdin(Stdio::null());
        drover
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What there is of a kind; nothing while the API does not answer yet.
    pub fn get(&self, kind: &str) -> Vec<Value> {
        let told = self
            .drover(&["get", kind, "--output", "json"])
            .output()
            .unwrap();
        let list: Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// A person's word on a run.
    pub fn decide(&self, word: &str, run: &str) {
        output(&mut self.drover(&[word, run, "--yes", "--by", "the test"]));
    }

    /// The last count that each machine said is durable.
    pub fn counted(&self, side: Side) -> Vec<u64> {
        let last = |name: &&str| self.site(side).console(name).unwrap().heartbeat().unwrap();
        MACHINES.iter().map(last).collect()
    }

    /// Each machine counts on at a site from where it was: nothing that it acknowledged is missing.
    #[track_caller]
    pub fn goes_on(&self, side: Side, from: &[u64]) {
        for (name, acknowledged) in MACHINES.iter().zip(from) {
            let site = self.site(side);
            let console = site
                .wait_for(name, |said| said.heartbeat() > Some(*acknowledged))
                .unwrap();
            let boot = console.boot().unwrap();
            assert_eq!(boot.gaps, 0, "{name}: {boot:?}");
            assert!(
                boot.last >= *acknowledged,
                "{name}: {acknowledged} and {boot:?}"
            );
        }
    }

    /// The disks that were left are what the machines were made of.
    pub fn identical(&self, left: Side, entered: Side) {
        for name in MACHINES {
            let [source, target] = [left, entered].map(|side| disks(self.site(side), name));
            assert_eq!((source.len(), target.len()), (DISKS, DISKS));
            for (source, target) in source.iter().zip(&target) {
                let mut compare = Command::new("qemu-img");
                let base = backing(target);
                output(compare.args(["compare", "-U"]).arg(source).arg(base));
            }
        }
    }

    /// What everybody said last, for whoever looks at a failure.
    fn tell(&self) {
        let operator = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        let logs = Side::ALL.map(|side| (side.name(), self.movers.log(side)));
        for (who, log) in logs.into_iter().chain([("operator", operator)]) {
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(25)..];
            eprintln!("--- {who} ---\n{}", last.join("\n"));
        }
        for kind in [
            "recoveryplans",
            "protectedmachines",
            "recoveryruns",
            "machineruns",
        ] {
            for one in self.get(kind) {
                eprintln!("{} {}", one["metadata"]["name"], one["status"]);
            }
        }
    }
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let mut metadata = json!({"name": name});
    if kind != "Site" {
        metadata["namespace"] = json!("shop");
    }
    json!({"apiVersion": "drover.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

fn disks(site: &Site, name: &str) -> Vec<PathBuf> {
    let listed = site.virsh(&["domblklist", name]).unwrap();
    let paths = listed
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1));
    paths.map(PathBuf::from).collect()
}

/// What a file is based on.
fn backing(file: &Path) -> PathBuf {
    let mut info = Command::new("qemu-img");
    let told = output(info.args(["info", "-U", "--output", "json"]).arg(file));
    let told: Value = serde_json::from_slice(&told).unwrap();
    PathBuf::from(told["full-backing-filename"].as_str().unwrap())
}
