//! What may be written for `diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use drover_engine::review::Class;
use jiff::Timestamp;

const DIFF: &str = "\
Examples:
  drover diff main                        what the work tree changes since main
  drover diff main...HEAD                 what a branch changes since it left main
  drover diff v1.4 v1.5 -- recovery/      two revisions, one folder of them
  drover diff old/ new/                   two folders, with or without git
  helm template . | drover diff rendered.yaml -
  drover diff main --format markdown      a comment for a pull request
  drover diff main --fail-on LosesProtection

BASE and HEAD are revisions as git knows them, files, or folders; HEAD may be -, standard input. Revisions
are read from the repository itself: nothing is checked out, and git need not be installed. Paths after --
narrow what is read, from the folder that drover is run in.

Classes, the most serious first:
  Refused            the API refuses it: the field cannot be changed
  WouldRun           a run or a drill starts, or would if it were not held
  LosesProtection    machines are no longer protected, or no plan recovers them
  WeakensSafety      less stands between a mistake and its consequences
  WorsensObjectives  coming back takes longer, or loses more
  Harmless           none of these

Exit codes:
  0  the change means nothing, or is harmless
  1  it brings errors, the API would refuse it, the policy does not allow it, or it could not be read
  2  it was read, and it means something that is not harmless";

/// Say what a change of manifests means
///
/// Reads the manifests of two sides, checks both, and says what follows from the difference: which runs
/// would start, what loses its protection, what gets weaker or slower, and what changes besides, by the
/// same rules as the operator goes by. What only looks different says nothing: order without meaning,
/// comments, files that manifests move between, other words for one length of time.
///
/// No site is asked. What BASE declares is taken to be so: machines are where it has them.
#[derive(Debug, Args)]
#[command(after_long_help = DIFF)]
pub struct Diff {
    /// What is compared with: a revision, ONE...OTHER for the point where they parted, a file or a folder
    #[arg(value_name = "BASE")]
    pub base: String,
    /// What is looked at [default: the work tree]
    #[arg(value_name = "HEAD")]
    pub head: Option<String>,
    /// Files and folders that are read, of revisions and of the work tree [default: this folder]
    #[arg(last = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "output")]
    pub format: DiffFormat,
    /// Add the plain difference of the texts
    #[arg(long = "text-diff")]
    pub texts: bool,
    /// Fail (exit 1) on meanings of this class or a more serious one
    #[arg(long, value_name = "CLASS", value_parser = class)]
    pub fail_on: Option<Class>,
    /// Fail (exit 1) as this file says
    ///
    /// A YAML file with two lists of classes, codes of meanings, and codes of checks: `fail`, and `allow`,
    /// which goes before it.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Judge what expires as of this instant, such as 2026-11-20T12:00:00Z [default: now]
    #[arg(long, value_name = "INSTANT")]
    as_of: Option<Timestamp>,
}

impl Diff {
    /// The instant by which expiries are judged.
    pub fn now(&self) -> Timestamp {
        self.as_of.unwrap_or_else(Timestamp::now)
    }
}

/// How a review is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people
    #[default]
    Text,
    /// For programs: a report of kind `ReviewReport`
    Json,
    /// For a comment on a pull request: below 65,535 characters
    Markdown,
    /// For code scanning of forges: SARIF 2.1.0
    Sarif,
}

/// A class by its name, in whatever case.
fn class(name: &str) -> Result<Class, String> {
    let found = Class::ALL
        .into_iter()
        .find(|class| class.as_str().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let names: Vec<&str> = Class::ALL.iter().map(|class| class.as_str()).collect();
        format!("the classes are {}", names.join(", "))
    })
}
