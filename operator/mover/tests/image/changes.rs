//! Images that are made, stacked and folded.

use std::path::Path;

use drover_mover::image::{
    Bitmap, ImageError, check, commit, create, info, larger_overlay, overlay, publish, rebase,
};

use crate::bench::{Bench, Guest, SIZE, equal, qemu_io, reads, run, text};

#[tokio::test]
async fn an_empty_image_is_made_and_takes_no_space() {
    let bench = Bench::new();
    let image = bench.path("with space, comma.qcow2");
    create(&image, SIZE).await.unwrap();
    check(&image).await.unwrap();
    let seen = info(&image).await.unwrap();
    assert_eq!((seen.format.as_str(), seen.virtual_size), ("qcow2", SIZE));
    assert_eq!((seen.backing, seen.bitmaps), (None, Vec::new()));
    assert!(std::fs::metadata(&image).unwrap().len() < 1 << 20);
}

#[tokio::test]
async fn nothing_that_exists_is_made_anew() {
    let bench = Bench::new();
    let (base, other) = (bench.path("base"), bench.path("other"));
    create(&base, SIZE).await.unwrap();
    qemu_io(&base, &["write -P 1 0 64k"]);
    std::fs::write(&other, "precious").unwrap();
    let again = create(&base, SIZE).await.unwrap_err();
    assert!(
        matches!(&again, ImageError::Exists(path) if *path == base),
        "{again:?}"
    );
    let again = overlay(&other, &base, "qcow2").await.unwrap_err();
    assert!(
        matches!(&again, ImageError::Exists(path) if *path == other),
        "{again:?}"
    );
    assert!(reads(&base, "read -P 1 0 64k"));
    assert_eq!(std::fs::read(&other).unwrap(), b"precious");
}

#[tokio::test]
async fn what_cannot_be_made_leaves_nothing() {
    let bench = Bench::new();
    let failed = create(&bench.path("huge"), u64::MAX).await.unwrap_err();
    assert!(matches!(failed, ImageError::Failed { .. }), "{failed:?}");
    let missing = overlay(&bench.path("top"), &bench.path("none"), "qcow2")
        .await
        .unwrap_err();
    assert!(
        matches!(missing, ImageError::NotFound { .. }),
        "{missing:?}"
    );
    let nowhere = create(&bench.path("no/folder"), 512).await.unwrap_err();
    assert!(
        matches!(nowhere, ImageError::NotFound { .. }),
        "{nowhere:?}"
    );
    assert!(bench.names().is_empty());
}

// SPEC: PR-3
#[tokio::test]
async fn a_disk_grows_with_a_point_and_stays_so_when_that_is_folded() {
    let bench = Bench::new();
    let (one, two) = (bench.path("1"), bench.path("2"));
    create(&one, 1 << 20).await.unwrap();
    qemu_io(&one, &["write -P 1 0 1M"]);
    larger_overlay(&two, &one, "qcow2", 4 << 20).await.unwrap();
    assert_eq!(info(&two).await.unwrap().virtual_size, 4 << 20);
    assert!(reads(&two, "read -P 0 1M 3M"));
    qemu_io(&two, &["write -P 2 2M 64k"]);
    commit(&two).await.unwrap();
    assert_eq!(info(&one).await.unwrap().virtual_size, 4 << 20);
    assert!(reads(&one, "read -P 1 0 1M"));
    assert!(reads(&one, "read -P 2 2M 64k"));
    assert!(reads(&one, "read -P 0 1M 1M"));
}

// SPEC: PR-3
#[tokio::test]
async fn points_are_stacked_folded_and_put_on_others() {
    let bench = Bench::new();
    let path = |name: &str| bench.path(name);
    let (one, two, three) = (path("1"), path("2"), path("3"));
    create(&one, SIZE).await.unwrap();
    qemu_io(&one, &["write -P 1 0 1M"]);
    overlay(&two, &one, "qcow2").await.unwrap();
    qemu_io(&two, &["write -P 2 64k 64k"]);
    overlay(&three, &two, "qcow2").await.unwrap();
    qemu_io(&three, &["write -P 3 128k 64k"]);
    let seen = info(&three).await.unwrap();
    assert_eq!(
        (seen.backing.as_deref(), seen.virtual_size),
        (Some(&*two), SIZE)
    );
    assert_eq!(seen.backing_format.as_deref(), Some("qcow2"));
    let was = path("was");
    run(
        "qemu-img",
        &["convert", "-O", "qcow2", text(&three), text(&was)],
    );

    commit(&two).await.unwrap();
    assert!(reads(&one, "read -P 2 64k 64k"));
    // It still holds what it held: whoever stands on it sees the same, also when this is done again.
    assert!(equal(&three, &was));
    commit(&two).await.unwrap();
    rebase(&three, &one, "qcow2").await.unwrap();
    std::fs::remove_file(&two).unwrap();
    assert_eq!(info(&three).await.unwrap().backing.as_deref(), Some(&*one));
    assert!(equal(&three, &was));
    for image in [&one, &three] {
        check(image).await.unwrap();
    }
}

