//! What may be written for `drift`.

use clap::{Args, ValueEnum};
use drover_api::DriftSeverity;

use super::Target;

const DRIFT: &str = "\
Examples:
  drover drift                            what differs, in the namespace of the context
  drover drift -A --fail-on critical      everywhere; exit code 2 only for what is critical
  drover drift --plan shop --full         one plan, every machine
  drover drift -A --format html > drift.html
  drover drift --format json | jq '.plans[].findings[] | select(.kind == \"DisksChanged\")'

Exit codes:
  0  no drift, or none that --fail-on makes count
  1  the cluster did not answer, or there is no such plan, or none at all
  2  drift of the severity of --fail-on, or worse; or it is not known whether
     there is any: an object was not judged yet, or Drover is silent";

/// Say where what is differs from what is declared
///
/// Machines that nobody protects, that are elsewhere than declared or run at both sites, whose hardware,
/// disks, networks or settings were changed behind Drover's back, that replicate too late or not at all;
/// drills that are over; sites that do not answer. By plan and by severity, with since when and what to do.
/// What Drover changes itself in a run is no drift, nor is a name that differs only in case.
///
/// The operator compares all the time and keeps what it found in the objects; this command puts it together.
#[derive(Debug, Args)]
#[command(after_long_help = DRIFT)]
pub struct Drift {
    /// Show this plan only; may be given several times
    #[arg(long = "plan", value_name = "[NAMESPACE/]NAME")]
    pub plans: Vec<String>,
    /// In all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// What makes the exit code 2
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t)]
    pub fail_on: DriftLevel,
    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "output")]
    pub format: DriftFormat,
    /// All machines in full, however many there are
    #[arg(long)]
    pub full: bool,
    /// Which cluster is meant.
    #[command(flatten)]
    pub target: Target,
}

/// A severity of drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DriftLevel {
    /// Anything that somebody should know
    Info,
    /// What somebody should look at, or worse
    #[default]
    Warning,
    /// A machine, its data or its protection is at stake
    Critical,
}

impl From<DriftLevel> for DriftSeverity {
    fn from(level: DriftLevel) -> Self {
        match level {
            DriftLevel::Info => Self::Info,
            DriftLevel::Warning => Self::Warning,
            DriftLevel::Critical => Self::Critical,
        }
    }
}

/// How drift is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DriftFormat {
    /// For people
    #[default]
    Text,
    /// For programs: a report of kind `DriftReport`
    Json,
    /// For an issue tracker: below 65,535 characters
    Markdown,
    /// For a browser: one file, which also prints well
    Html,
}
