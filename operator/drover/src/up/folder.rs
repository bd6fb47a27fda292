//! Noticing that files changed: by looking, once a second.
//!
//! Looking needs no help of the system and works on every file system, network shares and mounted
//! `ConfigMaps` included. What is looked at are names, sizes and times of everything below the paths; texts are
//! read when those changed and then stayed the same for one look, so that half a `git checkout` is not
//! taken for a whole one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::failure::Failure;
use crate::files::{MAX_DEPTH, MAX_FILES};

/// What a folder looks like from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Look {
    entries: Vec<(PathBuf, u64, Option<SystemTime>)>,
    /// A path that could not be looked at.
    failed: Option<(PathBuf, String)>,
}

/// Paths that are watched.
#[derive(Debug)]
pub struct Watched {
    paths: Vec<PathBuf>,
    last: Option<Look>,
    told: Option<Look>,
}

impl Watched {
    /// Watches these paths.
    ///
    /// # Errors
    /// For standard input: it cannot be looked at twice.
    pub fn new(paths: &[PathBuf]) -> Result<Self, Failure> {
        if paths.iter().any(|path| path.as_os_str() == "-") {
            return Err(Failure::Refused {
                what: "standard input cannot be watched".to_owned(),
                hint: "name files and folders, or use `drover apply -`".to_owned(),
            });
        }
        Ok(Self {
            paths: paths.to_vec(),
            last: None,
            told: None,
        })
    }

    /// The paths.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Whether there is something new to be read: at the first look always, later when something changed
    /// and has come to rest.
    pub fn is_due(&mut self) -> bool {
        let look = look(&self.paths);
        let first = self.last.is_none();
        let rests = self.last.as_ref() == Some(&look);
        let told = self.told.as_ref() == Some(&look);
        self.last = Some(look.clone());
        if (first || rests) && !told {
            // What was just written may be written again within one tick of the file system's clock:
            // the first look is told once more.
            self.told = (!first).then_some(look);
            return true;
        }
        false
    }
}

fn look(paths: &[PathBuf]) -> Look {
    let mut look = Look::default();
    for path in paths {
        visit(path, 0, &mut look);
    }
    look.entries.sort();
    look
}

fn visit(path: &Path, depth: usize, look: &mut Look) {
    if look.entries.len() > MAX_FILES || depth > MAX_DEPTH {
        return;
    }
    // Links to files are followed, as whoever reads them does; links to folders are not.
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) => {
            look.failed = Some((path.to_owned(), error.to_string()));
            return;
        }
    };
    look.entries
        .push((path.to_owned(), found.len(), found.modified().ok()));
    if !found.is_dir() || (is_link && depth > 0) {
        return;
    }
    match fs::read_dir(path) {
        Ok(entries) => {
            for entry in entries.flatten() {
                let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
                if !hidden {
                    visit(&entry.path(), depth + 1, look);
                }
            }
        }
        Err(error) => look.failed = Some((path.to_owned(), error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_when_it_has_come_to_rest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "a").unwrap();
        let mut watched = Watched::new(&[folder.path().to_owned()]).unwrap();
        assert!(watched.is_due(), "the first look");
        assert!(watched.is_due(), "the first look, confirmed");
        assert!(!watched.is_due());
        fs::write(&file, "a longer text").unwrap();
        assert!(!watched.is_due(), "it may be half of it");
        assert!(watched.is_due());
        assert!(!watched.is_due());
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("below/b.yaml"), "b").unwrap();
        assert!(!watched.is_due());
        assert!(watched.is_due());
        fs::remove_file(&file).unwrap();
        assert!(!watched.is_due());
        assert!(watched.is_due());
    }

    #[test]
    fn a_path_that_went_away_is_a_change() {
        // SPEC: BI-2
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mounted");
        fs::create_dir(&path).unwrap();
        let mut watched = Watched::new(std::slice::from_ref(&path)).unwrap();
        while watched.is_due() {}
        fs::remove_dir(&path).unwrap();
        assert!(!watched.is_due());
        assert!(watched.is_due());
    }

    #[test]
    fn standard_input_is_not_watched() {
        assert!(Watched::new(&[PathBuf::from("-")]).is_err());
    }
}
