//! The world on disk: a file of entries, one on each line. The first holds everything, the others what
//! changed since; now and then the file is written anew, whole.
//!
//! An effect is in the file before it is answered, so a process that is killed leaves nothing half done.
//! What guests write in the meantime follows from the time and needs no entry.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::world::{Change, Saved, World};

/// The journal is written anew when it is so many times as large as the world was, and not before this.
const GROWTH: u64 = 4;
const SMALLEST: u64 = 4 << 20;

/// Why a world could not be kept, or read back.
#[derive(Debug, Error)]
pub enum PersistError {
    /// The file cannot be read or written.
    #[error("the file {} of the simulated world failed", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("line {line} of {} is no entry of a simulated world", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
}

/// The file of a world.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    journal: File,
    written: u64,
    whole: u64,
}

impl Store {
    /// Reads what is there. A last line that was cut off is an effect that was never answered.
    pub fn read(path: &Path) -> Result<Saved, PersistError> {
        let mut text = Vec::new();
        match File::open(path) {
            Ok(mut file) => file.read_to_end(&mut text).map_err(|e| failed(path, e))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Saved::new()),
            Err(error) => return Err(failed(path, error)),
        };
        let ended = text.ends_with(b"\n");
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        let full = lines.len() - 1;
        let mut saved = Saved::new();
        for (position, line) in lines.into_iter().take(full).enumerate() {
            let entry: Change =
                serde_json::from_slice(line).map_err(|source| PersistError::Content {
                    path: path.to_owned(),
                    line: position + 1,
                    source,
                })?;
            saved.push(entry);
        }
        debug_assert!(ended || full == saved.len());
        Ok(saved)
    }

    /// Writes the whole world, in place of what is there, and goes on from it.
    pub fn begin(path: &Path, world: &mut World) -> Result<Self, PersistError> {
        let whole = write_whole(path, world)?;
        let journal = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(|e| failed(path, e))?;
        Ok(Self {
            path: path.to_owned(),
            journal,
            written: whole,
            whole,
        })
    }

    /// Writes down what changed.
    pub fn keep(&mut self, world: &mut World) -> Result<(), PersistError> {
        if self.written > SMALLEST.max(self.whole * GROWTH) {
            *self = Self::begin(&self.path, world)?;
            return Ok(());
        }
        let Some(change) = world.take_changes() else {
            return Ok(());
        };
        let line = line(&change).map_err(|e| failed(&self.path, e))?;
        self.journal
            .write_all(&line)
            .map_err(|e| failed(&self.path, e))?;
        self.written += line.len() as u64;
        Ok(())
    }

    /// Brings everything to the disk itself.
    pub fn flush(&mut self, world: &mut World) -> Result<(), PersistError> {
        self.keep(world)?;
        self.journal.sync_all().map_err(|e| failed(&self.path, e))
    }
}

fn write_whole(path: &Path, world: &mut World) -> Result<u64, PersistError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| failed(path, e))?;
    let line = line(&world.whole_world()).map_err(|e| failed(path, e))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(path, e))?;
    file.write_all(&line).map_err(|e| failed(path, e))?;
    file.as_file().sync_all().map_err(|e| failed(path, e))?;
    file.persist(path).map_err(|e| failed(path, e.error))?;
    let folder = File::open(folder).map_err(|e| failed(path, e))?;
    folder.sync_all().map_err(|e| failed(path, e))?;
    Ok(line.len() as u64)
}

fn line(change: &Change) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(change)?;
    line.push(b'\n');
    Ok(line)
}

fn failed(path: &Path, source: io::Error) -> PersistError {
    PersistError::File {
        path: path.to_owned(),
        source,
    }
}
