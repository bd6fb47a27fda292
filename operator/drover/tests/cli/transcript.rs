//! Transcripts: what was typed, what came back on which stream, and how it ended.
//!
//! ```text
//! $ COLUMNS=120 drover validate - < tests/fixtures/example.yaml
//! 2 | 8 objects read from 1 file: no problems
//! exit 0
//! ```
//!
//! A transcript is its own script: the lines that begin with `$` are run, and what they give must be
//! what is written under them. `DROVER_UPDATE=1` writes it anew; review the difference like code.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program under test.
pub const DROVER: &str = env!("CARGO_BIN_EXE_drover");

/// The program, in a world that does not depend on who runs the tests.
pub fn drover(folder: &Path) -> Command {
    let mut command = Command::new(DROVER);
    command.current_dir(folder).stdin(Stdio::null());
    for variable in ["COLUMNS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.env("TERM", "xterm");
    command
}

/// Runs the commands of a transcript in a folder, and compares.
pub fn check(transcript: &Path, folder: &Path) {
    let old = fs::read_to_string(transcript).unwrap_or_default();
    let mut new = String::new();
    for line in old.lines() {
        if let Some(typed) = line.strip_prefix("$ ") {
            if !new.is_empty() && !new.ends_with("\n\n") {
                new.push('\n');
            }
            new.push_str(&record(typed, folder));
        } else if line.starts_with('#') {
            let _ = writeln!(new, "{line}");
        }
    }
    compare(transcript, &old, &new);
}

/// Compares with what is kept, or keeps it.
pub fn compare(kept: &Path, old: &str, new: &str) {
    if std::env::var_os("DROVER_UPDATE").is_some() {
        if old != new {
            fs::write(kept, new).unwrap();
        }
        return;
    }
    if old == new {
        return;
    }
    let differs = |(old, new): &(&str, &str)| old != new;
    let first = old.lines().zip(new.lines()).position(|pair| differs(&pair));
    let first = first.unwrap_or_else(|| old.lines().count().min(new.lines().count()));
    let part = |text: &str| {
        text.lines()
            .skip(first)
            .take(6)
            .collect::<Vec<_>>()
            .join("\n")
    };
    panic!(
        "{} differs from line {} on.\n--- kept\n{}\n--- now\n{}\n---\n\
         if that is meant: DROVER_UPDATE=1 cargo test -p drover",
        kept.display(),
        first + 1,
        part(old),
        part(new),
    );
}

/// What typing this gives, as a transcript.
pub fn record(typed: &str, folder: &Path) -> String {
    let (words, input) = match typed.split_once(" < ") {
        Some((words, input)) => (words, Some(input.trim())),
        None => (typed, None),
    };
    let mut command = drover(folder);
    let mut words = words.split_whitespace().peekable();
    while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
        command.env(name, value);
        words.next();
    }
    assert_eq!(words.next(), Some("drover"), "{typed}");
    command.args(words);
    if let Some(input) = input {
        command.stdin(File::open(folder.join(input)).unwrap());
    }
    shown(typed, &command.output().unwrap())
}

fn shown(typed: &str, output: &Output) -> String {
    let mut text = format!("$ {typed}\n");
    for (stream, bytes) in [(1, &output.stdout), (2, &output.stderr)] {
        // Escape sequences as a reader of the transcript sees them; a version is not a change.
        let said = String::from_utf8_lossy(bytes)
            .replace('\u{1b}', "␛")
            .replace(
                &format!("drover {}", env!("CARGO_PKG_VERSION")),
                "drover VERSION",
            )
            .replace(
                &format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION")),
                "\"version\": \"VERSION\"",
            );
        for line in said.lines() {
            let _ = writeln!(text, "{}", format!("{stream} | {line}").trim_end());
        }
    }
    match output.status.code() {
        Some(code) => {
            let _ = writeln!(text, "exit {code}");
        }
        // A signal: nothing here should end so.
        None => text.push_str("killed\n"),
    }
    text
}
