//! The path of a field in its object, as people write it: `spec.groups[1].dependsOn[0]`.

use std::fmt;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Into the value of a key.
    Key(String),
    /// Into an item of a list, from 0.
    Index(usize),
}

/// A path from the root of an object.
///
/// A key that is no plain word stands in brackets and quotes:
///
/// ```
/// use drover_manifest::FieldPath;
///
/// let path: FieldPath = r#"metadata.labels["app.kubernetes.io/name"]"#.parse()?;
/// assert_eq!(path.steps().len(), 3);
/// assert_eq!(path.to_string(), r#"metadata.labels["app.kubernetes.io/name"]"#);
/// # Ok::<(), drover_manifest::FieldPathError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath {
    steps: Vec<Step>,
}

/// A text that is no field path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no field path: unexpected text at byte {at}")]
pub struct FieldPathError {
    /// The first byte that does not fit.
    pub at: usize,
}

impl FieldPath {
    /// The steps from the root.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The path of a field of this.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.steps.push(Step::Key(key.into()));
        self
    }

    /// The path of an item of this.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.steps.push(Step::Index(index));
        self
    }
}

impl From<Vec<Step>> for FieldPath {
    fn from(steps: Vec<Step>) -> Self {
        Self { steps }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps.iter().enumerate() {
            match step {
                Step::Key(key) => write_key(f, key, position == 0)?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

pub(crate) fn write_key(out: &mut impl fmt::Write, key: &str, first: bool) -> fmt::Result {
    if is_word(key) {
        if !first {
            out.write_char('.')?;
        }
        return out.write_str(key);
    }
    out.write_str("[\"")?;
    for each in key.chars() {
        match each {
            '"' | '\\' => write!(out, "\\{each}")?,
            _ if each.is_control() => write!(out, "{}", each.escape_unicode())?,
            _ => out.write_char(each)?,
        }
    }
    out.write_str("\"]")
}

fn is_word(key: &str) -> bool {
    !key.is_empty()
        && key
            .chars()
            .all(|each| each.is_alphanumeric() || matches!(each, '_' | '-' | '$'))
}

impl std::str::FromStr for FieldPath {
    type Err = FieldPathError;

    fn from_str(text: &str) -> Result<Self, FieldPathError> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let at = text.len() - rest.len();
            let refused = FieldPathError { at };
            let (step, after) = if let Some(quoted) = rest.strip_prefix("[\"") {
                quoted_key(quoted).ok_or(refused)?
            } else if let Some(index) = rest.strip_prefix('[') {
                let (digits, after) = index.split_once(']').ok_or(refused)?;
                (Step::Index(digits.parse().map_err(|_| refused)?), after)
            } else {
                let word = if steps.is_empty() {
                    rest
                } else {
                    rest.strip_prefix('.').ok_or(refused)?
                };
                let end = word.find(['.', '[']).unwrap_or(word.len());
                if end == 0 {
                    return Err(refused);
                }
                (Step::Key(word[..end].to_owned()), &word[end..])
            };
            steps.push(step);
            rest = after;
        }
        Ok(Self { steps })
    }
}

/// The key before `"]`, and what follows.
fn quoted_key(text: &str) -> Option<(Step, &str)> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, each)) = chars.next() {
        match each {
            '"' => {
                let after = text[at + 1..].strip_prefix(']')?;
                return Some((Step::Key(key), after));
            }
            '\\' => key.push(chars.next()?.1),
            _ => key.push(each),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_it_is_written() {
        for text in [
            "",
            "spec",
            "spec.groups[1].dependsOn[0]",
            r#"metadata.labels["app.kubernetes.io/name"]"#,
            r#"["a\"b\\c"].x"#,
            "[3][4]",
        ] {
            let path: FieldPath = text.parse().unwrap();
            assert_eq!(path.to_string(), text);
        }
        let built = FieldPath::default().key("spec").key("groups").index(1);
        assert_eq!(built.to_string(), "spec.groups[1]");
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["a..b", ".a", "a[", "a[x]", "a[\"b", "a[\"b\"x", "a[1]b"] {
            assert!(text.parse::<FieldPath>().is_err(), "{text}");
        }
    }
}
