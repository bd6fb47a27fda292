//! Admission over TLS, with a certificate that may become another at any time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use drover_control::{Admission, AdmissionError};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use kube::Client;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tracing::{info, warn};

use super::Task;
use super::certificates::{self, Keeper, Pair};
use crate::cli::AdmissionArguments;
use crate::failure::Failure;
use crate::up::home::cannot;

/// For a client to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at once; API servers keep few and reuse them.
const CONNECTIONS: usize = 256;
/// An object may have three megabytes, and a review holds two of them.
const LARGEST: usize = 8 << 20;
/// How often certificates in a folder are read again.
const LOOK: Duration = Duration::from_mins(1);

/// Listens, and gives what serves and what keeps the certificate fresh.
///
/// # Errors
/// When nothing can be served at this address, or the folder holds no certificate.
pub async fn begin(
    arguments: &AdmissionArguments,
    client: Client,
    namespace: &str,
    admission: Arc<Admission>,
) -> Result<Vec<Task>, Failure> {
    let address = arguments.webhook_listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| cannot(&format!("listen on {address}"), &error))?;
    let (sender, receiver) = watch::channel(None);
    let fresh: Task = if let Some(folder) = &arguments.webhook_cert_dir {
        let folder = folder.clone();
        sender.send_replace(Some(config(&of_folder(&folder)?)?));
        Box::pin(follow(folder, sender))
    } else {
        let keeper = Keeper::new(client, arguments, namespace);
        let tell = move |pair: &Pair| match config(pair) {
            Ok(config) => drop(sender.send_replace(Some(config))),
            Err(failure) => warn!(error = failure.in_one_line(), "a certificate is of no use"),
        };
        Box::pin(certificates::keep(keeper, tell))
    };
    if let Ok(address) = listener.local_addr() {
        info!(%address, "serves /validate");
    }
    Ok(vec![fresh, Box::pin(accept(listener, receiver, admission))])
}

fn of_folder(folder: &Path) -> Result<Pair, Failure> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|source| Failure::Read { path, source })
    };
    Ok(Pair {
        certificate: read("tls.crt")?,
        key: read("tls.key")?,
    })
}

/// Reads the folder again and again: whoever keeps it fresh replaces its files.
async fn follow(folder: std::path::PathBuf, sender: watch::Sender<Option<Arc<ServerConfig>>>) {
    let mut known = of_folder(&folder).ok();
    loop {
        tokio::time::sleep(LOOK).await;
        match of_folder(&folder) {
            Ok(pair) if known.as_ref() != Some(&pair) => match config(&pair) {
                Ok(config) => {
                    info!("the certificate of the webhook is another one now");
                    sender.send_replace(Some(config));
                    known = Some(pair);
                }
                // The key may be a moment late.
                Err(failure) => warn!(error = failure.in_one_line(), "a certificate is of no use"),
            },
            Ok(_) => {}
            Err(failure) => warn!(error = failure.in_one_line(), "no certificate can be read"),
        }
    }
}

fn config(pair: &Pair) -> Result<Arc<ServerConfig>, Failure> {
    let wrong = |error: &dyn std::error::Error| cannot("use the webhook's certificate", error);
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(pair.certificate.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(&error))?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).map_err(|error| wrong(&error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

async fn accept(
    listener: TcpListener,
    config: watch::Receiver<Option<Arc<ServerConfig>>>,
    admission: Arc<Admission>,
) {
    let router = Router::new()
        .route("/validate", post(validate))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(admission);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let config = config.borrow().clone();
                let router = router.clone();
                tokio::spawn(async move {
                    if let Some(config) = config {
                        serve(stream, TlsAcceptor::from(config), router).await;
                    }
                    drop(place);
                });
            }
            // Out of file handles, most likely: those in use come back.
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, router: Router) {
    // Small answers must not wait for each other.
    drop(stream.set_nodelay(true));
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await else {
        return;
    };
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    // Broken connections are the client's business: it sees them as well.
    drop(connection.await);
}

async fn validate(State(admission): State<Arc<Admission>>, body: Bytes) -> Response {
    match admission.review(&body).await {
        Ok(review) => {
            let json = [(header::CONTENT_TYPE, "application/json")];
            (json, review.to_string()).into_response()
        }
        Err(error @ AdmissionError::NoReview(_)) => {
            (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
