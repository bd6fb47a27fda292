//! What may be written for the commands that speak to a cluster.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use drover_api::value::Duration;

use crate::cluster::goal::Goal;
use crate::cluster::kinds::Named;

/// Which cluster is meant.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which cluster")]
pub struct Target {
    /// The kubeconfig [default: what KUBECONFIG names, else ~/.kube/config, else the cluster that
    /// drover runs in]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace [default: that of the context]
    #[arg(short = 'n', long, value_name = "NAME")]
    pub namespace: Option<String>,
}

const APPLY: &str = "\
Examples:
  drover apply .                               all manifests below this folder
  drover apply --dry-run server plans/         what would change
  drover apply --set shop --prune manifests/   remove what is no longer declared, too
  drover apply --revision $(git rev-parse HEAD) .   runs have the commit in their evidence

What was applied with `kubectl apply` can be applied with drover, and the other way round.

Exit codes:
  0  all of it is in the cluster
  1  the manifests are wrong, or something could not be applied";

/// Make a cluster hold what manifests say
///
/// Checks the manifests as `validate` does, together with what is in the cluster already; nothing is
/// applied when there are errors. Then each object is created or changed, in the order in which they
/// refer to each other, and one line is printed for each. Fields that others set stay as they are.
#[derive(Debug, Args)]
#[command(after_long_help = APPLY)]
pub struct Apply {
    /// Files and folders with manifests; - is standard input
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Say what would change, and change nothing
    #[arg(long, value_name = "WHO", value_enum)]
    pub dry_run: Option<DryRun>,
    /// Make namespaces that are missing
    #[arg(long)]
    pub create_namespaces: bool,
    /// Remember that these objects belong to this set
    #[arg(long, value_name = "NAME", value_parser = crate::cluster::apply::set_name)]
    pub set: Option<String>,
    /// Delete what an earlier apply of the same set made and the manifests no longer hold
    #[arg(long, requires = "set")]
    pub prune: bool,
    /// The revision of these manifests, such as their commit: it is kept with each plan, and its runs have
    /// it in their evidence
    #[arg(long, value_name = "REVISION", value_parser = crate::cluster::apply::revision)]
    pub revision: Option<String>,
    /// Do not ask before something is deleted
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// How results are printed
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "format")]
    pub output: TextOrData,
    /// Which cluster is meant.
    #[command(flatten)]
    pub target: Target,
}

/// Who says what would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Drover, from what is in the cluster now
    Client,
    /// The cluster, which checks and fills in what is left out
    Server,
}

/// For people or for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TextOrData {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For programs
    Yaml,
}

const GET: &str = "\
Examples:
  drover get                      how everything stands
  drover get plans -A             the plans of all namespaces
  drover get run shop-7 -o yaml   one object, in full
  drover get machines -w          and what changes from now on

Kinds can be written as RecoveryPlan, recoveryplans, rp or plan.";

/// Show what there is and how it stands
///
/// Without a kind: the recovery plans, with where they are declared and where they are, what is going
/// on, and what waits for a person.
#[derive(Debug, Args)]
#[command(after_long_help = GET)]
pub struct Get {
    /// The kind
    #[arg(value_name = "KIND", value_parser = crate::cluster::kinds::known)]
    pub kind: Option<&'static drover_api::KindInfo>,
    /// Its name
    #[arg(value_name = "NAME", requires = "kind")]
    pub name: Option<String>,
    /// Only what has these labels
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub selector: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "name"])]
    pub all_namespaces: bool,
    /// Go on, and show what changes
    #[arg(short = 'w', long)]
    pub watch: bool,
    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "format")]
    pub output: GetFormat,
    /// Which cluster is meant.
    #[command(flatten)]
    pub target: Target,
}

/// How objects are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GetFormat {
    /// A table
    #[default]
    Table,
    /// A table as wide as it needs to be
    Wide,
    /// The objects
    Json,
    /// The objects
    Yaml,
    /// Kinds and names
    Name,
}

/// Say everything about one object
///
/// For a plan: what is declared and what is, why it waits and who can release it, what a run would do,
/// the current run with its groups, and the last runs. For a run: its groups, machines, failures and
/// decisions. For machines, groups, sites and drills what matters of those.
#[derive(Debug, Args)]
pub struct Describe {
    /// The kind
    #[arg(value_name = "KIND", value_parser = crate::cluster::kinds::known)]
    pub kind: &'static drover_api::KindInfo,
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which cluster is meant.
    #[command(flatten)]
    pub target: Target,
}

const WAIT: &str = "\
Examples:
  drover wait plan/shop --for condition=Ready
  drover wait run/shop-7 --for phase=CommitPending --timeout 30m
  drover wait drill/shop-november --for delete

Exit codes:
  0  it came to be so
  1  it did not within the time, or never will";

/// Wait until something is so
#[derive(Debug, Args)]
#[command(after_long_help = WAIT)]
pub struct Wait {
    /// The object
    #[arg(value_name = "KIND/NAME")]
    pub object: Named,
    /// What is waited for: condition=TYPE, condition=TYPE=STATUS, phase=PHASE or delete
    #[arg(long = "for", value_name = "WHAT")]
    pub goal: Goal,
    /// How long
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub timeout: Duration,
    /// Which cluster is meant.
    #[command(flatten)]
    pub target: Target,
}

/// Show what happened lately
#[derive(Debug, Args)]
pub struct Events {
    /// Only what happened to this object
    #[arg(value_name = "KIND/NAME")]
    pub object: Option<Named>,
    /// In all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "object"])]
    pub all_namespaces: bool,
    /// Go on, and show what happens
    #[arg(short = 'w', long)]
    pub watch: bool,
    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t, alias = "format")]
    pub output: TextOrData,
    /// Which cluster is meant.
    #[command(flatten)]
    pub target: Target,
}

const DELETE: &str = "\
Examples:
  drover delete drill shop-november   clean up after a test failover
  drover delete -f old/shop.yaml      what these manifests declare

Exit codes:
  0  it is gone
  1  it is not";

/// Delete objects, after saying what that means
///
/// Says what deleting each object does, and asks where data can be lost.
#[derive(Debug, Args)]
#[command(after_long_help = DELETE)]
pub struct Delete {
    /// The kind
    #[arg(value_name = "KIND", value_parser = crate::cluster::kinds::known, required_unless_present = "filename")]
    pub kind: Option<&'static drover_api::KindInfo>,
    /// Names
    #[arg(value_name = "NAME", required_unless_present = "filename")]
    pub names: Vec<String>,
    /// Delete what these manifests declare; may be given several times
    #[arg(short = 'f', long, value_name = "PATH", conflicts_with_all = ["kind", "names"])]
    pub filename: Vec<PathBuf>,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// Return as soon as deleting began
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait until it is gone
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10m",
        conflicts_with = "no_wait"
    )]
    pub timeout: Duration,
    /// Which cluster is meant.
    #[command(flatten)]
    pub target: Target,
}
