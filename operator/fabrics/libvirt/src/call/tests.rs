//! Calls to servers that are not movers, or not well.

use std::path::PathBuf;
use std::time::Duration;

use drover_world::{ErrorClass, FabricError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::*;

/// A socket in a folder that is gone with it.
struct Socket {
    listener: UnixListener,
    caller: Caller,
    _folder: TempDir,
}

impl Socket {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mover.sock");
        Self {
            listener: UnixListener::bind(&path).unwrap(),
            caller: Caller::new(Address::Unix(path), None).unwrap(),
            _folder: folder,
        }
    }

    async fn accept(&self) -> UnixStream {
        self.listener.accept().await.unwrap().0
    }
}

/// Hears one question of the form `"..."` whole.
async fn hear(stream: &mut UnixStream) -> String {
    hear_until(stream, "\"").await
}

async fn hear_until(stream: &mut UnixStream, end: &str) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(end.as_bytes()) {
        assert!(stream.read_buf(&mut heard).await.unwrap() > 0);
    }
    String::from_utf8(heard).unwrap()
}

async fn say(stream: &mut UnixStream, status: &str, body: &str) {
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
}

async fn ask(caller: &Caller) -> Result<u64, CallError> {
    caller.call("/v1/answer", &"what?").await
}

#[test]
fn addresses_are_written_as_they_are_read() {
    let good = [
        "unix:///run/drover/mover.sock",
        "mover.example.com:7443",
        "10.77.1.1:7443",
        "[::1]:7443",
    ];
    for text in good {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
    }
    let unix = Address::Unix(PathBuf::from("/run/drover/mover.sock"));
    assert_eq!(good[0].parse::<Address>().unwrap(), unix);
}

#[test]
fn what_is_no_address_is_told_with_one_that_is() {
    let bad = [
        "",
        "host",
        "host:",
        "host:0",
        "host:70000",
        ":7443",
        "::1:7443",
        "[host]:7443",
        "[::1]",
        "https://host:7443",
        "two words:7443",
        "unix://relative",
    ];
    for text in bad {
        let error = text.parse::<Address>().expect_err(text).to_string();
        assert!(error.contains("mover.example.com:7443"), "{error}");
    }
}

// SPEC: BI-3
#[test]
fn credentials_are_not_printed_even_where_they_are_of_no_use() {
    let credentials = Credentials {
        ca: b"secret".to_vec(),
        certificate: b"secret".to_vec(),
        key: b"secret".to_vec(),
    };
    let address: Address = "host:7443".parse().unwrap();
    let error = Caller::new(address, Some(&credentials)).unwrap_err();
    let printed = format!("{credentials:?} {error:?} {error}");
    assert!(!printed.contains("secret"), "{printed}");
    assert!(!printed.contains(&format!("{:?}", b"secret")), "{printed}");
}

#[test]
fn nobody_is_called_over_tcp_without_credentials() {
    let address: Address = "host:7443".parse().unwrap();
    let error = Caller::new(address, None).unwrap_err();
    assert!(matches!(error, CallError::Refused { .. }), "{error:?}");
    let error = FabricError::from(error);
    assert_eq!(error.class, ErrorClass::Terminal);
    assert!(error.hint.unwrap().contains("tls.key"));
}

#[tokio::test]
async fn an_answer_arrives_and_the_connection_is_used_again() {
    let server = Socket::new();
    let answers = async {
        let mut stream = server.accept().await;
        for answer in ["1", "2"] {
            let heard = hear(&mut stream).await;
            assert!(heard.starts_with("POST /v1/answer HTTP/1.1\r\n"), "{heard}");
            say(&mut stream, "200 OK", answer).await;
        }
    };
    let questions = async {
        assert_eq!(ask(&server.caller).await.unwrap(), 1);
        assert_eq!(ask(&server.caller).await.unwrap(), 2);
    };
    tokio::join!(answers, questions);
}

#[tokio::test]
async fn a_connection_that_ends_as_it_is_asked_again_is_replaced() {
    let server = Socket::new();
    let answers = async {
        let mut first = server.accept().await;
        hear(&mut first).await;
        say(&mut first, "200 OK", "1").await;
        // The second question is heard and not answered.
        hear(&mut first).await;
        drop(first);
        let mut second = server.accept().await;
        hear(&mut second).await;
        say(&mut second, "200 OK", "2").await;
    };
    let questions = async {
        assert_eq!(ask(&server.caller).await.unwrap(), 1);
        assert_eq!(ask(&server.caller).await.unwrap(), 2);
    };
    tokio::join!(answers, questions);
}

