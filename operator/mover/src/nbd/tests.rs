//! The protocol by hand: what a server may say, and what it may not.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::error::{Errno, NbdError};
use super::export::Export;
use super::option::{self, Answer, Info, Opt};
use super::pending::{Content, Extent};
use super::wire::{Command, Head, Request};
use super::{Client, Wishes, Zeroes};

const SIZE: u64 = 1 << 20;
/// Flags, flush, trim, zeroes and replies in one piece.
const FLAGS: u16 = 1 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7;

fn export() -> Export {
    let size = Info::Export {
        size: SIZE,
        flags: FLAGS,
    };
    let mut export = Export::new(&[size]).unwrap();
    export.structured = true;
    export.contexts = vec![(7, "base:allocation".to_owned())];
    export
}

/// A client, and the other end of its connection.
fn pair() -> (Client, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let client = Client::over(Box::new(ours), export(), &Wishes::new(""));
    (client, theirs)
}

/// The cookie of the next request, whose data are thrown away.
async fn next(server: &mut DuplexStream) -> u64 {
    let mut head = [0; 28];
    server.read_exact(&mut head).await.unwrap();
    u64::from_be_bytes(head[8..16].try_into().unwrap())
}

fn chunk(done: bool, kind: u16, cookie: u64, data: &[u8]) -> Vec<u8> {
    let mut bytes = 0x668e_33ef_u32.to_be_bytes().to_vec();
    bytes.extend(u16::from(done).to_be_bytes());
    bytes.extend(kind.to_be_bytes());
    bytes.extend(cookie.to_be_bytes());
    bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(data);
    bytes
}

fn data(at: u64, bytes: &[u8]) -> Vec<u8> {
    [&at.to_be_bytes(), bytes].concat()
}

fn hole(at: u64, length: u32) -> Vec<u8> {
    [&at.to_be_bytes()[..], &length.to_be_bytes()].concat()
}

fn simple(error: u32, cookie: u64) -> Vec<u8> {
    let mut bytes = 0x6744_6698_u32.to_be_bytes().to_vec();
    bytes.extend(error.to_be_bytes());
    bytes.extend(cookie.to_be_bytes());
    bytes
}

/// What a client makes of these chunks, in answer to a read of 100 bytes at 1000.
async fn read_of(chunks: impl Fn(u64) -> Vec<Vec<u8>>) -> Result<Content, NbdError> {
    let (client, mut server) = pair();
    let answered = async {
        let cookie = next(&mut server).await;
        for chunk in chunks(cookie) {
            server.write_all(&chunk).await.unwrap();
        }
    };
    // The server stays, or a lost connection would hide what was made of the chunks.
    tokio::join!(client.read(1000, 100), answered).0
}

#[test]
fn a_request_is_28_bytes() {
    let request = Request {
        command: Command::WriteZeroes,
        flags: 2,
        cookie: 0x0102_0304_0506_0708,
        offset: 0x1000,
        length: 0x20,
    };
    let bytes = [
        0x25, 0x60, 0x95, 0x13, 0, 2, 0, 6, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0x10, 0, 0,
        0, 0, 0x20,
    ];
    assert_eq!(request.bytes(), bytes);
}

#[tokio::test]
async fn chunks_come_in_any_order() {
    let content = read_of(|cookie| {
        vec![
            chunk(false, 1, cookie, &data(1080, &[3; 20])),
            chunk(false, 2, cookie, &hole(1040, 40)),
            chunk(false, 1, cookie, &data(1000, &[1; 40])),
            chunk(true, 0, cookie, &[]),
        ]
    });
    let expected = [&[1; 40][..], &[0; 40], &[3; 20]].concat();
    assert_eq!(
        content.await.unwrap(),
        Content::Data(BytesMut::from(&expected[..]))
    );
}

#[tokio::test]
async fn a_hole_is_not_sent() {
    let content = read_of(|cookie| vec![chunk(true, 2, cookie, &hole(1000, 100))]);
    assert_eq!(content.await.unwrap(), Content::Zeroes);
}

#[tokio::test]
async fn an_error_is_one_of_the_request_alone() {
    let (client, mut server) = pair();
    let serve = async {
        let cookie = next(&mut server).await;
        let error = [&28_u32.to_be_bytes()[..], &[0, 4], b"full"].concat();
        let chunk = chunk(true, 0x8001, cookie, &error);
        server.write_all(&chunk).await.unwrap();
        let cookie = next(&mut server).await;
        server.write_all(&simple(0, cookie)).await.unwrap();
    };
    let ask = async {
        let zeroed = client.write_zeroes(0, 512, Zeroes::Allocate).await;
        assert_eq!(zeroed.unwrap_err().errno(), Some(Errno::NoSpace));
        client.flush().await.unwrap();
    };
    tokio::join!(serve, ask);
}

