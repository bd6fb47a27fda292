//! What outlives a process, and what is seen of the past.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use drover_embedded::{Api, DiskError, Limits, OpenError, Options};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::{
    ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams, VersionMatch, WatchEvent, WatchParams},
};
use serde_json::json;

use crate::{options, widget, widgets};

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    // SPEC: KU-4
    let folder = tempfile::tempdir().unwrap();
    let durable = || Options {
        data: Some(folder.path().to_owned()),
        ..options()
    };
    let api = Api::open(durable()).await.unwrap();
    let objects = widgets(api.client("default"));
    let kept = objects
        .create(
            &PostParams::default(),
            &widget("kept", &json!({ "size": 1 })),
        )
        .await
        .unwrap();
    objects
        .create(&PostParams::default(), &widget("gone", &json!({})))
        .await
        .unwrap();
    objects
        .delete("gone", &DeleteParams::default())
        .await
        .unwrap();
    let version: u64 = objects
        .list(&ListParams::default())
        .await
        .unwrap()
        .resource_version();
    drop(objects);
    api.close().await;

    let api = Api::open(durable()).await.unwrap();
    let objects = widgets(api.client("default"));
    let found = objects.list(&ListParams::default()).await.unwrap();
    assert_eq!(found.items, [kept]);
    assert_eq!(
        found.resource_version(),
        version,
        "opening again changes nothing"
    );
    let next = objects
        .create(&PostParams::default(), &widget("next", &json!({})))
        .await
        .unwrap();
    assert!(next.resource_version().unwrap().parse::<u64>().unwrap() > version);
}

trait Version {
    fn resource_version(&self) -> u64;
}

impl<T: Clone> Version for kube::core::ObjectList<T> {
    fn resource_version(&self) -> u64 {
        self.metadata
            .resource_version
            .as_deref()
            .unwrap()
            .parse()
            .unwrap()
    }
}

#[tokio::test]
async fn a_folder_belongs_to_one_process() {
    // SPEC: BI-2
    let folder = tempfile::tempdir().unwrap();
    let durable = || Options {
        data: Some(folder.path().to_owned()),
        ..options()
    };
    let _first = Api::open(durable()).await.unwrap();
    let second = Api::open(durable()).await.unwrap_err();
    assert!(
        matches!(second, OpenError::Disk(DiskError::InUse { .. })),
        "{second:?}"
    );
}

#[tokio::test]
async fn the_folder_is_for_its_owner_alone() {
    // SPEC: BI-3
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _api = Api::open(Options {
        data: Some(data.clone()),
        ..options()
    })
    .await
    .unwrap();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in std::fs::read_dir(&data).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn pages_show_one_moment() {
    // SPEC: KU-4
    let objects = widgets(Api::open(options()).await.unwrap().client("default"));
    for name in ["a", "b", "c", "d"] {
        objects
            .create(&PostParams::default(), &widget(name, &json!({})))
            .await
            .unwrap();
    }
    let first = objects.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(2));
    let token = first.metadata.continue_.clone().unwrap();
    objects.delete("c", &DeleteParams::default()).await.unwrap();
    objects
        .create(&PostParams::default(), &widget("e", &json!({})))
        .await
        .unwrap();
    let rest = objects
        .list(&ListParams::default().limit(10).continue_token(&token))
        .await
        .unwrap();
    let names: Vec<_> = rest.items.iter().map(kube::ResourceExt::name_any).collect();
    assert_eq!(names, ["c", "d"], "as it was when the list began");
    assert_eq!(
        rest.metadata.resource_version,
        first.metadata.resource_version
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_past_ends_where_history_ends() {
    // SPEC: KU-4
    let limits = Limits {
        history_events: 4,
        ..Limits::default()
    };
    let objects = widgets(
        Api::open(Options {
            limits,
            ..options()
        })
        .await
        .unwrap()
        .client("default"),
    );
    let first = objects
        .create(&PostParams::default(), &widget("a", &json!({})))
        .await
        .unwrap();
    let first = first.resource_version().unwrap();
    let slow = objects
        .watch(&WatchParams::default().timeout(9), &first)
        .await
        .unwrap();
    for name in ["b", "c", "d", "e", "f"] {
        objects
            .create(&PostParams::default(), &widget(name, &json!({})))
            .await
            .unwrap();
    }
    let exact = ListParams::default()
        .at(&first)
        .matching(VersionMatch::Exact);
    let refused = objects.list(&exact).await.unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.code == 410),
        "{refused}"
    );
    // Told in the stream, as the real API server does.
    let late = objects
        .watch(&WatchParams::default(), &first)
        .await
        .unwrap();
    let late: Vec<_> = late.try_collect().await.unwrap();
    let slow: Vec<_> = slow.try_collect().await.unwrap();
    for seen in [late, slow] {
        assert!(
            matches!(&seen[..], [WatchEvent::Error(status)] if status.code == 410),
            "a watcher that comes too late, or is too slow, is told"
        );
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_version_from_the_future_is_refused() {
    // SPEC: BI-2
    let objects = widgets(Api::open(options()).await.unwrap().client("default"));
    let ahead = ListParams::default()
        .at("999999")
        .matching(VersionMatch::NotOlderThan);
    let refused = objects.list(&ahead).await.unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.code == 504),
        "{refused}"
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn events_are_forgotten_after_an_hour() {
    // SPEC: BI-2
    let time = Arc::new(AtomicI64::new(1_800_000_000));
    let clock = Arc::clone(&time);
    let now = move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap();
    let api = Api::open(Options {
        now: Arc::new(now),
        ..options()
    })
    .await
    .unwrap();
    let events: kube::Api<Event> = kube::Api::default_namespaced(api.client("default"));
    let event = |name: &str| -> Event {
        let object = json!({ "name": "x", "namespace": "default" });
        serde_json::from_value(json!({ "metadata": { "name": name }, "involvedObject": object }))
            .unwrap()
    };
    for (name, minutes) in [("first", 0), ("second", 40), ("third", 40)] {
        time.fetch_add(minutes * 60, Ordering::SeqCst);
        events
            .create(&PostParams::default(), &event(name))
            .await
            .unwrap();
    }
    let left = events.list(&ListParams::default()).await.unwrap();
    let names: Vec<_> = left.items.iter().map(kube::ResourceExt::name_any).collect();
    assert_eq!(names, ["second", "third"]);
}
