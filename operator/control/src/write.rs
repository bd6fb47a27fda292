//! Writing to the API: only while this process leads, never over what it did not see, and taken into the
//! cache at once.

use std::fmt::Debug;
use std::sync::Arc;

use kube::api::PostParams;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::cache::{Kept, ObjectKey, kept};
use crate::context::Context;
use crate::feed::Followed;

/// A kind that is written.
pub(crate) trait Written:
    Kept + Followed + Serialize + DeserializeOwned + Debug + Send + Sync + 'static
{
    fn api(client: Client, namespace: &str) -> Api<Self>;
}

macro_rules! written {
    ($($kind:ident),*) => {$(
        impl Written for drover_api::$kind {
            fn api(client: Client, namespace: &str) -> Api<Self> {
                Api::namespaced(client, namespace)
            }
        }
    )*};
}

written![
    ReplicationPolicy,
    NetworkMapping,
    FailbackPolicy,
    ProtectionGroup,
    ProtectedMachine,
    RecoveryPlan,
    RecoveryDrill,
    RecoveryRun,
    MachineRun,
    RunDecision
];

impl Written for drover_api::Site {
    fn api(client: Client, _namespace: &str) -> Api<Self> {
        Api::all(client)
    }
}

/// Why something was not written.
#[derive(Debug, Error)]
pub(crate) enum WriteError {
    /// This process does not lead any more.
    #[error("this process does not lead any more")]
    NotLeading,
    /// The object changed since it was seen; the newer one is in the cache now.
    #[error("{0} changed meanwhile")]
    Conflict(ObjectKey),
    /// The object is gone.
    #[error("{0} is gone")]
    Gone(ObjectKey),
    /// The API did not answer in time.
    #[error("the API does not answer")]
    NoAnswer,
    /// The API refused, or was not reached.
    #[error("the API refused")]
    Api(#[source] Box<kube::Error>),
}

impl Context {
    /// Writes the status of an object as it was seen; the resource version of the object goes along.
    pub(crate) async fn replace_status<K: Written>(&self, object: K) -> Result<Arc<K>, WriteError> {
        let key = ObjectKey::of(&object);
        let api = K::api(self.client.clone(), &key.namespace);
        let params = PostParams::default();
        let answer = self
            .ask(api.replace_status(&key.name, &params, &object))
            .await;
        self.take_answer(&key, answer).await
    }

    /// Writes an object as it was seen: finalizers and, for what Drover makes, its spec.
    pub(crate) async fn replace<K: Written>(&self, object: K) -> Result<Arc<K>, WriteError> {
        let key = ObjectKey::of(&object);
        let api = K::api(self.client.clone(), &key.namespace);
        let params = PostParams::default();
        let answer = self.ask(api.replace(&key.name, &params, &object)).await;
        self.take_answer(&key, answer).await
    }

    /// Creates an object. That it is there already is no error: then the one that is there is taken in.
    pub(crate) async fn create<K: Written>(&self, object: K) -> Result<Arc<K>, WriteError> {
        let key = ObjectKey::of(&object);
        let api = K::api(self.client.clone(), &key.namespace);
        match self.ask(api.create(&PostParams::default(), &object)).await {
            Err(WriteError::Api(error)) if is_exists(&error) => {
                let there = self.ask(api.get(&key.name)).await?;
                Ok(self.take(there))
            }
            answer => Ok(self.take(answer?)),
        }
    }

    /// Deletes an object; that it is gone already is no error.
    pub(crate) async fn delete<K: Written>(&self, key: &ObjectKey) -> Result<(), WriteError> {
        let api = K::api(self.client.clone(), &key.namespace);
        let params = kube::api::DeleteParams::default();
        match self.ask(api.delete(&key.name, &params)).await {
            Ok(_) => Ok(()),
            Err(WriteError::Api(error)) if code(&error) == 404 => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn take_answer<K: Written>(
        &self,
        key: &ObjectKey,
        answer: Result<K, WriteError>,
    ) -> Result<Arc<K>, WriteError> {
        match answer {
            Ok(object) => Ok(self.take(object)),
            Err(WriteError::Api(error)) if code(&error) == 409 => {
                // The watch will bring it too, but whoever tries again should not depend on it.
                let api = K::api(self.client.clone(), &key.namespace);
                if let Ok(newer) = self.ask(api.get(&key.name)).await {
                    self.take(newer);
                }
                Err(WriteError::Conflict(key.clone()))
            }
            Err(WriteError::Api(error)) if code(&error) == 404 => {
                Err(WriteError::Gone(key.clone()))
            }
            Err(error) => Err(error),
        }
    }

    /// Takes an object into the cache and wakes whoever follows it.
    pub(crate) fn take<K: Written>(&self, object: K) -> Arc<K> {
        let object = kept(object);
        let change = self.cache().put(Arc::clone(&object));
        if let Some(change) = change {
            K::follow(self, &change);
        }
        object
    }

    /// Asks the API, while this process leads and for as long as that may take.
    pub(crate) async fn ask<T>(
        &self,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, WriteError> {
        if !self.gate.is_open() {
            return Err(WriteError::NotLeading);
        }
        let _under_way = self.health.enter();
        let begun = tokio::time::Instant::now();
        let answer = tokio::time::timeout(self.settings.api_limit, call).await;
        let outcome = match &answer {
            Ok(Ok(_)) => "ok",
            Ok(Err(error)) => match code(error) {
                404 => "not_found",
                409 => "conflict",
                400..=499 => "refused",
                _ => "error",
            },
            Err(_) => "timeout",
        };
        self.metrics.api_answered(outcome, begun.elapsed());
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(WriteError::Api(Box::new(error))),
            Err(_) => Err(WriteError::NoAnswer),
        }
    }
}

pub(crate) fn code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    }
}

fn is_exists(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 409 && status.reason == "AlreadyExists",
        _ => false,
    }
}

/// What an object of a kind is made with by Drover: no labels or annotations are copied from anybody, so
/// that no `GitOps` tool takes it for its own (KU-1).
pub(crate) fn owned_by<K: Resource<DynamicType = ()>>(
    owner: &K,
    block: bool,
) -> Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference> {
    owner
        .controller_owner_ref(&())
        .into_iter()
        .map(|mut reference| {
            reference.block_owner_deletion = Some(block);
            reference
        })
        .collect()
}
