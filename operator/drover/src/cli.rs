//! What may be written on the command line, and what `--help` says about it.

mod cluster;
mod decide;
mod drift;
mod local;
#[cfg(feature = "mover")]
mod mover;
mod report;
mod review;
mod serve;
mod set;
mod simulate;

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::Styles;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use drover_api::common::{FailoverType, SiteRole};
use jiff::Timestamp;

use crate::output::Color;

pub use cluster::*;
pub use decide::*;
pub use drift::*;
pub use local::*;
#[cfg(feature = "mover")]
pub use mover::*;
pub use report::*;
pub use review::*;
pub use serve::*;
pub use set::*;
pub use simulate::*;

const STYLES: Styles = Styles::styled();

const EXIT_CODES: &str = "\
Exit codes, the same for every command:
  0  all is well
  1  it could not be done, or what was read is wrong
  2  it was done, and there is something to see (`plan`: a run would start;
     `diff`: the change is not harmless)

Data goes to standard output, everything else to standard error. Colour is used
on a terminal only, and not when NO_COLOR is set.";

/// Disaster recovery as code
///
/// Sites, protection groups, network mappings and recovery plans are declared in manifests, as for
/// Kubernetes. `validate`, `plan`, `diff` and `graph` read manifests from files and need no cluster; `apply` and
/// those after it speak to one, or to Drover's own API, which `up` brings.
#[derive(Debug, Parser)]
#[command(name = "drover", version, styles = STYLES)]
#[command(arg_required_else_help = true, max_term_width = 100, after_long_help = EXIT_CODES)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How it looks.
    #[command(flatten)]
    pub look: Look,
}

/// How it looks.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Look {
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    color: Color,
    /// The same as --color never
    #[arg(long, global = true, conflicts_with = "color")]
    no_color: bool,
}

impl Look {
    /// When to use colour.
    pub fn choice(self) -> Color {
        if self.no_color {
            Color::Never
        } else {
            self.color
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check manifests, and say what is wrong with them and where
    Validate(Validate),
    /// Show what a run would do: order, times, expected RTO and RPO
    Plan(Plan),
    /// Live a run through on simulated sites, without touching anything
    Simulate(Simulate),
    /// Say what a change of manifests means
    Diff(Diff),
    /// Draw the order between the groups of recovery plans
    Graph(Graph),
    /// Say what a kind or a field means, and what it may be
    Explain(Explain),
    /// Change one line of a plan's manifest, such as its active site
    Set(Set),
    /// Make a cluster hold what manifests say
    Apply(Apply),
    /// Show what there is and how it stands
    Get(Get),
    /// Say everything about one object
    Describe(Describe),
    /// Say where what is differs from what is declared
    Drift(Drift),
    /// Wait until something is so
    Wait(Wait),
    /// Show what happened lately
    Events(Events),
    /// Delete objects, after saying what that means
    Delete(Delete),
    /// Print the evidence of a run, a drill or a period
    Report(Report),
    /// Approve a manual step of a run, or a run before it begins
    Approve(Approve),
    /// Make a failover final
    Commit(Commit),
    /// Send the machines of a run back to where they came from
    Cancel(Cancel),
    /// Let a halted run go on from where it stopped
    Resume(Resume),
    /// End the hold between the two phases of a failback's synchronisation
    CompleteSync(CompleteSync),
    /// Rebuild the machines of a run from another recovery point
    ChangePoint(ChangePoint),
    /// Accept a risk of a run by name
    Accept(Accept),
    /// Protect the machines of a committed failover in the other direction
    Reprotect(Reprotect),
    /// Run Drover here: an API for kubectl, the operator, and a live view
    Up(Up),
    /// Play the whole life of a shop of twelve machines, in about twenty seconds
    Demo(Demo),
    /// Run the operator for a cluster
    Run(Run),
    /// Run the mover of a libvirt site, beside its hosts
    #[cfg(feature = "mover")]
    Mover(Mover),
    /// Print the definitions of the kinds, for a cluster
    Crd(Crd),
    /// Print completions for a shell
    Completions(Completions),
    /// Print the version
    Version(Version),
}

/// What is read.
#[derive(Debug, Args)]
pub struct Input {
    /// Files and folders with manifests; - is standard input
    ///
    /// Folders are searched for *.yaml, *.yml and *.json, in the order of their names and at any
    /// depth. Hidden files and folders are passed over, and links to folders are not followed. What is
    /// not Drover's is counted and otherwise left alone.
    #[arg(value_name = "PATH", default_value = ".")]
    pub paths: Vec<PathBuf>,

    /// Judge what expires as of this instant, such as 2026-11-20T12:00:00Z [default: now]
    #[arg(long, value_name = "INSTANT")]
    as_of: Option<Timestamp>,
}

impl Input {
    /// The instant by which expiries are judged.
    pub fn now(&self) -> Timestamp {
        self.as_of.unwrap_or_else(Timestamp::now)
    }
}

const VALIDATE: &str = "\
Examples:
  drover validate                         all manifests below this folder
  drover validate sites.yaml apps/        some of them
  helm template . | drover validate -     what another tool writes
  drover validate --format json | jq '.problems[] | .place.file'
  drover validate --format sarif > drover.sarif   for code scanning
  drover validate --policy policies/      rules of your own, too

Exit codes:
  0  no errors (warnings are shown, and --fail-on warning makes them count)
  1  errors, or the manifests could not be read";

/// Check manifests, and say what is wrong with them and where
///
/// Reads all manifests, checks each object by itself and then what they say of each other, and prints
/// every problem with file, line and column. What objects mean together is checked when all of them
/// can be read. Problems go to standard output, a summary to standard error.
#[derive(Debug, Args)]
#[command(after_long_help = VALIDATE)]
pub struct Validate {
    /// What is read.
    #[command(flatten)]
    pub input: Input,
    /// How problems are printed
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "output")]
    pub format: ValidateFormat,
    /// Files and folders with policies: rules of your own in CEL, see docs/policies.md
    #[arg(long = "policy", value_name = "PATH")]
    pub policies: Vec<PathBuf>,
    /// What makes the command fail
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t)]
    pub fail_on: FailOn,
}

