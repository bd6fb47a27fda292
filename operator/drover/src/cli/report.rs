//! What may be written for `drover report`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Args, ValueEnum};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::Target;
use crate::cluster::kinds::Named;

const REPORT: &str = "\
Examples:
  drover report shop-7                             on the terminal
  drover report shop-7 --format html > shop-7.html for a browser, and to print as PDF
  drover report drill/november                     a drill
  drover report --since 2026-07-01 --until 2026-09-30 --format html > q3.html
  drover report shop-7 --format json > shop-7.json for the archive
  drover report --verify shop-7.json               whether that is as it was printed

Exit codes:
  0  it was printed; what is verified is as it was printed
  1  there is no such run; what is verified was changed";

/// Print the evidence of a run, a drill or a period
///
/// What was done, when, and who decided; how long each step took; which recovery points were used and
/// what was lost; RTO and RPO reached, forecast and aimed at; the revision of the manifests that were in
/// force; open gaps. It is made from the run and the journals of its machines alone, and carries a digest of
/// its facts.
///
/// For a period: the plans, their drills and whether the guard drillNotOlderThan is satisfied, objectives
/// that were missed, machines that nothing protects, decisions, and each run that began in it.
#[derive(Debug, Args)]
#[command(after_long_help = REPORT)]
#[command(group = ArgGroup::new("subject").required(true).args(["of", "since", "verify"]))]
pub struct Report {
    /// The run, or the drill: NAME, run/NAME or drill/NAME
    #[arg(value_name = "RUN")]
    pub of: Option<Subject>,
    /// All runs and drills that began from this day or instant on, such as 2026-07-01 (UTC)
    #[arg(long, value_name = "DAY", value_parser = day_begins)]
    pub since: Option<Timestamp>,
    /// Until the end of this day, or before this instant [default: now]
    #[arg(long, value_name = "DAY", value_parser = day_ends, requires = "since")]
    pub until: Option<Timestamp>,
    /// Of a period only what belongs to this plan
    #[arg(long, value_name = "NAME", requires = "since")]
    pub plan: Option<String>,
    /// A period in all namespaces
    #[arg(short = 'A', long, requires = "since", conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Say whether a report that was kept as JSON has the facts that its digest is of; - is standard input
    #[arg(long, value_name = "FILE")]
    pub verify: Option<PathBuf>,
    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "output")]
    pub format: ReportFormat,
    /// Which cluster is meant.
    #[command(flatten)]
    pub target: Target,
}

/// How evidence is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// For programs: a report of kind `RunReport` or `PeriodReport`, version drover.dev/report/v1alpha1
    Json,
    /// For an issue tracker
    Markdown,
    /// For a browser, and to print: one file with everything in it
    Html,
}

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A run.
    Run(String),
    /// The run of a drill.
    Drill(String),
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains('/') {
            return Ok(Self::Run(text.to_owned()));
        }
        let Named { kind, name } = text.parse()?;
        match kind {
            "RecoveryRun" => Ok(Self::Run(name)),
            "RecoveryDrill" => Ok(Self::Drill(name)),
            other => Err(format!(
                "runs and drills leave evidence, a {other} does not"
            )),
        }
    }
}

/// An instant, or the beginning of a day.
fn day_begins(text: &str) -> Result<Timestamp, String> {
    instant(text, 0)
}

/// An instant, or the end of a day.
fn day_ends(text: &str) -> Result<Timestamp, String> {
    instant(text, 1)
}

const HOW: &str = "write a day as 2026-07-01, or an instant as 2026-07-01T12:00:00Z";

fn instant(text: &str, days: i64) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    let day: Date = text.parse().map_err(|_| HOW.to_owned())?;
    let day = day.checked_add(days.days()).map_err(|_| HOW.to_owned())?;
    let begins = day.to_zoned(TimeZone::UTC).map_err(|_| HOW.to_owned())?;
    Ok(begins.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_whole() {
        // SPEC: RD-5
        let midnight = |text: &str| format!("{text}T00:00:00Z");
        let begins = day_begins("2026-07-01").unwrap().to_string();
        assert_eq!(begins, midnight("2026-07-01"));
        let ends = day_ends("2026-09-30").unwrap().to_string();
        assert_eq!(ends, midnight("2026-10-01"));
        let noon = "2026-07-01T12:00:00Z";
        assert_eq!(day_ends(noon).unwrap().to_string(), noon);
        for wrong in ["", "july", "2026-13-01", "9999-12-31T00:00"] {
            assert!(day_begins(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_alone_is_that_of_a_run() {
        // SPEC: RD-5
        let subject = |text: &str| text.parse::<Subject>();
        assert_eq!(subject("shop-7"), Ok(Subject::Run("shop-7".to_owned())));
        assert_eq!(subject("rr/shop-7"), Ok(Subject::Run("shop-7".to_owned())));
        assert_eq!(subject("drill/q3"), Ok(Subject::Drill("q3".to_owned())));
        assert!(subject("plan/shop").is_err_and(|why| why.contains("leave evidence")));
    }
}
