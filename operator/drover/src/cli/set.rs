//! What may be written to change one line of a manifest.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use drover_api::common::{Direction, RecoveryPointType};
use drover_api::value::Duration;
use jiff::Timestamp;

use super::{Kind, Side};

const SET: &str = "\
Examples:
  drover set active-site shop secondary -f dr/        fail over, once it is merged
  drover set failover-type shop Unplanned -f dr/      seoul is lost
  drover set recovery-point shop LatestAppConsistent
  drover set plan-digest shop --reviewed reviewed.json
  drover set active-site shop primary --dry-run       only show what would change

Exit codes:
  0  it was changed, or the manifest says so already
  1  it was refused, and no file was changed";

/// Change one line of a plan's manifest
///
/// The manifest is edited where it stands: comments, layout, quotes and line ends stay, and so do other
/// documents of the file. What was changed is printed as a unified diff, and on standard error what it
/// would do. The result is read and checked again, and must differ in that one field; else nothing is
/// written. No cluster is asked, and nothing starts before the change is applied.
#[derive(Debug, Args)]
#[command(after_long_help = SET)]
pub struct Set {
    /// Which line.
    #[command(subcommand)]
    pub field: Field,
}

/// Which line.
#[derive(Debug, Subcommand)]
pub enum Field {
    /// Where the machines should be: a failover, or a failback
    ActiveSite(ActiveSite),
    /// Whether the next run is planned or unplanned: a request for one run
    FailoverType(FailoverTypeOf),
    /// The recovery point that the next run starts from: a request for one run
    RecoveryPoint(RecoveryPointOf),
    /// The digest of the run that was reviewed: every other run is held
    PlanDigest(PlanDigestOf),
}

/// What is common to all lines.
#[derive(Debug, Args)]
pub struct Where {
    /// The plan
    #[arg(value_name = "[NAMESPACE/]PLAN")]
    pub plan: String,
    /// Files and folders with manifests; may be given several times [default: .]
    #[arg(short = 'f', long = "filename", value_name = "PATH", global = true)]
    pub paths: Vec<PathBuf>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Judge what expires as of this instant, such as 2026-11-20T12:00:00Z [default: now]
    #[arg(long, value_name = "INSTANT")]
    as_of: Option<Timestamp>,
}

impl Where {
    /// The instant by which expiries are judged.
    pub fn now(&self) -> Timestamp {
        self.as_of.unwrap_or_else(Timestamp::now)
    }

    /// Where manifests are looked for.
    pub fn paths(&self) -> Vec<PathBuf> {
        if self.paths.is_empty() {
            vec![".".into()]
        } else {
            self.paths.clone()
        }
    }
}

/// Where the machines should be: a failover, or a failback
///
/// Changes `spec.activeSite`. What it would do is said as if the machines were where the manifest had
/// them so far, or at the primary site where it said nothing.
#[derive(Debug, Args)]
pub struct ActiveSite {
    /// What is common to all lines.
    #[command(flatten)]
    pub place: Where,
    /// The site
    #[arg(value_name = "SITE", value_enum, ignore_case = true)]
    pub site: Side,
}

/// Whether the next run is planned or unplanned: a request for one run
///
/// Writes `spec.request`, which holds for one run and expires, or changes `type` in one that has not
/// expired. One that has expired is written anew as a whole, so that no risk that was accepted for
/// another event is accepted again. --standing changes the rule for all runs in a direction instead.
#[derive(Debug, Args)]
pub struct FailoverTypeOf {
    /// What is common to all lines.
    #[command(flatten)]
    pub place: Where,
    /// The type
    #[arg(value_name = "TYPE", value_enum, ignore_case = true)]
    pub kind: Kind,
    /// What is common to requests.
    #[command(flatten)]
    pub request: NewRequest,
    /// Change the standing rule for all runs in this direction instead
    #[arg(long, value_name = "DIRECTION", value_enum, conflicts_with_all = ["id", "expires_in"])]
    pub standing: Option<Way>,
}

/// The recovery point that the next run starts from: a request for one run
///
/// Changes `spec.request.recoveryPoint`. Where there is no request that has not expired, one for an
/// unplanned failover is written: a planned one loses nothing and has no choice of a point.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(false))]
pub struct RecoveryPointOf {
    /// What is common to all lines.
    #[command(flatten)]
    pub place: Where,
    /// How the point is chosen
    #[arg(value_name = "POINT", value_enum, ignore_case = true, group = "which")]
    pub point: Option<Point>,
    /// The newest point that is not younger than this instant, such as 2026-11-20T12:00:00Z
    #[arg(long, value_name = "INSTANT", group = "which")]
    pub time: Option<Timestamp>,
    /// The point of this name
    #[arg(long = "point", value_name = "NAME", group = "which")]
    pub name: Option<String>,
    /// What is common to requests.
    #[command(flatten)]
    pub request: NewRequest,
}

/// The digest of the run that was reviewed: every other run is held
///
/// Changes `spec.guards.planDigest` to what `drover plan --out FILE` kept. A file that is stale, because the
/// run would be another by now, is refused, and `drover plan --reviewed FILE` says what changed.
#[derive(Debug, Args)]
pub struct PlanDigestOf {
    /// What is common to all lines.
    #[command(flatten)]
    pub place: Where,
    /// The file with the reviewed plan
    #[arg(long, value_name = "FILE")]
    pub reviewed: PathBuf,
}

/// What a new request is called and how long it counts.
#[derive(Debug, Args)]
pub struct NewRequest {
    /// Write a new request with this id, whatever there is [default: made from type and time]
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// How long a new request counts
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub expires_in: Duration,
}

/// A direction.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Way {
    /// When machines leave the primary site
    ToSecondary,
    /// When machines come home
    ToPrimary,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::ToSecondary => Self::ToSecondary,
            Way::ToPrimary => Self::ToPrimary,
        }
    }
}

/// How a recovery point is chosen that needs no further word.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Point {
    /// Everything received is processed first: the lowest RPO
    Latest,
    /// The newest that is processed already: the lowest RTO
    LatestProcessed,
    /// The newest that is application-consistent
    LatestAppConsistent,
}

impl From<Point> for RecoveryPointType {
    fn from(point: Point) -> Self {
        match point {
            Point::Latest => Self::Latest,
            Point::LatestProcessed => Self::LatestProcessed,
            Point::LatestAppConsistent => Self::LatestAppConsistent,
        }
    }
}
