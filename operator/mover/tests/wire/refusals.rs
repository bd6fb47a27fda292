//! Who is not let in, and what both sides say of it.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drover_libvirt::call::{CallError, Credentials, Explanation};
use drover_mover::serve::{ServeError, ServerTls};
use drover_world::{ErrorClass, FabricError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tracing::subscriber::DefaultGuard;

use crate::certificates::Authority;
use crate::mover::{NAME, Site, router};

/// What this thread says while it is there.
struct Said {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

#[derive(Clone)]
struct Writer(Arc<Mutex<Vec<u8>>>);

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Said {
    fn listen() -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer(Arc::clone(&text));
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        Self {
            text,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    async fn hear(&self, words: &str) {
        let heard = async {
            loop {
                let text = String::from_utf8(self.text.lock().unwrap().clone()).unwrap();
                if text.contains(words) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let patient = tokio::time::timeout(Duration::from_mins(5), heard).await;
        let text = String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned();
        patient.unwrap_or_else(|_| panic!("{words:?} is not said: {text}"));
    }
}

/// What the caller says and what the mover says.
async fn refused(site: &Site, credentials: &Credentials, ours: &str, theirs: &str) {
    let said = Said::listen();
    let caller = site.mover.caller(credentials);
    let error = caller.call::<_, u64>("/v1/double", &1).await.unwrap_err();
    assert!(matches!(error, CallError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains(ours), "{error}");
    let error = FabricError::from(error);
    assert_eq!(error.class, ErrorClass::Terminal);
    assert!(error.hint.is_some());
    said.hear(theirs).await;
}

// SPEC: PR-8
#[tokio::test]
async fn a_caller_that_a_strange_authority_signed_is_refused() {
    let site = Site::new(router()).await;
    let mut stranger = Authority::new("stranger").issue("site-b.example");
    stranger.ca = site.authority.pem();
    let ours = "it does not trust the authority that signed our certificate";
    let theirs = "its certificate was not signed by an authority that is trusted here";
    refused(&site, &stranger, ours, theirs).await;
}

// SPEC: PR-8
#[tokio::test]
async fn a_mover_that_a_strange_authority_signed_is_refused() {
    let site = Site::new(router()).await;
    let mut doubter = site.authority.issue("site-b.example");
    doubter.ca = Authority::new("stranger").pem();
    let ours = "its certificate was not signed by an authority that is trusted here";
    let theirs = "it does not trust the authority that signed our certificate";
    refused(&site, &doubter, ours, theirs).await;
}

// SPEC: PR-8
#[tokio::test]
async fn a_caller_whose_certificate_expired_is_refused() {
    let site = Site::new(router()).await;
    let late = site.authority.issue_expired("site-b.example");
    let ours = "it says that our certificate is expired";
    refused(&site, &late, ours, "its certificate has expired").await;
}

// SPEC: PR-8
#[tokio::test]
async fn a_mover_whose_certificate_expired_is_refused() {
    let authority = Authority::new("authority");
    let late = authority.issue_expired(NAME);
    let site = Site::with(authority, &late, router()).await;
    let good = site.authority.issue("site-b.example");
    let theirs = "it says that our certificate is expired";
    refused(&site, &good, "its certificate has expired", theirs).await;
}

// SPEC: PR-8
#[tokio::test]
async fn a_mover_of_another_name_is_refused() {
    let authority = Authority::new("authority");
    let other = authority.issue("other.example");
    let site = Site::with(authority, &other, router()).await;
    let good = site.authority.issue("site-b.example");
    refused(
        &site,
        &good,
        "other.example",
        "it does not accept our certificate",
    )
    .await;
}

// SPEC: PR-8
#[tokio::test]
async fn a_caller_without_a_certificate_is_refused() {
    let site = Site::new(router()).await;
    let said = Said::listen();
    let credentials = site.authority.issue("nobody");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(credentials.roots().unwrap())
        .with_no_client_auth();
    let stream = TcpStream::connect(site.mover.addresses[0]).await.unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await.unwrap();
    let asked = b"POST /v1/double HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n1";
    stream.write_all(asked).await.unwrap();
    let error = stream.read(&mut [0; 1]).await.unwrap_err();
    let explained = Explanation::of(&error).unwrap();
    assert_eq!(explained.why, "it wants a certificate and was shown none");
    said.hear("it shows no certificate").await;
}

// SPEC: PR-8
#[tokio::test]
async fn nobody_is_answered_without_tls() {
    let site = Site::new(router()).await;
    let said = Said::listen();
    let mut stream = TcpStream::connect(site.mover.addresses[0]).await.unwrap();
    let asked = b"POST /v1/double HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n1";
    stream.write_all(asked).await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
    said.hear("it does not speak TLS").await;
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_told() {
    let site = Site::new(router()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let plain = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    };
    let address = format!("{NAME}:{port}").parse().unwrap();
    let credentials = site.authority.issue("site-b.example");
    let caller = drover_libvirt::call::Caller::new(address, Some(&credentials)).unwrap();
    let ((), error) = tokio::join!(plain, caller.call::<_, u64>("/v1/double", &1));
    let error = error.unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}

#[test]
fn a_mover_without_certificates_does_not_begin() {
    let folder = tempfile::tempdir().unwrap();
    let error = ServerTls::of_folder(folder.path()).unwrap_err();
    assert!(
        matches!(error, ServeError::Certificates { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("ca.crt"), "{error}");
}