#[tokio::test]
async fn a_fresh_connection_that_ends_is_not_asked_twice() {
    let server = Socket::new();
    let hangs_up = async {
        let mut stream = server.accept().await;
        hear(&mut stream).await;
    };
    let ((), error) = tokio::join!(hangs_up, ask(&server.caller));
    let error = error.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_its_connection_and_no_other() {
    let server = Socket::new();
    let mut call = Box::pin(ask(&server.caller));
    let heard = async {
        let mut stream = server.accept().await;
        hear(&mut stream).await;
        stream
    };
    let mut first = tokio::select! {
        answer = &mut call => panic!("{answer:?}"),
        stream = heard => stream,
    };
    drop(call);
    assert_eq!(first.read(&mut [0; 1]).await.unwrap(), 0);
    let answers = async {
        let mut second = server.accept().await;
        hear(&mut second).await;
        say(&mut second, "200 OK", "7").await;
    };
    let ((), answer) = tokio::join!(answers, ask(&server.caller));
    assert_eq!(answer.unwrap(), 7);
}

#[tokio::test]
async fn a_silent_server_is_unreachable_after_the_patience() {
    let server = Socket::new();
    let caller = server
        .caller
        .clone()
        .with_patience(Duration::from_millis(50));
    let error = ask(&caller).await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("0.05 s"), "{error}");
    assert_eq!(FabricError::from(error).class, ErrorClass::Retryable);
    let error = caller.stream("/v1/stream").await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn nobody_at_the_socket_is_unreachable() {
    let Socket {
        listener,
        caller,
        _folder,
    } = Socket::new();
    drop(listener);
    let error = ask(&caller).await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("mover.sock"), "{error}");
}

#[tokio::test]
async fn errors_travel_as_they_are() {
    for (class, status) in [
        (ErrorClass::Terminal, 409),
        (ErrorClass::Retryable, 503),
        (ErrorClass::Unsupported, 501),
    ] {
        let error = FabricError {
            class,
            message: "the disk is full".to_owned(),
            hint: Some("make room".to_owned()),
            epoch_seen: Some(7),
        };
        let failure = Failure::from(error.clone());
        assert_eq!(failure.status().as_u16(), status);
        let json = serde_json::to_string(&failure).unwrap();
        assert!(json.contains(r#""epochSeen":7"#), "{json}");
        let server = Socket::new();
        let answers = async {
            let mut stream = server.accept().await;
            hear(&mut stream).await;
            say(&mut stream, &failure.status().to_string(), &json).await;
            // The connection is as good as before.
            hear(&mut stream).await;
            say(&mut stream, "200 OK", "1").await;
        };
        let questions = async {
            let answered = ask(&server.caller).await.unwrap_err();
            assert_eq!(answered, CallError::Answered(error.clone()));
            assert_eq!(FabricError::from(answered), error);
            ask(&server.caller).await.unwrap();
        };
        tokio::join!(answers, questions);
    }
}

#[tokio::test]
async fn an_answer_without_sense_is_broken() {
    let strange = [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n\"one\"",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\nhtml",
        "SSH-2.0-OpenSSH_10.0\r\n\r\n",
    ];
    for text in strange {
        let server = Socket::new();
        let answers = async {
            let mut stream = server.accept().await;
            hear(&mut stream).await;
            stream.write_all(text.as_bytes()).await.unwrap();
        };
        let ((), error) = tokio::join!(answers, ask(&server.caller));
        let error = error.unwrap_err();
        assert!(matches!(error, CallError::Broken { .. }), "{error:?}");
        assert_eq!(FabricError::from(error).class, ErrorClass::Terminal);
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_kept() {
    let server = Socket::new();
    let answers = async {
        let mut stream = server.accept().await;
        hear(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let chunk = [b"100000\r\n", &vec![b' '; 1 << 20][..], b"\r\n"].concat();
        let mut sent = 0_usize;
        while stream.write_all(&chunk).await.is_ok() {
            sent += 1;
        }
        sent
    };
    let caller = server.caller.clone().with_patience(Duration::from_mins(5));
    let (sent, error) = tokio::join!(answers, ask(&caller));
    let error = error.unwrap_err();
    assert!(error.to_string().contains("64 MiB"), "{error}");
    assert!((64..80).contains(&sent), "{sent} MiB were read");
}

#[tokio::test]
async fn a_stream_carries_what_is_sent_right_behind_the_answer() {
    let server = Socket::new();
    let answers = async {
        let mut stream = server.accept().await;
        let heard = hear_until(&mut stream, "\r\n\r\n").await.to_lowercase();
        assert!(heard.contains("upgrade: drover-stream"), "{heard}");
        let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n";
        let text = format!("{head}upgrade: drover-stream\r\n\r\nhello");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut back = [0; 3];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"you");
        // Its end is the end of the connection.
        assert_eq!(stream.read(&mut back).await.unwrap(), 0);
    };
    let questions = async {
        let mut stream = server.caller.stream("/v1/stream").await.unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        assert_eq!(&hello, b"hello");
        stream.write_all(b"you").await.unwrap();
        stream.flush().await.unwrap();
    };
    tokio::join!(answers, questions);
}

#[tokio::test]
async fn a_stream_that_is_refused_says_why() {
    let server = Socket::new();
    let failure = Failure {
        class: ErrorClass::Retryable,
        message: "no backup runs".to_owned(),
        hint: None,
        epoch_seen: None,
    };
    let answers = async {
        let mut stream = server.accept().await;
        hear_until(&mut stream, "\r\n\r\n").await;
        let json = serde_json::to_string(&failure).unwrap();
        say(&mut stream, "503 Service Unavailable", &json).await;
        stream
    };
    let (_stream, error) = tokio::join!(answers, server.caller.stream("/v1/stream"));
    let error = error.err().unwrap();
    assert_eq!(error, CallError::Answered(failure.into()));
}
