//! Reading and writing single objects.

use kube::{
    Error,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{open, widget, widgets};

fn code(error: Error) -> (u16, String) {
    match error {
        Error::Api(status) => (status.code, status.reason.clone()),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_object_lives_as_in_a_cluster() {
    // SPEC: KU-4
    let api = widgets(open().await.client("default"));
    let made = api
        .create(&PostParams::default(), &widget("a", &json!({ "size": 1 })))
        .await
        .unwrap();
    assert_eq!(made.metadata.generation, Some(1));
    assert_eq!(made.metadata.namespace.as_deref(), Some("default"));
    assert!(made.metadata.uid.is_some());

    let again = api
        .create(&PostParams::default(), &widget("a", &json!({})))
        .await
        .unwrap_err();
    assert_eq!(code(again), (409, "AlreadyExists".to_owned()));

    let mut changed = made.clone();
    changed.data["spec"]["size"] = json!(2);
    changed.data["status"] = json!({ "count": 9 });
    let changed = api
        .replace("a", &PostParams::default(), &changed)
        .await
        .unwrap();
    assert_eq!(changed.metadata.generation, Some(2));
    assert_eq!(
        changed.data.get("status"),
        None,
        "the main endpoint ignores status"
    );

    let stale = api
        .replace("a", &PostParams::default(), &made)
        .await
        .unwrap_err();
    assert_eq!(code(stale), (409, "Conflict".to_owned()));

    let mut reported = changed.clone();
    reported.data["status"] = json!({ "count": 3 });
    reported.data["spec"]["size"] = json!(77);
    let reported = api
        .replace_status("a", &PostParams::default(), &reported)
        .await
        .unwrap();
    assert_eq!(
        reported.data["spec"]["size"],
        json!(2),
        "the status endpoint ignores the rest"
    );
    assert_eq!(reported.data["status"]["count"], json!(3));
    assert_eq!(reported.metadata.generation, Some(2));

    let same = api
        .replace_status("a", &PostParams::default(), &reported)
        .await
        .unwrap();
    assert_eq!(
        same.metadata.resource_version, reported.metadata.resource_version,
        "nothing changed"
    );

    let patch = json!({ "metadata": { "labels": { "tier": "web" } } });
    let patched = api
        .patch("a", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    assert_eq!(
        patched.metadata.generation,
        Some(2),
        "labels are no change of the specification"
    );
    let found = api
        .list(&ListParams::default().labels("tier=web"))
        .await
        .unwrap();
    assert_eq!(found.items.len(), 1);

    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(
        code(api.get("a").await.unwrap_err()),
        (404, "NotFound".to_owned())
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn finalizers_hold_an_object_that_is_deleted() {
    // SPEC: KU-1
    let api = widgets(open().await.client("default"));
    let mut object = widget("held", &json!({}));
    object.metadata.finalizers = Some(vec!["example.com/hold".to_owned()]);
    api.create(&PostParams::default(), &object).await.unwrap();
    let marked = api
        .delete("held", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(marked.metadata.deletion_timestamp.is_some());
    assert_eq!(marked.metadata.generation, Some(2));
    let release = json!({ "metadata": { "finalizers": null } });
    api.patch("held", &PatchParams::default(), &Patch::Merge(&release))
        .await
        .unwrap();
    assert!(api.get_opt("held").await.unwrap().is_none());
}
