//! `drift`, against what an operator would have recorded.

use serde_json::json;

use crate::world::{SHOP, SITES, World};

/// A protected machine as its group would make it.
const MACHINE: &str = "
apiVersion: drover.dev/v1alpha1
kind: ProtectedMachine
metadata: { name: shop-data.db, namespace: NAMESPACE }
spec:
  groupRef: { name: shop-data }
  machine: NAMESPACE-db
  sites: { primary: seoul, secondary: busan }
  policyRef: { name: gold }
";

fn shop(namespace: &str) -> World {
    let world = World::new(namespace);
    world.put("sites.yaml", SITES);
    world.put("shop.yaml", SHOP);
    world.drover(&["apply", "."]).fine();
    world.make(MACHINE);
    world.set_status(
        "recoveryplan",
        "shop",
        &json!({ "observedGeneration": 1, "activeSite": "primary" }),
    );
    for site in ["seoul", "busan"] {
        let generation = &world.object("site", site)["metadata"]["generation"];
        world.set_status("site", site, &json!({ "observedGeneration": generation }));
    }
    drifts(&world, &json!([]));
    world
}

/// Records differences of the machine.
fn drifts(world: &World, drift: &serde_json::Value) {
    let status = json!({ "observedGeneration": 1, "phase": "Protected", "drift": drift });
    world.set_status("protectedmachine", "shop-data.db", &status);
}

fn changed() -> serde_json::Value {
    json!([{
        "kind": "HardwareChanged", "severity": "Warning", "since": "2026-11-20T14:00:00Z",
        "message": "it has 8 processors and had 2",
    }])
}

#[test]
fn exit_codes_tell_drift_from_none_and_from_an_error() {
    // SPEC: RD-2
    let world = shop("drift-exit");
    let plan = ["drift", "--plan", "shop"];
    let said = world.drover(&plan).fine();
    assert!(
        said.data
            .starts_with("Drift: no drift (1 machine, 1 plan, 2 sites)\n"),
        "{said:?}"
    );
    assert!(
        said.data.contains("as declared: drift-exit/shop\n"),
        "{said:?}"
    );

    drifts(&world, &changed());
    let said = world.drover(&plan);
    assert_eq!(said.exit, Some(2), "{said:?}");
    assert!(
        said.data.contains("it has 8 processors and had 2"),
        "{said:?}"
    );
    let accept = "kubectl annotate --overwrite protectedmachine -n drift-exit shop-data.db";
    let words = said.data.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(accept), "{said:?}");
    for (level, exit) in [("info", 2), ("warning", 2), ("critical", 0)] {
        let said = world.drover(&["drift", "--plan", "shop", "--fail-on", level]);
        assert_eq!(said.exit, Some(exit), "{level}: {said:?}");
    }
    let said = world.drover(&["drift", "--plan", "shpo"]).wrong();
    assert!(said.talk.contains("did you mean"), "{said:?}");
}

#[test]
fn the_same_facts_are_in_all_forms() {
    // SPEC: RD-2
    let world = shop("drift-forms");
    drifts(&world, &changed());
    let form = |format: &str| {
        let said = world.drover(&["drift", "--plan", "shop", "--format", format]);
        assert_eq!(said.exit, Some(2), "{said:?}");
        said
    };
    let json = form("json").json();
    assert_eq!(json["apiVersion"], "drover.dev/v1alpha1");
    assert_eq!(json["kind"], "DriftReport");
    assert_eq!(
        json["counts"],
        json!({ "critical": 0, "warning": 1, "info": 0 })
    );
    let finding = &json["plans"][0]["findings"][0];
    assert_eq!(finding["kind"], "HardwareChanged");
    assert_eq!(finding["since"], "2026-11-20T14:00:00Z");
    assert_eq!(
        finding["subject"],
        json!({
            "kind": "ProtectedMachine", "namespace": "drift-forms", "name": "shop-data.db",
            "machine": "drift-forms-db", "group": "shop-data",
        })
    );
    let digest = json["digest"].as_str().unwrap();
    for format in ["text", "markdown", "html"] {
        let said = form(format);
        assert!(
            said.data.contains("it has 8 processors and had 2"),
            "{said:?}"
        );
        // It is of what is said, and not of when.
        assert!(said.data.contains(digest), "{format}\n{}", said.data);
    }
    let page = form("html").data;
    assert!(page.starts_with("<!doctype html>"), "{page}");
    assert!(
        !page.contains("src=") && !page.contains("http"),
        "it brings all it needs"
    );
}

#[test]
fn what_nobody_looked_at_is_said() {
    // SPEC: RD-2, SA-1
    let world = shop("drift-new");
    world.set_status(
        "protectedmachine",
        "shop-data.db",
        &json!({ "observedGeneration": null }),
    );
    let said = world.drover(&["drift"]);
    assert!(
        said.data.contains("ProtectedMachine shop-data.db"),
        "{said:?}"
    );
    assert!(said.data.contains("not judged yet as"), "{said:?}");
    // Unknown is not fine.
    assert_eq!(said.exit, Some(2), "{said:?}");
}

#[test]
fn where_nothing_is_nothing_is_called_fine() {
    // SPEC: RD-2
    let world = World::new("drift-nothing");
    let said = world.drover(&["drift"]).wrong();
    assert!(
        said.talk
            .contains("the namespace drift-nothing holds no recovery plan"),
        "{said:?}"
    );
}
