//! From paths to texts: which files are read, in which order, and how much at most.

use std::collections::BTreeSet;
use std::fs::{self, File as Handle};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use drover_manifest::Source;
use drover_manifest::limits::MAX_SOURCE_BYTES;

use crate::failure::Failure;

/// The most folders inside each other. Links to folders are not followed, so this is not against loops
/// but against trees that nobody made by hand.
pub const MAX_DEPTH: usize = 64;
/// The most files. An estate of 50,000 machines with a file for each stays below.
pub const MAX_FILES: usize = 100_000;
/// The most text altogether, in bytes. It is held in memory, to show lines of it beside problems.
pub const MAX_TOTAL_BYTES: usize = 1 << 30;

/// What files are called that hold manifests.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// A text and what it is called.
#[derive(Debug)]
pub struct File {
    /// The path as it was named or found.
    pub name: String,
    /// What it holds.
    pub text: Vec<u8>,
    /// Whether it was come upon in a folder or a revision: nobody said that there are manifests in it.
    pub found: bool,
}

impl File {
    /// The same as those who read manifests take it.
    pub fn source(&self) -> Source<'_> {
        Source {
            name: &self.name,
            text: &self.text,
        }
    }
}

/// What was found behind the paths.
#[derive(Debug, Default)]
pub struct Files {
    /// The files, in the order of the paths, and in each folder in the order of names.
    pub files: Vec<File>,
    /// Links to folders, which were not followed.
    pub links: Vec<PathBuf>,
}

/// Reads what the paths name: files as they are, folders with all manifests in them, and standard input
/// for `-`.
///
/// # Errors
/// When a path is not there, something cannot be read, or there is too much of it.
pub fn read(paths: &[PathBuf]) -> Result<Files, Failure> {
    read_but(paths, &mut |_, _| false)
}

/// Says of a path in a folder, and of whether it is a folder itself, that it is left alone.
pub type Leave<'l> = &'l mut dyn FnMut(&Path, bool) -> bool;

/// The same, without what is left alone. What is named is read in any case.
///
/// # Errors
/// The same.
pub fn read_but(paths: &[PathBuf], leave: Leave<'_>) -> Result<Files, Failure> {
    let mut reader = Reader {
        collector: Collector::default(),
        links: Vec::new(),
        once: paths.len() > 1,
        seen: BTreeSet::new(),
        leave,
    };
    if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::StdinTwice);
    }
    for path in paths {
        if is_stdin(path) {
            reader.stdin()?;
        } else {
            reader.named(path)?;
        }
    }
    Ok(Files {
        files: reader.collector.files,
        links: reader.links,
    })
}

/// Texts, as many and as long as may be held.
#[derive(Debug, Default)]
pub struct Collector {
    /// What was collected.
    pub files: Vec<File>,
    total: usize,
}

impl Collector {
    /// One more.
    ///
    /// # Errors
    /// When that is too much.
    pub fn add(&mut self, file: File) -> Result<(), Failure> {
        self.total = self.total.saturating_add(file.text.len());
        if self.total > MAX_TOTAL_BYTES {
            return Err(Failure::TooMuch);
        }
        if self.files.len() >= MAX_FILES {
            return Err(Failure::TooManyFiles);
        }
        self.files.push(file);
        Ok(())
    }
}

struct Reader<'l> {
    collector: Collector,
    links: Vec<PathBuf>,
    /// Whether paths may overlap, so that a file could be read twice.
    once: bool,
    seen: BTreeSet<PathBuf>,
    /// What of folders is left alone.
    leave: Leave<'l>,
}

