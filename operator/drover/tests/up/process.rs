//! The process under test, its data, and the folder that it follows.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use drover_tests::{controlplane, manifests};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A home of the quickstart: it may be up or down.
pub struct Home {
    folder: TempDir,
    up: Option<Up>,
}

struct Up {
    child: Child,
    lines: Receiver<String>,
    /// Everything that was said, for whoever looks at a failure.
    said: String,
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(mut up) = self.up.take() {
            // By its own id; it may have ended already.
            let _ = up.child.kill();
            let _ = up.child.wait();
        }
    }
}

impl Home {
    /// A copy of the quickstart.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Self { folder, up: None };
        fs::create_dir(home.path("shop")).unwrap();
        let quickstart = manifests::repository().join("examples/quickstart");
        for path in manifests::files(&quickstart).unwrap() {
            fs::copy(&path, home.path("shop").join(path.file_name().unwrap())).unwrap();
        }
        home
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes a manifest.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.path("shop").join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name} says no {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Starts it, and waits until it says that it is up.
    pub fn start(&mut self, arguments: &[&str]) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_drover"))
            .args(["up", "shop", "--data", "data", "--listen", "0"])
            .args(["--simulator-latency", "zero"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("RUST_LOG")
            .env_remove("COLUMNS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        self.up = Some(Up {
            child,
            lines,
            said: String::new(),
        });
        self.until("Drover is up: https://127.0.0.1:");
    }

    /// Waits until a line says this; gives the line.
    #[track_caller]
    pub fn until(&mut self, words: &str) -> String {
        let up = self.up.as_mut().expect("it is up");
        while let Ok(line) = up.lines.recv() {
            up.said += &line;
            up.said += "\n";
            if line.contains(words) {
                return line;
            }
        }
        panic!("it ended and never said `{words}`:\n{}", up.said);
    }

    /// Everything that it said since it was started and that was waited for.
    pub fn said(&self) -> &str {
        &self.up.as_ref().expect("it is up").said
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        let mut up = self.up.take().expect("it is up");
        up.child.kill().unwrap();
        up.child.wait().unwrap();
    }

    /// Asks it to end, and waits for it.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut up = self.up.take().expect("it is up");
        let id = up.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
        up.child.wait().unwrap()
    }

    /// Runs kubectl in the namespace of the shop; it must succeed.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = Command::new(kubectl())
            .args(["--namespace", "shop"])
            .args(arguments)
            .env("KUBECONFIG", self.path("data/kubeconfig"))
            .env("KUBECACHEDIR", self.path("kubectl-cache"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {talk}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// An object, as kubectl shows it.
    #[track_caller]
    pub fn object(&self, kind: &str, name: &str) -> Value {
        let text = self.kubectl(&["get", kind, name, "--output", "json"]);
        serde_json::from_str(&text).unwrap()
    }

    /// A person's word on a run.
    #[track_caller]
    pub fn decide(&self, run: &str, action: &str, step: Option<(&str, &str)>) {
        let object = self.object("recoveryrun", run);
        let mut decision = json!({
            "apiVersion": "drover.dev/v1alpha1",
            "kind": "RunDecision",
            "metadata": { "name": format!("{run}-{}", action.to_lowercase()) },
            "spec": {
                "runRef": { "name": run, "uid": object["metadata"]["uid"] },
                "action": action,
                "digest": object["spec"]["digest"],
                "by": "kim",
            },
        });
        if let Some((group, action)) = step {
            decision["spec"]["step"] = json!({ "group": group, "action": action });
        }
        let path = self.path("decision.json");
        fs::write(&path, decision.to_string()).unwrap();
        self.kubectl(&["create", "--filename", path.to_str().unwrap()]);
    }
}

fn kubectl() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| controlplane::kubectl_path().unwrap())
}
