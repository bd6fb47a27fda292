//! Copies of what differs.

use drover_mover::transfer::{Options, Transfer};

use crate::bench::{ALLOCATION, Bench, PATTERNS, SIZE, equal, qemu_io, run, source, target, text};

// SPEC: PR-4
#[tokio::test]
async fn after_both_sides_went_their_own_way_only_differences_travel() {
    let bench = Bench::new();
    let (from, to) = (bench.image("from", SIZE), bench.path("to.qcow2"));
    qemu_io(&from, &PATTERNS);
    run("cp", &[text(&from), text(&to)]);
    qemu_io(&from, &diverged(7));
    qemu_io(&to, &diverged(8));
    assert!(!equal(&from, &to));
    {
        let (source, target) = (source(&from, &[]), target(&to));
        let source = source.client(&[ALLOCATION]).await;
        let target = target.client(&[ALLOCATION]).await;
        let mover = Transfer::new(&source, &target, Options::default()).unwrap();
        let seen = mover.compare().await.unwrap();
        assert_eq!(seen.written + seen.zeroed, 0);
        let copied = mover.resync().await.unwrap();
        assert_eq!(copied.differing, seen.differing);
        assert_eq!(copied.written + copied.zeroed, copied.differing);
        assert!(copied.differing < 4 << 20, "{copied:?}");
        assert!(copied.read < 32 << 20, "{copied:?}");
        assert_eq!(mover.compare().await.unwrap().differing, 0);
        target.disconnect().await;
    }
    assert!(equal(&from, &to));
}

#[tokio::test]
async fn servers_that_know_nothing_of_holes_are_compared_whole() {
    let bench = Bench::new();
    let (from, to) = (bench.image("from", SIZE), bench.image("to", SIZE));
    qemu_io(&from, &PATTERNS);
    qemu_io(&to, &["write -P 9 5M 3M"]);
    {
        let (source, target) = (source(&from, &[]), target(&to));
        let (source, target) = (source.client(&[]).await, target.client(&[]).await);
        let mover = Transfer::new(&source, &target, Options::default()).unwrap();
        let copied = mover.resync().await.unwrap();
        assert_eq!((copied.read, copied.compared), (SIZE, SIZE));
        target.disconnect().await;
    }
    assert!(equal(&from, &to));
}

/// Twenty writes that look random and are the same each time.
fn diverged(seed: u64) -> Vec<&'static str> {
    let mut state = seed;
    let mut next = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(seed);
        (state >> 33) % below
    };
    (0..20)
        .map(|_| {
            let length = 1 + next(40_000);
            let (at, what) = (next(SIZE - length), next(4));
            let pattern = next(256);
            &*match what {
                0 => format!(
                    "write -z {} 4096",
                    at / 4096 * 4096 % (SIZE - 8192) / 4096 * 4096
                ),
                _ => format!("write -P {pattern} {at} {length}"),
            }
            .leak()
        })
        .collect()
}
