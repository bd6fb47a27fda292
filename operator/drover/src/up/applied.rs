//! What was applied last, kept beside the data.
//!
//! An object is applied again when what is *written* of it changed, and at no other time: somebody who
//! changed it with `kubectl patch` in the middle of the night is not fought by a restart. So what was
//! written is remembered across restarts, as a digest.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::cluster::written::Written;
use crate::failure::Failure;
use crate::{canonical, digest};

const FILE: &str = "applied.json";

/// Who an object is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Who {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Who {
    /// Of an object.
    pub fn of(object: &Written) -> Self {
        Self {
            kind: object.info.kind.to_owned(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    who: Who,
    sha256: String,
}

/// What was applied last.
#[derive(Debug)]
pub struct Applied {
    path: PathBuf,
    objects: BTreeMap<Who, String>,
}

impl Applied {
    /// What is kept in a data folder.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn open(data: &Path) -> Result<Self, Failure> {
        let path = data.join(FILE);
        let failed = |source| Failure::Read {
            path: path.clone(),
            source,
        };
        let entries: Vec<Entry> = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let pairs = entries.into_iter().map(|entry| (entry.who, entry.sha256));
        let objects = pairs.collect();
        Ok(Self { path, objects })
    }

    /// Whether this was applied as it is written.
    pub fn holds(&self, object: &Written) -> bool {
        self.objects.get(&Who::of(object)) == Some(&digest(object))
    }

    /// Who was applied.
    pub fn all(&self) -> impl Iterator<Item = &Who> {
        self.objects.keys()
    }

    /// It is applied now.
    pub fn add(&mut self, object: &Written) {
        self.objects.insert(Who::of(object), digest(object));
    }

    /// It is nobody's business any more.
    pub fn forget(&mut self, who: &Who) {
        self.objects.remove(who);
    }

    /// Writes it down, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self) -> Result<(), Failure> {
        let entries = self.objects.iter().map(|(who, sha256)| Entry {
            who: who.clone(),
            sha256: sha256.clone(),
        });
        let entries: Vec<Entry> = entries.collect();
        let text = serde_json::to_vec_pretty(&entries);
        let kept = text
            .map_err(io::Error::from)
            .and_then(|text| write(&self.path, &text));
        kept.map_err(|source| Failure::Write {
            path: self.path.clone(),
            source,
        })
    }
}

/// Writes a file that only its owner may read, whole or not at all.
///
/// # Errors
/// Those of the system.
pub fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    // One that is left from a crash may be readable by others.
    if let Err(error) = fs::remove_file(&beside)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = File::options();
    let mut file = options
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(beside, path)
}

fn digest(object: &Written) -> String {
    digest::hex(&Sha256::digest(canonical::plain(&object.value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::written::read;
    use drover_manifest::Source;

    fn written(data_sync: &str) -> Written {
        let text = format!(
            "apiVersion: drover.dev/v1alpha1\nkind: FailbackPolicy\nmetadata: {{ name: home }}\n\
             spec: {{ dataSync: {data_sync} }}\n"
        );
        let source = Source {
            name: "home.yaml",
            text: text.as_bytes(),
        };
        read(&[source], "shop").remove(0)
    }

    #[test]
    fn what_was_applied_is_known_after_a_restart() {
        // SPEC: BI-2
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (
            written("FullDuringFailover"),
            written("DeltaBeforeFailover"),
        );
        let mut applied = Applied::open(folder.path()).unwrap();
        assert!(!applied.holds(&one));
        applied.add(&one);
        applied.keep().unwrap();
        let mut applied = Applied::open(folder.path()).unwrap();
        assert!(applied.holds(&one));
        assert!(!applied.holds(&other), "it is written in another way now");
        assert_eq!(
            applied.all().next().unwrap().to_string(),
            "FailbackPolicy shop/home"
        );
        applied.forget(&Who::of(&one));
        applied.keep().unwrap();
        assert_eq!(Applied::open(folder.path()).unwrap().all().count(), 0);
    }

    #[test]
    fn a_file_that_is_none_of_ours_is_not_overwritten() {
        // SPEC: BI-1
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "precious").unwrap();
        assert!(Applied::open(folder.path()).is_err());
        assert_eq!(fs::read(folder.path().join(FILE)).unwrap(), b"precious");
    }

    #[test]
    fn a_secret_is_its_owners_alone() {
        // SPEC: BI-3
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        fs::write(path.with_extension("new"), "left by a crash").unwrap();
        write(&path, b"token").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
