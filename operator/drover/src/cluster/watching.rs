//! What changes in a cluster, for as long as somebody looks.

use std::pin::Pin;

use futures::{Stream, StreamExt as _};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::failure::{Failure, Why};

/// Failures in a row after which a watch is given up: about two minutes of a cluster that does not
/// answer, for pauses grow to half a minute.
const MOST_FAILURES: usize = 10;

/// What changed.
#[derive(Debug)]
pub enum Change<K> {
    /// It is so, now or since it was last seen.
    Is(K),
    /// It is gone.
    Gone(K),
    /// All that was there when the watch began, or began again, was told.
    Told,
}

/// Changes, until the cluster stays away for too long.
pub type Changes<K> = Pin<Box<dyn Stream<Item = Result<Change<K>, Failure>> + Send>>;

/// Everything that is there, then what changes.
pub fn changes<K>(api: Api<K>, fields: Option<&str>, labels: Option<&str>) -> Changes<K>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let mut config = watcher::Config::default();
    if let Some(fields) = fields {
        config = config.fields(fields);
    }
    if let Some(labels) = labels {
        config = config.labels(labels);
    }
    let mut failures = 0;
    let stream = watcher(api, config)
        .default_backoff()
        .filter_map(move |event| {
            let result = match event {
                Ok(event) => {
                    failures = 0;
                    change(event).map(Ok)
                }
                Err(error) => {
                    failures += 1;
                    // A list that is refused will be refused again.
                    let over = failures >= MOST_FAILURES || is_refusal(&error);
                    over.then(|| Err(given_up(&error)))
                }
            };
            std::future::ready(result)
        });
    // The first failure that is told is the last item.
    stream
        .scan(false, |over, item| {
            let go_on = !*over;
            *over = item.is_err();
            std::future::ready(go_on.then_some(item))
        })
        .boxed()
}

fn change<K>(event: Event<K>) -> Option<Change<K>> {
    match event {
        Event::Apply(object) | Event::InitApply(object) => Some(Change::Is(object)),
        Event::Delete(object) => Some(Change::Gone(object)),
        Event::InitDone => Some(Change::Told),
        Event::Init => None,
    }
}

fn is_refusal(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) =
        error
    else {
        return false;
    };
    matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404))
}

fn given_up(error: &watcher::Error) -> Failure {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => Failure::Cluster {
            doing: "watch the cluster".to_owned(),
            why: Why(super::error::words(error)),
            hint: None,
        },
        other => Failure::Cluster {
            doing: "watch the cluster".to_owned(),
            why: Why(other.to_string()),
            hint: None,
        },
    }
}
