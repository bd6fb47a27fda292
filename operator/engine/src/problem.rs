//! What is wrong, where, and what would mend it.

use std::fmt;

use serde::Serialize;

/// Something that is wrong with a declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Stable name of the kind of problem, in kebab-case.
    pub code: &'static str,
    /// The object that it is in: its position in the input of [`crate::declared::Declared`].
    pub object: usize,
    /// The field.
    pub path: FieldPath,
    /// What is wrong.
    pub message: String,
    /// What would mend it.
    pub hint: Option<String>,
    /// Other places that belong to the problem.
    pub related: Vec<Related>,
}

/// Another place that belongs to a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Related {
    /// The object.
    pub object: usize,
    /// The field.
    pub path: FieldPath,
    /// What it has to do with the problem.
    pub message: String,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// It cannot work.
    Error,
    /// It works, but probably not as meant.
    Warning,
}

/// The way from an object's root to a field.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<Segment>);

/// One step of a field path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Into a field of an object.
    Field(&'static str),
    /// Into an entry of a list.
    Index(usize),
}

impl FieldPath {
    /// The path of a field below `spec`.
    pub fn spec(field: &'static str) -> Self {
        Self(vec![Segment::Field("spec"), Segment::Field(field)])
    }

    /// The path of `metadata.name`.
    pub fn name() -> Self {
        Self(vec![Segment::Field("metadata"), Segment::Field("name")])
    }

    /// One step further, into a field.
    #[must_use]
    pub fn field(mut self, name: &'static str) -> Self {
        self.0.push(Segment::Field(name));
        self
    }

    /// One step further, into an entry of a list.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Segment::Index(index));
        self
    }

    /// The steps, from the root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Field(name) if position == 0 => write!(f, "{name}")?,
                Segment::Field(name) => write!(f, ".{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Serialize for FieldPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Problem {
    /// An error at a field of an object.
    pub fn error(
        code: &'static str,
        object: usize,
        path: FieldPath,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code,
            object,
            path,
            message: message.into(),
            hint: None,
            related: Vec::new(),
        }
    }

    /// A warning at a field of an object.
    pub fn warning(
        code: &'static str,
        object: usize,
        path: FieldPath,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, object, path, message)
        }
    }

    /// The same with what would mend it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with another place that belongs to it.
    #[must_use]
    pub fn related(mut self, object: usize, path: FieldPath, message: impl Into<String>) -> Self {
        self.related.push(Related {
            object,
            path,
            message: message.into(),
        });
        self
    }
}

/// The candidate that was probably meant, where one is near enough.
pub fn did_you_mean<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let budget = (written.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .filter(|(distance, _)| *distance <= budget)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_people_write_it() {
        let path = FieldPath::spec("groups")
            .index(1)
            .field("dependsOn")
            .index(0);
        assert_eq!(path.to_string(), "spec.groups[1].dependsOn[0]");
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        assert_eq!(
            did_you_mean("shop-dta", ["shop-data", "shop-web"]),
            Some("shop-data")
        );
        assert_eq!(did_you_mean("gold", ["bronze", "silver"]), None);
    }
}
