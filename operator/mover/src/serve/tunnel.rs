//! Requests that become streams of bytes, to the NBD socket of a backup.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use drover_libvirt::call::{self, Deflate, chain};
use drover_world::ErrorClass;
use http::{HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tracing::debug;

use super::answer::Failed;
use super::connection::Presence;
use crate::nbd;

/// Of each direction: a request for a quarter of a megabyte of data goes through in one piece.
const BUFFER: usize = 256 << 10;
/// For the one side to hang up after the other did: what is on its way arrives before that.
const GRACE: Duration = Duration::from_secs(30);

/// Answers with a stream of bytes to an NBD server and from it, until one of the two ends. It stays for as
/// long as it is idle, and ends when a side is dead or the server stops; what is held is dropped then. What
/// comes from the server is compressed where the caller can take it apart.
pub async fn tunnel(
    mut request: Request,
    to: impl Into<nbd::Way>,
    held: impl Send + 'static,
) -> Response {
    let wished = request.headers().get(header::UPGRADE);
    let wished = wished.is_some_and(|name| name == call::STREAM);
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let (true, Some(upgrade)) = (wished, upgrade) else {
        let message = format!("{} is a stream of bytes", request.uri().path());
        let hint = Some("is the other side of the same version?");
        return Failed::new(ErrorClass::Terminal, message, hint).into_response();
    };
    let presence = request.extensions_mut().remove::<Presence>();
    let encoding = request.headers().get(header::ACCEPT_ENCODING);
    let compressed = encoding.is_some_and(|name| name == call::DEFLATE);
    let to = to.into();
    let target = match to.open().await {
        Ok(target) => target,
        Err(error) => {
            let message = format!("no way to the NBD server: {}", chain(&error));
            return Failed::new(ErrorClass::Retryable, message, None).into_response();
        }
    };
    tokio::spawn(async move {
        let _held = held;
        let spliced = async {
            let caller = upgrade.await.map_err(io::Error::other)?;
            splice(TokioIo::new(caller), Deflate::new(target, compressed)).await
        };
        let ended = match presence {
            None => spliced.await,
            Some(mut presence) => tokio::select! {
                ended = spliced => ended,
                () = presence.over() => Ok(()),
            },
        };
        if let Err(error) = ended {
            debug!(error = chain(&error), "a tunnel ended");
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(call::STREAM));
    if compressed {
        let deflate = HeaderValue::from_static(call::DEFLATE);
        headers.insert(header::CONTENT_ENCODING, deflate);
    }
    response
}

async fn splice(
    one: impl AsyncRead + AsyncWrite + Unpin,
    other: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    let ended = Arc::new(Notify::new());
    let mut one = Ends::new(one, &ended);
    let mut other = Ends::new(other, &ended);
    tokio::select! {
        copied = tokio::io::copy_bidirectional_with_sizes(&mut one, &mut other, BUFFER, BUFFER) => {
            copied.map(drop)
        }
        () = async { ended.notified().await; tokio::time::sleep(GRACE).await } => Ok(()),
    }
}

/// A stream that tells when it has ended.
struct Ends<S> {
    stream: S,
    ended: Arc<Notify>,
}

impl<S> Ends<S> {
    fn new(stream: S, ended: &Arc<Notify>) -> Self {
        let ended = Arc::clone(ended);
        Self { stream, ended }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ends<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if matches!(read, Poll::Ready(Ok(()))) && into.filled().len() == before {
            self.ended.notify_one();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Ends<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
