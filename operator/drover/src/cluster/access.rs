//! The way to a cluster: which one, as whom, and in which namespace.

use std::future::Future;
use std::time::Duration;

use drover_api::KindInfo;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Api, Client, Config};

use super::error::{failed, no_cluster};
use super::kinds::resource;
use crate::cli::Target;
use crate::failure::{Failure, Why};

/// Whoever fails over should know within seconds that a cluster does not answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A cluster and the namespace that is meant there.
#[derive(Clone)]
pub struct Access {
    client: Client,
    namespace: String,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// Finds out which cluster is meant. It is not spoken to yet.
    ///
    /// # Errors
    /// When no cluster is named, or its configuration cannot be used.
    pub async fn open(target: &Target) -> Result<Self, Failure> {
        let mut config = config(target).await?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        let namespace = target
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(failed("use the kubeconfig"))?;
        Ok(Self { client, namespace })
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Who we are to the cluster; nothing where it knows nobody by name, as the embedded API.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn user(&self) -> Result<Option<String>, Failure> {
        let api: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let asked = SelfSubjectReview::default();
        match api.create(&PostParams::default(), &asked).await {
            Ok(answer) => Ok(answer
                .status
                .and_then(|status| status.user_info)
                .and_then(|user| user.username)),
            // Not served, or not for everybody.
            Err(kube::Error::Api(status)) if matches!(status.code, 403..=405) => Ok(None),
            Err(error) => Err(failed("ask the cluster who decides")(error)),
        }
    }

    /// The namespace that is meant where none is named.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The same cluster, with another namespace where one is given.
    #[must_use]
    pub fn in_namespace(mut self, namespace: Option<&str>) -> Self {
        if let Some(namespace) = namespace {
            namespace.clone_into(&mut self.namespace);
        }
        self
    }

    /// Objects of a kind: in a namespace, or everywhere.
    pub fn objects(&self, info: &KindInfo, namespace: Option<&str>) -> Api<DynamicObject> {
        objects(&self.client, info, namespace)
    }

    /// The namespace for objects of a kind; nothing for those that live in none.
    pub fn namespace_of(&self, info: &KindInfo) -> Option<&str> {
        info.namespaced.then_some(self.namespace())
    }
}

/// Objects of a kind: in a namespace, or everywhere.
pub fn objects(client: &Client, info: &KindInfo, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = resource(info);
    match namespace.filter(|_| info.namespaced) {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

async fn config(target: &Target) -> Result<Config, Failure> {
    let options = KubeConfigOptions {
        context: target.context.clone(),
        ..KubeConfigOptions::default()
    };
    let kubeconfig = match &target.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let kubeconfig = match kubeconfig {
        Ok(kubeconfig) => kubeconfig,
        Err(error) => {
            let named = target.kubeconfig.is_some() || target.context.is_some();
            return in_cluster(named, &error);
        }
    };
    Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| no_cluster(&error))
}

/// Without a kubeconfig it is the cluster that drover runs in, where it runs in one.
fn in_cluster(named: bool, error: &KubeconfigError) -> Result<Config, Failure> {
    if named || std::env::var_os("KUBERNETES_SERVICE_HOST").is_none() {
        return Err(no_cluster(error));
    }
    Config::incluster().map_err(|error| Failure::NoCluster(Why(error.to_string())))
}

/// Does what waits for a cluster. Commands that read files alone never come here, so that they start
/// at once.
///
/// # Errors
/// Those of the work, and when the system gives no event loop.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::NoCluster(Why(error.to_string())))?;
    runtime.block_on(work)
}
