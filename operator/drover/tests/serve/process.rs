//! A process of `drover run`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;

use crate::cluster::Cluster;

pub struct Process {
    child: Child,
    lines: Receiver<String>,
    /// Everything that was said, for whoever looks at a failure.
    said: String,
    /// Where health and metrics are.
    address: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        // By its own id; it may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            self.said.extend(self.lines.iter().map(|line| line + "\n"));
            eprintln!("process {} said:\n{}", self.child.id(), self.said);
        }
    }
}

impl Process {
    /// Starts one, and waits until it serves health and metrics.
    pub fn start(cluster: &Cluster, arguments: &[&str]) -> Self {
        let own = ["--listen", "127.0.0.1:0", "--log-format", "json"];
        let lease = ["--lease-namespace", "default"];
        let arguments = [&["run"], &own[..], &lease, arguments].concat();
        Self::start_as(
            cluster,
            &cluster.control_plane.kubeconfig_path(),
            &arguments,
        )
    }

    /// Starts one with these arguments, as who is named in a kubeconfig.
    pub fn start_as(cluster: &Cluster, kubeconfig: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_drover"))
            .args(arguments)
            .args(["--simulator-latency", "zero", "--simulator-data", "world"])
            .current_dir(cluster.folder.path())
            .env("KUBECONFIG", kubeconfig)
            .env_remove("RUST_LOG")
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
        let mut process = Self {
            child,
            lines,
            said: String::new(),
            address: String::new(),
        };
        let line = process.until("serves /livez, /readyz and /metrics");
        process.address = line["address"].as_str().unwrap().to_owned();
        process
    }

    /// Waits until it says this; gives the line of the log.
    #[track_caller]
    pub fn until(&mut self, words: &str) -> Value {
        while let Ok(line) = self.lines.recv() {
            self.said += &line;
            self.said += "\n";
            let parsed: Value = serde_json::from_str(&line).unwrap_or_default();
            if parsed["message"].as_str() == Some(words) {
                return parsed;
            }
        }
        panic!("it ended and never said `{words}`:\n{}", self.said);
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits for it.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("-TERM");
        self.child.wait().unwrap()
    }

    /// Freezes it where it is, as a hypervisor does that moves its machine.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on, as if no time had passed.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Asks it over HTTP: the status, and what it answers.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: drover\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }
}
