//! Manifests of a revision, read from the repository itself.
//!
//! Nothing is checked out and nothing is fetched: what a shallow or partial clone lacks is an error that
//! says so.

use std::path::{Component, Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::config::Error as Unconfigured;
use gix::object::peel::to_kind::Error as NoCommit;
use gix::objs::tree::EntryKind;
use gix::reference::find::Error as NoReference;
use gix::reference::peel;
use gix::refs::file::find::{Error as BadReference, existing};
use gix::refs::peel::{to_id, to_object};

use crate::failure::{Failure, Why};
use crate::files::{Collector, File, MAX_DEPTH, is_manifest};

/// A repository, and where in it we are.
pub struct Repository {
    pub(super) repository: gix::Repository,
    /// The folder that drover is run in, from the root of the work tree.
    pub(super) prefix: PathBuf,
}

/// A revision that was found.
#[derive(Clone, Debug)]
pub struct Revision {
    /// As it was written.
    pub name: String,
    /// The commit.
    pub commit: ObjectId,
}

impl Revision {
    /// As people write it: enough of the commit to be found by.
    pub fn short(&self) -> String {
        self.commit.to_hex_with_len(10).to_string()
    }
}

/// Memory for objects that are read again, such as trees on the way to folders.
const CACHE_BYTES: usize = 16 << 20;
/// Links that lead to links.
const MAX_LINKS: usize = 16;

impl Repository {
    /// The repository that the current folder is in; nothing where it is in none.
    ///
    /// # Errors
    /// When there is one and it cannot be opened.
    pub fn discover() -> Result<Option<Self>, Failure> {
        let mut repository = match gix::discover(".") {
            Ok(repository) => repository,
            Err(gix::discover::Error::Discover(_)) => return Ok(None),
            Err(error) => return Err(cannot_open(&error)),
        };
        repository.object_cache_size_if_unset(CACHE_BYTES);
        let prefix = repository.prefix().ok().flatten().map(Path::to_owned);
        Ok(Some(Self {
            prefix: prefix.unwrap_or_default(),
            repository,
        }))
    }

    /// Whether there are files beside it.
    pub fn has_work_tree(&self) -> bool {
        self.repository.workdir().is_some()
    }

    /// The revision of this name; nothing where there is none.
    ///
    /// # Errors
    /// When there is such a name, and what it stands for cannot be read.
    pub fn find(&self, name: &str) -> Result<Option<Revision>, Failure> {
        let Ok(id) = self.repository.rev_parse_single(name) else {
            self.readable(name)?;
            return Ok(None);
        };
        let object = id.object().map_err(|error| self.damaged(name, &error))?;
        match object.peel_to_commit() {
            Ok(commit) => Ok(Some(Revision {
                name: name.to_owned(),
                commit: commit.id,
            })),
            Err(NoCommit::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.damaged(name, &error)),
        }
    }

    /// Whether it is the repository that keeps a revision from being found, and not how the name is written: there is
    /// the branch or tag that the name begins with, as HEAD in `HEAD~3`, and it leads to nothing that can be read.
    fn readable(&self, name: &str) -> Result<(), Failure> {
        let end = name.find(['~', '^', '@', ':']).unwrap_or(name.len());
        let start = if end == 0 { "HEAD" } else { &name[..end] };
        let mut reference = match self.repository.try_find_reference(start) {
            Ok(Some(reference)) => reference,
            Ok(None) | Err(NoReference::Find(BadReference::RefnameValidation(_))) => return Ok(()),
            Err(error) => return Err(self.damaged(name, &error)),
        };
        match reference.peel_to_id() {
            Ok(id) => id
                .object()
                .map(drop)
                .map_err(|error| self.damaged(name, &error)),
            // A branch without commits, as the first one is in the beginning.
            Err(peel::Error::ToId(to_id::Error::FollowToObject(to_object::Error::Follow(
                existing::Error::NotFound { .. },
            )))) => Ok(()),
            Err(error) => Err(self.damaged(name, &error)),
        }
    }

    fn damaged(&self, name: &str, error: &dyn std::error::Error) -> Failure {
        Failure::Repository {
            doing: format!("read revision {name}: the repository is damaged"),
            why: Why(in_one_line(error)),
            hint: self.shallow().or_else(|| {
                Some(
                    "`git fsck` says what is missing or broken; a fresh clone has all of it"
                        .to_owned(),
                )
            }),
        }
    }

    /// The revision of this name.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn revision(&self, name: &str) -> Result<Revision, Failure> {
        self.find(name)?.ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> Failure {
        Failure::NoSuchRevision {
            name: name.to_owned(),
            hint: if self.repository.is_shallow() {
                SHALLOW.to_owned()
            } else {
                "revisions are written as for git: a branch, a tag, a commit, origin/main, HEAD~3; a folder \
                 is named with a / in it, as ./main"
                    .to_owned()
            },
        }
    }

    /// The commit where two revisions parted.
    ///
    /// # Errors
    /// When one of them is not there, and when they have nothing in common, or not as far as this clone
    /// goes.
    pub fn parted(&self, one: &str, other: &str) -> Result<Revision, Failure> {
        let (first, second) = (self.revision(one)?, self.revision(other)?);
        let base = self.repository.merge_base(first.commit, second.commit);
        match base {
            Ok(base) => Ok(Revision {
                name: format!("{one}...{other}"),
                commit: base.detach(),
            }),
            Err(error) => Err(Failure::Repository {
                doing: format!("find the commit where {one} and {other} parted"),
                why: Why(in_one_line(&error)),
                hint: self.shallow(),
            }),
        }
    }

    fn shallow(&self) -> Option<String> {
        self.repository.is_shallow().then(|| SHALLOW.to_owned())
    }

    /// The manifests below these paths, which are read from the current folder.
    ///
    /// # Errors
    /// When an object is missing, a path is outside of the repository, or there is too much text.
    pub fn read(&self, revision: &Revision, paths: &[PathBuf]) -> Result<Tree, Failure> {
        let mut walk = Walk {
            of: self,
            revision,
            root: self.root(revision)?,
            into: Collector::default(),
            passed: Vec::new(),
            seen: std::collections::BTreeSet::new(),
        };
        let here = [PathBuf::from(".")];
        let paths = if paths.is_empty() { &here[..] } else { paths };
        for path in paths {
            walk.named(path)?;
        }
        Ok(Tree {
            files: walk.into.files,
            passed: walk.passed,
        })
    }

    fn root(&self, revision: &Revision) -> Result<ObjectId, Failure> {
        let commit = self.repository.find_commit(revision.commit);
        let tree = commit.map_err(|error| self.unreadable(revision, &in_one_line(&error)))?;
        let tree = tree
            .tree_id()
            .map_err(|error| self.unreadable(revision, &in_one_line(&error)))?;
        Ok(tree.detach())
    }

    fn unreadable(&self, revision: &Revision, why: &str) -> Failure {
        Failure::Repository {
            doing: format!("read revision {} ({})", revision.name, revision.short()),
            why: Why(why.to_owned()),
            hint: self.shallow().or_else(|| {
                Some("a partial clone lacks what it never needed: `git fetch --refetch` brings all of it".to_owned())
            }),
        }
    }
}

fn cannot_open(error: &gix::discover::Error) -> Failure {
    let (why, hint) = if has_long_names(error) {
        (
            "it names objects by SHA-256, which is not read yet".to_owned(),
            Some(TWO_FOLDERS.to_owned()),
        )
    } else {
        (in_one_line(error), None)
    };
    Failure::Repository {
        doing: "open the git repository of this folder".to_owned(),
        why: Why(why),
        hint,
    }
}

fn has_long_names(error: &gix::discover::Error) -> bool {
    let gix::discover::Error::Open(gix::open::Error::Config(error)) = error else {
        return false;
    };
    match error {
        Unconfigured::UnsupportedObjectFormat { .. } => true,
        Unconfigured::ConfigTypedString(error) => {
            error.key.eq_ignore_ascii_case(b"extensions.objectFormat")
        }
        _ => false,
    }
}

const TWO_FOLDERS: &str = "check the other side out beside this one and name both folders, with a / at the end: \
                           `git worktree add ../base main`, then `drover diff ../base/ ./`";

const SHALLOW: &str = "this clone is shallow, it lacks what is older: `git fetch --unshallow` brings it, and in a \
                       pipeline a deeper checkout (`fetch-depth: 0`, `GIT_DEPTH: 0`)";

/// What was found in a revision.
pub struct Tree {
    /// The manifests, in the order of the paths, and in each folder in the order of names.
    pub files: Vec<File>,
    /// What was passed over, and why.
    pub passed: Vec<String>,
}

/// A walk through the folders of one revision.
struct Walk<'r> {
    of: &'r Repository,
    revision: &'r Revision,
    root: ObjectId,
    into: Collector,
    passed: Vec<String>,
    seen: std::collections::BTreeSet<BString>,
}

