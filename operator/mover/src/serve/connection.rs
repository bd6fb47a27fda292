//! Connections: accepted, told who calls, served.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use drover_libvirt::call::{Explanation, chain, notice_dead_links};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use super::listen::Door;
use super::peer::Peer;
use super::tls::ServerTls;

/// Connections at once, tunnels among them: the other site's mover has one for each disk that it copies.
pub(super) const MOST: usize = 256;
/// For a client to say what it wants, and for a connection to rest.
const PATIENCE: Duration = Duration::from_secs(30);
/// For requests to end when the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// For a client that was refused to read why.
const FAREWELL: Duration = Duration::from_secs(2);

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shop {
    pub router: Router,
    pub places: Arc<Semaphore>,
    pub stopped: watch::Receiver<bool>,
}

/// That a connection is there: it keeps its place for as long as anybody has this.
#[derive(Clone)]
pub(super) struct Presence {
    _place: Arc<OwnedSemaphorePermit>,
    stopped: watch::Receiver<bool>,
}

impl Presence {
    /// Returns when the server stops.
    pub async fn over(&mut self) {
        // An error means that the server is gone.
        drop(self.stopped.wait_for(|stopped| *stopped).await);
    }
}

/// Accepts until told to stop.
pub(super) async fn accept(door: Door, shop: Shop) {
    let mut stopped = shop.stopped.clone();
    let all = async {
        // It is never closed.
        while let Ok(place) = Arc::clone(&shop.places).acquire_owned().await {
            if let Err(error) = enter(&door, &shop, place).await {
                // Out of file handles, most likely: those in use come back.
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    tokio::select! {
        _ = stopped.wait_for(|stopped| *stopped) => {}
        () = all => {}
    }
}

async fn enter(door: &Door, shop: &Shop, place: OwnedSemaphorePermit) -> io::Result<()> {
    let presence = Presence {
        _place: Arc::new(place),
        stopped: shop.stopped.clone(),
    };
    let router = shop.router.clone();
    match door {
        Door::Unix { listener, .. } => {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream, Peer::Local, router, presence));
        }
        Door::Tcp(listener, tls) => {
            let (stream, address) = listener.accept().await?;
            let tls = tls.clone();
            tokio::spawn(async move {
                let mut over = presence.clone();
                let greeted = tokio::select! {
                    () = over.over() => None,
                    greeted = greet(stream, address, &tls) => greeted,
                };
                if let Some((stream, peer)) = greeted {
                    serve(stream, peer, router, presence).await;
                }
            });
        }
    }
    Ok(())
}

/// Agrees on TLS. Who is not let in is told why, and so is whoever reads what this process says.
async fn greet(
    stream: TcpStream,
    address: SocketAddr,
    tls: &ServerTls,
) -> Option<(TlsStream<TcpStream>, Peer)> {
    // The connection serves without these settings too.
    drop(notice_dead_links(&stream));
    let accepting = TlsAcceptor::from(tls.current()).accept(stream);
    let accepted = tokio::time::timeout(PATIENCE, accepting.into_fallible()).await;
    match accepted {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates();
            let peer = Peer::of(shown.and_then(<[_]>::first), address);
            Some((stream, peer))
        }
        Ok(Err((error, stream))) => {
            if let Some(Explanation { why, hint }) = Explanation::of(&error) {
                warn!(%address, hint, "a caller was refused: {why}");
            } else {
                debug!(%address, error = chain(&error), "a caller left");
            }
            part(stream).await;
            None
        }
        Err(_) => {
            debug!(%address, "a caller says nothing");
            None
        }
    }
}

/// A connection that is closed while something is unread is reset, and what was said last may be lost.
async fn part(mut stream: TcpStream) {
    let mut scrap = [0; 4096];
    let read = async {
        stream.shutdown().await?;
        while stream.read(&mut scrap).await? > 0 {}
        io::Result::Ok(())
    };
    drop(tokio::time::timeout(FAREWELL, read).await);
}

async fn serve<S>(stream: S, peer: Peer, router: Router, presence: Presence)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = TowerToHyperService::new(router);
    let mut over = presence.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        request.extensions_mut().insert(presence.clone());
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // Broken connections are the client's business: it sees them as well.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = over.over() => {
            connection.as_mut().graceful_shutdown();
            drop(tokio::time::timeout(GRACE, connection).await);
        }
    }
}
