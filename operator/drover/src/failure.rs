//! Why a command could not be done: what failed, why, and what a person can do.
//!
//! That manifests are wrong is no failure: it is what `validate` is there to say.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use drover_engine::plan::PlanError;
use drover_engine::problem::did_you_mean;
use drover_rehearsal::Unknown;
use drover_world::PlanId;

use crate::files::{MAX_DEPTH, MAX_FILES, MAX_TOTAL_BYTES};
use crate::plans::saved::NotSaved;
use crate::text::elided;

/// So many names are listed where none is near what was written: enough to see what they look like.
const NAMES: usize = 5;

/// Why a command could not be done. `Display` does not repeat its source.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no such path.
    #[error("there is no file or folder {}", .0.display())]
    NoSuchPath(PathBuf),
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard input cannot be read.
    #[error("cannot read standard input")]
    Stdin(#[source] io::Error),
    /// Standard input was asked for twice.
    #[error("standard input (-) can be read only once")]
    StdinTwice,
    /// Standard input holds no document.
    #[error("there is nothing on standard input")]
    EmptyStdin,
    /// Folders are too deep.
    #[error("{} lies more than {MAX_DEPTH} folders deep", .0.display())]
    TooDeep(PathBuf),
    /// There are too many files.
    #[error("there are more than {MAX_FILES} manifests")]
    TooManyFiles,
    /// There is too much text.
    #[error("the manifests are larger than {} MiB altogether", MAX_TOTAL_BYTES >> 20)]
    TooMuch,
    /// Nothing of ours was found.
    #[error("no manifest of Drover in {0}")]
    NoManifests(String),
    /// There is no such plan.
    #[error("there is no recovery plan {name}")]
    NoSuchPlan {
        /// What was asked for.
        name: String,
        /// What may help.
        hint: String,
    },
    /// A plan cannot be laid out.
    #[error("cannot plan {plan}")]
    Plan {
        /// The plan.
        plan: PlanId,
        /// Why.
        source: PlanError,
    },
    /// A file holds no plans that were reviewed.
    #[error("{} is no reviewed plan", path.display())]
    NotReviewed {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: NotSaved,
    },
    /// A run cannot be simulated.
    #[error("cannot simulate {plan}")]
    Rehearsal {
        /// The plan.
        plan: PlanId,
        /// Why.
        source: drover_rehearsal::Error,
    },
    /// There is no such kind.
    #[error("there is no kind {name}")]
    NoSuchKind {
        /// What was asked for.
        name: String,
        /// What may help.
        hint: String,
    },
    /// A definition cannot be written down.
    #[error("cannot write down a definition")]
    Definition(#[from] drover_api::crd::Error),
    /// A file or folder cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// It is not known which cluster is meant.
    #[error("cannot tell which cluster is meant")]
    NoCluster(#[source] Why),
    /// A cluster refused something, or did not answer.
    #[error("cannot {doing}")]
    Cluster {
        /// What was tried.
        doing: String,
        /// Why not.
        #[source]
        why: Why,
        /// What may help.
        hint: Option<String>,
    },
    /// There is no such object.
    #[error("there is no {what}")]
    NoSuchObject {
        /// What was asked for.
        what: String,
        /// What may help.
        hint: String,
    },
    /// It makes no sense, or not now.
    #[error("{what}")]
    Refused {
        /// What is wrong.
        what: String,
        /// What would lift it.
        hint: String,
    },
    /// There is no such revision.
    #[error("there is no revision {name}")]
    NoSuchRevision {
        /// What was asked for.
        name: String,
        /// What may help.
        hint: String,
    },
    /// The texts of one side of a change are wrong.
    #[error("{which} cannot be read: {name}: {summary}")]
    UnreadableSide {
        /// `BASE` or `HEAD`.
        which: &'static str,
        /// What the side is called.
        name: String,
        /// What was read, and how much of it is wrong.
        summary: String,
    },
    /// A review policy is wrong.
    #[error("{} is no review policy", path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        why: Why,
        /// What may help.
        hint: String,
    },
    /// A repository cannot be read.
    #[error("cannot {doing}")]
    Repository {
        /// What was tried.
        doing: String,
        /// Why not.
        #[source]
        why: Why,
        /// What may help.
        hint: Option<String>,
    },
    /// Nobody is there who could confirm.
    #[error("this asks for a confirmation, and standard input is no terminal")]
    NobodyConfirms,
    /// Whoever was asked did not confirm.
    #[error("not confirmed: nothing was done")]
    NotConfirmed,
    /// It did not come to be so in time.
    #[error("timed out after {after} waiting for {what}")]
    TimedOut {
        /// How long it was waited.
        after: drover_api::value::Duration,
        /// For what.
        what: String,
        /// What was so at the end.
        #[source]
        last: Why,
    },
}

/// Which of the names that there are was meant, or some of them.
fn meant(unknown: &Unknown) -> String {
    match did_you_mean(&unknown.name, unknown.known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {meant}?"),
        None if unknown.known.is_empty() => "there are none".to_owned(),
        None => format!("there are {}", elided(&unknown.known, NAMES)),
    }
}

/// A cause that was put into words where it was met.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Why(pub String);

impl Failure {
    /// What a person can do, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoSuchPath(_) => "paths are looked for from the folder that drover is run in",
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "let whoever runs drover read it, or name only the paths that are meant"
            }
            Self::EmptyStdin => {
                "the command before the pipe may have failed (`set -o pipefail` makes that count); an empty folder \
                 stands for no manifests at all"
            }
            Self::TooDeep(_) | Self::TooManyFiles | Self::TooMuch => {
                "name the folders that hold manifests of Drover instead of all"
            }
            Self::NoManifests(_) => {
                "manifests are files *.yaml, *.yml or *.json with `apiVersion: drover.dev/v1alpha1`"
            }
            Self::NoSuchPlan { hint, .. }
            | Self::NoSuchKind { hint, .. }
            | Self::NoSuchObject { hint, .. }
            | Self::NoSuchRevision { hint, .. }
            | Self::Policy { hint, .. }
            | Self::Refused { hint, .. } => hint,
            Self::NoCluster(_) => {
                "name a kubeconfig with --kubeconfig or KUBECONFIG; `drover up` writes one"
            }
            Self::Cluster { hint, .. } | Self::Repository { hint, .. } => return hint.clone(),
            Self::UnreadableSide { which: "BASE", .. } => {
                "compare with a revision that can be read; HEAD may be what mends it"
            }
            Self::UnreadableSide { .. } => {
                "mend the errors above; `drover validate` shows them too"
            }
            Self::NotReviewed { .. } => "`drover plan --out FILE` writes one",
            Self::NobodyConfirms => "look at what it would do, then give --yes",
            Self::Plan {
                source: PlanError::NoSuchSite(_),
                ..
            } => "give the administrator's Site manifests to the command as well",
            Self::Rehearsal {
                source: drover_rehearsal::Error::Fault(fault),
                ..
            } => return fault.unknown.as_deref().map(meant),
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// All of it but the hint.
    pub fn in_one_line(&self) -> String {
        let mut parts = vec![self.to_string()];
        parts.extend(self.causes());
        parts.join(": ")
    }

    /// What lies behind it, the nearest first.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes
    }
}