/// How problems are printed.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum ValidateFormat {
    /// For people: each with its source line
    #[default]
    Text,
    /// For programs: a report of kind `ValidateReport`
    Json,
    /// For code scanning: SARIF 2.1.0, at most 25,000 results, errors first
    Sarif,
    /// For a job of GitHub Actions: annotations, which are shown beside the lines
    Github,
    /// For pipelines that show tests: the XML of `JUnit`, a test for each object
    Junit,
}

/// What makes `validate` fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Errors
    #[default]
    Error,
    /// Errors and warnings
    Warning,
}

const PLAN: &str = "\
Examples:
  drover plan                             what the manifests would start now
  drover plan --plan shop/shop            one plan, in full
  drover plan --to primary --plan shop    what coming home would take
  drover plan --type Unplanned            what a lost site would mean
  drover plan --format markdown           a comment for a pull request
  drover plan --out reviewed.json         keep what was reviewed
  drover plan --reviewed reviewed.json    is it still that?

Exit codes:
  0  nothing would start (also: a preview with --to or --type), or all is as reviewed
  1  the manifests are wrong, could not be read or planned, or are not as reviewed
  2  a run would start";

/// Show what a run would do: order, times, expected RTO and RPO
///
/// Checks the manifests as `validate` does, then says for each recovery plan whether a run would start
/// because the declared site is not the one where the machines are, and what it would do: the order of
/// groups, the critical path, the expected RTO and RPO against their objectives. Where nothing would
/// start it previews a move to the other site.
///
/// No site is asked. Machines are assumed to be at their primary site unless --actual says otherwise;
/// times are the fabric's estimates; guards and what was served already are for the operator to know.
#[derive(Debug, Args)]
#[command(after_long_help = PLAN)]
pub struct Plan {
    /// What is read.
    #[command(flatten)]
    pub input: Input,
    /// Show this plan only; may be given several times
    #[arg(long = "plan", value_name = "[NAMESPACE/]NAME")]
    pub plans: Vec<String>,
    /// Preview a move to this site, whatever is declared
    #[arg(long, value_name = "SITE", value_enum)]
    pub to: Option<Side>,
    /// Preview a run of this type, whatever is declared
    #[arg(long = "type", value_name = "TYPE", value_enum, ignore_case = true)]
    pub kind: Option<Kind>,
    /// Where the machines are [default: primary]
    #[arg(long, value_name = "SITE", value_enum)]
    pub actual: Option<Side>,
    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "output")]
    pub format: PlanFormat,
    /// Keep what the runs would do in this file, with its digest, as it was reviewed
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Say whether the runs are still those that this file keeps, and what changed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plans", "to", "kind", "actual", "out"])]
    pub reviewed: Option<PathBuf>,
    /// One line for each plan, and no details
    #[arg(long, conflicts_with = "full")]
    pub summary: bool,
    /// All plans, groups and steps in full, however many there are
    #[arg(long)]
    pub full: bool,
}

