//! What may be written for a person's word on a run.

use clap::{Args, ValueEnum};
use drover_api::value::Duration;
use jiff::Timestamp;

use super::{Target, TextOrData};

/// What is common to all words on a run.
#[derive(Debug, Args)]
pub struct Word {
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Who decides [default: whom the cluster knows, else the user of the operating system]. In a
    /// cluster, admission takes no other name than that of whoever is logged in
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    /// Do nothing unless the run has this digest
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<String>,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// Do not wait for the answer
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait for the answer
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "2m",
        conflicts_with = "no_wait"
    )]
    pub timeout: Duration,
    /// How the answer is printed
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "format")]
    pub output: TextOrData,
    /// Which cluster is meant.
    #[command(flatten)]
    pub target: Target,
}

/// Approve a manual step of a run, or a run before it begins
#[derive(Debug, Args)]
pub struct Approve {
    /// The run
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The step [default: the run as a whole, where its plan asks for approvals]
    #[arg(value_name = "GROUP/ACTION")]
    pub step: Option<String>,
    /// What is common to all words on a run.
    #[command(flatten)]
    pub word: Word,
}

/// Make a failover final
///
/// Other recovery points are removed; this cannot be undone. Then replication in the other direction
/// can begin.
#[derive(Debug, Args)]
pub struct Commit {
    /// The run
    #[arg(value_name = "RUN")]
    pub run: String,
    /// What is common to all words on a run.
    #[command(flatten)]
    pub word: Word,
}

/// Send the machines of a run back to where they came from
#[derive(Debug, Args)]
pub struct Cancel {
    /// The run
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Accept that what machines wrote at the target is lost
    #[arg(long)]
    pub discard: bool,
    /// What is common to all words on a run.
    #[command(flatten)]
    pub word: Word,
}

/// Let a halted run go on from where it stopped
#[derive(Debug, Args)]
pub struct Resume {
    /// The run
    #[arg(value_name = "RUN")]
    pub run: String,
    /// What is common to all words on a run.
    #[command(flatten)]
    pub word: Word,
}

/// End the hold between the two phases of a failback's synchronisation
///
/// Machines are stopped next, and their last changes are sent.
#[derive(Debug, Args)]
pub struct CompleteSync {
    /// The run
    #[arg(value_name = "RUN")]
    pub run: String,
    /// What is common to all words on a run.
    #[command(flatten)]
    pub word: Word,
}

/// Rebuild the machines of a run from another recovery point
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(false))]
pub struct ChangePoint {
    /// The run
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The point of this name
    #[arg(long, value_name = "NAME", group = "which")]
    pub point: Option<String>,
    /// The newest point that is not younger than this instant, such as 2026-11-20T12:00:00Z
    #[arg(long, value_name = "INSTANT", group = "which")]
    pub time: Option<Timestamp>,
    /// The newest application-consistent point
    #[arg(long, group = "which")]
    pub latest_app_consistent: bool,
    /// The newest point that is processed already
    #[arg(long, group = "which")]
    pub latest_processed: bool,
    /// The newest point, after everything received was processed
    #[arg(long, group = "which")]
    pub latest: bool,
    /// What is common to all words on a run.
    #[command(flatten)]
    pub word: Word,
}

/// Protect the machines of a committed failover in the other direction
///
/// Where this does not begin by itself: what is at the site that machines left is overwritten with
/// what they are now.
#[derive(Debug, Args)]
pub struct Reprotect {
    /// The run
    #[arg(value_name = "RUN")]
    pub run: String,
    /// What is common to all words on a run.
    #[command(flatten)]
    pub word: Word,
}

/// Accept a risk of a run by name
#[derive(Debug, Args)]
pub struct Accept {
    /// The run
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The risk
    #[arg(value_name = "RISK", value_enum)]
    pub risk: Risk,
    /// What is common to all words on a run.
    #[command(flatten)]
    pub word: Word,
}

/// A risk of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Risk {
    /// More may be lost than the plan allows
    DataLoss,
    /// What was written at the target may be discarded by a cancel
    Discard,
    /// The source could not be fenced, and may still serve
    SplitBrain,
}
