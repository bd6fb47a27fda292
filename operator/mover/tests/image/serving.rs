//! Images that are read and written over NBD.

use bytes::Bytes;
use drover_mover::image::{ImageError, Served, check, create, info, overlay, publish};
use drover_mover::nbd::{Client, NbdError, Wishes};
use drover_mover::transfer::{Dirty, Options, TargetState, Transfer};

use crate::bench::{Bench, Guest, SIZE, equal, qemu_io, reads, run, text};

const BITMAP: &str = "qemu:dirty-bitmap:point";

async fn client(served: &Served, contexts: &[&str]) -> Result<Client, NbdError> {
    let wishes = contexts
        .iter()
        .fold(Wishes::new(""), |wishes, name| wishes.context(*name));
    Client::connect(&served.address(), &wishes).await
}

// SPEC: PR-3
#[tokio::test]
async fn what_changed_becomes_a_point_above_the_one_before() {
    let bench = Bench::new();
    let (disk, base) = (bench.path("disk"), bench.path("base"));
    create(&disk, SIZE).await.unwrap();
    qemu_io(&disk, &["write -P 1 1M 5M", "write -P 9 33555967 1"]);
    let (first, part) = (bench.path("first"), bench.path("1.part"));
    {
        create(&base, SIZE).await.unwrap();
        let source = Served::readonly(&disk, "qcow2", None, &first)
            .await
            .unwrap();
        let target = Served::writable(&base, &bench.path("t")).await.unwrap();
        let from = client(&source, &["base:allocation"]).await.unwrap();
        let to = client(&target, &[]).await.unwrap();
        let options = Options {
            target: TargetState::Fresh,
            ..Options::default()
        };
        let copied = Transfer::new(&from, &to, options).unwrap().full().await;
        copied.unwrap();
        from.disconnect().await;
        to.disconnect().await;
        target.end().await.unwrap();
        source.end().await.unwrap();
        assert!(equal(&disk, &base));
    }
    run("qemu-img", &["bitmap", "--add", text(&disk), "point"]);
    qemu_io(&disk, &["write -P 2 2M 100k", "write -z 4M 64k"]);

    overlay(&part, &base, "qcow2").await.unwrap();
    // The same image, twice at once.
    let source = Served::readonly(&disk, "qcow2", Some("point"), &bench.path("a")).await;
    let other = Served::readonly(&disk, "qcow2", None, &bench.path("b")).await;
    let (source, other) = (source.unwrap(), other.unwrap());
    let target = Served::writable(&part, &bench.path("t")).await.unwrap();
    let from = client(&source, &["base:allocation", BITMAP]).await.unwrap();
    let to = client(&target, &[]).await.unwrap();
    let dirty = Dirty::read(&from, BITMAP).await.unwrap();
    assert_eq!(dirty.bytes(), 3 << 16);
    let copied = Transfer::new(&from, &to, Options::default())
        .unwrap()
        .delta(&dirty)
        .await;
    copied.unwrap();
    from.disconnect().await;
    to.disconnect().await;
    for served in [target, source, other] {
        served.end().await.unwrap();
    }
    let point = bench.path("1");
    publish(&part, &point).await.unwrap();
    assert!(equal(&disk, &point));
    // Whoever serves an image to be read leaves it as it is.
    let bitmap = info(&disk).await.unwrap().bitmaps.remove(0);
    assert!(bitmap.recording && !bitmap.broken);
    assert_eq!(bench.names(), ["1", "base", "disk"]);
}

#[tokio::test]
async fn what_was_written_is_there_when_the_server_has_ended() {
    let bench = Bench::new();
    let (image, socket) = (bench.path("image"), bench.path("s"));
    create(&image, SIZE).await.unwrap();
    let served = Served::writable(&image, &socket).await.unwrap();
    let one = client(&served, &[]).await.unwrap();
    // Nobody flushed.
    one.write(1 << 20, Bytes::from(vec![7; 1 << 20]))
        .await
        .unwrap();
    one.disconnect().await;
    served.end().await.unwrap();
    assert!(!socket.exists());
    check(&image).await.unwrap();
    assert!(reads(&image, "read -P 7 1M 1M"));
}

#[tokio::test]
async fn one_image_has_one_writer_and_readers_are_in_nobodys_way() {
    let bench = Bench::new();
    let image = bench.path("one, image");
    create(&image, SIZE).await.unwrap();
    let socket = bench.path("r");
    let reader = Served::readonly(&image, "qcow2", None, &socket).await;
    let reader = reader.unwrap();
    let writer = Served::writable(&image, &bench.path("a")).await.unwrap();
    let failed = Served::writable(&image, &bench.path("b")).await;
    assert!(
        matches!(failed, Err(ImageError::InUse { .. })),
        "{failed:?}"
    );
    // A guest is a writer, too.
    writer.end().await.unwrap();
    drop(Guest::open(&image));
    reader.end().await.unwrap();
}

// SPEC: PR-5
#[tokio::test]
async fn a_bitmap_that_does_not_tell_everything_is_not_served() {
    let bench = Bench::new();
    let image = bench.path("image");
    create(&image, SIZE).await.unwrap();
    let socket = bench.path("s");
    let none = Served::readonly(&image, "qcow2", Some("point"), &socket).await;
    assert!(
        matches!(none, Err(ImageError::BrokenBitmap { .. })),
        "{none:?}"
    );
    run("qemu-img", &["bitmap", "--add", text(&image), "point"]);
    drop(Guest::open(&image));
    let broken = Served::readonly(&image, "qcow2", Some("point"), &socket).await;
    assert!(
        matches!(broken, Err(ImageError::BrokenBitmap { .. })),
        "{broken:?}"
    );
    // The disk itself is as good as ever.
    let served = Served::readonly(&image, "qcow2", None, &socket)
        .await
        .unwrap();
    served.end().await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_not_served() {
    let bench = Bench::new();
    let (image, socket) = (bench.path("image"), bench.path("s"));
    let failed = Served::writable(&image, &socket).await;
    assert!(
        matches!(failed, Err(ImageError::NotFound { .. })),
        "{failed:?}"
    );
    std::fs::write(&image, "no image").unwrap();
    let failed = Served::writable(&image, &socket).await;
    assert!(
        matches!(failed, Err(ImageError::Failed { .. })),
        "{failed:?}"
    );
    assert_eq!(bench.names(), ["image"]);
    // Where somebody else listened before, and is gone.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    std::fs::write(&image, vec![1; 1 << 16]).unwrap();
    let served = Served::readonly(&image, "raw", None, &socket)
        .await
        .unwrap();
    let one = client(&served, &["base:allocation"]).await.unwrap();
    assert_eq!(one.export().size(), 1 << 16);
    let refused = one.write(0, Bytes::from(vec![0; 512])).await;
    assert!(matches!(refused, Err(NbdError::ReadOnly)));
    one.disconnect().await;
    served.end().await.unwrap();
}
