//! `apply` and `delete`.

use serde_json::json;

use crate::world::{SHOP, SITES, World};

const LAST: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[test]
fn applying_again_changes_nothing() {
    // SPEC: KU-2
    let world = World::new("apply-twice");
    world.put("sites.yaml", SITES);
    world.put("shop.yaml", SHOP);
    let first = world.drover(&["apply", "."]).fine();
    assert!(
        first
            .data
            .contains("RecoveryPlan apply-twice/shop created\n"),
        "{first:?}"
    );
    let order: Vec<&str> = first
        .data
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        order,
        [
            "Site",
            "Site",
            "ReplicationPolicy",
            "ProtectionGroup",
            "RecoveryPlan"
        ]
    );
    let before = world.object("recoveryplan", "shop");
    let again = world.drover(&["apply", "."]).fine();
    assert!(again.talk.contains("5 objects: 5 unchanged"), "{again:?}");
    assert_eq!(world.object("recoveryplan", "shop"), before);
}

#[test]
fn kubectl_and_drover_apply_the_same_objects() {
    // SPEC: KU-2
    let world = World::new("apply-interop");
    world.put("sites.yaml", SITES);
    world.put("shop.yaml", SHOP);
    let shop = world.folder().join("shop.yaml");
    let shop = shop.to_str().unwrap();
    world.drover(&["apply", "."]).fine();
    let by_drover =
        world.object("protectiongroup", "shop-data")["metadata"]["annotations"][LAST].clone();
    let kubectl = world.kubectl(&["apply", "-f", shop]).fine();
    assert!(
        kubectl
            .data
            .contains("protectiongroup.drover.dev/shop-data unchanged"),
        "{kubectl:?}"
    );
    let by_kubectl =
        world.object("protectiongroup", "shop-data")["metadata"]["annotations"][LAST].clone();
    assert_eq!(by_drover, by_kubectl);

    // What kubectl applied last is known to drover: a field that goes is removed, what others set stays.
    world
        .kubectl_here(&["label", "recoveryplan", "shop", "team=shop"])
        .fine();
    world.put(
        "shop.yaml",
        &SHOP.replace("  objectives: { rto: 15m, rpo: 5m }\n", ""),
    );
    let said = world.drover(&["apply", "shop.yaml"]).fine();
    assert!(
        said.data
            .contains("RecoveryPlan apply-interop/shop configured"),
        "{said:?}"
    );
    let plan = world.object("recoveryplan", "shop");
    assert_eq!(plan["spec"].get("objectives"), None);
    assert_eq!(plan["metadata"]["labels"]["team"], "shop");

    // And the other way round.
    world.put(
        "shop.yaml",
        &SHOP.replace("activeSite: primary", "activeSite: secondary"),
    );
    let said = world
        .drover(&["apply", "--dry-run", "server", "shop.yaml"])
        .fine();
    assert!(
        said.data.contains("shop configured (server dry run)"),
        "{said:?}"
    );
    assert!(
        said.talk
            .contains("declares secondary now and declared primary before"),
        "{said:?}"
    );
    assert_eq!(
        world.object("recoveryplan", "shop")["spec"]["activeSite"],
        "primary"
    );
    let diff = world.kubectl(&["apply", "-f", shop]).fine();
    assert!(
        diff.data
            .contains("recoveryplan.drover.dev/shop configured")
    );
    let said = world.drover(&["apply", "."]).fine();
    assert!(said.talk.contains("5 objects: 5 unchanged"), "{said:?}");
}

#[test]
fn nothing_is_applied_when_something_is_wrong() {
    // SPEC: BI-1
    let world = World::new("apply-wrong");
    world.put("sites.yaml", SITES);
    world.put("shop.yaml", &SHOP.replace("[shop-data]", "[shop-dta]"));
    let said = world.drover(&["apply", "."]).wrong();
    assert!(said.talk.contains("did you mean `shop-data`?"), "{said:?}");
    assert!(said.talk.contains("nothing was applied"), "{said:?}");
    assert_eq!(said.data, "");
    world
        .kubectl_here(&["get", "replicationpolicy", "gold"])
        .wrong();
}

#[test]
fn what_is_in_the_cluster_can_be_referred_to() {
    let world = World::new("apply-part");
    world.put("sites.yaml", SITES);
    world.drover(&["apply", "sites.yaml"]).fine();
    world.put("shop.yaml", SHOP);
    world.drover(&["apply", "shop.yaml"]).fine();
}

#[test]
fn a_namespace_that_is_missing_is_named_or_made() {
    let world = World::new("apply-here");
    world.put("sites.yaml", SITES);
    world.put("shop.yaml", &SHOP.replace("NAMESPACE", "apply-there"));
    let said = world.drover(&["apply", "."]).wrong();
    assert!(
        said.talk.contains("there is no namespace apply-there"),
        "{said:?}"
    );
    assert!(said.talk.contains("--create-namespaces"), "{said:?}");
    let said = world
        .drover(&["apply", ".", "--create-namespaces", "-o", "json"])
        .fine();
    assert_eq!(said.json()["kind"], "ApplyReport");
    world
        .kubectl(&["get", "recoveryplan", "shop", "-n", "apply-there"])
        .fine();
}

