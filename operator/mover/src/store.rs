//! The records of all machines, on disk before anybody relies on them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use drover_api::value::MachineName;
use tokio::sync::watch;

use crate::record::Record;

/// The file of a record, in the folder of its machine.
const RECORD: &str = "machine.json";

/// What is kept could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct StoreError {
    path: PathBuf,
    source: io::Error,
}

/// The records of all machines of a site.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    records: Mutex<BTreeMap<MachineName, Record>>,
    /// Grows with each change that others may see.
    version: watch::Sender<u64>,
    /// Nobody else keeps records here, for as long as this is open.
    _lock: File,
}

impl Store {
    /// Opens the records in a folder, which one process at a time may do.
    ///
    /// # Errors
    /// When another process has them open, or one of them cannot be read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut options = File::options();
        let lock = options.create(true).truncate(false).write(true);
        let lock = lock.open(folder.join("lock"))?;
        lock.try_lock().map_err(|error| {
            let why = format!("another mover has it open ({error})");
            io::Error::new(io::ErrorKind::WouldBlock, why)
        })?;
        let mut records = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let file = entry.path().join(RECORD);
            let name = entry.file_name().to_string_lossy().parse();
            let (Ok(name), true) = (name, file.is_file()) else {
                continue;
            };
            let record = serde_json::from_slice(&fs::read(&file)?).map_err(|error| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{}: {error}", file.display()),
                )
            })?;
            records.insert(name, record);
        }
        // Milliseconds are more than changes, so that a version also grows over a restart.
        let now = jiff::Timestamp::now().as_millisecond();
        Ok(Self {
            folder: folder.to_owned(),
            records: Mutex::new(records),
            version: watch::Sender::new(u64::try_from(now).unwrap_or(0)),
            _lock: lock,
        })
    }

    /// The folder of a machine.
    pub fn folder(&self, machine: &MachineName) -> PathBuf {
        self.folder.join(machine.as_str())
    }

    /// The record of a machine; an empty one where nothing was asked yet.
    pub fn get(&self, machine: &MachineName) -> Record {
        self.lock().get(machine).cloned().unwrap_or_default()
    }

    /// All machines of which something is kept.
    pub fn all(&self) -> BTreeMap<MachineName, Record> {
        self.lock().clone()
    }

    /// Changes a record. When this returns the change is on disk; when it fails nothing was changed.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn change<T>(
        &self,
        machine: &MachineName,
        change: impl FnOnce(&mut Record) -> T,
    ) -> Result<T, StoreError> {
        let mut records = self.lock();
        let before = records.get(machine).cloned().unwrap_or_default();
        let mut after = before.clone();
        let told = change(&mut after);
        if after == before {
            return Ok(told);
        }
        self.write(machine, &after).map_err(|source| StoreError {
            path: self.folder(machine),
            source,
        })?;
        records.insert(machine.clone(), after);
        drop(records);
        self.touch();
        Ok(told)
    }

    /// Something that is not kept changed.
    pub fn touch(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// Grows with each change.
    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn write(&self, machine: &MachineName, record: &Record) -> io::Result<()> {
        let folder = self.folder(machine);
        if !folder.is_dir() {
            fs::create_dir(&folder)?;
            File::open(&self.folder)?.sync_all()?;
        }
        let part = folder.join("machine.json.part");
        let mut file = File::create(&part)?;
        file.write_all(&serde_json::to_vec_pretty(record)?)?;
        file.sync_all()?;
        fs::rename(&part, folder.join(RECORD))?;
        File::open(&folder)?.sync_all()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<MachineName, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_there_after_a_restart_and_one_process_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let name: MachineName = "db-1".parse().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let before = *store.version().borrow();
        store.change(&name, |record| record.epoch = 7).unwrap();
        assert!(*store.version().borrow() > before);
        assert!(Store::open(folder.path()).is_err());
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.get(&name).epoch, 7);
    }

    #[test]
    fn a_record_that_cannot_be_written_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let name: MachineName = "db-1".parse().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.change(&name, |record| record.epoch = 7).unwrap();
        // In the place of the file that is written first.
        fs::create_dir(store.folder(&name).join("machine.json.part")).unwrap();
        assert!(store.change(&name, |record| record.epoch = 8).is_err());
        assert_eq!(store.get(&name).epoch, 7);
    }
}
