//! Changes of everything that a person who looks on is told about.

use std::pin::Pin;

use drover_api::{ProtectionGroup, RecoveryDrill, RecoveryPlan, RecoveryRun, Site};
use futures::stream::{SelectAll, select_all};
use futures::{Stream, StreamExt as _};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use super::story::{Line, Story};
use crate::cluster::watching::{Change, changes};
use crate::failure::Failure;

/// Something that changed: what it means is the story's to say.
pub type Seen = Box<dyn FnOnce(&mut Story) -> Vec<Line> + Send>;

type Following = Pin<Box<dyn Stream<Item = Result<Seen, Failure>> + Send>>;

/// Everything that is there, then what changes.
pub fn everything(client: &Client) -> SelectAll<Following> {
    select_all([
        follow::<Site>(client, "site", Story::site),
        follow::<ProtectionGroup>(client, "group", Story::group),
        follow::<RecoveryPlan>(client, "plan", Story::plan),
        follow::<RecoveryDrill>(client, "drill", Story::drill),
        follow::<RecoveryRun>(client, "run", Story::run),
    ])
}

fn follow<K>(
    client: &Client,
    word: &'static str,
    tell: fn(&mut Story, &K) -> Vec<Line>,
) -> Following
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let stream = changes::<K>(Api::all(client.clone()), None, None);
    let seen = stream.filter_map(move |change| {
        let seen = match change {
            Ok(Change::Is(object)) => Some(Ok(is(object, tell))),
            Ok(Change::Gone(object)) => Some(Ok(gone(&object, word))),
            Ok(Change::Told) => None,
            Err(failure) => Some(Err(failure)),
        };
        std::future::ready(seen)
    });
    seen.boxed()
}

fn is<K: Send + 'static>(object: K, tell: fn(&mut Story, &K) -> Vec<Line>) -> Seen {
    Box::new(move |story| tell(story, &object))
}

fn gone<K: Resource<DynamicType = ()>>(object: &K, word: &'static str) -> Seen {
    let name = match object.namespace() {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    };
    Box::new(move |story| story.gone(word, &name))
}
