//! Programs that end when this process does.
//!
//! The kernel is asked to kill them (`setpriv --pdeathsig`), for nothing else helps when this process is
//! killed itself. It does so when the *thread* ends that started them, and threads of a runtime come and go;
//! so one thread, which never ends, starts all of them. A program whose parent died before the kernel was
//! asked sees another parent than it should, and does not begin.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{LazyLock, mpsc};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::error::ImageError;

/// The program that asks the kernel.
const KEEPER: &str = "setpriv";
/// How a shell says that it does not find a program.
const UNKNOWN: i32 = 127;
/// The last words of a program that are kept: it may go on for long about every client.
const LAST_WORDS: usize = 4 << 10;
/// What a description or report may be long: more is no description.
const MOST_OUTPUT: usize = 16 << 20;

/// Something to be started, and where to tell.
struct Order {
    command: Command,
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

static STARTER: LazyLock<Option<mpsc::Sender<Order>>> = LazyLock::new(|| {
    let (orders, queue) = mpsc::channel::<Order>();
    let serve = move || {
        for order in queue {
            let Order {
                mut command,
                runtime,
                answer,
            } = order;
            let _entered = runtime.enter();
            // Who does not wait any more drops the child, which kills it.
            let _ = answer.send(command.spawn());
        }
    };
    let thread = std::thread::Builder::new().name("starter".to_owned());
    thread.spawn(serve).ok().map(|_| orders)
});

/// Starts a program that is killed when this process ends, or the child is dropped.
pub(super) async fn start(
    program: &'static str,
    arguments: &[&OsStr],
) -> Result<Child, ImageError> {
    let mut command = Command::new(KEEPER);
    command
        .args(["--pdeathsig", "KILL", "--", "sh", "-c"])
        .arg(r#"[ "$PPID" = "$0" ] && exec "$@""#)
        .arg(std::process::id().to_string())
        .arg(program)
        .args(arguments)
        // What it says is read, and not only by people.
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let (answer, started) = oneshot::channel();
    let order = Order {
        command,
        runtime: Handle::current(),
        answer,
    };
    let sent = STARTER
        .as_ref()
        .is_some_and(|orders| orders.send(order).is_ok());
    let started = if sent { started.await.ok() } else { None };
    match started {
        Some(Ok(child)) => Ok(child),
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            Err(ImageError::Missing { program: KEEPER })
        }
        Some(Err(error)) => Err(failed(program, &error)),
        None => Err(failed(program, &"no thread can be started")),
    }
}

/// How a program ended, and its output.
pub(super) struct Ended {
    pub status: ExitStatus,
    pub output: Vec<u8>,
    pub words: String,
}

/// Runs a program to its end. When the future is dropped it is killed.
pub(super) async fn run(program: &'static str, arguments: &[&OsStr]) -> Result<Ended, ImageError> {
    let mut child = start(program, arguments).await?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let output = async {
        let mut output = Vec::new();
        if let Some(stdout) = stdout {
            let mut some = stdout.take(MOST_OUTPUT as u64);
            some.read_to_end(&mut output).await.map(drop)?;
        }
        io::Result::Ok(output)
    };
    let (output, words, status) = tokio::join!(output, last_words(stderr), child.wait());
    let status = status.map_err(|error| failed(program, &error))?;
    let output = output.map_err(|error| failed(program, &error))?;
    if status.code() == Some(UNKNOWN) {
        return Err(ImageError::Missing { program });
    }
    Ok(Ended {
        status,
        output,
        words,
    })
}

/// Runs a program that must succeed at an image.
pub(super) async fn succeed(
    program: &'static str,
    arguments: &[&OsStr],
    image: &Path,
) -> Result<Vec<u8>, ImageError> {
    let ended = run(program, arguments).await?;
    if ended.status.success() {
        return Ok(ended.output);
    }
    Err(complaint(program, image, ended.status, &ended.words))
}

/// What it means that a program failed at an image.
pub(super) fn complaint(
    program: &'static str,
    image: &Path,
    status: ExitStatus,
    words: &str,
) -> ImageError {
    if status.code() == Some(UNKNOWN) {
        return ImageError::Missing { program };
    }
    if words.trim().is_empty() {
        return failed(program, &status);
    }
    ImageError::said(program, image, words)
}

pub(super) fn failed(program: &'static str, why: &dyn std::fmt::Display) -> ImageError {
    let text = why.to_string();
    ImageError::Failed { program, text }
}

/// Reads what a program says to its end, and keeps the last of it.
pub(super) async fn last_words(from: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Vec::new();
    if let Some(mut from) = from {
        let mut piece = [0; 1024];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            kept.extend_from_slice(piece.get(..length).unwrap_or_default());
            let spare = kept.len().saturating_sub(LAST_WORDS);
            kept.drain(..spare);
        }
    }
    let text = String::from_utf8_lossy(&kept);
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(clean).collect()
}
