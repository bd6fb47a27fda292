//! What BASE and HEAD name, and the manifests behind them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::git::{Repository, Revision};
use crate::failure::Failure;
use crate::files::{self, File, Files};

/// The manifests of one side, and what the side is called.
pub struct Texts {
    /// What people call it: `main (1a2b3c4d5e)`, `the work tree`.
    pub name: String,
    /// The commit, where it is one.
    pub revision: Option<String>,
    /// Its manifests.
    pub files: Vec<File>,
    /// What was passed over, and why.
    pub passed: Vec<String>,
}

/// Both sides.
pub struct Both {
    /// What is compared with.
    pub base: Texts,
    /// What is looked at.
    pub head: Texts,
}

/// A file on the sides that have it.
pub struct Pair<'a> {
    /// What it is called, on the side that is looked at where it is there.
    pub name: &'a str,
    /// What it was called.
    pub was: &'a str,
    /// Its text before.
    pub old: Option<&'a [u8]>,
    /// Its text after.
    pub new: Option<&'a [u8]>,
}

impl Pair<'_> {
    /// Whether it is new, gone, or has another content.
    pub fn differs(&self) -> bool {
        self.old != self.new
    }

    /// Whether it is one of these files, on either side.
    pub fn is_of(&self, files: &BTreeSet<String>) -> bool {
        files.contains(self.name) || files.contains(self.was)
    }
}

impl Both {
    /// The files of both sides, in the order of their names. A single text on each is one file, whatever
    /// it is called: standard input has no name.
    pub fn pairs(&self) -> Vec<Pair<'_>> {
        if let ([old], [new]) = (self.base.files.as_slice(), self.head.files.as_slice()) {
            return vec![Pair {
                name: &new.name,
                was: &old.name,
                old: Some(&old.text),
                new: Some(&new.text),
            }];
        }
        let mut pairs: BTreeMap<&str, Pair<'_>> = BTreeMap::new();
        let absent = |name| Pair {
            name,
            was: name,
            old: None,
            new: None,
        };
        for file in &self.base.files {
            let pair = pairs.entry(&file.name);
            pair.or_insert_with_key(|name| absent(*name)).old = Some(&file.text);
        }
        for file in &self.head.files {
            let pair = pairs.entry(&file.name);
            pair.or_insert_with_key(|name| absent(*name)).new = Some(&file.text);
        }
        pairs.into_values().collect()
    }
}

/// What is named.
enum Named {
    Revision(Revision),
    Path(PathBuf),
    WorkTree,
    Stdin,
}

/// Reads what is named.
///
/// # Errors
/// When a revision or a path is not there, or cannot be read.
pub fn read(base: &str, head: Option<&str>, paths: &[PathBuf]) -> Result<Both, Failure> {
    // Two folders need no repository, and may lie in one that cannot be read.
    let folders = is_path(base)
        && Path::new(base).exists()
        && head.is_some_and(|head| head == "-" || is_path(head));
    let repository = if folders {
        None
    } else {
        Repository::discover()?
    };
    let (base, head) = named(repository.as_ref(), base, head)?;
    let base = texts(repository.as_ref(), base, paths)?;
    let head = texts(repository.as_ref(), head, paths)?;
    Ok(Both { base, head })
}

/// `ONE..OTHER` is two revisions, `ONE...OTHER` the second and the commit where they parted.
fn named(
    repository: Option<&Repository>,
    base: &str,
    head: Option<&str>,
) -> Result<(Named, Named), Failure> {
    if base == "-" {
        return Err(Failure::Refused {
            what: "BASE cannot be standard input".to_owned(),
            hint: "give what is compared with as a file, a folder or a revision, and - as HEAD"
                .to_owned(),
        });
    }
    let range = base.split_once("...").map(|parts| (parts, true));
    let range = range.or_else(|| base.split_once("..").map(|parts| (parts, false)));
    if let (Some(((one, other), parted)), Some(repository), false) =
        (range, repository, Path::new(base).exists())
    {
        let or_head = |name: &str| {
            if name.is_empty() {
                "HEAD".to_owned()
            } else {
                name.to_owned()
            }
        };
        let (one, other) = (or_head(one), or_head(other));
        let base = if parted {
            repository.parted(&one, &other)?
        } else {
            repository.revision(&one)?
        };
        let head = match head {
            Some(head) => side(Some(repository), head)?,
            None => Named::Revision(repository.revision(&other)?),
        };
        return Ok((Named::Revision(base), head));
    }
    let base = side(repository, base)?;
    let head = match (head, &base) {
        (Some("-"), _) => Named::Stdin,
        (Some(head), _) => side(repository, head)?,
        (None, Named::Revision(_)) => Named::WorkTree,
        (None, _) => {
            return Err(Failure::Refused {
                what: "there is nothing to compare with it: HEAD is missing".to_owned(),
                hint: "name the other folder, or - for standard input; HEAD is the work tree where BASE is \
                       a revision"
                    .to_owned(),
            });
        }
    };
    Ok((base, head))
}