impl Walk<'_> {
    /// What a person named, a file or a folder. One that this revision does not have is empty here.
    fn named(&mut self, path: &Path) -> Result<(), Failure> {
        let full = from_root(&self.of.prefix, path).ok_or_else(|| Failure::Refused {
            what: format!("{} is outside of the repository", path.display()),
            hint: "paths are looked for from the folder that drover is run in".to_owned(),
        })?;
        if full.is_empty() {
            return self.folder(self.root, &full, 0);
        }
        match self.lookup(&full)? {
            Some((EntryKind::Tree, id)) => self.folder(id, &full, 0),
            Some((kind, id)) => self.entry(kind, id, &full, 0, true),
            None => Ok(()),
        }
    }

    fn lookup(&self, path: &BString) -> Result<Option<(EntryKind, ObjectId)>, Failure> {
        let failed = |why: String| self.of.unreadable(self.revision, &why);
        let tree = self.of.repository.find_tree(self.root);
        let tree = tree.map_err(|error| failed(in_one_line(&error)))?;
        let parts = path.split_str("/");
        let found = tree
            .lookup_entry(parts)
            .map_err(|error| failed(in_one_line(&error)))?;
        Ok(found.map(|entry| (entry.mode().kind(), entry.object_id())))
    }

    fn folder(&mut self, id: ObjectId, path: &BString, depth: usize) -> Result<(), Failure> {
        if depth > MAX_DEPTH {
            return Err(Failure::TooDeep(shown(path)));
        }
        let tree = self.of.repository.find_tree(id);
        let tree = tree.map_err(|error| self.of.unreadable(self.revision, &in_one_line(&error)))?;
        let mut entries = Vec::new();
        for entry in tree.iter() {
            let entry =
                entry.map_err(|error| self.of.unreadable(self.revision, &in_one_line(&error)))?;
            entries.push((entry.filename().to_owned(), entry.kind(), entry.object_id()));
        }
        // A tree has folders in another order than a file system.
        entries.sort();
        for (name, kind, id) in entries {
            if name.starts_with(b".") {
                continue;
            }
            let mut below = path.clone();
            if !below.is_empty() {
                below.push(b'/');
            }
            below.extend_from_slice(&name);
            self.entry(kind, id, &below, depth, false)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        kind: EntryKind,
        id: ObjectId,
        path: &BString,
        depth: usize,
        named: bool,
    ) -> Result<(), Failure> {
        let manifest = named || is_manifest(&shown(path));
        match kind {
            EntryKind::Tree => self.folder(id, path, depth + 1),
            EntryKind::Commit => {
                self.passed
                    .push(format!("{} is a submodule", self.name(path)));
                Ok(())
            }
            EntryKind::Link => self.link(id, path, named),
            EntryKind::Blob | EntryKind::BlobExecutable if manifest => self.file(id, path, !named),
            EntryKind::Blob | EntryKind::BlobExecutable => Ok(()),
        }
    }

    /// A link to a file is that file, as on disk.
    fn link(&mut self, id: ObjectId, path: &BString, named: bool) -> Result<(), Failure> {
        let manifest = named || is_manifest(&shown(path));
        let (mut at, mut id) = (path.clone(), id);
        for _ in 0..MAX_LINKS {
            let target = self.blob(id)?;
            let folder = at.rfind_byte(b'/').map_or(&b""[..], |end| &at[..end]);
            let folder = shown(&BString::from(folder));
            let target = shown(&BString::from(target));
            let Some(full) = from_root(&folder, &target) else {
                break;
            };
            match self.lookup(&full)? {
                Some((EntryKind::Blob | EntryKind::BlobExecutable, id)) if manifest => {
                    return self.file(id, path, !named);
                }
                Some((EntryKind::Blob | EntryKind::BlobExecutable, _)) => return Ok(()),
                Some((EntryKind::Link, next)) => (at, id) = (full, next),
                _ => break,
            }
        }
        self.passed.push(format!(
            "{} is a link to what is no file of the revision",
            self.name(path)
        ));
        Ok(())
    }

    fn blob(&self, id: ObjectId) -> Result<Vec<u8>, Failure> {
        let object = self.of.repository.find_object(id);
        let mut object =
            object.map_err(|error| self.of.unreadable(self.revision, &in_one_line(&error)))?;
        Ok(std::mem::take(&mut object.data))
    }

    fn file(&mut self, id: ObjectId, path: &BString, found: bool) -> Result<(), Failure> {
        if !self.seen.insert(path.clone()) {
            return Ok(());
        }
        let text = self.blob(id)?;
        let name = self.name(path);
        self.into.add(File { name, text, found })
    }

    /// A path as it is from the current folder.
    fn name(&self, path: &BString) -> String {
        let path = shown(path);
        let near = path.strip_prefix(&self.of.prefix);
        near.unwrap_or(&path).display().to_string()
    }
}

/// A path from the root of the repository; nothing where it leads out of it.
pub(super) fn from_root(folder: &Path, path: &Path) -> Option<BString> {
    if path.is_absolute() {
        return None;
    }
    let mut parts: Vec<&BStr> = Vec::new();
    for component in folder.components().chain(path.components()) {
        match component {
            Component::Normal(part) => parts.push(part.as_encoded_bytes().as_bstr()),
            Component::ParentDir => drop(parts.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(gix::bstr::join("/", parts).into())
}

fn shown(path: &BString) -> PathBuf {
    PathBuf::from(path.to_str_lossy().into_owned())
}

/// An error with what lies behind it.
pub(super) fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        let full = |folder: &str, path: &str| {
            from_root(Path::new(folder), Path::new(path)).map(|path| path.to_string())
        };
        assert_eq!(full("a/b", "."), Some("a/b".to_owned()));
        assert_eq!(full("a", "../c/x.yaml"), Some("c/x.yaml".to_owned()));
        assert_eq!(full("", "."), Some(String::new()));
        assert_eq!(full("a", "../../c"), None);
        assert_eq!(full("", "/etc"), None);
    }
}