impl Reader<'_> {
    /// A pipe whose other end failed gives nothing. That must not be taken for manifests that are all gone.
    fn stdin(&mut self) -> Result<(), Failure> {
        let mut text = Vec::new();
        bounded(io::stdin().lock(), &mut text).map_err(Failure::Stdin)?;
        if !has_documents(&text) {
            return Err(Failure::EmptyStdin);
        }
        self.collector.add(File {
            name: "<stdin>".to_owned(),
            text,
            found: false,
        })
    }

    /// What a person named is read whatever it is called.
    fn named(&mut self, path: &Path) -> Result<(), Failure> {
        let found = fs::metadata(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Failure::NoSuchPath(path.to_owned()),
            _ => cannot_read(path, source),
        })?;
        if found.is_dir() {
            return self.folder(path, 0);
        }
        self.file(path, false)
    }

    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), Failure> {
        if depth > MAX_DEPTH {
            return Err(Failure::TooDeep(folder.to_owned()));
        }
        let failed = |source| cannot_read(folder, source);
        let entries = fs::read_dir(folder).map_err(failed)?;
        let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            // A hidden folder is another tool's: `.git` alone may hold a hundred thousand files.
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // Only so that names read as people write them: `plan.yaml`, not `./plan.yaml`.
            let path = if folder.as_os_str() == "." {
                PathBuf::from(entry.file_name())
            } else {
                entry.path()
            };
            let kind = entry
                .file_type()
                .map_err(|source| cannot_read(&path, source))?;
            if (self.leave)(&path, kind.is_dir()) {
                continue;
            }
            if kind.is_dir() {
                self.folder(&path, depth + 1)?;
            } else if kind.is_symlink() {
                self.link(path)?;
            } else if kind.is_file() && is_manifest(&path) {
                self.file(&path, true)?;
            }
        }
        Ok(())
    }

    /// A link to a file is that file, as in a mounted `ConfigMap`. A link to a folder may lead back to
    /// where it came from.
    fn link(&mut self, path: PathBuf) -> Result<(), Failure> {
        match fs::metadata(&path) {
            Ok(target) if target.is_dir() => self.links.push(path),
            Ok(target) if target.is_file() && is_manifest(&path) => self.file(&path, true)?,
            Err(source) if is_manifest(&path) => return Err(cannot_read(&path, source)),
            Ok(_) | Err(_) => {}
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, found: bool) -> Result<(), Failure> {
        let failed = |source| cannot_read(path, source);
        if self.once {
            let whole = fs::canonicalize(path).map_err(failed)?;
            if !self.seen.insert(whole) {
                return Ok(());
            }
        }
        let mut text = Vec::new();
        let handle = Handle::open(path).map_err(failed)?;
        if let Ok(found) = handle.metadata() {
            let size = usize::try_from(found.len()).unwrap_or(usize::MAX);
            text.reserve_exact(size.min(MAX_SOURCE_BYTES).saturating_add(1));
        }
        bounded(handle, &mut text).map_err(failed)?;
        self.collector.add(File {
            name: path.to_string_lossy().into_owned(),
            text,
            found,
        })
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Whether there is more than comments and what stands between documents.
fn has_documents(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.any(|line| {
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        let mark = |mark: &[u8]| line.strip_prefix(mark);
        let rest = mark(b"---").or_else(|| mark(b"...")).unwrap_or(line);
        let rest = rest.trim_ascii();
        !rest.is_empty() && !rest.starts_with(b"#")
    })
}

/// One byte more than is allowed: then whoever reads the text says that it is too long, with its name.
fn bounded(from: impl io::Read, into: &mut Vec<u8>) -> io::Result<usize> {
    from.take(MAX_SOURCE_BYTES as u64 + 1).read_to_end(into)
}

/// Whether a file of this name may hold manifests.
pub fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        EXTENSIONS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(extension))
    })
}

fn cannot_read(path: &Path, source: io::Error) -> Failure {
    Failure::Read {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_marks_are_no_documents() {
        for text in [
            "",
            "\n\n",
            "---\n",
            "# nothing\r\n--- # here\r\n...\r\n",
            "\u{feff}---",
        ] {
            assert!(!has_documents(text.as_bytes()), "{text:?}");
        }
        for text in ["a", "--- a", "----", "# a\n---\nb: 1\n", "{}"] {
            assert!(has_documents(text.as_bytes()), "{text:?}");
        }
    }
}
