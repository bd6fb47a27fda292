//! `drover up` on two sites: a process, the folder that it follows, and what it says.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use drover_lab::{Side, Site};
use serde_json::Value;
use tempfile::TempDir;

use crate::lab::{Movers, PATIENCE, output};

/// How often it is looked whether a `libvirtd` has died.
const MENDED: Duration = Duration::from_secs(5);

pub struct Operator {
    up: Child,
    folder: TempDir,
    pub movers: Arc<Movers>,
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            self.tell();
        }
    }
}

impl Operator {
    /// It follows a folder without manifests.
    pub fn begin(movers: Arc<Movers>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("shop")).unwrap();
        let up = up(folder.path());
        Self { up, folder, movers }
    }

    /// Its process ends at once.
    pub fn kill(&mut self) {
        let _ = self.up.kill();
        let _ = self.up.wait();
    }

    pub fn begin_again(&mut self) {
        self.up = up(self.folder.path());
    }

    /// What is declared from now on.
    pub fn declare(&self, objects: &[Value]) {
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
    pub fn until(what: &str, so: impl FnMut() -> bool) {
        until(what, Duration::from_millis(200), so);
    }

    /// Waits until it is so, where that does not last.
    #[track_caller]
    pub fn until_soon(what: &str, so: impl FnMut() -> bool) {
        until(what, Duration::from_millis(10), so);
    }

    /// Waits until runs are so far, all of them.
    #[track_caller]
    pub fn until_phase(&self, names: &[String], phase: &str) {
        let mut looked = Instant::now();
        Self::until(&format!("{names:?} are {phase}"), || {
            self.mend(&mut looked);
            let runs = self.get("recoveryruns");
            let so = |name: &String| runs.iter().any(|run| is_in(run, name, phase));
            names.iter().all(so)
        });
    }

    /// Waits until so many machines are protected, and all of them.
    #[track_caller]
    pub fn until_protected(&self, count: usize) {
        let mut looked = Instant::now();
        Self::until("everything is protected", || {
            self.mend(&mut looked);
            let all = self.get("protectedmachines");
            let protected = |one: &&Value| one["status"]["phase"] == "Protected";
            all.len() == count && all.iter().filter(protected).count() == count
        });
    }

    /// Now and then `libvirtd` 9.0 dies when a guest does in the middle of a backup; systemd would start it again.
    fn mend(&self, looked: &mut Instant) {
        if looked.elapsed() < MENDED {
            return;
        }
        *looked = Instant::now();
        for side in Side::ALL {
            // A site may be lost just now.
            if let Ok(true) = self.movers.site(side).restart_crashed_libvirtd() {
                eprintln!("libvirtd of the {} site had died by itself", side.name());
            }
        }
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

    /// What everybody said last, for whoever looks at a failure.
    fn tell(&self) {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        let logs = Side::ALL.map(|side| (side.name(), self.movers.log(side)));
        for (who, log) in logs.into_iter().chain([("operator", log)]) {
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(40)..];
            eprintln!("--- {who} ---\n{}", last.join("\n"));
        }
    }
}

#[track_caller]
fn until(what: &str, pause: Duration, mut so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < PATIENCE, "{what}: in vain");
        std::thread::sleep(pause);
    }
}

fn is_in(run: &Value, name: &str, phase: &str) -> bool {
    run["metadata"]["name"] == name && run["status"]["phase"] == phase
}

fn up(folder: &Path) -> Child {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .unwrap();
    Command::new(env!("CARGO_BIN_EXE_drover"))
        .args(["up", "shop", "--data", "data", "--listen", "0"])
        .args(["--log", "info"])
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}
