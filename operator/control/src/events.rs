//! Events: what happened, for people who look at one object (KU-1). Losing one loses no truth: that is in
//! the status.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Resource};
use tracing::debug;

use crate::context::Context;
use crate::feed::Chain;

/// How an event is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Normal,
    Warning,
}

/// The name by which events say who they come from.
const CONTROLLER: &str = "drover.dev/operator";

impl Context {
    /// Tells what happened to an object; nobody waits for it to be written.
    pub(crate) fn tell<K: Resource<DynamicType = ()>>(
        self: &Arc<Self>,
        object: &K,
        tone: Tone,
        reason: &'static str,
        note: &str,
    ) {
        self.tell_of(&object.object_ref(&()), tone, reason, note);
    }

    /// The same of an object that is known by its reference alone.
    pub(crate) fn tell_of(
        self: &Arc<Self>,
        regarding: &ObjectReference,
        tone: Tone,
        reason: &'static str,
        note: &str,
    ) {
        let event = self.event(regarding, tone, reason, note);
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let context = Arc::clone(self);
        self.spawn(async move {
            let api: Api<Event> = Api::namespaced(context.client.clone(), &namespace);
            if let Err(error) = context
                .ask(api.create(&PostParams::default(), &event))
                .await
            {
                debug!(reason, error = %Chain(&error), "an event was not written");
            }
        });
    }

    fn event(&self, regarding: &ObjectReference, tone: Tone, reason: &str, note: &str) -> Event {
        let now = self.clock.now();
        // Events of what lives in the cluster go to the namespace where people look for them.
        let namespace = regarding
            .namespace
            .clone()
            .unwrap_or_else(|| "default".into());
        let name = regarding.name.clone().unwrap_or_default();
        let nanoseconds = now.as_nanosecond();
        let number = self
            .events
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{nanoseconds:x}.{number:x}")),
                namespace: Some(namespace),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            reporting_controller: Some(CONTROLLER.into()),
            reporting_instance: Some(self.settings.identity.clone()),
            action: Some(reason.to_owned()),
            reason: Some(reason.to_owned()),
            type_: Some(
                match tone {
                    Tone::Normal => "Normal",
                    Tone::Warning => "Warning",
                }
                .to_owned(),
            ),
            regarding: Some(regarding.clone()),
            note: Some(note.chars().take(1000).collect()),
            ..Event::default()
        }
    }
}
