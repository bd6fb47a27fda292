//! Spans on their way to a collector: OTLP over HTTP, in JSON.

use std::time::Duration;

use axum::http::Request;
use drover_control::Traces;
use kube::{Client, Config};
use serde_json::Value;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::Task;
use crate::failure::Failure;
use crate::up::home::cannot;

/// Messages that wait; more are dropped, because a trace is no reason to hold up a failover.
const WAITING: usize = 64;
/// How long a collector may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Where spans go, and what sends them until nobody has any more.
///
/// # Errors
/// When the address is none.
pub fn begin(endpoint: &str) -> Result<(Traces, Task), Failure> {
    let refused = || Failure::Refused {
        what: format!("`{endpoint}` is no address of a collector"),
        hint: "write it as http://collector:4318; /v1/traces is added".to_owned(),
    };
    let address = endpoint.trim_end_matches('/').parse::<axum::http::Uri>();
    let address = address.ok().filter(|address| address.host().is_some());
    let address = address.ok_or_else(refused)?;
    // A client of plain HTTP: it has neither credentials nor anything else of a cluster.
    let client = Client::try_from(Config::new(address));
    let client = client.map_err(|error| cannot("send traces", &error))?;
    let (sender, receiver) = mpsc::channel(WAITING);
    Ok((sender, Box::pin(send(client, receiver))))
}

async fn send(client: Client, mut spans: mpsc::Receiver<Value>) {
    let mut failed = false;
    while let Some(message) = spans.recv().await {
        let request = Request::post("/v1/traces").header("content-type", "application/json");
        let Ok(request) = request.body(message.to_string().into_bytes()) else {
            continue;
        };
        let sent = tokio::time::timeout(LIMIT, client.request_text(request)).await;
        let why = match sent {
            Ok(Ok(_)) => {
                failed = false;
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it does not answer".to_owned(),
        };
        if failed {
            debug!(why, "spans were not taken");
        } else {
            warn!(
                why,
                "spans were not taken; this is said once until it works again"
            );
        }
        failed = true;
    }
}
