//! Images, servers and clients of one test; all gone when it ends.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use drover_mover::nbd::{Address, Client, Wishes};

pub const ALLOCATION: &str = "base:allocation";

/// A folder of its own.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An empty qcow2 image.
    pub fn image(&self, name: &str, size: u64) -> PathBuf {
        let path = self.path(name);
        run(
            "qemu-img",
            &[
                "create",
                "-q",
                "-f",
                "qcow2",
                text(&path),
                &size.to_string(),
            ],
        );
        path
    }

    pub fn nbdkit(&self, name: &str, arguments: &[&str]) -> Server {
        let socket = self.path(name);
        let fixed = ["-f", "-U", text(&socket)];
        Server::start("nbdkit", &[&fixed[..], arguments].concat(), &socket)
    }
}

/// Read-only, with these further arguments.
pub fn source(image: &Path, more: &[&str]) -> Server {
    let socket = image.with_extension("source");
    let fixed = ["-t", "-r", "-f", "qcow2", "-e", "8", "-k", text(&socket)];
    let arguments = [&fixed[..], more, &[text(image)]].concat();
    Server::start("qemu-nbd", &arguments, &socket)
}

/// To be written.
pub fn target(image: &Path) -> Server {
    let socket = image.with_extension("target");
    let arguments = [
        "-t",
        "-f",
        "qcow2",
        "-e",
        "8",
        "-k",
        text(&socket),
        text(image),
    ];
    Server::start("qemu-nbd", &arguments, &socket)
}

/// A server that is killed when the test ends, if not before.
pub struct Server {
    child: Child,
    pub address: Address,
}

impl Server {
    fn start(program: &str, arguments: &[&str], socket: &Path) -> Self {
        let mut child = spawn(program, arguments);
        while UnixStream::connect(socket).is_err() {
            assert!(
                child.try_wait().unwrap().is_none(),
                "{program} {arguments:?} ended"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        Self {
            child,
            address: Address::Unix(socket.to_owned()),
        }
    }

    pub fn start_tcp(program: &str, arguments: &[&str], port: u16) -> Self {
        let mut child = spawn(program, arguments);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                child.try_wait().unwrap().is_none(),
                "{program} {arguments:?} ended"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        Self {
            child,
            address: Address::Tcp {
                host: "127.0.0.1".to_owned(),
                port,
            },
        }
    }

    pub async fn client(&self, contexts: &[&str]) -> Client {
        let wish = contexts
            .iter()
            .fold(Wishes::new(""), |wishes, name| wishes.context(*name));
        Client::connect(&self.address, &wish).await.unwrap()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &str, arguments: &[&str]) -> Child {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // Probes for readiness are complained about.
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

pub fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What a guest would do: each entry one command of qemu-io.
pub fn qemu_io(image: &Path, commands: &[&str]) {
    let mut arguments = vec!["-f", "qcow2"];
    for command in commands {
        arguments.extend(["-c", command]);
    }
    arguments.push(text(image));
    run("qemu-io", &arguments);
}

/// Whether two images read the same.
pub fn equal(one: &Path, two: &Path) -> bool {
    let compared = Command::new("qemu-img")
        .args([
            "compare",
            "-q",
            "-f",
            "qcow2",
            "-F",
            "qcow2",
            text(one),
            text(two),
        ])
        .status()
        .unwrap();
    match compared.code() {
        Some(0) => true,
        Some(1) => false,
        other => panic!("qemu-img compare: {other:?}"),
    }
}

/// Odd pieces, at odd places, up to the last byte of a disk of `SIZE`.
pub const SIZE: u64 = (96 << 20) + 3 * 512;
pub const PATTERNS: [&str; 8] = [
    "write -P 1 0 1",
    "write -P 2 65535 2",
    "write -P 3 1M 5M",
    "write -P 4 10000001 12345",
    "write -z 2M 256k",
    "write -P 5 40M 12M",
    "write -P 0 44M 1M",
    "write -P 6 100664319 513",
];
