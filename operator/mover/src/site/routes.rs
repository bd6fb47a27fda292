//! What a mover answers to.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use drover_libvirt::protocol::{Nothing, path};
use drover_world::FabricError;
use serde::Serialize;

use super::Site;
use super::refusal::retryable;
use super::roles::Roles;
use crate::serve::{Failed, tunnel};

fn answer<T: Serialize>(result: Result<T, FabricError>) -> Response {
    result.map(Json).map_err(Failed).into_response()
}

/// All that a mover answers to, and to whom.
pub fn router(site: Arc<Site>, roles: Roles) -> Router {
    roles.guard(routes(site))
}

fn routes(site: Arc<Site>) -> Router {
    macro_rules! asked {
        ($method:ident) => {
            post(|State(site): State<Arc<Site>>, Json(ask)| async move {
                answer(site.$method(ask).await)
            })
        };
    }
    macro_rules! looked {
        ($method:ident) => {
            post(|State(site): State<Arc<Site>>| async move { answer(site.$method().await) })
        };
    }
    Router::new()
        .route(path::OBSERVE, looked!(seen))
        .route(
            path::CHANGED,
            post(|State(site): State<Arc<Site>>, Json(since)| async move {
                site.changed(since).await;
                Json(Nothing {})
            }),
        )
        .route(path::PROBE, looked!(probe))
        .route(path::INVENTORY, looked!(inventory))
        .route(path::ENSURE, asked!(ensure))
        .route(path::LINK, asked!(ensure_link))
        .route(path::MATERIALIZE, asked!(materialize))
        .route(
            path::ACCEPTS,
            post(|State(site): State<Arc<Site>>, Json(ask)| async move {
                answer(site.accepts(ask).await.map(|()| Nothing {}))
            }),
        )
        .route(
            path::DESCRIBE,
            post(
                |State(site): State<Arc<Site>>,
                 Json(ask): Json<drover_libvirt::protocol::Named>| async move {
                    answer(site.describe(&ask.machine).await)
                },
            ),
        )
        .route(
            path::HALF,
            post(
                |State(site): State<Arc<Site>>,
                 Json(ask): Json<drover_libvirt::protocol::Named>| async move {
                    answer(site.half_of(&ask.machine).await)
                },
            ),
        )
        .route(path::AGREE, asked!(agree))
        .route(path::LEND, asked!(lend))
        .route(
            path::RETURN,
            post(|State(site): State<Arc<Site>>, Json(ask)| async move {
                answer(site.take_back(ask).await.map(|()| Nothing {}))
            }),
        )
        .route(
            &format!("{}/{{loan}}/{{stream}}", path::STREAM),
            post(stream).get(stream),
        )
        .with_state(site)
}

async fn stream(
    State(site): State<Arc<Site>>,
    Path((loan, stream)): Path<(String, String)>,
    request: Request,
) -> Response {
    match site.stream_of(&loan, &stream) {
        Some((way, in_use)) => tunnel(request, way, in_use).await,
        // It ended, or this process is another one than that which lent it.
        None => Failed(retryable(
            "what was lent ended before it was read",
            "it is lent again",
        ))
        .into_response(),
    }
}
