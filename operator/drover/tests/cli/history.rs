//! A history of changes, each with what `drover diff` says of it.
//!
//! `tests/history/base` is how it all begins; every other folder there is one change of it: `change.patch`,
//! made to the base or, where there is one, to what `before.patch` makes of it. Both sides are committed to a
//! repository, and what is said of the two revisions stands in `expected.txt` and `expected.md`. Folders
//! whose names say `silent` must say nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use drover_tests::manifests;
use tempfile::TempDir;

use crate::transcript::{compare, drover};

/// Before anything in the history expires.
const NOW: &str = "2026-11-20T00:00:00Z";

/// A git repository that nobody's settings reach.
pub struct Repository(TempDir);

impl Repository {
    /// An empty one.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Self(folder);
        repository.git(&["init", "-q", "-b", "start"]);
        repository
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(self.path()).args(arguments);
        let output = isolated(&mut command).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits everything, and lets a branch begin there.
    pub fn commit(&self, branch: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", branch]);
        self.git(&["branch", "-q", "-f", branch]);
    }
}

/// Git without anybody's settings, at one instant, so that commits have the same names everywhere.
pub fn isolated(command: &mut Command) -> &mut Command {
    let at = "2026-11-01T00:00:00Z";
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_NAME", "Drover")
        .env("GIT_AUTHOR_EMAIL", "drover@example.com")
        .env("GIT_COMMITTER_NAME", "Drover")
        .env("GIT_COMMITTER_EMAIL", "drover@example.com")
        .env("GIT_AUTHOR_DATE", at)
        .env("GIT_COMMITTER_DATE", at)
}

/// The shop that it all begins with, as the revision `base`.
pub fn base() -> Repository {
    let base = manifests::repository().join("tests/history/base");
    let repository = Repository::new();
    for entry in fs::read_dir(base).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        repository.put(&name, fs::read(&path).unwrap());
    }
    repository.commit("base");
    repository
}

fn steps() -> Vec<PathBuf> {
    let root = manifests::repository().join("tests/history");
    let entries = fs::read_dir(root).unwrap();
    let mut steps: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("change.patch").is_file())
        .collect();
    steps.sort();
    steps
}

fn said(repository: &Repository, arguments: &[&str]) -> (String, String) {
    let mut command = drover(repository.path());
    command.args(["diff", "--as-of", NOW]).args(arguments);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| without_commits(&String::from_utf8_lossy(bytes));
    let mut transcript = String::new();
    for (stream, bytes) in [(1, &output.stdout), (2, &output.stderr)] {
        for line in text(bytes).lines() {
            let _ = writeln!(transcript, "{}", format!("{stream} | {line}").trim_end());
        }
    }
    let code = output.status.code().unwrap();
    let _ = writeln!(transcript, "exit {code}");
    let version = format!("drover {}", env!("CARGO_PKG_VERSION"));
    (
        text(&output.stdout).replace(&version, "drover VERSION"),
        transcript,
    )
}

/// What stands in for the names of commits: they change with every line of the base.
pub fn without_commits(text: &str) -> String {
    let words: Vec<&str> = text.split('(').collect();
    let mut out = words[0].to_owned();
    for word in &words[1..] {
        let is_commit = word.len() > 10
            && word.is_char_boundary(10)
            && word[..10].bytes().all(|byte| byte.is_ascii_hexdigit())
            && word[10..].starts_with(')');
        out.push('(');
        if is_commit {
            out.push_str("COMMIT");
            out.push_str(&word[10..]);
        } else {
            out.push_str(word);
        }
    }
    out
}

#[test]
fn what_each_change_means() {
    // SPEC: RD-3
    let repository = base();
    let steps = steps();
    let silent = steps.iter().filter(|step| is_silent(step)).count();
    assert!(
        steps.len() - silent >= 40 && silent >= 10,
        "{} and {silent}",
        steps.len()
    );
    for step in steps {
        repository.git(&["checkout", "-q", "-f", "--detach", "base"]);
        apply(&repository, &step.join("before.patch"));
        repository.commit("before");
        apply(&repository, &step.join("change.patch"));
        repository.commit("after");
        let (data, transcript) = said(&repository, &["before", "after"]);
        if is_silent(&step) {
            assert_eq!(data, "", "{}", step.display());
            assert!(
                transcript.ends_with("exit 0\n"),
                "{}: {transcript}",
                step.display()
            );
        }
        keep(&step.join("expected.txt"), &transcript);
        let (comment, _) = said(&repository, &["--format", "markdown", "before", "after"]);
        keep(&step.join("expected.md"), &comment);
        // The other way round something is said too, or nothing.
        let (back, _) = said(&repository, &["after", "before"]);
        assert_eq!(
            back.is_empty(),
            data.is_empty(),
            "{}: {back}",
            step.display()
        );
    }
}

fn is_silent(step: &Path) -> bool {
    step.file_name()
        .is_some_and(|name| name.to_string_lossy().contains("silent"))
}

pub fn apply(repository: &Repository, patch: &Path) {
    if patch.is_file() {
        repository.git(&["apply", "--whitespace=nowarn", patch.to_str().unwrap()]);
    }
}

fn keep(path: &Path, new: &str) {
    let old = fs::read_to_string(path).unwrap_or_default();
    compare(path, &old, new);
}
