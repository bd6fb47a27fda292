//! One object that cannot be read never stops the others (BI-1): it comes out of a watch with why it
//! cannot be read, is left out of the cache, and is told so in a condition of its own.
//!
//! What cannot be read counts as not declared, with one exception: nothing that goes on is undone because
//! of it. It may be there all the same, only in words that this process does not understand.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use drover_api::KindInfo;
use drover_api::conditions::{READY, RECONCILING, STALLED};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::{Api, Resource};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::cache::{Kept, ObjectKey};
use crate::conditions::Conditions;
use crate::context::Context;
use crate::events::Tone;
use crate::feed::Chain;
use crate::queue::Key;
use crate::write::{WriteError, code};

/// The reason of the condition.
const INVALID: &str = "Invalid";
/// How its message begins: by these words it is found again when the object can be read.
const CANNOT: &str = "this object cannot be read";

/// An object as a watch brings it: read, or with why it cannot be.
#[derive(Clone, Debug)]
pub(crate) struct Guarded<K> {
    metadata: ObjectMeta,
    pub(crate) read: Result<K, Unreadable>,
    /// Whether a condition says that it cannot be read.
    pub(crate) marked: bool,
}

/// What is known of an object that cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unreadable {
    metadata: ObjectMeta,
    /// The field, and what is wrong with it.
    why: String,
    conditions: Vec<Condition>,
    /// The plan of a run, or the run of a machine's part: who must not act as if it were not there.
    of: Option<String>,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        // An API server answers for this much.
        let metadata = value.get("metadata").unwrap_or(&Value::Null);
        let metadata = ObjectMeta::deserialize(metadata).map_err(D::Error::custom)?;
        let conditions = conditions(&value);
        let marked = conditions.iter().any(is_mark);
        let read = K::deserialize(&value).map_err(|_| Unreadable {
            metadata: metadata.clone(),
            why: why::<K>(&value),
            conditions,
            of: referred(&value),
        });
        Ok(Self {
            metadata,
            read,
            marked,
        })
    }
}

/// Reads it once more, for the field that is to blame.
fn why<K: DeserializeOwned>(value: &Value) -> String {
    match serde_path_to_error::deserialize::<_, K>(value) {
        Ok(_) => "it could not be read a moment ago".to_owned(),
        Err(error) => {
            let path = error.path().to_string();
            let error = error.into_inner();
            if path == "." {
                error.to_string()
            } else {
                format!("{path}: {error}")
            }
        }
    }
}

fn conditions(value: &Value) -> Vec<Condition> {
    let list = value
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let each = list.into_iter().flatten();
    each.filter_map(|condition| Condition::deserialize(condition).ok())
        .collect()
}

fn referred(value: &Value) -> Option<String> {
    let of = value.pointer("/spec/planRef/name");
    let of = of.or_else(|| value.pointer("/spec/run"));
    of.and_then(Value::as_str).map(str::to_owned)
}

fn is_mark(condition: &Condition) -> bool {
    condition.reason == INVALID && condition.message.starts_with(CANNOT)
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &Self::DynamicType) -> std::borrow::Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The objects that cannot be read, by kind and name.
#[derive(Debug, Default)]
pub(crate) struct Unread(BTreeMap<(&'static str, ObjectKey), Arc<Unreadable>>);

impl Unread {
    /// Whether there is an object of this kind and name that cannot be read.
    pub(crate) fn has(&self, kind: &str, key: &ObjectKey) -> bool {
        self.of_kind(kind).any(|(name, _)| name == key)
    }

    /// One of this kind that belongs to a plan or a run, and why it cannot be read.
    pub(crate) fn belonging_to(&self, kind: &str, to: &ObjectKey) -> Option<String> {
        let mut ours = self.of_kind(kind).filter(|(name, object)| {
            name.namespace == to.namespace && object.of.as_deref() == Some(&*to.name)
        });
        ours.next()
            .map(|(name, object)| format!("{kind} {name} cannot be read: {}", object.why))
    }

    /// How many there are of each kind.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for (kind, _) in self.0.keys() {
            *counts.entry(*kind).or_default() += 1;
        }
        counts
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&ObjectKey, &Arc<Unreadable>)> {
        // Rarely are there any, never many: each is somebody's mistake.
        let all = self.0.iter().filter(move |((of, _), _)| *of == kind);
        all.map(|((_, key), object)| (key, object))
    }
}

/// The kind as the table of kinds spells it.
fn name_of<K: Kept>() -> &'static str {
    KindInfo::named(&K::kind(&())).map_or("", |info| info.kind)
}

impl Context {
    /// An object came that cannot be read.
    pub(crate) fn cannot_read<K: Kept>(&self, key: &ObjectKey, object: Unreadable) {
        let kind = name_of::<K>();
        let generation = object.metadata.generation;
        let why = object.why.clone();
        let former = self
            .unread()
            .0
            .insert((kind, key.clone()), Arc::new(object));
        let told = former.is_some_and(|former| former.metadata.generation == generation);
        if !told {
            warn!(kind, object = %key, why, "an object cannot be read; all others go on");
        }
        self.queue.add(Key::Unreadable(kind, key.clone()));
    }

    /// An object came that can be read. `marked`: a condition says that it cannot.
    pub(crate) fn can_read<K: Kept>(&self, key: &ObjectKey, marked: bool) {
        let kind = name_of::<K>();
        let former = self.unread().0.remove(&(kind, key.clone()));
        if former.is_some() {
            info!(kind, object = %key, "the object can be read again");
        }
        if former.is_some() || marked {
            self.queue.add(Key::Unreadable(kind, key.clone()));
        }
    }

