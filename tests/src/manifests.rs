//! The manifests in the repository: where they are, and the documents in a file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// Why manifests could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or a folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A document is no YAML.
    #[error("document {number} is no YAML")]
    Parse {
        /// Which one, counted from 1.
        number: usize,
        /// What the parser says.
        source: serde_yaml::Error,
    },
    /// A file of the corpus does not say what is expected of it.
    #[error("{}: {what}", path.display())]
    Header {
        /// Which one.
        path: PathBuf,
        /// What it lacks.
        what: &'static str,
    },
}

/// One document of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// As it is written, comments included.
    pub text: String,
    /// What it says.
    pub value: Value,
}

impl Document {
    /// Its kind; empty where it has none.
    pub fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or_default()
    }

    /// Its name; empty where it has none.
    pub fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Its namespace, where it says one.
    pub fn namespace(&self) -> Option<&str> {
        self.value["metadata"]["namespace"].as_str()
    }

    /// Whether it is an object of one of Drover's kinds, in whatever version.
    pub fn is_ours(&self) -> bool {
        let api_version = self.value["apiVersion"].as_str().unwrap_or_default();
        api_version
            .split_once('/')
            .is_some_and(|(group, _)| group == drover_api::GROUP)
    }
}

/// The top level of the repository.
pub fn repository() -> &'static Path {
    // The package of the tests is a folder of it.
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// The YAML files under a folder at any depth, in the order of their paths; none where there is no
/// such folder.
///
/// # Errors
///
/// [`Error::Read`].
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop().filter(|folder| folder.exists()) {
        let cannot_read = |source| Error::Read {
            path: folder.clone(),
            source,
        };
        for entry in fs::read_dir(&folder).map_err(cannot_read)? {
            let path = entry.map_err(cannot_read)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A file as text.
///
/// # Errors
///
/// [`Error::Read`].
pub fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

/// The documents of a text, without those that say nothing.
///
/// # Errors
///
/// [`Error::Parse`].
pub fn documents(text: &str) -> Result<Vec<Document>, Error> {
    let mut texts = vec![String::new()];
    for line in text.lines() {
        if line == "---" || line.starts_with("--- ") {
            texts.push(String::new());
        } else if let Some(last) = texts.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    let mut documents = Vec::new();
    for (index, text) in texts.into_iter().enumerate() {
        let says_nothing = |line: &str| line.trim().is_empty() || line.starts_with('#');
        if text.lines().all(says_nothing) {
            continue;
        }
        let value = serde_yaml::from_str(&text).map_err(|source| Error::Parse {
            number: index + 1,
            source,
        })?;
        documents.push(Document { text, value });
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_documents_and_comments() {
        let text = "# about\n---\nkind: A\nmetadata: { name: a }\n---\n# none\n---\nkind: B\n";
        let found = documents(text).unwrap();
        let kinds: Vec<_> = found.iter().map(Document::kind).collect();
        assert_eq!(kinds, ["A", "B"]);
        assert_eq!(found[0].name(), "a");
        assert_eq!(found[0].text, "kind: A\nmetadata: { name: a }\n");
        assert!(documents("a: b\n---\na: [").is_err());
    }

    #[test]
    fn this_is_the_repository() {
        assert!(repository().join("tests/Cargo.toml").is_file());
        assert!(
            files(&repository().join("no-such-folder"))
                .unwrap()
                .is_empty()
        );
    }
}
