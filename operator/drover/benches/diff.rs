//! `drover diff` over a git repository of fifty thousand machines, two hundred files of which change.
//!
//!     cargo bench -p drover --bench diff
//!
//! The real program runs, from its start to its end, on a repository that is made for it and packed as a clone
//! is. Medians of five; the peak of resident memory is what the kernel says of the process, looked at every
//! millisecond.

// What it finds goes to standard output, and a benchmark may panic.
#![allow(clippy::expect_used, clippy::print_stdout)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use drover_tests::large::manifests;
use serde_json::Value;

/// Groups of a plan, machines of a group.
const GROUPS: usize = 5;
const MACHINES: usize = 10;
/// Of so many files one changes.
const EACH: usize = 5;
const ROUNDS: usize = 5;

/// What is done to the text of an application, one after the other: a failover, an order that goes, a commit by
/// itself, a machine that goes, and a comment.
type Change = fn(&str) -> String;
const CHANGES: [Change; 5] = [
    |text| text.replace("activeSite: primary", "activeSite: secondary"),
    |text| text.replace("      dependsOn: [data]\n", "      dependsOn: []\n"),
    |text| {
        text.replace(
            "commit: { policy: Manual }",
            "commit: { policy: Automatic, soak: 30m }",
        )
    },
    without_a_machine,
    |text| format!("# Nothing else changes here.\n{text}"),
];

fn main() {
    // As a test it is enough that it still works.
    let measures = std::env::args().any(|word| word == "--bench");
    let plans = if measures { 1_000 } else { 10 };
    let folder = tempfile::tempdir().expect("a scratch folder");
    let changed = repository(folder.path(), plans);
    println!(
        "{} machines in {} files, {changed} of them change",
        plans * GROUPS * MACHINES,
        plans + 1
    );
    checked(folder.path(), changed);
    let rounds = if measures { ROUNDS } else { 1 };
    for (what, arguments) in [
        ("two revisions", &["diff", "before", "after"][..]),
        ("the work tree", &["diff", "before"]),
        ("as JSON", &["diff", "before", "after", "-o", "json"]),
    ] {
        let runs: Vec<Run> = (0..rounds).map(|_| run(folder.path(), arguments)).collect();
        let mut times: Vec<Duration> = runs.iter().map(|run| run.took).collect();
        times.sort();
        let peak = runs.iter().map(|run| run.peak).max().unwrap_or(0);
        println!(
            "{what:<14} {:>6} ms (of {rounds}: {} to {}) {peak:>4} MB",
            times[rounds / 2].as_millis(),
            times[0].as_millis(),
            times[rounds - 1].as_millis(),
        );
    }
}

/// A repository with the revisions `before` and `after`; returns how many files are not the same.
fn repository(folder: &Path, plans: usize) -> usize {
    let files = manifests(plans, GROUPS, MACHINES).expect("room for so many");
    git(folder, &["init", "--quiet"]);
    for (name, text) in &files {
        fs::write(folder.join(name), text).expect("a file");
    }
    commit(folder, "before");
    let mut changed = 0;
    let applications = files.iter().filter(|(name, _)| name.starts_with("app-"));
    for (name, text) in applications.step_by(EACH) {
        let new = CHANGES[changed % CHANGES.len()](text);
        assert_ne!(*text, new, "{name} stays as it is");
        fs::write(folder.join(name), new).expect("a file");
        changed += 1;
    }
    commit(folder, "after");
    git(folder, &["gc", "--quiet"]);
    changed
}

/// The last machine of the last group.
fn without_a_machine(text: &str) -> String {
    let at = text.rfind("    - name: app-").expect("a machine");
    let end = text[at..].find("---").expect("the end of its group");
    format!("{}{}", &text[..at], &text[at + end..])
}

fn commit(folder: &Path, name: &str) {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", name]);
    git(folder, &["branch", name]);
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments);
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_AUTHOR_NAME", "Drover"),
        ("GIT_AUTHOR_EMAIL", "drover@example.com"),
        ("GIT_COMMITTER_NAME", "Drover"),
        ("GIT_COMMITTER_EMAIL", "drover@example.com"),
    ] {
        command.env(name, value);
    }
    assert!(command.status().expect("git").success(), "{arguments:?}");
}

/// What is measured is the right answer: a fifth of the changes each are failovers, weaker commits, and machines
/// that nothing protects.
fn checked(folder: &Path, changed: usize) {
    let output = drover(folder)
        .args(["diff", "before", "after", "-o", "json"])
        .output()
        .expect("the program");
    assert_eq!(output.status.code(), Some(2));
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let summary = &report["summary"];
    assert_eq!(summary["files"], changed);
    for class in ["WouldRun", "LosesProtection", "WeakensSafety"] {
        assert_eq!(
            summary["classes"][class],
            changed / CHANGES.len(),
            "{summary}"
        );
    }
}

fn drover(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drover"));
    command.current_dir(folder);
    command
}

struct Run {
    took: Duration,
    /// Megabytes.
    peak: u64,
}

fn run(folder: &Path, arguments: &[&str]) -> Run {
    let mut command = drover(folder);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begin = Instant::now();
    let mut child = command.spawn().expect("the program");
    let mut peak = 0;
    let status = loop {
        peak = peak.max(resident(child.id()));
        if let Some(status) = child.try_wait().expect("its end") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let took = begin.elapsed();
    assert_eq!(status.code(), Some(2));
    Run { took, peak }
}

/// The most memory that a process ever had resident, in megabytes; nothing once it has ended.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024 / 1_000_000
}