    /// An object is gone.
    pub(crate) fn not_there<K: Kept>(&self, key: &ObjectKey) {
        self.unread().0.remove(&(name_of::<K>(), key.clone()));
    }

    /// The objects of a kind that could not be read so far and are not among those that are there.
    pub(crate) fn only_these<K: Kept>(&self, listed: &std::collections::BTreeSet<ObjectKey>) {
        let kind = name_of::<K>();
        let mut unread = self.unread();
        unread
            .0
            .retain(|(of, key), _| *of != kind || listed.contains(key));
    }
}

/// Says on an object that it cannot be read, or takes that back.
pub(crate) async fn reconcile(
    context: &Arc<Context>,
    kind: &'static str,
    key: &ObjectKey,
) -> Result<(), WriteError> {
    let Some(info) = KindInfo::named(kind) else {
        return Ok(());
    };
    let unread = context.unread().0.get(&(kind, key.clone())).cloned();
    match unread {
        Some(object) => mark(context, info, key, &object).await,
        None => unmark(context, info, key).await,
    }
}

async fn mark(
    context: &Arc<Context>,
    info: &KindInfo,
    key: &ObjectKey,
    object: &Unreadable,
) -> Result<(), WriteError> {
    let generation = object.metadata.generation;
    let message = format!(
        "{CANNOT}: {}; nothing is done about it, and nothing that goes on is undone",
        object.why
    );
    let mut next = object.conditions.clone();
    Conditions::of(&mut next, generation, context.clock.now()).stalled(INVALID, &message);
    if next == object.conditions {
        return Ok(());
    }
    let version = object.metadata.resource_version.as_deref();
    let status = json!({ "observedGeneration": generation, "conditions": next });
    patch(context, info, key, version, &status).await?;
    let told = object.conditions.iter().any(|condition| {
        is_mark(condition)
            && condition.type_ == STALLED
            && condition.observed_generation == generation
    });
    if !told {
        let regarding = ObjectReference {
            api_version: Some(drover_api::API_VERSION.to_owned()),
            kind: Some(info.kind.to_owned()),
            name: Some(key.name.to_string()),
            namespace: object.metadata.namespace.clone(),
            resource_version: object.metadata.resource_version.clone(),
            uid: object.metadata.uid.clone(),
            ..ObjectReference::default()
        };
        context.tell_of(&regarding, Tone::Warning, INVALID, &message);
    }
    Ok(())
}

/// It can be read: whatever says otherwise goes. The rest is for the kind's own reconcile.
async fn unmark(
    context: &Arc<Context>,
    info: &KindInfo,
    key: &ObjectKey,
) -> Result<(), WriteError> {
    let api = api(context, info, key);
    let Some(object) = context.ask(api.get_opt(&key.name)).await? else {
        return Ok(());
    };
    let there = conditions(&object.data);
    let left: Vec<&Condition> = there
        .iter()
        .filter(|condition| {
            let ours = [READY, RECONCILING, STALLED].contains(&condition.type_.as_str());
            !(ours && is_mark(condition))
        })
        .collect();
    if left.len() == there.len() {
        return Ok(());
    }
    let version = object.metadata.resource_version.as_deref();
    patch(context, info, key, version, &json!({ "conditions": left })).await
}

/// Changes what is named of a status, as of a version; a newer one comes with the watch.
async fn patch(
    context: &Arc<Context>,
    info: &KindInfo,
    key: &ObjectKey,
    version: Option<&str>,
    status: &Value,
) -> Result<(), WriteError> {
    let body = json!({ "metadata": { "resourceVersion": version }, "status": status });
    let (api, params) = (api(context, info, key), PatchParams::default());
    let patch = Patch::Merge(body);
    match context
        .ask(api.patch_status(&key.name, &params, &patch))
        .await
    {
        Ok(_) => Ok(()),
        Err(WriteError::Api(error)) if matches!(code(&error), 404 | 409) => Ok(()),
        Err(WriteError::Api(error)) if matches!(code(&error), 400 | 422) => {
            // Asking again would be refused again; the log has said what is wrong with the object.
            warn!(kind = info.kind, object = %key, error = %Chain(&*error), "a condition was refused");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn api(context: &Context, info: &KindInfo, key: &ObjectKey) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk(drover_api::GROUP, drover_api::VERSION, info.kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, info.plural);
    if info.namespaced {
        Api::namespaced_with(context.client.clone(), &key.namespace, &resource)
    } else {
        Api::all_with(context.client.clone(), &resource)
    }
}

#[cfg(test)]
mod tests {
    use drover_api::RecoveryPlan;

    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_its_field() {
        // SPEC: BI-1
        let text = json!({
            "apiVersion": "drover.dev/v1alpha1",
            "kind": "RecoveryPlan",
            "metadata": { "name": "shop", "namespace": "shop" },
            "spec": {
                "sites": { "primary": "seoul", "secondary": "busan" },
                "objectives": { "rto": "soon" },
                "groups": [],
            },
        });
        let guarded: Guarded<RecoveryPlan> = serde_json::from_value(text).unwrap();
        assert_eq!(guarded.meta().name.as_deref(), Some("shop"));
        let unreadable = guarded.read.unwrap_err();
        assert!(
            unreadable.why.starts_with("spec.objectives.rto: "),
            "{}",
            unreadable.why
        );
    }
}
