//! The file that outlives the process.
//!
//! One commit per batch, on a thread of the runtime's blocking pool: a thread of one's own would let
//! virtual time run away in tests. A commit that failed may still have reached the disk; the file is
//! then opened again, and what it says decides.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use tokio::task::spawn_blocking;

use super::state::Change;

/// Keys are `table NUL namespace NUL name`; none of them can hold a NUL.
const OBJECTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("objects");
const FACTS: TableDefinition<'_, &str, u64> = TableDefinition::new("facts");
const VERSION: &str = "resourceVersion";
const FORMAT: &str = "format";
/// The layout of this file. A file of a later one is not touched.
const THIS_FORMAT: u64 = 1;
const FILE: &str = "store.redb";

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The folder cannot be made or protected.
    #[error("the data folder {path} cannot be used")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("the data folder {path} is in use by another process")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("the store in {path} cannot be opened: {message}")]
    Broken {
        /// The folder.
        path: PathBuf,
        /// What the store says.
        message: String,
    },
    /// A later Drover wrote it.
    #[error(
        "the store in {path} has format {found}, this is an older Drover that knows format {known}"
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// The format of the file.
        found: u64,
        /// The newest format that is known.
        known: u64,
    },
    /// An object is damaged.
    #[error("an object of {table} cannot be read: {message}")]
    Unreadable {
        /// The kind's table.
        table: String,
        /// What is wrong with it.
        message: String,
    },
}

/// Everything in a store.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub version: u64,
    /// Table and text of each object.
    pub objects: Vec<(String, Vec<u8>)>,
}

/// Opens the file, at the start and after it has failed.
type Opener = Arc<dyn Fn() -> Result<Database, DiskError> + Send + Sync>;

pub(super) struct Disk {
    opener: Opener,
    database: Option<Arc<Database>>,
    /// A batch of which it is not known whether it reached the disk.
    limbo: Option<Arc<[Change]>>,
}

/// Opens the store in `folder`, makes one if there is none.
pub(super) async fn open(folder: PathBuf, cache_bytes: usize) -> Result<(Disk, Loaded), DiskError> {
    let path = folder.clone();
    let opener = move || {
        make_private(&path).map_err(|source| DiskError::Folder {
            path: path.clone(),
            source,
        })?;
        open_file(&path, cache_bytes)
    };
    open_by(folder, Arc::new(opener)).await
}

pub(super) async fn open_by(folder: PathBuf, opener: Opener) -> Result<(Disk, Loaded), DiskError> {
    let (path, open) = (folder.clone(), Arc::clone(&opener));
    let opened = spawn_blocking(move || {
        let database = open()?;
        let loaded = load(&database, &path)?;
        Ok((database, loaded))
    })
    .await
    .map_err(|error| broken(&folder, &error))?;
    let (database, loaded) = opened?;
    Ok((
        Disk {
            opener,
            database: Some(Arc::new(database)),
            limbo: None,
        },
        loaded,
    ))
}

fn broken(folder: &Path, error: &dyn std::error::Error) -> DiskError {
    DiskError::Broken {
        path: folder.to_owned(),
        message: error.to_string(),
    }
}

/// Secrets are in there.
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(folder.join(FILE))
        .map(drop)
}

fn open_file(folder: &Path, cache_bytes: usize) -> Result<Database, DiskError> {
    Database::builder()
        .set_cache_size(cache_bytes)
        .create(folder.join(FILE))
        .map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => DiskError::InUse {
                path: folder.to_owned(),
            },
            other => broken(folder, &other),
        })
}

fn load(database: &Database, folder: &Path) -> Result<Loaded, DiskError> {
    let wrong = |error: redb::Error| broken(folder, &error);
    match format(database).map_err(wrong)? {
        Some(found) if found > THIS_FORMAT => {
            return Err(DiskError::Newer {
                path: folder.to_owned(),
                found,
                known: THIS_FORMAT,
            });
        }
        Some(_) => {}
        None => make_tables(database).map_err(wrong)?,
    }
    read_all(database).map_err(wrong)
}

/// `None`: the file is new.
fn format(database: &Database) -> Result<Option<u64>, redb::Error> {
    match database.begin_read()?.open_table(FACTS) {
        Ok(facts) => Ok(facts.get(FORMAT)?.map(|format| format.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn make_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(FACTS)?.insert(FORMAT, THIS_FORMAT)?;
    transaction.open_table(OBJECTS)?;
    transaction.commit()?;
    Ok(())
}

fn read_all(database: &Database) -> Result<Loaded, redb::Error> {
    let mut loaded = Loaded {
        version: version(database)?,
        objects: Vec::new(),
    };
    for row in database.begin_read()?.open_table(OBJECTS)?.iter()? {
        let (key, bytes) = row?;
        let table = key
            .value()
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default();
        loaded.objects.push((
            String::from_utf8_lossy(table).into_owned(),
            bytes.value().to_vec(),
        ));
    }
    Ok(loaded)
}

fn version(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_read()?;
    let facts = transaction.open_table(FACTS)?;
    Ok(facts.get(VERSION)?.map_or(0, |version| version.value()))
}

impl Disk {
    /// Returns when `changes` are on disk; after an error it is unknown whether they are.
    pub async fn commit(&mut self, changes: Arc<[Change]>) -> Result<(), String> {
        let Some(database) = self.database.clone() else {
            return Err("the store is closed".to_owned());
        };
        self.limbo = Some(Arc::clone(&changes));
        let done = spawn_blocking(move || write(&database, &changes)).await;
        match done {
            Ok(Ok(())) => {
                self.limbo = None;
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// After a failed commit: opens the file again. Returns the batch that failed if it did reach
    /// the disk.
    pub async fn mend(&mut self) -> Result<Option<Arc<[Change]>>, String> {
        let Some(limbo) = self.limbo.clone() else {
            return Ok(None);
        };
        let old = self.database.take();
        let open = Arc::clone(&self.opener);
        let (database, found) = spawn_blocking(move || {
            drop(old);
            let database = open().map_err(|error| error.to_string())?;
            let found = version(&database).map_err(|error| error.to_string())?;
            Ok::<_, String>((database, found))
        })
        .await
        .map_err(|error| error.to_string())??;
        self.database = Some(Arc::new(database));
        self.limbo = None;
        Ok(limbo
            .last()
            .is_some_and(|last| last.entry.version == found)
            .then_some(limbo))
    }

    /// Closes the file; the folder can then be opened again.
    pub async fn close(mut self) {
        let database = self.database.take();
        // Closing can only fail by a panic of the store, and then the lock is gone as well.
        let _ = spawn_blocking(move || drop(database)).await;
    }
}

fn write(database: &Database, changes: &[Change]) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    // A crash is then mended at the next opening without reading the whole file.
    transaction.set_quick_repair(true);
    {
        let mut objects = transaction.open_table(OBJECTS)?;
        let mut key = Vec::new();
        for change in changes {
            key.clear();
            for part in [&*change.place.0, &*change.place.1.namespace] {
                key.extend_from_slice(part.as_bytes());
                key.push(0);
            }
            key.extend_from_slice(change.place.1.name.as_bytes());
            if change.removed {
                objects.remove(key.as_slice())?;
            } else {
                objects.insert(key.as_slice(), &*change.entry.bytes)?;
            }
        }
        if let Some(last) = changes.last() {
            transaction
                .open_table(FACTS)?
                .insert(VERSION, last.entry.version)?;
        }
    }
    transaction.commit()?;
    Ok(())
}
