//! What may be written for `simulate`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use drover_api::value::Duration as Length;
use drover_rehearsal::Fault;

use super::{Input, Kind, Side};

const SIMULATE: &str = "\
Examples:
  drover simulate --plan shop             what a failover would be like, lived through once
  drover simulate --plan shop --type Unplanned --fault site-loss=seoul --unfenced --runs 1000
  drover simulate --fault failed-boot=5% --fault slow-disks=busan*4 --runs 200 --seed 7
  drover simulate --fault failed-action=data/check --answer-after 10m
  drover simulate --runs 200 --format html > rehearsal.html

Faults (each with @AFTER for how long after the start of the run, as @2m):
  site-loss=SITE  site-return=SITE  partition=SITE  heal=SITE  slow-disks=SITE*TIMES
  failed-boot=MACHINE*TIMES  failed-boot=5%  hung-shutdown=MACHINE
  failed-action=GROUP/ACTION*TIMES

Exit codes:
  0  in all runs all machines came up, within the objectives
  1  the manifests are wrong, or it could not be simulated
  2  in some runs they did not";

/// Live a run through on simulated sites, without touching anything
///
/// Builds simulated sites of what is declared, protects the machines there and carries the run out, with
/// the functions that the operator uses: order, limits, actions, waits and refusals are the real ones. How
/// long each step takes is drawn around its estimate, or around the median of recorded runs where objects
/// of kind `RecoveryRun` and `MachineRun` are among the manifests. With --runs it is lived through many times:
/// how long it takes then, what is lost, and which steps decide it.
///
/// No site is asked and nothing waits: time is simulated, too.
#[derive(Debug, Args)]
#[command(after_long_help = SIMULATE)]
pub struct Simulate {
    /// What is read.
    #[command(flatten)]
    pub input: Input,
    /// The plan, where there are several
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    pub plan: Option<String>,
    /// A move to this site, whatever is declared
    #[arg(long, value_name = "SITE", value_enum)]
    pub to: Option<Side>,
    /// A run of this type, whatever is declared
    #[arg(long = "type", value_name = "TYPE", value_enum, ignore_case = true)]
    pub kind: Option<Kind>,
    /// Where the machines are [default: primary]
    #[arg(long, value_name = "SITE", value_enum)]
    pub actual: Option<Side>,
    /// Something goes wrong; may be given several times
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<Fault>,
    /// As if somebody accepted the risk that a lost source is not fenced
    ///
    /// Without it an unplanned failover from a site that does not answer waits where the Site declares no
    /// `fencing`, as a real one does.
    #[arg(long)]
    pub unfenced: bool,
    /// Live it through so many times
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub runs: u32,
    /// What is drawn follows from this number; each run takes the next one
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// How long a person takes to answer
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = length)]
    pub answer_after: Duration,
    /// How far the lengths of steps lie apart, in percent: two in three lie so close to the estimate
    #[arg(long, value_name = "PERCENT", default_value_t = 25, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub spread: u8,
    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "output")]
    pub format: SimulateFormat,
}

/// How a simulation is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SimulateFormat {
    /// For people
    #[default]
    Text,
    /// For programs: a report of kind `SimulationReport`
    Json,
    /// For a browser: one file with everything in it
    Html,
}

fn length(text: &str) -> Result<Duration, String> {
    let length = text.parse::<Length>();
    length
        .map(|length| length.as_std())
        .map_err(|error| error.to_string())
}
