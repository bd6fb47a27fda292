//! The kinds that are ours: how each is recognised, checked and decoded.

use std::fmt;
use std::sync::OnceLock;

use serde_json::Value as Json;

use crate::de::{DecodeError, Decoded};
use crate::metadata;
use crate::node::Node;
use crate::schema::Schema;

/// What a named `format` finds wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// What is wrong.
    pub message: String,
    /// What helps.
    pub hint: Option<String>,
}

/// Checks a text against a named format; a name that it does not know passes.
pub type FormatCheck = fn(format: &str, text: &str) -> Result<(), FormatError>;

/// One kind of object. `O` is what objects of all kinds become, mostly an enum.
pub struct KindEntry<O> {
    /// Such as `drover.dev/v1alpha1`.
    pub api_version: &'static str,
    /// Such as `RecoveryPlan`.
    pub kind: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Makes its `openAPIV3Schema`; called at most once, when the kind is first met.
    pub schema: Box<dyn Fn() -> Json + Send + Sync>,
    /// Decodes a document that fits the schema.
    pub decode: Decode<O>,
}

/// How the document of a kind becomes an object.
pub type Decode<O> = Box<dyn Fn(&Node) -> Result<Decoded<O>, DecodeError> + Send + Sync>;

impl<O> fmt::Debug for KindEntry<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.api_version, self.kind)
    }
}

/// All kinds that are ours.
#[derive(Debug)]
pub struct Registry<O> {
    entries: Vec<Known<O>>,
    format: Option<FormatCheck>,
}

/// A kind and its compiled schema.
#[derive(Debug)]
pub(crate) struct Known<O> {
    pub(crate) entry: KindEntry<O>,
    schema: OnceLock<Schema>,
}

impl<O> Registry<O> {
    /// A registry of these kinds.
    pub fn new(entries: Vec<KindEntry<O>>) -> Self {
        let known = |entry| Known {
            entry,
            schema: OnceLock::new(),
        };
        Self {
            entries: entries.into_iter().map(known).collect(),
            format: None,
        }
    }

    /// The same, with a check for named formats.
    #[must_use]
    pub fn with_format_check(mut self, check: FormatCheck) -> Self {
        self.format = Some(check);
        self
    }

    pub(crate) fn format(&self) -> Option<FormatCheck> {
        self.format
    }

    pub(crate) fn find(&self, api_version: &str, kind: &str) -> Option<&Known<O>> {
        self.entries
            .iter()
            .find(|known| known.entry.kind == kind && known.entry.api_version == api_version)
    }

    pub(crate) fn has_kind(&self, kind: &str) -> bool {
        self.entries.iter().any(|known| known.entry.kind == kind)
    }

    /// The `apiVersion`s of a group, each once.
    pub(crate) fn versions_of(&self, group: &str) -> Vec<&'static str> {
        let mut versions: Vec<&'static str> = Vec::new();
        for known in &self.entries {
            let version = known.entry.api_version;
            if group_of(version) == group && !versions.contains(&version) {
                versions.push(version);
            }
        }
        versions
    }

    /// The `apiVersion`s of a kind.
    pub(crate) fn versions_of_kind(&self, kind: &str) -> impl Iterator<Item = &'static str> {
        let of_kind = self
            .entries
            .iter()
            .filter(move |known| known.entry.kind == kind);
        of_kind.map(|known| known.entry.api_version)
    }

    /// The kinds of an `apiVersion`.
    pub(crate) fn kinds_of(&self, api_version: &str) -> impl Iterator<Item = &'static str> {
        let of_version = self
            .entries
            .iter()
            .filter(move |each| each.entry.api_version == api_version);
        of_version.map(|known| known.entry.kind)
    }
}

impl<O> Known<O> {
    /// The compiled schema, with what Kubernetes knows of every object beside what the kind says.
    pub(crate) fn schema(&self) -> &Schema {
        self.schema.get_or_init(|| {
            let mut schema = Schema::compile(&(self.entry.schema)());
            metadata::add_to(&mut schema);
            schema
        })
    }
}

/// The group of an `apiVersion`; empty for the core group.
pub(crate) fn group_of(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}
