//! The Kubernetes protocol without a cluster: one machine, durable on disk.
//!
//! Kinds arrive as CRDs: this crate knows no other crate of Drover.

mod admission;
mod answer;
mod body;
mod builtin;
mod call;
mod definition;
mod discovery;
mod error;
mod event;
mod ids;
mod install;
mod metadata;
mod negotiate;
mod object;
pub mod openapi;
mod protobuf;
mod registry;
mod request;
mod rules;
pub mod schema;
mod selector;
mod serve;
mod service;
mod store;
pub mod table;
mod time;
mod verbs;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use body::ApiBody;
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
pub use serve::{ServeError, ServeOptions, Server};
pub use service::ApiService;
pub use store::DiskError;

use call::Core;
use ids::Ids;
use registry::Registry;
use store::Store;

/// The largest body of a request.
pub(crate) const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;

/// Says what time it is.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Bounds of what is kept in memory.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Past events kept for each kind, for watchers that reconnect.
    pub history_events: usize,
    /// Their size for each kind, in bytes.
    pub history_bytes: usize,
    /// The page cache of the store, in bytes.
    pub cache_bytes: usize,
    /// Objects of the kind `Event` that are kept at most.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            history_events: 16_384,
            history_bytes: 32 * 1024 * 1024,
            cache_bytes: 16 * 1024 * 1024,
            events: 10_000,
        }
    }
}

/// How to open an API.
#[derive(Clone)]
pub struct Options {
    /// The folder that holds everything; `None`: nothing outlives the process.
    pub data: Option<PathBuf>,
    /// Definitions that are installed, or brought up to date.
    pub crds: Vec<CustomResourceDefinition>,
    /// The clock.
    pub now: Now,
    /// With a seed, uids and generated names are the same in every run; without, they are random.
    pub uid_seed: Option<u64>,
    /// Bounds of what is kept in memory.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data: None,
            crds: Vec::new(),
            now: Arc::new(Timestamp::now),
            uid_seed: None,
            limits: Limits::default(),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("data", &self.data)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Why an API cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store cannot be opened.
    #[error("the store cannot be opened")]
    Disk(#[from] DiskError),
    /// Something that must be there cannot be written.
    #[error("{what} cannot be installed: {message}")]
    Install {
        /// What it is.
        what: String,
        /// Why not.
        message: String,
    },
}

/// The API. Clones are the same API.
#[derive(Clone)]
pub struct Api {
    core: Arc<Core>,
    /// The data folder.
    data: Option<Arc<Path>>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// Opens the API on the current runtime.
    ///
    /// # Errors
    ///
    /// If the data folder cannot be opened, or is in use, or a definition is refused.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        let registry = Arc::new(Registry::new());
        let now = Arc::clone(&options.now);
        let store = Store::open(
            options.data.as_deref(),
            Arc::clone(&registry),
            Arc::clone(&now),
            options.limits,
        )
        .await?;
        let core = Core {
            store,
            registry,
            now,
            ids: Ids::new(options.uid_seed),
        };
        let api = Self {
            core: Arc::new(core),
            data: options.data.map(Into::into),
        };
        install::namespace(&api).await?;
        for definition in &options.crds {
            install::definition(&api, definition).await?;
        }
        Ok(api)
    }

    /// The API as a service, for clients in this process. There is no authentication.
    pub fn service(&self) -> ApiService {
        ApiService {
            core: Arc::clone(&self.core),
        }
    }

    /// A client in this process.
    pub fn client(&self, namespace: &str) -> kube::Client {
        kube::Client::new(self.service(), namespace)
    }

    /// Lets go of the API and waits until the store is closed, which is when all clients, streams and
    /// other clones are gone too.
    pub async fn close(self) {
        let mut ended = self.core.store.ended();
        drop(self);
        // An error means that the writer is gone already.
        let _ = ended.wait_for(|ended| *ended).await;
    }
}