#[tokio::test]
async fn an_image_whose_backing_is_gone_can_be_described_and_not_used() {
    let bench = Bench::new();
    let (one, two) = (bench.path("1"), bench.path("2"));
    create(&one, SIZE).await.unwrap();
    overlay(&two, &one, "qcow2").await.unwrap();
    std::fs::remove_file(&one).unwrap();
    assert_eq!(info(&two).await.unwrap().backing, Some(one.clone()));
    for failed in [
        commit(&two).await,
        rebase(&two, &one, "qcow2").await,
        check(&one).await,
    ] {
        assert!(
            matches!(failed, Err(ImageError::NotFound { .. })),
            "{failed:?}"
        );
    }
    let failed = info(&one).await.unwrap_err();
    assert!(matches!(failed, ImageError::NotFound { .. }), "{failed:?}");
}

#[tokio::test]
async fn what_a_guest_has_open_is_described_and_not_touched() {
    let bench = Bench::new();
    let (one, two) = (bench.path("1"), bench.path("2"));
    create(&one, SIZE).await.unwrap();
    overlay(&two, &one, "qcow2").await.unwrap();
    run("qemu-img", &["bitmap", "--add", text(&two), "point"]);
    let bitmap = |broken| Bitmap {
        name: "point".to_owned(),
        broken,
        recording: true,
    };
    assert_eq!(info(&two).await.unwrap().bitmaps, [bitmap(false)]);
    let guest = Guest::open(&two);
    assert_eq!(info(&two).await.unwrap().virtual_size, SIZE);
    for failed in [
        commit(&two).await,
        rebase(&two, &one, "qcow2").await,
        check(&two).await,
    ] {
        assert!(
            matches!(failed, Err(ImageError::InUse { .. })),
            "{failed:?}"
        );
    }
    drop(guest);
    // It was not written back.
    assert_eq!(
        info(&two).await.unwrap().bitmap("point"),
        Some(&bitmap(true))
    );
}

#[tokio::test]
async fn damage_is_an_error_and_lost_space_is_not() {
    let bench = Bench::new();
    let image = bench.path("image");
    create(&image, SIZE).await.unwrap();
    qemu_io(&image, &["write -P 1 0 1M"]);
    // A cluster behind all others that nobody refers to, with a count: the refcounts begin at 64k + 128k.
    let whole = std::fs::read(&image).unwrap();
    let at = |bytes: &[u8], at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
    let offset = |entry: u64| usize::try_from(entry & 0x00ff_ffff_ffff_fe00).unwrap();
    let counts = offset(at(&whole, offset(at(&whole, 48))));
    let clusters = whole.len().div_ceil(1 << 16);
    let mut leaking = whole.clone();
    leaking.resize((clusters + 1) << 16, 0);
    leaking[counts + 2 * clusters + 1] = 1;
    std::fs::write(&image, &leaking).unwrap();
    let judged = std::process::Command::new("qemu-img")
        .arg("check")
        .arg(&image)
        .output();
    assert_eq!(judged.unwrap().status.code(), Some(3));
    check(&image).await.unwrap();

    let mut damaged = whole.clone();
    damaged[counts..counts + 2 * clusters].fill(0);
    std::fs::write(&image, &damaged).unwrap();
    let failed = check(&image).await.unwrap_err();
    assert!(matches!(failed, ImageError::Failed { .. }), "{failed:?}");
    std::fs::write(&image, "no image at all").unwrap();
    assert!(check(&image).await.is_err());
}

#[tokio::test]
async fn a_storage_that_is_full_says_so() {
    let bench = Bench::new();
    let (top, socket) = (bench.path("top"), bench.path("s"));
    let folder = text(&socket);
    let full = [
        "-f",
        "-U",
        folder,
        "eval",
        "get_size=echo 1048576",
        "pread=head -c $3 /dev/zero",
        "pwrite=echo ENOSPC no space >&2; exit 1",
        "can_flush=exit 0",
        "flush=exit 0",
    ];
    let mut storage = std::process::Command::new("nbdkit")
        .args(full)
        .spawn()
        .unwrap();
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        assert!(storage.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let on = format!("nbd+unix:///?socket={folder}");
    let made = [
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        &on,
        "-F",
        "raw",
        text(&top),
    ];
    run("qemu-img", &made);
    qemu_io(&top, &["write -P 1 0 64k"]);
    let failed = commit(&top).await.unwrap_err();
    storage.kill().unwrap();
    storage.wait().unwrap();
    assert!(matches!(failed, ImageError::Full { .. }), "{failed:?}");
}

#[tokio::test]
async fn a_part_is_never_seen_under_its_final_name() {
    let bench = Bench::new();
    let (part, whole) = (bench.path("1.part"), bench.path("1"));
    create(&part, SIZE).await.unwrap();
    assert_eq!(bench.names(), ["1.part"]);
    publish(&part, &whole).await.unwrap();
    assert_eq!(bench.names(), ["1"]);
    check(&whole).await.unwrap();
    let missing = publish(&part, &whole).await.unwrap_err();
    assert!(
        matches!(missing, ImageError::NotFound { .. }),
        "{missing:?}"
    );
    let nowhere = publish(&whole, Path::new("/no/such/folder/1"))
        .await
        .unwrap_err();
    assert!(
        matches!(nowhere, ImageError::NotFound { .. }),
        "{nowhere:?}"
    );
    assert_eq!(bench.names(), ["1"]);
}
