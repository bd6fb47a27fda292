//! A script as a process, in the embedded mode.

use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use drover_api::ScriptAction;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};

use super::Errand;

impl Errand {
    /// A process; it reads what the run says of itself from its standard input.
    pub(super) async fn process(&self, script: &ScriptAction) -> Result<(), String> {
        let Some((program, arguments)) = script.command.split_first() else {
            return Err("the command is empty".into());
        };
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(&script.env)
            .env("DROVER_IDEMPOTENCY_KEY", &self.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{program} could not be started: {error}"))?;
        let mut group = ProcessGroup::of(&child);
        let (input, errors) = (child.stdin.take(), child.stderr.take());
        let about = self.about.to_string();
        let mut said = Vec::new();
        let ended = {
            // A program may end without reading, and leave others behind that hold its pipes open.
            let told = tell(input, about.as_bytes());
            let mut talk = pin!(futures::future::join(told, listen(errors, &mut said)));
            let mut over = false;
            let ended = tokio::select! {
                ended = child.wait() => ended,
                _ = &mut talk => {
                    over = true;
                    child.wait().await
                }
            };
            let ended = ended.map_err(|error| error.to_string())?;
            group.ended();
            if !over {
                let _ = tokio::time::timeout(LAST_WORDS, talk).await;
            }
            ended
        };
        if ended.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&said);
        let last = said
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        Err(format!("{program} ended with {ended}: {last}"))
    }
}

/// Everything that a script started; it ends when the attempt is given up.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Self(pid.and_then(Pid::from_raw))
    }

    /// The script came to its end by itself. What it left running on purpose runs on, and its number may be
    /// another's from now on.
    fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended in this moment; then there is nobody to end.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn tell(input: Option<ChildStdin>, about: &[u8]) {
    if let Some(mut input) = input {
        // That it does not read is the program's own affair.
        drop(input.write_all(about).await);
    }
}

/// Reads to the end and keeps the last of it.
async fn listen(errors: Option<ChildStderr>, said: &mut Vec<u8>) {
    let Some(mut errors) = errors else { return };
    let mut piece = [0; 1024];
    while let Ok(read @ 1..) = errors.read(&mut piece).await {
        said.extend_from_slice(&piece[..read]);
        let surplus = said.len().saturating_sub(KEPT);
        said.drain(..surplus);
    }
}

/// Bytes that are kept of what a script says; its last line is told.
const KEPT: usize = 4096;
/// How long a script's last words are waited for after its end.
const LAST_WORDS: Duration = Duration::from_millis(100);