#[tokio::test]
async fn replies_come_in_any_order() {
    let (client, mut server) = pair();
    let serve = async {
        let (first, second) = (next(&mut server).await, next(&mut server).await);
        for (cookie, byte) in [(second, 2), (first, 1)] {
            let at = u64::from(byte - 1) * 10;
            let reply = chunk(true, 1, cookie, &data(at, &[byte; 10]));
            server.write_all(&reply).await.unwrap();
        }
    };
    let ((), one, two) = tokio::join!(serve, client.read(0, 10), client.read(10, 10));
    assert_eq!(one.unwrap(), Content::Data(BytesMut::from(&[1; 10][..])));
    assert_eq!(two.unwrap(), Content::Data(BytesMut::from(&[2; 10][..])));
}

#[tokio::test]
async fn a_cancelled_request_takes_nothing_from_others() {
    let (client, mut server) = pair();
    let cancelled = tokio::select! {
        biased;
        _ = client.read(0, 10) => None,
        cookie = next(&mut server) => Some(cookie),
    };
    let serve = async {
        let reply = chunk(true, 1, cancelled.unwrap(), &data(0, &[1; 10]));
        server.write_all(&reply).await.unwrap();
        let cookie = next(&mut server).await;
        let reply = chunk(true, 1, cookie, &data(10, &[2; 10]));
        server.write_all(&reply).await.unwrap();
    };
    let ((), content) = tokio::join!(serve, client.read(10, 10));
    assert_eq!(
        content.unwrap(),
        Content::Data(BytesMut::from(&[2; 10][..]))
    );
}

#[tokio::test]
async fn a_status_never_reaches_beyond_what_was_asked_for() {
    let (client, mut server) = pair();
    let serve = async {
        let cookie = next(&mut server).await;
        let mut status = 7_u32.to_be_bytes().to_vec();
        for number in [512_u32, 0, 1 << 30, 3, 512, 0] {
            status.extend(number.to_be_bytes());
        }
        let reply = chunk(true, 5, cookie, &status);
        server.write_all(&reply).await.unwrap();
    };
    let ((), status) = tokio::join!(serve, client.block_status(0, 4096));
    let extents = [(512, 0), (4096 - 512, 3)].map(|(length, flags)| Extent { length, flags });
    assert_eq!(status.unwrap()[0].extents, extents);
}

