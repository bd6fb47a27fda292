//! Namespaces that end with this process: see `first-process`.

use std::{
    ffi::OsStr,
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Seek as _, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use super::{
    error::{Doing as _, Error},
    requirements,
    scripts::Scripts,
};

/// How much of a log an error quotes.
const LOG_LINES: usize = 30;

/// The namespaces of a first process.
#[derive(Debug)]
pub(super) struct Namespace {
    /// Who waits for the first process, and hands it the pipe that keeps it.
    keeper: Child,
    /// The first process, as seen from here.
    pid: u32,
}

impl Namespace {
    /// The one around all others, whose network is the WAN. `folder` is removed when it ends.
    pub(super) fn of_lab(folder: &Path, scripts: &Scripts) -> Result<Self, Error> {
        let mut unshare = Command::new("unshare");
        unshare.env("PATH", requirements::path());
        unshare.args(["--net", "--pid", "--fork", "--kill-child"]);
        unshare.arg("bash").arg(scripts.first_process());
        unshare.arg("lab").arg(folder);
        Self::hold(unshare, "the lab", &folder.join("lab.log"))
    }

    /// One inside this one, for a site that keeps its files in `folder`.
    pub(super) fn of_site(
        &self,
        folder: &Path,
        scripts: &Scripts,
        what: &str,
    ) -> Result<Self, Error> {
        // Not into the lab's mounts: the proc file system must be the one of out here.
        let mut unshare = self.enter(&["--net", "--pid"], "unshare");
        unshare
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child"])
            .arg("bash")
            .arg(scripts.first_process())
            .arg("site")
            .arg(folder);
        Self::hold(unshare, what, &folder.join("site.log"))
    }

    fn hold(mut command: Command, what: &str, log: &Path) -> Result<Self, Error> {
        let doing = || format!("start the first process of {what}");
        let mut keeper = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log).doing(doing())?)
            // Whoever interrupts the test ends this process, and the pipe ends the rest.
            .process_group(0)
            .spawn()
            .doing(doing())?;
        let mut line = String::new();
        if let Some(stdout) = keeper.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).doing(doing())?;
        }
        let Ok(pid) = line.trim().parse() else {
            let _ = keeper.kill();
            let _ = keeper.wait();
            return Err(Error::Namespace {
                what: what.to_owned(),
                log: tail(log),
            });
        };
        Ok(Self { keeper, pid })
    }

    /// The first process, as seen from here.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// A command in some of these namespaces, such as `--net`.
    pub(super) fn enter(&self, spaces: &[&str], program: impl AsRef<OsStr>) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.arg(format!("--target={}", self.pid)).args(spaces);
        nsenter.arg("--").arg(program).stdin(Stdio::null());
        nsenter.env("PATH", requirements::path());
        nsenter
    }

    /// Runs lines of `ip` in this network; the first that fails is the last.
    pub(super) fn ip(&self, lines: &str) -> Result<(), Error> {
        let mut ip = self.enter(&["--net"], "ip");
        run_with_input(ip.args(["-batch", "-"]), lines).map(drop)
    }
}

impl Drop for Namespace {
    /// Returns when nothing in it is left. Nothing here can be acted upon if it fails.
    fn drop(&mut self) {
        // `wait` would close it too; this says that it is what ends the first process.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Runs a command that must succeed, and gives what it wrote.
pub(super) fn run(command: &mut Command) -> Result<String, Error> {
    let shown = shown(command);
    let output = command.output().doing(format!("run {shown}"))?;
    said(shown, &output)
}

/// As [`run`], with something to read.
pub(super) fn run_with_input(command: &mut Command, input: &str) -> Result<String, Error> {
    let mut file = tempfile::tempfile().doing("make a temporary file")?;
    file.write_all(input.as_bytes())
        .and_then(|()| file.rewind())
        .doing("write a temporary file")?;
    let shown = format!("{} <<< '{input}'", shown(command));
    let output = command.stdin(file).output().doing(format!("run {shown}"))?;
    said(shown, &output)
}

fn said(command: String, output: &Output) -> Result<String, Error> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Command {
        command,
        status: output.status,
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

fn shown(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// The last lines of a log.
pub(super) fn tail(log: &Path) -> String {
    let mut bytes = Vec::new();
    // A log that cannot be read says nothing, and is no second error beside the first.
    let _ = File::open(log).and_then(|mut file| file.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<_> = text.lines().rev().take(LOG_LINES).collect();
    lines.reverse();
    lines.join("\n")
}
