//! What is said of a change.

use std::fmt;

use drover_api::EstimateSource;
use drover_api::common::{Direction, FailoverType, SitePair};
use drover_api::value::Duration;
use serde::Serialize;

use crate::plan::Loss;
use crate::problem::FieldPath;

/// What a change means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Review {
    /// All of it, the most serious first.
    pub meanings: Vec<Meaning>,
    /// Problems that come with the change: positions among those of the side after it.
    pub new_problems: Vec<usize>,
    /// Problems that go with the change: positions among those of the side before it.
    pub gone_problems: Vec<usize>,
}

impl Review {
    /// The worst that is said; nothing where nothing is.
    pub fn worst(&self) -> Option<Class> {
        self.meanings.iter().map(|meaning| meaning.class).min()
    }

    /// How much is said of a class.
    pub fn count(&self, class: Class) -> usize {
        let of_class = |meaning: &&Meaning| meaning.class == class;
        self.meanings.iter().filter(of_class).count()
    }
}

/// How much a person should care, the most serious first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Class {
    /// The API refuses it: a field cannot be changed once the object is there.
    Refused,
    /// Something starts by itself as soon as it is applied, or would if it were not held.
    WouldRun,
    /// Machines are no longer protected, or no longer recovered by a plan.
    LosesProtection,
    /// Less stands between a mistake and its consequences.
    WeakensSafety,
    /// Coming back takes longer, or loses more.
    WorsensObjectives,
    /// None of these.
    Harmless,
}

impl Class {
    /// All, the most serious first.
    pub const ALL: [Self; 6] = [
        Self::Refused,
        Self::WouldRun,
        Self::LosesProtection,
        Self::WeakensSafety,
        Self::WorsensObjectives,
        Self::Harmless,
    ];

    /// Its name, as policies and reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "Refused",
            Self::WouldRun => "WouldRun",
            Self::LosesProtection => "LosesProtection",
            Self::WeakensSafety => "WeakensSafety",
            Self::WorsensObjectives => "WorsensObjectives",
            Self::Harmless => "Harmless",
        }
    }
}

/// One thing that a change means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meaning {
    /// Stable name of what is said, in kebab-case.
    pub code: &'static str,
    /// How much a person should care.
    pub class: Class,
    /// The object that it is about.
    pub object: ObjectRef,
    /// What it is, without a full stop.
    pub message: String,
    /// What was declared, where that is one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What is declared now, where that is one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What follows from it, a sentence without a full stop each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    /// The run that would start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunAhead>,
    /// Where it is written.
    #[serde(skip)]
    pub place: Place,
}

/// An object, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace, where the kind has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// A side of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Which {
    /// As it was.
    Before,
    /// As it would be.
    After,
}

/// Where something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// On which side.
    pub which: Which,
    /// The object: its position in the input of that side.
    pub object: usize,
    /// The field.
    pub path: FieldPath,
}

/// A run that would start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunAhead {
    /// Planned or unplanned.
    pub failover: FailoverType,
    /// From which side to which.
    pub direction: Direction,
    /// The sites in their fixed roles.
    pub sites: SitePair,
    /// Machines that it moves, as far as they are known.
    pub machines: usize,
    /// Whether there may be more of them.
    pub open: bool,
    /// Expected time until the service is back.
    pub rto: Duration,
    /// Where that comes from; nothing where no machine is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<EstimateSource>,
    /// The largest data loss; nothing where it depends on the point that is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// What it waits for, in words, before it starts and on its way.
    pub waits: Vec<String>,
}
