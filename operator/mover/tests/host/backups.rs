//! Disks are read as they were at one instant, whole and since a checkpoint.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use drover_lab::Guest;
use drover_mover::host::{Backup, Host, HostError, Listen, Start};
use drover_mover::nbd::{Address, Client, Content, Wishes};
use drover_mover::transfer::Dirty;
use tempfile::TempDir;

use super::bench::{count_on, counting, host, power, primary, qemu_img, start, until};

const CHUNK: u64 = 1 << 20;
const CONTEXT: &str = "qemu:dirty-bitmap:backup-vda";

#[tokio::test]
async fn a_disk_is_copied_whole_and_then_by_what_changed() {
    // Given a guest with two disks, of which the first is wanted, and a copy of it
    let (name, host) = ("copied", host(primary()));
    let guest = Guest::new(name).with_disks(2).with_load(64);
    counting(&host, &guest).await;
    let disk = guest.disks(&primary().pool_folder()).remove(0);
    let bench = Bench::new();
    // Standing still, so that there is something to compare with.
    host.suspend(name).await.unwrap();
    host.begin_backup(name, &bench.backup(None, "cp-1"))
        .await
        .unwrap();
    assert!(host.backup_open(name).await.unwrap());

    // When another backup is wanted meanwhile, then that is refused.
    let second = host.begin_backup(name, &bench.backup(None, "cp-0")).await;
    assert!(matches!(second, Err(HostError::Busy { .. })), "{second:?}");

    // When somebody ends what is his own, then this one is not.
    let elsewhere = tempfile::tempdir().unwrap();
    host.end_backup(name, elsewhere.path()).await.unwrap();
    assert!(host.backup_open(name).await.unwrap());

    // Then what is read is the disk, and the other one is not offered.
    let copied = bench.copy(false).await;
    host.end_backup(name, bench.folder.path()).await.unwrap();
    bench.assert_like(&disk);
    assert!(!host.backup_open(name).await.unwrap());
    host.end_backup(name, bench.folder.path()).await.unwrap();

    // When it has written, and what changed is copied
    host.resume(name).await.unwrap();
    count_on(name).await;
    host.suspend(name).await.unwrap();
    host.begin_backup(name, &bench.backup(Some("cp-1"), "cp-2"))
        .await
        .unwrap();
    let changed = bench.copy(true).await;
    host.end_backup(name, bench.folder.path()).await.unwrap();

    // Then it is the disk again, and that was less.
    bench.assert_like(&disk);
    assert!(0 < changed && changed < copied, "{changed} {copied}");
    assert_eq!(host.checkpoints(name).await.unwrap(), ["cp-1", "cp-2"]);

    // When a checkpoint is dropped, twice, then it is gone, and the other serves.
    for _ in 0..2 {
        host.drop_checkpoint(name, "cp-1").await.unwrap();
        assert_eq!(host.checkpoints(name).await.unwrap(), ["cp-2"]);
    }
    let gone = host
        .begin_backup(name, &bench.backup(Some("cp-1"), "cp-3"))
        .await;
    assert!(matches!(gone, Err(HostError::NoBitmap { .. })), "{gone:?}");
    host.begin_backup(name, &bench.backup(Some("cp-2"), "cp-3"))
        .await
        .unwrap();

    // When it is switched off with a backup open, and started to stand still
    host.destroy(name).await.unwrap();
    assert!(!host.backup_open(name).await.unwrap());
    let off = host.drop_checkpoint(name, "cp-2").await;
    assert!(matches!(off, Err(HostError::NotRunning { .. })), "{off:?}");
    host.start(name, Start::AnewAndStill).await.unwrap();

    // Then what changed is still known.
    host.begin_backup(name, &bench.backup(Some("cp-2"), "cp-4"))
        .await
        .unwrap();
    bench.copy(true).await;
    host.end_backup(name, bench.folder.path()).await.unwrap();
    bench.assert_like(&disk);
    host.destroy(name).await.unwrap();
}

