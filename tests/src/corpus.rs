//! The corpus of broken manifests, `tests/corpus/broken`.
//!
//! Each file says in its first lines who has to refuse it, and with which words:
//!
//! ```yaml
//! # expect: cel
//! # says: soak is set when, and only when, policy is Automatic
//! ```
//!
//! One file is one mistake. See the README there for what each expectation means.

use std::{fs, path::PathBuf};

use crate::manifests::{self, Error};

/// Who refuses a file first, from the text inwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It cannot be read as YAML.
    Syntax,
    /// The schema of its kind.
    Schema,
    /// A rule of its kind's definition.
    Cel,
    /// Drover itself: for an API server it is in order.
    Engine,
}

/// One file of the corpus.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Where it is.
    pub path: PathBuf,
    /// Who refuses it.
    pub expect: Expect,
    /// Words of the refusal. For `Schema` they are an API server's, for `Cel` everybody's, otherwise
    /// Drover's.
    pub says: String,
    /// The whole file; what is no UTF-8 in it is replaced.
    pub text: String,
}

impl Broken {
    /// The file's name without its extension.
    pub fn name(&self) -> String {
        self.path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// Whether the refusal comes from reading the value of a field, not from what objects mean
    /// together: a text that the pattern of the schema lets pass.
    pub fn is_native(&self) -> bool {
        self.name().starts_with("native-")
    }
}

/// All files, in the order of their names.
///
/// # Errors
///
/// If one cannot be read or does not say what is expected of it.
pub fn broken() -> Result<Vec<Broken>, Error> {
    let folder = manifests::repository().join("tests/corpus/broken");
    let read = |path: PathBuf| {
        // Being no text is a mistake that a file may be here for.
        match fs::read(&path) {
            Ok(bytes) => Broken::parse(path, String::from_utf8_lossy(&bytes).into_owned()),
            Err(source) => Err(Error::Read { path, source }),
        }
    };
    manifests::files(&folder)?.into_iter().map(read).collect()
}

impl Broken {
    fn parse(path: PathBuf, text: String) -> Result<Self, Error> {
        let header = |key: &str| {
            let comments = text.lines().take_while(|line| line.starts_with('#'));
            let mut values = comments.filter_map(|line| {
                line.strip_prefix("# ")?
                    .strip_prefix(key)?
                    .strip_prefix(": ")
            });
            values.next().map(str::to_owned)
        };
        let expect = match header("expect").as_deref() {
            Some("syntax") => Expect::Syntax,
            Some("schema") => Expect::Schema,
            Some("cel") => Expect::Cel,
            Some("engine") => Expect::Engine,
            _ => {
                let what = "it begins with no line `# expect: syntax`, `schema`, `cel` or `engine`";
                return Err(Error::Header { path, what });
            }
        };
        let Some(says) = header("says").filter(|says| !says.is_empty()) else {
            let what = "no line `# says: ...` follows";
            return Err(Error::Header { path, what });
        };
        Ok(Self {
            path,
            expect,
            says,
            text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_is_expected_of_it() {
        let parse = |text: &str| Broken::parse("a.yaml".into(), text.to_owned());
        let broken = parse("# expect: cel\n# says: a: b\n# Why.\nkind: A\n").unwrap();
        assert_eq!((broken.expect, &*broken.says), (Expect::Cel, "a: b"));
        assert!(parse("kind: A\n# expect: cel\n# says: a\n").is_err());
        assert!(parse("# expect: cel\n# says: \nkind: A\n").is_err());
    }
}
