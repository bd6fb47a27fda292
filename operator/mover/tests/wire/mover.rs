//! A mover that knows a few things.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::extract::{Extension, Request};
use axum::routing::{get, post};
use axum::{Json, Router};
use drover_libvirt::call::{Address, Caller, Credentials};
use drover_mover::nbd;
use drover_mover::serve::{Bound, Failed, Listen, Peer, ServerTls, tunnel};
use drover_world::{ErrorClass, FabricError};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::certificates::{Authority, write};

/// The name in each mover's certificate.
pub const NAME: &str = "localhost";

pub struct Mover {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    pub addresses: Vec<SocketAddr>,
}

impl Mover {
    pub async fn start(listen: Listen, router: Router) -> Self {
        let bound = Bound::new(vec![listen]).await.unwrap();
        let addresses = bound.addresses();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            bound.serve(router, stopped).await;
        });
        Self {
            stop,
            task,
            addresses,
        }
    }

    pub async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap();
    }

    pub fn address(&self) -> Address {
        Address::Tcp {
            host: NAME.to_owned(),
            port: self.addresses[0].port(),
        }
    }

    pub fn caller(&self, credentials: &Credentials) -> Caller {
        Caller::new(self.address(), Some(credentials)).unwrap()
    }
}

pub fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A site with an authority and a mover on TCP.
pub struct Site {
    pub authority: Authority,
    pub mover: Mover,
    pub folder: TempDir,
}

impl Site {
    pub async fn new(router: Router) -> Self {
        let authority = Authority::new("authority");
        let own = authority.issue(NAME);
        Self::with(authority, &own, router).await
    }

    pub async fn with(authority: Authority, own: &Credentials, router: Router) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), own);
        let tls = ServerTls::of_folder(folder.path()).unwrap();
        Self {
            authority,
            mover: Mover::start(Listen::Tcp(any_port(), tls), router).await,
            folder,
        }
    }
}

/// A mover on a unix socket.
pub struct Local {
    pub mover: Mover,
    folder: TempDir,
}

impl Local {
    pub async fn new(router: Router) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = Listen::Unix(socket(folder.path()));
        Self {
            mover: Mover::start(listen, router).await,
            folder,
        }
    }

    pub fn path(&self) -> PathBuf {
        socket(self.folder.path())
    }

    pub fn caller(&self) -> Caller {
        Caller::new(Address::Unix(self.path()), None).unwrap()
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("mover.sock")
}

pub fn failure() -> FabricError {
    FabricError {
        class: ErrorClass::Terminal,
        message: "an older epoch asks".to_owned(),
        hint: Some("look at the run".to_owned()),
        epoch_seen: Some(12),
    }
}

pub fn router() -> Router {
    Router::new()
        .route("/v1/double", post(async |Json(n): Json<u64>| Json(2 * n)))
        .route(
            "/v1/length",
            post(async |Json(s): Json<String>| Json(s.len())),
        )
        .route(
            "/v1/who",
            post(async |Extension(peer): Extension<Peer>| Json(peer.to_string())),
        )
        .route("/v1/fail", post(async || Failed(failure())))
}

/// The same with a way to this NBD server.
pub fn router_to(way: impl Into<nbd::Way>) -> Router {
    let way = way.into();
    let tunnel = move |request: Request| tunnel(request, way.clone(), ());
    router().route("/v1/nbd", get(tunnel.clone()).post(tunnel))
}
