//! What of a work tree is none of the repository's: what git ignores, and other repositories inside of it.
//!
//! A file that nobody has added yet is looked at: it will be. Charts that were rendered into an ignored folder are
//! not, and neither are the thousands of files of a package manager.

use std::fs;
use std::path::Path;

use gix::bstr::{BStr, ByteSlice as _};
use gix::index::entry::Mode;
use gix::worktree::stack::state::ignore::Source;

use super::git::{Repository, from_root, in_one_line};
use crate::failure::{Failure, Why};

/// The head of an index and the checksum at its end, in bytes. A file of less is what a power loss leaves.
const LEAST_INDEX: u64 = 12 + 20;

impl Repository {
    /// Says of a path from the current folder, and of whether it is a folder, that it is to be left alone.
    ///
    /// # Errors
    /// When the index, or what says what is ignored, cannot be read.
    pub fn leaves_alone(&self) -> Result<impl FnMut(&Path, bool) -> bool + '_, Failure> {
        let failed = |error: &dyn std::error::Error| cannot_tell(in_one_line(error), None);
        let index = self.index()?;
        let source = Source::WorktreeThenIdMappingIfNotSkipped;
        let mut excludes = self
            .repository
            .excludes(&index, None, source)
            .map_err(|error| failed(&error))?;
        Ok(move |path: &Path, is_folder: bool| {
            let Some(path) = from_root(&self.prefix, path).filter(|path| !path.is_empty()) else {
                return false;
            };
            let path: &BStr = path.as_bstr();
            if let Some(entry) = index.entry_by_path(path) {
                // What is in the index is the repository's, whatever is ignored; a submodule is another's.
                return entry.mode == Mode::COMMIT;
            }
            let mode = if is_folder { Mode::DIR } else { Mode::FILE };
            let ignored = excludes
                .at_entry(path, Some(mode))
                .is_ok_and(|found| found.is_excluded());
            let holds_ours = || {
                let below = [path.as_bytes(), b"/"].concat();
                index.prefixed_entries(below.as_bstr()).is_some()
            };
            ignored && !(is_folder && holds_ours())
        })
    }

    /// The index. Its length is looked at first: whoever reads it takes the checksum for granted.
    fn index(&self) -> Result<gix::worktree::Index, Failure> {
        let path = self.repository.index_path();
        let broken = |why: String| {
            let path = path.display();
            let hint =
                format!("`rm {path} && git reset` writes it anew and leaves all files as they are");
            cannot_tell(format!("the index of the repository: {why}"), Some(hint))
        };
        match fs::metadata(&path) {
            Ok(found) if found.len() < LEAST_INDEX => {
                Err(broken(format!("it ends after {} bytes", found.len())))
            }
            _ => self
                .repository
                .index_or_empty()
                .map_err(|error| broken(in_one_line(&error))),
        }
    }
}

fn cannot_tell(why: String, hint: Option<String>) -> Failure {
    Failure::Repository {
        doing: "tell what git ignores in this work tree".to_owned(),
        why: Why(why),
        hint,
    }
}
