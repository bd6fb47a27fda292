//! Health and metrics over HTTP, for whoever runs the operator.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use drover_control::{CONTENT_TYPE, Operator, Unwell};
use tokio::net::TcpListener;
use tracing::{info, warn};

use super::Task;
use crate::failure::Failure;
use crate::up::home::cannot;

/// Listens, and gives what serves until it is dropped.
///
/// # Errors
/// When nothing can be served at this address.
pub async fn serve(address: SocketAddr, operator: &Arc<Operator>) -> Result<Task, Failure> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| cannot(&format!("listen on {address}"), &error))?;
    if let Ok(address) = listener.local_addr() {
        info!(%address, "serves /livez, /readyz and /metrics");
    }
    let router = router(operator);
    Ok(Box::pin(async move {
        // It answers until the process ends: also while work is brought to its end.
        if let Err(error) = axum::serve(listener, router).await {
            warn!(%error, "health and metrics are served no longer");
        }
    }))
}

fn router(operator: &Arc<Operator>) -> Router {
    let (live, ready, metrics) = (
        Arc::clone(operator.health()),
        Arc::clone(operator.health()),
        Arc::clone(operator.metrics()),
    );
    Router::new()
        .route("/livez", get(move || async move { answer(live.live()) }))
        .route("/readyz", get(move || async move { answer(ready.ready()) }))
        .route(
            "/metrics",
            get(move || async move { ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.text()) }),
        )
}

fn answer(health: Result<(), Unwell>) -> Response {
    match health {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
