//! Requests that become streams of bytes.

use std::path::PathBuf;
use std::time::Duration;

use drover_libvirt::call::{CallError, Stream};
use drover_mover::nbd::{Address, Client, Identity, NbdError, Tls, Way, Wishes};
use drover_mover::transfer::{Options, Transfer};
use drover_world::ErrorClass;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::bench::{
    ALLOCATION, Bench, PATTERNS, SIZE, Server, equal, qemu_io, source, target, text,
};
use crate::certificates::{Authority, write};
use crate::mover::{Local, NAME, Site, router_to};

/// A tunnel, and its far end.
struct Ends {
    near: Stream,
    far: UnixStream,
    site: Local,
    _folder: TempDir,
}

impl Ends {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nbd.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let site = Local::new(router_to(Address::Unix(path))).await;
        let near = site.caller().stream("/v1/nbd").await.unwrap();
        Self {
            near,
            far: listener.accept().await.unwrap().0,
            site,
            _folder: folder,
        }
    }

    async fn carries(&mut self) {
        let mut heard = [0; 4];
        self.near.write_all(b"ping").await.unwrap();
        self.far.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"ping");
        self.far.write_all(b"pong").await.unwrap();
        self.near.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"pong");
    }
}

// SPEC: PR-8
#[tokio::test]
async fn a_disk_is_copied_through_an_encrypted_tunnel() {
    let bench = Bench::new();
    let (from, to) = (bench.image("from", SIZE), bench.image("to", SIZE));
    qemu_io(&from, &PATTERNS);
    {
        let (source, target) = (source(&from, &[]), target(&to));
        let site = Site::new(router_to(source.address.clone())).await;
        let caller = site.mover.caller(&site.authority.issue("site-b.example"));
        let stream = caller.stream("/v1/nbd").await.unwrap();
        let wishes = Wishes::new("").context(ALLOCATION);
        let source = Client::enter(stream, &wishes).await.unwrap();
        let target = target.client(&[]).await;
        let transfer = Transfer::new(&source, &target, Options::default()).unwrap();
        transfer.full().await.unwrap();
        assert_eq!(transfer.compare().await.unwrap().differing, 0);
        source.disconnect().await;
        target.disconnect().await;
        site.mover.stop().await;
    }
    assert!(equal(&from, &to));
}

// SPEC: PR-8
#[tokio::test]
async fn less_travels_where_both_sides_compress() {
    let bench = Bench::new();
    let (from, to) = (bench.image("from", SIZE), bench.image("to", SIZE));
    qemu_io(&from, &["write -P 7 0 16M"]);
    {
        let (source, target) = (source(&from, &[]), target(&to));
        let site = Site::new(router_to(source.address.clone())).await;
        let caller = site.mover.caller(&site.authority.issue("site-b.example"));
        let stream = caller.compressed_stream("/v1/nbd").await.unwrap();
        let traffic = stream.traffic();
        let wishes = Wishes::new("").context(ALLOCATION);
        let source = Client::enter(stream, &wishes).await.unwrap();
        let target = target.client(&[]).await;
        let transfer = Transfer::new(&source, &target, Options::default()).unwrap();
        let copied = transfer.full().await.unwrap();
        assert!(traffic.meant() >= copied.written, "{traffic:?} {copied:?}");
        assert!(traffic.travelled() < traffic.meant() / 20, "{traffic:?}");
        source.disconnect().await;
        target.disconnect().await;
        site.mover.stop().await;
    }
    assert!(equal(&from, &to));
}

#[tokio::test]
async fn a_word_through_a_compressed_tunnel_waits_for_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nbd.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let site = Local::new(router_to(Address::Unix(path))).await;
    let caller = site.caller();
    let (near, far) = tokio::join!(caller.compressed_stream("/v1/nbd"), listener.accept());
    let (mut near, mut far) = (near.unwrap(), far.unwrap().0);
    let mut heard = [0; 4];
    for _ in 0..3 {
        near.write_all(b"ping").await.unwrap();
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"ping");
        far.write_all(b"pong").await.unwrap();
        near.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"pong");
    }
    drop(far);
    assert_eq!(near.read(&mut heard).await.unwrap(), 0);
}