/// How plans are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people
    #[default]
    Text,
    /// For programs: a report of kind `PlanReport`
    Json,
    /// For a comment on a pull request: below 65,535 characters
    Markdown,
}

/// A side of a pair of sites.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Side {
    /// The site where the machines belong
    Primary,
    /// The site that takes them over
    Secondary,
}

impl From<Side> for SiteRole {
    fn from(side: Side) -> Self {
        match side {
            Side::Primary => Self::Primary,
            Side::Secondary => Self::Secondary,
        }
    }
}

/// A type of failover.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Kind {
    /// Nothing may be lost
    Planned,
    /// Works with the source lost
    Unplanned,
}

impl From<Kind> for FailoverType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Planned => Self::Planned,
            Kind::Unplanned => Self::Unplanned,
        }
    }
}

const GRAPH: &str = "\
Examples:
  drover graph --plan shop/shop          for a Markdown file
  drover graph --format svg > dr.svg     a picture with times and critical path
  drover graph --format dot | dot -Tpdf  a picture, with Graphviz

Exit codes:
  0  it was drawn
  1  the manifests are wrong, or could not be read";

/// Draw the order between the groups of recovery plans
///
/// Checks the manifests as `validate` does, then writes the graph of each plan: its groups with the
/// number of their machines and their actions, and an arrow from each group to those that wait for it.
#[derive(Debug, Args)]
#[command(after_long_help = GRAPH)]
pub struct Graph {
    /// What is read.
    #[command(flatten)]
    pub input: Input,
    /// Draw this plan only; may be given several times
    #[arg(long = "plan", value_name = "[NAMESPACE/]NAME")]
    pub plans: Vec<String>,
    /// How it is written
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "output")]
    pub format: GraphFormat,
}

/// How graphs are written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum GraphFormat {
    /// Mermaid, which forges show in Markdown
    #[default]
    Mermaid,
    /// The language of Graphviz
    Dot,
    /// A picture that stands alone, for light and dark pages: waves, times, the critical path
    Svg,
    /// For programs: a report of kind `GraphReport`
    Json,
}

const CRD: &str = "\
Examples:
  drover crd | kubectl apply --server-side -f -
  drover crd RecoveryPlan Site
  drover crd --out crds/

Exit codes:
  0  they were printed or written
  1  there is no such kind, or a file could not be written";

/// Print the definitions of the kinds, for a cluster
///
/// Prints the custom resource definitions of all kinds, or of those that are named, as one stream of
/// YAML documents or as a List in JSON.
#[derive(Debug, Args)]
#[command(after_long_help = CRD)]
pub struct Crd {
    /// Kinds, such as Site or recoveryplans [default: all]
    #[arg(value_name = "KIND")]
    pub kinds: Vec<String>,
    /// How they are written
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "output")]
    pub format: CrdFormat,
    /// Write a file for each kind into this folder instead
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

/// How definitions are written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum CrdFormat {
    /// YAML
    #[default]
    Yaml,
    /// JSON
    Json,
}

const COMPLETIONS: &str = "\
Examples:
  source <(drover completions bash)
  drover completions zsh > \"${fpath[1]}/_drover\"
  drover completions fish > ~/.config/fish/completions/drover.fish";

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_long_help = COMPLETIONS)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Print the version
#[derive(Debug, Args)]
pub struct Version {
    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "output")]
    pub format: VersionFormat,
}

/// How the version is printed.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum VersionFormat {
    /// For people
    #[default]
    Text,
    /// For programs: a report of kind `Version`
    Json,
}

/// When to use colour, before the command line is understood: for help and complaints about it.
pub fn choice_before_parsing() -> Color {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let is = |argument: &OsStr, text: &str| argument == text;
    let pair = |first: &str, second: &str| {
        arguments
            .windows(2)
            .any(|two| is(&two[0], first) && is(&two[1], second))
    };
    let any = |text: &str| arguments.iter().any(|argument| is(argument, text));
    if any("--no-color") || any("--color=never") || pair("--color", "never") {
        Color::Never
    } else if any("--color=always") || pair("--color", "always") {
        Color::Always
    } else {
        Color::Auto
    }
}
