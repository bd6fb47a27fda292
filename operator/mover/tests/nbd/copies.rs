//! Whole copies.

use drover_mover::nbd::{Client, NbdError, Refusal, Wishes, Zeroes};
use drover_mover::transfer::{Copied, Options, Progress, TargetState, Transfer};

use crate::bench::{ALLOCATION, Bench, PATTERNS, SIZE, Server, equal, qemu_io, source, target};

async fn full(source: &Server, contexts: &[&str], target: &Server, options: Options) -> Copied {
    let (source, target) = (source.client(contexts).await, target.client(&[]).await);
    let copied = Transfer::new(&source, &target, options)
        .unwrap()
        .full()
        .await;
    source.disconnect().await;
    target.disconnect().await;
    copied.unwrap()
}

fn fresh() -> Options {
    Options {
        target: TargetState::Fresh,
        ..Options::default()
    }
}

// SPEC: PR-2
#[tokio::test]
async fn a_sparse_disk_is_copied_and_what_it_does_not_hold_is_not() {
    let bench = Bench::new();
    let (from, to) = (bench.image("from", SIZE), bench.image("to", SIZE));
    qemu_io(&from, &PATTERNS);
    let copied = {
        let (source, target) = (source(&from, &[]), target(&to));
        full(&source, &[ALLOCATION], &target, fresh()).await
    };
    assert!(equal(&from, &to));
    assert!(copied.read < 20 << 20, "{copied:?}");
    assert!(copied.written <= copied.read, "{copied:?}");
    assert_eq!(copied.zeroed, 0);
}

#[tokio::test]
async fn what_the_target_held_before_is_gone() {
    for zeroes in [Zeroes::MayUnmap, Zeroes::Allocate] {
        let bench = Bench::new();
        let (from, to) = (bench.image("from", SIZE), bench.image("to", SIZE));
        qemu_io(&from, &PATTERNS);
        qemu_io(&to, &["write -P 99 0 64M"]);
        let options = Options {
            zeroes,
            request: 256 << 10,
            in_flight: 3,
            ..Options::default()
        };
        let copied = {
            let (source, target) = (source(&from, &[]), target(&to));
            full(&source, &[ALLOCATION], &target, options).await
        };
        assert!(equal(&from, &to));
        assert_eq!(copied.written + copied.zeroed, SIZE);
    }
}

#[tokio::test]
async fn a_server_without_structured_replies_will_do() {
    let bench = Bench::new();
    let to = bench.image("to", 8 << 20);
    let from = bench.image("from", 8 << 20);
    qemu_io(&from, &["write -P 77 0 8M"]);
    let copied = {
        let source = bench.nbdkit("plain", &["--no-sr", "data", "0x4d*8388608"]);
        full(&source, &[], &target(&to), fresh()).await
    };
    assert!(equal(&from, &to));
    assert_eq!(copied.written, 8 << 20);
}

#[tokio::test]
async fn blocks_of_the_servers_are_heeded() {
    let bench = Bench::new();
    let (from, to) = (bench.image("from", 16 << 20), bench.path("to"));
    qemu_io(
        &from,
        &[
            "write -P 1 513 1",
            "write -P 2 65537 100000",
            "write -P 3 16777215 1",
        ],
    );
    std::fs::File::create(&to)
        .unwrap()
        .set_len(16 << 20)
        .unwrap();
    let copied = {
        let policy = [
            "blocksize-minimum=64K",
            "blocksize-preferred=64K",
            "blocksize-maximum=128K",
            "blocksize-error-policy=error",
        ];
        let file = ["--filter=blocksize-policy", "file", to.to_str().unwrap()];
        let target = bench.nbdkit("strict", &[&file[..], &policy].concat());
        full(
            &source(&from, &[]),
            &[ALLOCATION],
            &target,
            Options::default(),
        )
        .await
    };
    assert_eq!(copied.written + copied.zeroed, 16 << 20);
    let raw = bench.path("raw");
    crate::bench::run(
        "qemu-img",
        &[
            "convert",
            "-O",
            "raw",
            from.to_str().unwrap(),
            raw.to_str().unwrap(),
        ],
    );
    assert!(std::fs::read(raw).unwrap() == std::fs::read(to).unwrap());
}

#[tokio::test]
async fn progress_ends_with_everything() {
    let bench = Bench::new();
    let (from, to) = (bench.image("from", SIZE), bench.image("to", SIZE));
    qemu_io(&from, &PATTERNS);
    let (source, target) = (source(&from, &[]), target(&to));
    let (source, target) = (source.client(&[ALLOCATION]).await, target.client(&[]).await);
    let mover = Transfer::new(&source, &target, fresh()).unwrap();
    let progress = mover.progress();
    mover.full().await.unwrap();
    let all = Progress {
        done: SIZE,
        total: SIZE,
    };
    assert_eq!(*progress.borrow(), all);
}

#[tokio::test]
async fn what_a_server_lacks_is_said_before_anything_is_copied() {
    let bench = Bench::new();
    let memory = bench.nbdkit("memory", &["memory", "1M"]);
    let wishes = Wishes::new("").context("qemu:dirty-bitmap:none");
    let missing = Client::connect(&memory.address, &wishes).await.unwrap_err();
    assert!(matches!(missing, NbdError::NoContext(_)), "{missing:?}");
    let listed = Client::list_contexts(&memory.address, &Wishes::new("")).await;
    assert_eq!(listed.unwrap(), [ALLOCATION]);

    let old = bench.nbdkit("old", &["-o", "memory", "1M"]);
    let refused = Client::connect(&old.address, &Wishes::new("")).await;
    assert!(refused.is_err());

    let image = bench.image("image", 1 << 20);
    let qemu = source(&image, &["-x", "vda"]);
    let unknown = Client::connect(&qemu.address, &Wishes::new("vdb"))
        .await
        .unwrap_err();
    let reason = Refusal::Unknown;
    assert!(
        matches!(unknown, NbdError::Refused { reason: r, .. } if r == reason),
        "{unknown:?}"
    );
    let wishes = Wishes::new("vda");
    let read_only = Client::connect(&qemu.address, &wishes).await.unwrap();
    let other = memory.client(&[]).await;
    assert!(
        Transfer::new(&other, &read_only, fresh())
            .unwrap()
            .full()
            .await
            .is_err()
    );
}
