//! Copies of what changed.

use drover_mover::transfer::{Dirty, Options, Transfer};

use crate::bench::{ALLOCATION, Bench, PATTERNS, SIZE, equal, qemu_io, run, source, target, text};

const BITMAP: &str = "qemu:dirty-bitmap:point";

// SPEC: PR-3
#[tokio::test]
async fn what_a_bitmap_names_is_copied_and_nothing_else() {
    let bench = Bench::new();
    let (from, to) = (bench.image("from", SIZE), bench.path("to.qcow2"));
    qemu_io(&from, &PATTERNS);
    run("cp", &[text(&from), text(&to)]);
    run("qemu-img", &["bitmap", "--add", text(&from), "point"]);
    // Data, zeroes where data were, holes, and the last bytes.
    let changes = [
        "write -P 11 3M 100k",
        "write -z 41M 1M",
        "discard 4M 1M",
        "write -P 12 90000001 3",
        "write -P 13 100664829 3",
    ];
    qemu_io(&from, &changes);
    run("qemu-img", &["bitmap", "--disable", text(&from), "point"]);
    assert!(!equal(&from, &to));

    let copied = {
        let (source, target) = (source(&from, &["-B", "point"]), target(&to));
        let source = source.client(&[ALLOCATION, BITMAP]).await;
        let target = target.client(&[]).await;
        let dirty = Dirty::read(&source, BITMAP).await.unwrap();
        assert!(dirty.bytes() >= (2 << 20) + (100 << 10));
        let mover = Transfer::new(&source, &target, Options::default()).unwrap();
        let progress = mover.progress();
        let copied = mover.delta(&dirty).await.unwrap();
        assert_eq!(progress.borrow().done, dirty.bytes());
        assert_eq!(copied.read, dirty.bytes());
        assert_eq!(copied.written + copied.zeroed, dirty.bytes());
        target.disconnect().await;
        copied
    };
    assert!(equal(&from, &to));
    assert!(copied.read < 3 << 20, "{copied:?}");
    assert!(copied.zeroed >= 1 << 20, "{copied:?}");
}

#[tokio::test]
async fn a_recovery_point_above_another_holds_what_changed() {
    let bench = Bench::new();
    let (from, base) = (bench.image("from", SIZE), bench.path("base.qcow2"));
    qemu_io(&from, &PATTERNS);
    run("cp", &[text(&from), text(&base)]);
    run("qemu-img", &["bitmap", "--add", text(&from), "point"]);
    qemu_io(&from, &["write -P 21 1M 64k", "write -z 40M 64k"]);
    run("qemu-img", &["bitmap", "--disable", text(&from), "point"]);
    let point = bench.path("point.qcow2");
    let made = [
        "create",
        "-q",
        "-f",
        "qcow2",
        "-F",
        "qcow2",
        "-b",
        text(&base),
        text(&point),
    ];
    run("qemu-img", &made);
    {
        let (source, target) = (source(&from, &["-B", "point"]), target(&point));
        let (source, target) = (source.client(&[BITMAP]).await, target.client(&[]).await);
        let dirty = Dirty::read(&source, BITMAP).await.unwrap();
        let mover = Transfer::new(&source, &target, Options::default()).unwrap();
        mover.delta(&dirty).await.unwrap();
        target.disconnect().await;
    }
    assert!(equal(&from, &point));
}