// SPEC: PR-8
#[tokio::test]
async fn a_disk_of_another_host_comes_encrypted_to_the_mover_and_plain_into_its_tunnel() {
    let bench = Bench::new();
    let (from, to) = (bench.image("from", SIZE), bench.image("to", SIZE));
    qemu_io(&from, &PATTERNS);
    let authority = Authority::new("hosts");
    let certificates = bench.path("certificates");
    let own = authority.issue(NAME);
    write(&certificates, &own);
    // QEMU's names for the same files.
    for (ours, theirs) in [
        ("ca.crt", "ca-cert.pem"),
        ("tls.crt", "server-cert.pem"),
        ("tls.key", "server-key.pem"),
    ] {
        std::fs::rename(certificates.join(ours), certificates.join(theirs)).unwrap();
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let tls = format!(
        "tls-creds-x509,id=tls0,endpoint=server,verify-peer=on,dir={}",
        text(&certificates)
    );
    let number = port.to_string();
    let arguments = [
        "--object",
        &tls,
        "--tls-creds",
        "tls0",
        "--bind",
        "127.0.0.1",
        "--port",
        &number,
        "--persistent",
        "--read-only",
        "--format",
        "qcow2",
        text(&from),
    ];
    let server = Server::start_tcp("qemu-nbd", &arguments, port);
    let way = |name: &str| {
        let shown = authority.issue("mover.example");
        let pem = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (certificate, key) = (pem(&shown.certificate), pem(&shown.key));
        let identity = Identity {
            certificate: &certificate,
            key: &key,
        };
        let tls = Tls::new(&pem(&shown.ca), name, Some(identity)).unwrap();
        Way::new(server.address.clone(), Some(tls))
    };
    {
        let site = Local::new(router_to(way(NAME))).await;
        let stream = site.caller().stream("/v1/nbd").await.unwrap();
        let wishes = Wishes::new("").context(ALLOCATION);
        let source = Client::enter(stream, &wishes).await.unwrap();
        let target = target(&to);
        let target = target.client(&[]).await;
        let transfer = Transfer::new(&source, &target, Options::default()).unwrap();
        transfer.full().await.unwrap();
        source.disconnect().await;
        target.disconnect().await;
    }
    assert!(equal(&from, &to));
    // Another host is not spoken to.
    let site = Local::new(router_to(way("other.example"))).await;
    let error = site.caller().stream("/v1/nbd").await.unwrap_err();
    assert!(
        error.to_string().contains("no way to the NBD server"),
        "{error}"
    );
}

#[tokio::test]
async fn an_nbd_server_that_is_killed_ends_the_tunnel() {
    let bench = Bench::new();
    let image = bench.image("image", 1 << 20);
    let mut server = source(&image, &[]);
    let site = Local::new(router_to(server.address.clone())).await;
    let stream = site.caller().stream("/v1/nbd").await.unwrap();
    let client = Client::enter(stream, &Wishes::new("")).await.unwrap();
    client.read(0, 512).await.unwrap();
    server.kill();
    let error = client.read(0, 512).await.unwrap_err();
    assert!(error.is_lost(), "{error:?}");
}

#[tokio::test]
async fn either_end_that_hangs_up_ends_the_other() {
    let mut ends = Ends::new().await;
    ends.carries().await;
    drop(ends.near);
    assert_eq!(ends.far.read(&mut [0; 1]).await.unwrap(), 0);

    let mut ends = Ends::new().await;
    drop(ends.far);
    assert_eq!(ends.near.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn what_was_said_before_hanging_up_arrives() {
    let mut ends = Ends::new().await;
    let many = vec![7; 3 << 20];
    let says = async {
        ends.far.write_all(&many).await.unwrap();
        drop(ends.far);
    };
    let mut heard = Vec::new();
    let (heard_all, ()) = tokio::join!(ends.near.read_to_end(&mut heard), says);
    heard_all.unwrap();
    assert!(heard == many, "{} bytes arrived", heard.len());
}

#[tokio::test]
async fn an_idle_tunnel_is_kept() {
    let mut ends = Ends::new().await;
    ends.carries().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_hours(24)).await;
    tokio::time::resume();
    ends.carries().await;
}

#[tokio::test]
async fn an_end_that_does_not_hang_up_is_not_waited_for() {
    let mut ends = Ends::new().await;
    ends.near.shutdown().await.unwrap();
    assert_eq!(ends.far.read(&mut [0; 1]).await.unwrap(), 0);
    tokio::time::pause();
    // Nothing but the tunnel's own patience can end it.
    let mut heard = [0; 1];
    let read = tokio::time::timeout(Duration::from_hours(1), ends.near.read(&mut heard)).await;
    assert_eq!(read.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_mover_that_stops_ends_its_tunnels() {
    let mut ends = Ends::new().await;
    ends.carries().await;
    ends.site.mover.stop().await;
    assert_eq!(ends.near.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(ends.far.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn where_no_nbd_server_is_it_is_said() {
    let nowhere = Address::Unix(PathBuf::from("/nowhere/nbd.sock"));
    let site = Local::new(router_to(nowhere)).await;
    let error = site.caller().stream("/v1/nbd").await.err().unwrap();
    let CallError::Answered(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.class, ErrorClass::Retryable);
    assert!(error.message.contains("No such file"), "{error}");
}

#[tokio::test]
async fn a_tunnel_is_no_answer_and_an_answer_no_tunnel() {
    let site = Local::new(router_to(Address::Unix(PathBuf::from("/nowhere")))).await;
    let error = site.caller().call::<_, ()>("/v1/nbd", &()).await;
    let error = error.unwrap_err();
    assert!(matches!(error, CallError::Answered(_)), "{error:?}");
    let error = site.caller().stream("/v1/double").await.err().unwrap();
    assert!(matches!(error, CallError::Broken { .. }), "{error:?}");
}

#[tokio::test]
async fn a_stream_is_not_encrypted_once_more() {
    let site = Site::new(router_to(Address::Unix(PathBuf::from("/nowhere")))).await;
    let credentials = site.authority.issue("site-b.example");
    let text = |pem: &Vec<u8>| String::from_utf8(pem.clone()).unwrap();
    let (certificate, key) = (text(&credentials.certificate), text(&credentials.key));
    let identity = Identity {
        certificate: &certificate,
        key: &key,
    };
    let tls = Tls::new(&text(&credentials.ca), "site-a.example", Some(identity)).unwrap();
    let (near, _far) = tokio::io::duplex(64);
    let error = Client::enter(near, &Wishes::new("").tls(tls)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, NbdError::Tls(_)), "{error:?}");
}
