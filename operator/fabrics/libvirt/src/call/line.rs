//! One connection to a mover, ready to be asked.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::address::{self, Address};
use super::error::CallError;

/// What is asked.
pub(super) type Body = Full<Bytes>;

/// How to get there.
#[derive(Clone)]
pub(super) enum Way {
    /// Over a unix socket.
    Plain,
    /// Over TLS, to somebody of this name.
    Encrypted(Arc<ClientConfig>, ServerName<'static>),
}

/// One connection. It ends when this is dropped, whatever is on its way.
pub(super) struct Line {
    pub sender: SendRequest<Body>,
    task: JoinHandle<()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        // One that rests takes its leave by itself; where it has become a stream of bytes the task is over.
        if !self.sender.is_ready() {
            self.task.abort();
        }
    }
}

impl Line {
    pub async fn open(address: &Address, way: &Way) -> Result<Self, CallError> {
        let lost = |error: std::io::Error| CallError::lost(address, "connecting", &error);
        match (address, way) {
            (Address::Unix(path), _) => {
                let stream = UnixStream::connect(path).await.map_err(lost)?;
                Self::over(address, stream).await
            }
            (Address::Tcp { host, port }, Way::Encrypted(config, name)) => {
                let stream = address::connect(host, *port).await.map_err(lost)?;
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), stream).await;
                let lost = |error: std::io::Error| CallError::lost(address, "starting TLS", &error);
                Self::over(address, stream.map_err(lost)?).await
            }
            (Address::Tcp { .. }, Way::Plain) => Err(unprotected(address)),
        }
    }

    async fn over<S>(address: &Address, stream: S) -> Result<Self, CallError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| CallError::of(address, "connecting", &error))?;
        let task = tokio::spawn(async move {
            // Whoever waits for an answer learns of the failure as well.
            drop(connection.with_upgrades().await);
        });
        Ok(Self { sender, task })
    }
}

/// Why a mover is not called over TCP without TLS.
pub(super) fn unprotected(address: &Address) -> CallError {
    CallError::Refused {
        address: address.clone(),
        why: "there are no credentials for it".to_owned(),
        hint: "a mover is called over TCP with mutual TLS alone: give `ca.crt`, `tls.crt` and `tls.key`",
    }
}
