//! Connections: accepted, checked for the token, served.

use std::{convert::Infallible, future::Future as _, pin::pin, sync::Arc, time::Duration};

use http::{Request, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::{
    answer::{self, Answer},
    error::Refusal,
    service::ApiService,
};

/// For a client to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// For requests to end when the server stops. Watches never end by themselves.
const GRACE: Duration = Duration::from_secs(1);

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shop {
    pub service: ApiService,
    pub acceptor: TlsAcceptor,
    pub token: Arc<str>,
    pub stopped: watch::Receiver<bool>,
}

/// Accepts until told to stop.
pub(super) async fn accept(listener: TcpListener, shop: Shop, most: usize) {
    let places = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    let mut stopped = shop.stopped.clone();
    loop {
        let place = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => break,
            Some(_) = connections.join_next() => continue,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let shop = shop.clone();
                connections.spawn(async move {
                    serve(stream, shop).await;
                    drop(place);
                });
            }
            // Out of file handles, most likely: those in use come back.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let all_end = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all_end).await.is_err() {
        connections.shutdown().await;
    }
}

async fn serve(stream: TcpStream, shop: Shop) {
    // Small answers must not wait for each other.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, shop.acceptor.accept(stream)).await else {
        return;
    };
    let mut stopped = shop.stopped.clone();
    let service =
        service_fn(move |request| answer(shop.service.clone(), Arc::clone(&shop.token), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let stop = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let mut stop = pin!(stop);
    let mut is_stopping = false;
    // Broken connections are the client's business: it sees them as well.
    let _ = std::future::poll_fn(|context| {
        if !is_stopping && stop.as_mut().poll(context).is_ready() {
            is_stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(context)
    })
    .await;
}

async fn answer(
    service: ApiService,
    token: Arc<str>,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let is_probe = ["/healthz", "/livez", "/readyz"].contains(&request.uri().path());
    if !is_probe && !holds(&request, &token) {
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized");
        return Ok(answer::refusal(&refusal));
    }
    service.oneshot(request).await
}

fn holds(request: &Request<Incoming>, token: &str) -> bool {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    // In a time that does not depend on where they differ.
    given.len() == token.len()
        && given
            .bytes()
            .zip(token.bytes())
            .fold(0, |sum, (a, b)| sum | (a ^ b))
            == 0
}