#[tokio::test]
async fn a_killed_guest_does_not_know_what_changed() {
    // Given a guest with a checkpoint
    let (name, host) = ("killed", host(primary()));
    let guest = Guest::new(name);
    counting(&host, &guest).await;
    let wanted = ["vda".to_owned()];
    host.checkpoint(name, "cp-1", &wanted).await.unwrap();
    let error = host
        .checkpoint(name, "cp-2", &["vdz".to_owned()])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no disk vdz"), "{error}");

    // When its QEMU is killed, and it is started again
    primary().kill_guest(name).unwrap();
    until("it is off", async || !power(&host, name).await.is_active()).await;
    start(&host, name).await;

    // Then what changed is not known,
    let bench = Bench::new();
    let error = host
        .begin_backup(name, &bench.backup(Some("cp-1"), "cp-3"))
        .await
        .unwrap_err();
    assert!(matches!(error, HostError::NoBitmap { .. }), "{error:?}");
    assert!(!host.backup_open(name).await.unwrap());

    // And the checkpoint can be dropped, and all begun anew.
    host.drop_checkpoint(name, "cp-1").await.unwrap();
    host.suspend(name).await.unwrap();
    host.begin_backup(name, &bench.backup(None, "cp-3"))
        .await
        .unwrap();
    bench.copy(false).await;
    host.end_backup(name, bench.folder.path()).await.unwrap();
    bench.assert_like(&guest.disks(&primary().pool_folder())[0]);
    assert_eq!(host.checkpoints(name).await.unwrap(), ["cp-3"]);

    // When the bitmap of a checkpoint is taken away while the machine is off, then that is no bitmap either,
    // and the checkpoint can be dropped.
    host.destroy(name).await.unwrap();
    let disk = guest.disks(&primary().pool_folder()).remove(0);
    qemu_img(&["bitmap", "--remove"], &[&disk, Path::new("cp-3")]);
    host.start(name, Start::AnewAndStill).await.unwrap();
    let error = host
        .begin_backup(name, &bench.backup(Some("cp-3"), "cp-4"))
        .await
        .unwrap_err();
    assert!(matches!(error, HostError::NoBitmap { .. }), "{error:?}");
    host.drop_checkpoint(name, "cp-3").await.unwrap();
    assert_eq!(host.checkpoints(name).await.unwrap(), Vec::<String>::new());
    forget(&host, name).await;
}

async fn forget(host: &Host, name: &str) {
    host.destroy(name).await.unwrap();
    host.undefine(name).await.unwrap();
    assert_eq!(host.domain(name).await.unwrap(), None);
}

/// Where a copy is, and how it is made.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn backup(&self, from: Option<&str>, checkpoint: &str) -> Backup {
        Backup {
            from: from.map(str::to_owned),
            checkpoint: checkpoint.to_owned(),
            disks: vec!["vda".to_owned()],
            fresh: Vec::new(),
            listen: Listen::Socket(self.folder.path().join("backup.sock")),
            scratch: self.folder.path().to_owned(),
        }
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("copy.raw")
    }

    /// Reads the backup that is open into the copy, and tells how many bytes that were.
    async fn copy(&self, only_changed: bool) -> u64 {
        let address = Address::Unix(self.folder.path().join("backup.sock"));
        Client::connect(&address, &Wishes::new("vdb"))
            .await
            .map(drop)
            .unwrap_err();
        let mut wishes = Wishes::new("vda");
        if only_changed {
            wishes = wishes.context(CONTEXT);
        }
        let client = Client::connect(&address, &wishes).await.unwrap();
        let size = client.export().size();
        let stretches = if only_changed {
            Dirty::read(&client, CONTEXT)
                .await
                .unwrap()
                .stretches()
                .to_vec()
        } else {
            Vec::from([Range {
                start: 0,
                end: size,
            }])
        };
        let mut options = File::options();
        let image = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.image())
            .unwrap();
        image.set_len(size).unwrap();
        let mut copied = 0;
        for stretch in stretches {
            let mut at = stretch.start;
            while at < stretch.end {
                let length = CHUNK.min(stretch.end - at);
                let data = match client
                    .read(at, u32::try_from(length).unwrap())
                    .await
                    .unwrap()
                {
                    Content::Zeroes => vec![0; usize::try_from(length).unwrap()],
                    Content::Data(data) => data.to_vec(),
                };
                image.write_all_at(&data, at).unwrap();
                at += length;
                copied += length;
            }
        }
        client.disconnect().await;
        copied
    }

    fn assert_like(&self, disk: &Path) {
        qemu_img(
            &["compare", "-U", "-f", "raw", "-F", "qcow2"],
            &[&self.image(), disk],
        );
    }
}