#[test]
fn a_set_loses_what_is_no_longer_declared_and_nothing_else() {
    let world = World::new("apply-prune");
    world.put("sites.yaml", SITES);
    world.drover(&["apply", "sites.yaml"]).fine();
    world.put("set/shop.yaml", SHOP);
    let home = "apiVersion: drover.dev/v1alpha1\nkind: FailbackPolicy\n\
                metadata: { name: NAME, namespace: NAMESPACE }\n\
                spec: { dataSync: FullDuringFailover }\n";
    world.put("set/home.yaml", &home.replace("NAME,", "home,"));
    world.put("other.yaml", &home.replace("NAME,", "other,"));
    world.drover(&["apply", "other.yaml"]).fine();
    world.drover(&["apply", "set", "--set", "shop-set"]).fine();

    world.remove("set/home.yaml");
    let prune = ["apply", "set", "--set", "shop-set", "--prune"];
    let said = world.drover(&prune).wrong();
    assert!(
        said.talk.contains("FailbackPolicy apply-prune/home"),
        "{said:?}"
    );
    assert!(said.talk.contains("give --yes"), "{said:?}");
    world
        .kubectl_here(&["get", "failbackpolicy", "home"])
        .fine();
    let said = world
        .drover(&[&prune[..], &["--dry-run", "server"]].concat())
        .fine();
    assert!(
        said.data.contains("home pruned (server dry run)"),
        "{said:?}"
    );

    let said = world.drover(&[&prune[..], &["--yes"]].concat()).fine();
    assert!(
        said.data.contains("FailbackPolicy apply-prune/home pruned"),
        "{said:?}"
    );
    world
        .kubectl_here(&["get", "failbackpolicy", "home"])
        .wrong();
    world
        .kubectl_here(&["get", "failbackpolicy", "other"])
        .fine();
    world.kubectl(&["get", "site", "seoul"]).fine();
}

#[test]
fn an_object_that_the_cluster_refuses_does_not_keep_the_others_out() {
    let world = World::new("apply-refused");
    world.put("sites.yaml", SITES);
    world.put("shop.yaml", SHOP);
    world.drover(&["apply", "."]).fine();
    // The consistency of a group cannot be changed.
    let changed = SHOP
        .replace(
            "  policyRef: { name: gold }",
            "  policyRef: { name: gold }\n  consistency: Group",
        )
        .replace("rto: 15m", "rto: 20m");
    world.put("shop.yaml", &changed);
    let said = world.drover(&["apply", "."]).wrong();
    assert!(
        said.talk
            .contains("cannot apply ProtectionGroup apply-refused/shop-data"),
        "{said:?}"
    );
    assert!(
        said.data
            .contains("RecoveryPlan apply-refused/shop configured"),
        "{said:?}"
    );
    assert!(said.talk.contains("1 failed"), "{said:?}");
}

#[test]
fn deleting_says_what_it_means_and_asks_where_copies_go() {
    // SPEC: PR-12
    let world = World::new("delete");
    world.put("sites.yaml", SITES);
    let remove = SHOP.replace("spec:\n  sites: { primary: seoul, secondary: busan }\n  policyRef",
        "spec:\n  deletionPolicy: RemoveReplica\n  sites: { primary: seoul, secondary: busan }\n  policyRef");
    world.put("shop.yaml", &remove);
    world.drover(&["apply", "."]).fine();
    world.set_status("protectiongroup", "shop-data", &json!({
        "members": { "total": 1, "protected": 1, "enabling": 0, "resynchronizing": 0, "failed": 0 },
    }));

    let said = world.drover(&["delete", "group", "shop-data"]).wrong();
    assert!(
        said.talk
            .contains("are REMOVED (deletionPolicy RemoveReplica)"),
        "{said:?}"
    );
    world
        .kubectl_here(&["get", "protectiongroup", "shop-data"])
        .fine();
    let said = world.drover(&["delete", "plan", "shop"]).fine();
    assert_eq!(said.data, "RecoveryPlan delete/shop deleted\n");
    let said = world.drover(&["delete", "-f", "shop.yaml", "--yes"]).fine();
    assert!(
        said.talk.contains("RecoveryPlan delete/shop is not there"),
        "{said:?}"
    );
    assert!(
        said.data
            .contains("ProtectionGroup delete/shop-data deleted"),
        "{said:?}"
    );
    let said = world.drover(&["delete", "plan", "shpo"]).wrong();
    assert!(
        said.talk.contains("there is no RecoveryPlan delete/shpo"),
        "{said:?}"
    );
}
