//! Folders, guests and judges of one test; all gone when it ends.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The size of a disk that is no multiple of anything.
pub const SIZE: u64 = (32 << 20) + 3 * 512;

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

    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }
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

/// Whether an image reads as these bytes at this place.
pub fn reads(image: &Path, what: &str) -> bool {
    let arguments = ["-r", "-f", "qcow2", "-c", what, text(image)];
    let output = Command::new("qemu-io").args(arguments).output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    !String::from_utf8_lossy(&output.stdout).contains("verification failed")
}

/// Whether two images read the same.
pub fn equal(one: &Path, two: &Path) -> bool {
    let compared = Command::new("qemu-img")
        .args(["compare", "-q", "-f", "qcow2", "-F", "qcow2"])
        .args([one, two])
        .status();
    match compared.unwrap().code() {
        Some(0) => true,
        Some(1) => false,
        other => panic!("qemu-img compare: {other:?}"),
    }
}

/// Somebody who has an image open to write it, until dropped: killed, as a guest that crashes.
pub struct Guest(Child);

impl Guest {
    pub fn open(image: &Path) -> Self {
        let mut child = Command::new("qemu-io")
            .args(["-f", "qcow2", text(image)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It answers when it has the image open.
        let stdin = child.stdin.as_mut().unwrap();
        std::io::Write::write_all(stdin, b"length\n").unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        while !line.contains("iB") {
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "{line}");
        }
        Self(child)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
