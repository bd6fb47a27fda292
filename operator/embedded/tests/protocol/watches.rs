//! Watching.

use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;

use crate::{open, widget, widgets};

fn word<T>(event: &WatchEvent<T>) -> &'static str {
    match event {
        WatchEvent::Added(_) => "added",
        WatchEvent::Modified(_) => "modified",
        WatchEvent::Deleted(_) => "deleted",
        WatchEvent::Bookmark(_) => "bookmark",
        WatchEvent::Error(_) => "error",
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_watch_with_a_selector_sees_objects_come_and_go() {
    // SPEC: KU-4
    let api = widgets(open().await.client("default"));
    let events = api
        .watch(&WatchParams::default().labels("tier=web").timeout(5), "0")
        .await
        .unwrap();
    api.create(&PostParams::default(), &widget("a", &json!({})))
        .await
        .unwrap();
    for tier in [json!("web"), json!("db"), json!("web")] {
        let patch = json!({ "metadata": { "labels": { "tier": tier } } });
        api.patch("a", &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
    }
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let seen: Vec<_> = events
        .map_ok(|event| word(&event))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(seen, ["added", "deleted", "added", "deleted"]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn bookmarks_tell_how_far_a_quiet_watch_has_come() {
    // SPEC: KU-4
    let api = widgets(open().await.client("default"));
    let mut events = api
        .watch(&WatchParams::default(), "0")
        .await
        .unwrap()
        .boxed();
    assert_eq!(word(&events.next().await.unwrap().unwrap()), "bookmark");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_list_can_be_streamed() {
    // SPEC: KU-4
    let api = widgets(open().await.client("default"));
    for name in ["a", "b"] {
        api.create(&PostParams::default(), &widget(name, &json!({})))
            .await
            .unwrap();
    }
    let streaming = WatchParams::default().initial_events();
    let mut events = api.watch(&streaming, "0").await.unwrap().boxed();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(word(&events.next().await.unwrap().unwrap()));
    }
    assert_eq!(
        seen,
        ["added", "added", "bookmark"],
        "the bookmark comes at once, and says that this was all"
    );
}