/// A revision, else a path. What is both is neither until somebody says which.
fn side(repository: Option<&Repository>, name: &str) -> Result<Named, Failure> {
    let path = Path::new(name);
    let exists = path.exists();
    let as_path = is_path(name);
    let revision = match repository.filter(|_| !as_path) {
        Some(repository) => repository.find(name)?,
        None => None,
    };
    match (revision, exists, repository) {
        (Some(_), true, _) => Err(Failure::Refused {
            what: format!("{name} is a revision and a path"),
            hint: format!("write ./{name} for the path, or refs/heads/{name} for the branch"),
        }),
        (Some(revision), false, _) => Ok(Named::Revision(revision)),
        (None, true, _) => Ok(Named::Path(path.to_owned())),
        (None, false, _) if as_path => Err(Failure::NoSuchPath(path.to_owned())),
        (None, false, Some(repository)) => repository.revision(name).map(Named::Revision),
        (None, false, None) => Err(Failure::NoSuchRevision {
            name: name.to_owned(),
            hint: "this folder is in no git repository: go to one, or name two folders".to_owned(),
        }),
    }
}

/// With a dot or a slash at its start, or a slash at its end, it is meant as a path.
fn is_path(name: &str) -> bool {
    name.starts_with('.') || name.starts_with('/') || name.ends_with('/')
}

fn texts(
    repository: Option<&Repository>,
    named: Named,
    paths: &[PathBuf],
) -> Result<Texts, Failure> {
    match named {
        Named::Revision(revision) => {
            // Only a repository finds revisions.
            let Some(repository) = repository else {
                return Err(Failure::NoSuchPath(PathBuf::from(revision.name)));
            };
            let tree = repository.read(&revision, paths)?;
            Ok(Texts {
                name: format!("{} ({})", revision.name, revision.short()),
                revision: Some(revision.commit.to_string()),
                files: tree.files,
                passed: tree.passed,
            })
        }
        Named::WorkTree => work_tree(repository, paths),
        Named::Path(path) => {
            let name = path.display().to_string();
            let narrowed: Vec<PathBuf> = paths
                .iter()
                .map(|below| path.join(below))
                .filter(|path| path.exists())
                .collect();
            let all = [path.clone()];
            let paths = if paths.is_empty() {
                &all
            } else {
                &narrowed[..]
            };
            let mut texts = on_disk(name, files::read(paths)?);
            // The same file has the same name on both sides.
            if path.is_dir() {
                for file in &mut texts.files {
                    let near = Path::new(&file.name).strip_prefix(&path);
                    if let Ok(near) = near.map(|near| near.display().to_string()) {
                        file.name = near;
                    }
                }
            }
            Ok(texts)
        }
        Named::Stdin => {
            let found = files::read(&[PathBuf::from("-")])?;
            Ok(on_disk("standard input".to_owned(), found))
        }
    }
}

fn work_tree(repository: Option<&Repository>, paths: &[PathBuf]) -> Result<Texts, Failure> {
    let Some(repository) = repository.filter(|repository| repository.has_work_tree()) else {
        return Err(Failure::Refused {
            what: "this repository has no work tree".to_owned(),
            hint: "name HEAD too, as `drover diff main HEAD`".to_owned(),
        });
    };
    let here = [PathBuf::from(".")];
    // What is not there any more was deleted, and that is what is asked about.
    let there: Vec<PathBuf> = paths.iter().filter(|path| path.exists()).cloned().collect();
    let paths = if paths.is_empty() { &here[..] } else { &there };
    let mut leaves_alone = repository.leaves_alone()?;
    let found = files::read_but(paths, &mut leaves_alone)?;
    Ok(on_disk("the work tree".to_owned(), found))
}

fn on_disk(name: String, found: Files) -> Texts {
    let passed = found
        .links
        .iter()
        .map(|link| format!("{} is a link to a folder", link.display()));
    Texts {
        name,
        revision: None,
        passed: passed.collect(),
        files: found.files,
    }
}
