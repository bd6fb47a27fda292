#![cfg(test)]
//! A disk that fails, now and then.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use redb::{Database, StorageBackend};

use super::{
    disk::{self, Disk, DiskError},
    state::Change,
};
use crate::object::{Draft, Head, Key};

/// A file in memory that can be told to fail.
#[derive(Debug, Clone, Default)]
struct Medium {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Writes fail from now on.
    full: Arc<AtomicBool>,
    /// This many calls of `sync_data` work before one fails. 0: all work.
    syncs: Arc<AtomicU64>,
}

impl StorageBackend for Medium {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.bytes.lock().unwrap()[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes
            .lock()
            .unwrap()
            .resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.syncs.load(Ordering::SeqCst) {
            0 => Ok(()),
            1 => {
                self.syncs.store(0, Ordering::SeqCst);
                Err(io::Error::other("the disk forgot"))
            }
            left => {
                self.syncs.store(left - 1, Ordering::SeqCst);
                Ok(())
            }
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is full"));
        }
        let start = usize::try_from(offset).unwrap();
        self.bytes.lock().unwrap()[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

async fn open(medium: &Medium) -> (Disk, disk::Loaded) {
    let medium = medium.clone();
    let opener = move || {
        Database::builder()
            .create_with_backend(medium.clone())
            .map_err(|error| DiskError::Broken {
                path: "memory".into(),
                message: error.to_string(),
            })
    };
    disk::open_by("memory".into(), Arc::new(opener))
        .await
        .unwrap()
}

fn change(name: &str, version: u64) -> Arc<[Change]> {
    let object = serde_json::json!({ "metadata": { "name": name, "namespace": "n", "uid": name } });
    let entry = Draft::of(&object, &[]).seal(&Head::new("v1", "ConfigMap"), version);
    let place = ("configmaps".into(), Key::new("n", name));
    [Change {
        place,
        before: None,
        entry: Arc::new(entry),
        removed: false,
    }]
    .into()
}

fn versions(loaded: &disk::Loaded) -> (u64, usize) {
    (loaded.version, loaded.objects.len())
}

#[tokio::test]
async fn after_a_full_disk_work_goes_on_and_nothing_that_failed_is_there() {
    // SPEC: BI-2
    let medium = Medium::default();
    let (mut disk, _) = open(&medium).await;
    disk.commit(change("a", 1)).await.unwrap();
    medium.full.store(true, Ordering::SeqCst);
    disk.commit(change("b", 2)).await.unwrap_err();
    assert!(disk.mend().await.is_err(), "still full");
    medium.full.store(false, Ordering::SeqCst);
    assert!(
        disk.mend().await.unwrap().is_none(),
        "the write that failed is not there"
    );
    disk.commit(change("c", 2)).await.unwrap();
    disk.close().await;
    let (_disk, loaded) = open(&medium).await;
    assert_eq!(versions(&loaded), (2, 2));
}

#[tokio::test]
async fn a_write_that_failed_late_is_either_known_to_be_there_or_not_there() {
    // SPEC: BI-2
    let mut landed = 0;
    for sync in 1..=6 {
        let medium = Medium::default();
        let (mut disk, _) = open(&medium).await;
        disk.commit(change("a", 1)).await.unwrap();
        medium.syncs.store(sync, Ordering::SeqCst);
        let failed = disk.commit(change("b", 2)).await.is_err();
        medium.syncs.store(0, Ordering::SeqCst);
        let found = disk.mend().await.unwrap();
        landed += usize::from(found.is_some());
        let expected = if failed && found.is_none() {
            (1, 1)
        } else {
            (2, 2)
        };
        disk.close().await;
        let (_disk, loaded) = open(&medium).await;
        assert_eq!(
            versions(&loaded),
            expected,
            "failed at sync {sync}: {failed}"
        );
    }
    assert!(
        landed > 0,
        "some commits fail after they have reached the disk"
    );
}

#[tokio::test]
async fn the_file_of_a_later_version_is_not_touched() {
    // SPEC: BI-1
    let medium = Medium::default();
    let (disk, _) = open(&medium).await;
    disk.close().await;
    {
        let database = Database::builder()
            .create_with_backend(medium.clone())
            .unwrap();
        let transaction = database.begin_write().unwrap();
        let facts = redb::TableDefinition::<&str, u64>::new("facts");
        transaction
            .open_table(facts)
            .unwrap()
            .insert("format", 2)
            .unwrap();
        transaction.commit().unwrap();
    }
    let opener = move || {
        Ok(Database::builder()
            .create_with_backend(medium.clone())
            .unwrap())
    };
    let refused = disk::open_by("memory".into(), Arc::new(opener))
        .await
        .err()
        .unwrap();
    assert!(
        matches!(
            refused,
            DiskError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{refused}"
    );
}