#[tokio::test]
async fn lies_are_violations() {
    type Chunks = fn(u64) -> Vec<Vec<u8>>;
    let lies: [(&str, Chunks); 12] = [
        ("another cookie", |c| vec![chunk(true, 0, c + 1, &[])]),
        ("too early", |c| {
            vec![chunk(true, 1, c, &data(999, &[1; 50]))]
        }),
        ("too late", |c| {
            vec![chunk(true, 1, c, &data(1099, &[1; 2]))]
        }),
        ("too much", |c| {
            vec![chunk(true, 1, c, &data(1000, &[1; 101]))]
        }),
        ("too little", |c| {
            vec![chunk(true, 1, c, &data(1000, &[1; 99]))]
        }),
        ("nothing", |c| vec![chunk(true, 0, c, &[])]),
        ("no end of nothing", |c| vec![chunk(false, 0, c, &[])]),
        ("twice", |c| {
            let half = chunk(false, 1, c, &data(1000, &[1; 50]));
            vec![half.clone(), half]
        }),
        ("a hole over data", |c| {
            let half = chunk(false, 1, c, &data(1050, &[1; 50]));
            vec![half, chunk(true, 2, c, &hole(1000, 100))]
        }),
        ("a hole of the whole world", |c| {
            vec![chunk(true, 2, c, &hole(u64::MAX, u32::MAX))]
        }),
        ("a simple reply", |c| vec![simple(0, c)]),
        ("an error that is none", |c| {
            vec![chunk(true, 0x8001, c, &[0; 6])]
        }),
    ];
    for (lie, chunks) in lies {
        let error = read_of(chunks).await.unwrap_err();
        let NbdError::Lost(cause) = &error else {
            panic!("{lie}: {error:?}");
        };
        assert!(
            matches!(**cause, NbdError::Violation(_)),
            "{lie}: {cause:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_goes_away_fails_everybody_at_once() {
    let (client, server) = pair();
    let (one, two, ()) = tokio::join!(client.read(0, 10), client.flush(), async { drop(server) });
    assert!(matches!(one.unwrap_err(), NbdError::Lost(_)));
    assert!(matches!(two.unwrap_err(), NbdError::Lost(_)));
    assert!(client.flush().await.unwrap_err().is_lost());
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up() {
    let (client, _server) = pair();
    let NbdError::Lost(cause) = client.flush().await.unwrap_err() else {
        panic!("it answered");
    };
    assert!(matches!(*cause, NbdError::Silent(_)));
}

#[tokio::test]
async fn what_does_not_fit_is_not_sent() {
    let (client, _server) = pair();
    for (offset, length) in [(0, 0), (SIZE, 1), (SIZE - 1, 2), (u64::MAX, 2)] {
        let error = client.read(offset, length).await.unwrap_err();
        assert!(matches!(error, NbdError::Misfit { .. }), "{error:?}");
    }
    let error = client.write(SIZE - 1, Bytes::from_static(b"ab")).await;
    assert!(matches!(error.unwrap_err(), NbdError::Misfit { .. }));
}

#[test]
fn impossible_exports_are_refused() {
    let export = |size, flags| Info::Export { size, flags };
    let blocks = |least, preferred, most| Info::BlockSize {
        least,
        preferred,
        most,
    };
    let good = export(SIZE, FLAGS);
    assert!(Export::new(&[good, blocks(512, 4096, u32::MAX)]).is_ok());
    assert!(Export::new(&[]).is_err());
    assert!(Export::new(&[export(u64::MAX, FLAGS)]).is_err());
    assert!(Export::new(&[export(SIZE, 0)]).is_err());
    for (least, preferred, most) in [
        (0, 0, 0),
        (3, 4, 6),
        (1 << 17, 1 << 17, 1 << 20),
        (512, 512, 513),
        (4096, 512, 1 << 20),
    ] {
        assert!(Export::new(&[good, blocks(least, preferred, most)]).is_err());
    }
}

#[test]
fn an_answer_is_one_to_what_was_asked() {
    let mut head = [0; option::ANSWER_HEAD];
    head[..8].copy_from_slice(&0x0003_e889_0455_65a9_u64.to_be_bytes());
    head[11] = 7;
    head[15] = 1;
    assert_eq!(option::answer_head(Opt::Go, &head).unwrap(), (1, 0));
    assert!(option::answer_head(Opt::StartTls, &head).is_err());
    head[16] = 0x7f;
    assert!(option::answer_head(Opt::Go, &head).is_err());
    assert_eq!(option::answer(1, &[]).unwrap(), Answer::Ack);
}

proptest! {
    #[test]
    fn no_bytes_make_a_head_panic(magic in any::<u32>(), bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        for magic in [magic, 0x6744_6698, 0x668e_33ef] {
            let _ = Head::parse(magic, &bytes);
        }
    }

    #[test]
    fn no_bytes_make_an_answer_panic(kind in any::<u32>(), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for kind in [kind, 1, 3, 4, 0x8000_0001] {
            let _ = option::answer(kind, &bytes);
        }
    }

    // A reply of any chunks whatever either is a content of the right length or an error.
    #[test]
    fn no_chunks_make_a_client_panic_or_hang(
        chunks in prop::collection::vec(
            (any::<bool>(), prop::sample::select(vec![0_u16, 1, 2, 5, 0x8001, 0x8002]), 990_u64..1110, prop::collection::vec(any::<u8>(), 0..60)),
            0..8,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let content = runtime.block_on(async {
            let (client, mut server) = pair();
            let serve = async move {
                let cookie = next(&mut server).await;
                for (done, kind, at, bytes) in chunks {
                    let body = match kind {
                        1 => data(at, &bytes),
                        2 => hole(at, u32::try_from(bytes.len()).unwrap()),
                        _ => bytes,
                    };
                    if server.write_all(&chunk(done, kind, cookie, &body)).await.is_err() {
                        break;
                    }
                }
            };
            tokio::join!(client.read(1000, 100), serve).0
        });
        if let Ok(Content::Data(data)) = content {
            prop_assert_eq!(data.len(), 100);
        }
    }
}
