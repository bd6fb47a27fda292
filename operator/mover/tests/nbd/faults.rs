//! What goes wrong on the way.

use drover_mover::nbd::{Content, Errno};
use drover_mover::transfer::{Options, Side, TargetState, Transfer, TransferError};

use crate::bench::{ALLOCATION, Bench, PATTERNS, SIZE, equal, qemu_io, source, target};

const SLOW: [&str; 3] = ["--filter=delay", "rdelay=10ms", "wdelay=10ms"];

fn options() -> Options {
    Options {
        request: 256 << 10,
        target: TargetState::Fresh,
        ..Options::default()
    }
}

async fn killed(which: Side) {
    let bench = Bench::new();
    let pattern = [&SLOW[..1], &["pattern", "256M"], &SLOW[1..]].concat();
    let memory = [&SLOW[..1], &["memory", "256M"], &SLOW[1..]].concat();
    let mut from = bench.nbdkit("from", &pattern);
    let mut to = bench.nbdkit("to", &memory);
    let (source, target) = (from.client(&[]).await, to.client(&[]).await);
    let mover = Transfer::new(&source, &target, options()).unwrap();
    let mut progress = mover.progress();
    let kill = async {
        progress.wait_for(|seen| seen.done > 4 << 20).await.unwrap();
        match which {
            Side::Source => from.kill(),
            Side::Target => to.kill(),
        }
    };
    let (copied, ()) = tokio::join!(mover.full(), kill);
    let error = copied.unwrap_err();
    assert_eq!(error.side(), Some(which), "{error:?}");
    let TransferError::Nbd { source: cause, .. } = error else {
        panic!("{error:?}");
    };
    assert!(cause.is_lost(), "{cause:?}");
}

// SPEC: PR-5
#[tokio::test]
async fn a_source_that_is_killed_ends_the_copy() {
    killed(Side::Source).await;
}

#[tokio::test]
async fn a_target_that_is_killed_ends_the_copy() {
    killed(Side::Target).await;
}

#[tokio::test]
async fn a_copy_that_was_killed_is_made_again() {
    let bench = Bench::new();
    let (from, to) = (bench.image("from", SIZE), bench.image("to", SIZE));
    qemu_io(&from, &PATTERNS);
    let source = source(&from, &[]);
    let source = source.client(&[ALLOCATION]).await;
    {
        let mut server = target(&to);
        let target = server.client(&[]).await;
        let mover = Transfer::new(&source, &target, options()).unwrap();
        let mut progress = mover.progress();
        let kill = async {
            progress.wait_for(|seen| seen.done > 1 << 20).await.unwrap();
            server.kill();
        };
        let _ = tokio::join!(mover.full(), kill);
    }
    std::fs::remove_file(to.with_extension("target")).unwrap();
    {
        let server = target(&to);
        let target = server.client(&[ALLOCATION]).await;
        let mover = Transfer::new(&source, &target, Options::default()).unwrap();
        mover.resync().await.unwrap();
        target.disconnect().await;
    }
    assert!(equal(&from, &to));
}

// SPEC: PR-5
#[tokio::test]
async fn a_target_that_is_full_says_so() {
    let bench = Bench::new();
    let from = bench.nbdkit("from", &["pattern", "8M"]);
    let full = "pwrite=echo ENOSPC the disk is full >&2; exit 1";
    let size = "get_size=echo 8388608";
    let read = "pread=head -c $3 /dev/zero";
    let to = bench.nbdkit(
        "to",
        &["eval", size, read, full, "can_flush=exit 0", "flush=exit 0"],
    );
    let (source, target) = (from.client(&[]).await, to.client(&[]).await);
    let copied = Transfer::new(&source, &target, options())
        .unwrap()
        .full()
        .await;
    let Err(TransferError::Nbd {
        side,
        source: cause,
    }) = copied
    else {
        panic!("{copied:?}");
    };
    assert_eq!((side, cause.errno()), (Side::Target, Some(Errno::NoSpace)));
    // The connection is as good as before.
    assert_eq!(
        target.read(0, 512).await.unwrap(),
        Content::Data([0; 512][..].into())
    );
}

#[tokio::test]
async fn a_bad_sector_fails_the_copy_and_no_other_request() {
    let bench = Bench::new();
    let read = "pread=if [ $4 -le 5000000 ] && [ $(($3 + $4)) -gt 5000000 ]; then \
                echo EIO bad sector >&2; exit 1; fi; head -c $3 /dev/zero";
    let from = bench.nbdkit("from", &["eval", "get_size=echo 8388608", read]);
    let to = bench.nbdkit("to", &["memory", "8M"]);
    let (source, target) = (from.client(&[]).await, to.client(&[]).await);
    let copied = Transfer::new(&source, &target, options())
        .unwrap()
        .full()
        .await;
    let Err(TransferError::Nbd {
        side,
        source: cause,
    }) = copied
    else {
        panic!("{copied:?}");
    };
    assert_eq!((side, cause.errno()), (Side::Source, Some(Errno::Io)));
    assert!(source.read(0, 4096).await.is_ok());
}

#[tokio::test]
async fn what_fails_for_a_while_works_afterwards_on_the_same_connection() {
    let bench = Bench::new();
    let failing = bench.path("failing");
    std::fs::write(&failing, "").unwrap();
    let file = format!("error-file={}", failing.display());
    let from = bench.nbdkit("from", &["pattern", "8M"]);
    let arguments = [
        "--filter=error",
        "memory",
        "8M",
        "error-pwrite=EIO",
        "error-pwrite-rate=100%",
        &file,
    ];
    let to = bench.nbdkit("to", &arguments);
    let (source, target) = (from.client(&[]).await, to.client(&[]).await);
    let mover = Transfer::new(&source, &target, options()).unwrap();
    assert!(mover.full().await.is_err());
    std::fs::remove_file(&failing).unwrap();
    mover.full().await.unwrap();
    assert_eq!(mover.compare().await.unwrap().differing, 0);
}

#[tokio::test]
async fn slow_servers_end_in_a_whole_copy() {
    let bench = Bench::new();
    let pattern = [&SLOW[..1], &["pattern", "16M"], &SLOW[1..]].concat();
    let memory = [&SLOW[..1], &["memory", "16M"], &SLOW[1..]].concat();
    let (from, to) = (bench.nbdkit("from", &pattern), bench.nbdkit("to", &memory));
    let (source, target) = (from.client(&[]).await, to.client(&[]).await);
    let mover = Transfer::new(&source, &target, options()).unwrap();
    mover.full().await.unwrap();
    assert_eq!(mover.compare().await.unwrap().differing, 0);
}

#[tokio::test]
async fn a_copy_that_is_dropped_is_over_when_the_target_hung_up() {
    let bench = Bench::new();
    let pattern = [&SLOW[..1], &["pattern", "64M"], &SLOW[1..]].concat();
    let from = bench.nbdkit("from", &pattern);
    let to = bench.nbdkit("to", &["memory", "64M"]);
    let (source, target) = (from.client(&[]).await, to.client(&[]).await);
    let mover = Transfer::new(&source, &target, options()).unwrap();
    let mut progress = mover.progress();
    tokio::select! {
        copied = mover.full() => panic!("{copied:?}"),
        seen = progress.wait_for(|seen| seen.done > 2 << 20) => assert!(seen.is_ok()),
    }
    drop(mover);
    target.disconnect().await;
    let target = to.client(&[]).await;
    let mover = Transfer::new(&source, &target, options()).unwrap();
    mover.resync().await.unwrap();
    assert_eq!(mover.compare().await.unwrap().differing, 0);
}
