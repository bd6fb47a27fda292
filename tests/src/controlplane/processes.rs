//! Processes that end with this one.
//!
//! A test process ends in many ways: its values are dropped, it holds them in a `static` and simply
//! exits, or it is killed with SIGKILL and runs no code at all. What the kernel does in each of them
//! is close its files. So a watchdog, a shell that leads a process group, reads from a pipe whose
//! other end only this process holds; at end of file it kills the group, itself included. The other
//! processes join that group. This works with binaries that know nothing of it, and unlike Linux's
//! "parent death signal", which counts the starting *thread* as the parent, it survives the end of
//! the test that happened to start what all tests share.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::error::{Doing as _, Error};

/// The folder goes first: after the kill nobody is left to remove it, and the open files of those
/// about to be killed do not keep it.
const WATCHDOG: &str = r#"while read -r _; do :; done; rm -rf -- "$1"; kill -s KILL 0"#;

/// How much of a log an error quotes.
const LOG_LINES: usize = 30;

#[derive(Debug)]
pub(super) struct Processes {
    folder: PathBuf,
    watchdog: Child,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    program: &'static str,
    child: Child,
}

impl Processes {
    /// No processes yet; their logs go to `folder`, which is removed with them.
    pub(super) fn new(folder: &Path) -> Result<Self, Error> {
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .doing("start a shell")?;
        Ok(Self {
            folder: folder.to_owned(),
            watchdog,
            members: Vec::new(),
        })
    }

    pub(super) fn spawn(
        &mut self,
        program: &'static str,
        mut command: Command,
    ) -> Result<(), Error> {
        let path = PathBuf::from(command.get_program());
        if !path.is_file() {
            return Err(Error::Missing { path });
        }
        let starting = || format!("start {program}");
        let log = File::create(self.log_of(program)).doing(starting())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().doing(starting())?)
            .stderr(log)
            .process_group(self.watchdog.id().cast_signed())
            .spawn()
            .doing(starting())?;
        self.members.push(Member { program, child });
        Ok(())
    }

    /// Kills one of them and waits until it is gone.
    pub(super) fn kill(&mut self, program: &str) {
        self.members.retain_mut(|member| {
            if member.program == program {
                // An error means that it has ended already.
                let _ = member.child.kill();
                let _ = member.child.wait();
            }
            member.program != program
        });
    }

    /// Fails if one of them has ended.
    pub(super) fn ensure_running(&mut self) -> Result<(), Error> {
        for Member { program, child } in &mut self.members {
            if let Some(status) = child.try_wait().doing(format!("ask after {program}"))? {
                let program = *program;
                return Err(Error::Ended {
                    program,
                    status,
                    log: self.log_tail(program),
                });
            }
        }
        Ok(())
    }

    /// The last lines that `program` wrote.
    pub(super) fn log_tail(&self, program: &str) -> String {
        let log = fs::read(self.log_of(program)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let mut lines: Vec<_> = log.lines().rev().take(LOG_LINES).collect();
        lines.reverse();
        lines.join("\n")
    }

    fn log_of(&self, program: &str) -> PathBuf {
        self.folder.join(format!("{program}.log"))
    }
}

impl Drop for Processes {
    /// Returns when all of them are gone. Nothing here can be acted upon if it fails.
    fn drop(&mut self) {
        for Member { child, .. } in &mut self.members {
            let _ = child.kill();
            let _ = child.wait();
        }
        // `wait` would close it too; this says that it is what ends the watchdog.
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}
