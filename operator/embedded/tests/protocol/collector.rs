//! What goes when something else goes.

use futures::TryStreamExt as _;
use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace, Secret},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api, Client, ResourceExt,
    api::{
        DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams, PropagationPolicy,
        WatchEvent, WatchParams,
    },
};
use serde_json::json;

use crate::{definition, open, widget, widgets};

fn named(name: &str, owners: &[&ConfigMap]) -> ConfigMap {
    let owners = owners.iter().map(|owner| OwnerReference {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        name: owner.name_any(),
        uid: owner.uid().unwrap(),
        block_owner_deletion: Some(true),
        controller: None,
    });
    let owner_references = Some(owners.collect());
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            owner_references,
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}

/// Ends when the object of this name is deleted.
async fn gone(api: &Api<ConfigMap>, name: &str, since: &str) {
    let params = WatchParams::default()
        .fields(&format!("metadata.name={name}"))
        .timeout(30);
    let events = api.watch(&params, since).await.unwrap();
    let deletions =
        events.try_filter(|event| std::future::ready(matches!(event, WatchEvent::Deleted(_))));
    let deleted = std::pin::pin!(deletions).try_next().await.unwrap();
    assert!(deleted.is_some(), "{name} was not deleted");
}

async fn family(client: &Client) -> (Api<ConfigMap>, ConfigMap, ConfigMap) {
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let owner = maps
        .create(&PostParams::default(), &named("owner", &[]))
        .await
        .unwrap();
    let child = maps
        .create(&PostParams::default(), &named("child", &[&owner]))
        .await
        .unwrap();
    (maps, owner, child)
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn dependents_go_after_their_owner() {
    // SPEC: KU-1
    let (maps, _, child) = family(&open().await.client("default")).await;
    maps.delete("owner", &DeleteParams::default())
        .await
        .unwrap();
    gone(&maps, "child", &child.resource_version().unwrap()).await;
    assert!(maps.get_opt("owner").await.unwrap().is_none());
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn dependents_of_another_owner_stay_and_forget_the_one_that_went() {
    // SPEC: KU-1
    let client = open().await.client("default");
    let (maps, owner, _) = family(&client).await;
    let other = maps
        .create(&PostParams::default(), &named("other", &[]))
        .await
        .unwrap();
    let shared = maps
        .create(&PostParams::default(), &named("shared", &[&owner, &other]))
        .await
        .unwrap();
    maps.delete("owner", &DeleteParams::default())
        .await
        .unwrap();
    gone(&maps, "child", &shared.resource_version().unwrap()).await;
    let shared = maps.get("shared").await.unwrap();
    assert_eq!(shared.owner_references().len(), 1);
    assert_eq!(shared.owner_references()[0].name, "other");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_foreground_deletion_waits_for_dependents() {
    // SPEC: KU-1
    let (maps, _, child) = family(&open().await.client("default")).await;
    let hold = json!({ "metadata": { "finalizers": ["example.com/hold"] } });
    maps.patch("child", &PatchParams::default(), &Patch::Merge(&hold))
        .await
        .unwrap();
    maps.delete("owner", &DeleteParams::foreground())
        .await
        .unwrap();
    let release = json!({ "metadata": { "finalizers": null } });
    let owner = maps.get("owner").await.unwrap();
    assert_eq!(owner.finalizers(), ["foregroundDeletion"]);
    // The child is marked by the writer after it answered; releasing it works in either order.
    maps.patch("child", &PatchParams::default(), &Patch::Merge(&release))
        .await
        .unwrap();
    gone(&maps, "owner", &child.resource_version().unwrap()).await;
    assert!(maps.get_opt("child").await.unwrap().is_none());
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn orphans_stay() {
    // SPEC: KU-1
    let (maps, _, child) = family(&open().await.client("default")).await;
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    maps.delete("owner", &orphan).await.unwrap();
    gone(&maps, "owner", &child.resource_version().unwrap()).await;
    assert!(
        maps.get("child")
            .await
            .unwrap()
            .owner_references()
            .is_empty()
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_owner_that_never_was_takes_its_dependents_along() {
    // SPEC: KU-1
    let (maps, owner, child) = family(&open().await.client("default")).await;
    let mut ghost = owner.clone();
    ghost.metadata.uid = Some("00000000-0000-4000-8000-000000000000".to_owned());
    maps.create(&PostParams::default(), &named("lost", &[&ghost]))
        .await
        .unwrap();
    gone(&maps, "lost", &child.resource_version().unwrap()).await;
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_namespace_takes_its_content_along() {
    // SPEC: KU-4
    let client = open().await.client("shop");
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let early = maps
        .create(&PostParams::default(), &named("early", &[]))
        .await
        .unwrap_err();
    assert!(
        early.to_string().contains("namespaces \"shop\" not found"),
        "{early}"
    );

    let shop: Namespace =
        serde_json::from_value(json!({ "metadata": { "name": "shop" } })).unwrap();
    namespaces
        .create(&PostParams::default(), &shop)
        .await
        .unwrap();
    let mut held = named("held", &[]);
    held.metadata.finalizers = Some(vec!["example.com/hold".to_owned()]);
    let held = maps.create(&PostParams::default(), &held).await.unwrap();
    let mut last = String::new();
    for index in 0..700 {
        let made = maps
            .create(&PostParams::default(), &named(&format!("map-{index}"), &[]))
            .await
            .unwrap();
        last = made.resource_version().unwrap();
    }
    let marked = namespaces
        .delete("shop", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(marked.status.unwrap().phase.as_deref(), Some("Terminating"));
    let late = maps
        .create(&PostParams::default(), &named("late", &[]))
        .await
        .unwrap_err();
    assert!(
        late.to_string().contains("because it is being terminated"),
        "{late}"
    );
    gone(&maps, "map-699", &last).await;
    assert!(
        namespaces.get_opt("shop").await.unwrap().is_some(),
        "a finalizer holds the rest"
    );

    let release = json!({ "metadata": { "finalizers": null } });
    maps.patch("held", &PatchParams::default(), &Patch::Merge(&release))
        .await
        .unwrap();
    gone(&maps, "held", &held.resource_version().unwrap()).await;
    let params = WatchParams::default()
        .fields("metadata.name=shop")
        .timeout(30);
    let events = namespaces.watch(&params, &last).await.unwrap();
    let seen: Vec<_> = events.try_collect().await.unwrap();
    assert!(matches!(seen.last(), Some(WatchEvent::Deleted(_))));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_default_namespace_is_never_deleted() {
    // SPEC: KU-4
    let namespaces: Api<Namespace> = Api::all(open().await.client("default"));
    let refused = namespaces
        .delete("default", &DeleteParams::default())
        .await
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("this namespace may not be deleted"),
        "{refused}"
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_definition_takes_its_objects_along_and_can_come_back() {
    // SPEC: KU-4
    let client = open().await.client("default");
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let api = widgets(client.clone());
    api.create(&PostParams::default(), &widget("a", &json!({})))
        .await
        .unwrap();
    let established = definitions.get("widgets.example.com").await.unwrap();
    definitions
        .delete("widgets.example.com", &DeleteParams::default())
        .await
        .unwrap();
    let params = WatchParams::default()
        .fields("metadata.name=widgets.example.com")
        .timeout(30);
    let events = definitions
        .watch(&params, &established.resource_version().unwrap())
        .await
        .unwrap();
    let seen: Vec<_> = events.try_collect().await.unwrap();
    assert!(matches!(seen.last(), Some(WatchEvent::Deleted(_))));
    assert!(
        api.get("a").await.unwrap_err().to_string().contains("404"),
        "nobody serves it any more"
    );

    definitions
        .create(&PostParams::default(), &definition())
        .await
        .unwrap();
    assert!(api.get_opt("a").await.unwrap().is_none());
    api.create(&PostParams::default(), &widget("a", &json!({})))
        .await
        .unwrap();
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn collections_are_deleted_by_selector() {
    // SPEC: KU-4
    let secrets: Api<Secret> = Api::default_namespaced(open().await.client("default"));
    for (name, tier) in [("a", "web"), ("b", "db"), ("c", "web")] {
        let secret = json!({ "metadata": { "name": name, "labels": { "tier": tier } } });
        let secret: Secret = serde_json::from_value(secret).unwrap();
        secrets
            .create(&PostParams::default(), &secret)
            .await
            .unwrap();
    }
    let web = ListParams::default().labels("tier=web");
    secrets
        .delete_collection(&DeleteParams::default(), &web)
        .await
        .unwrap();
    let left: Vec<String> = secrets
        .list(&ListParams::default())
        .await
        .unwrap()
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    assert_eq!(left, ["b"]);
}
