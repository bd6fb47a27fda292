//! The kinds through `kubectl`: explained, found by short name and category, shown in columns,
//! waited for.

use std::collections::BTreeSet;

use drover_api::{KINDS, crd};
use serde_json::{Value, json};

use crate::cluster::{cluster, fixture};

#[test]
fn fields_are_explained_where_people_ask() {
    // SPEC: KU-1
    for (field, says) in [
        (
            "recoveryplan.spec.activeSite",
            "Changing it starts a failover or a failback",
        ),
        (
            "rp.spec.failover.toPrimary.start.window",
            "in which it may start",
        ),
        ("rp.spec.groups.after.dns.rfc2136.keySecretRef", "TSIG"),
        ("site.spec.fabric.libvirt.hosts.uri", "qemu+tls://"),
        (
            "pg.spec.machines.nics.addresses.secondary",
            "At the secondary site",
        ),
        ("rpol.spec.replicator", "Exactly one of its fields is set"),
        ("rr.status", "journal"),
    ] {
        let text = cluster().kubectl(&["explain", field]);
        // Lines break where the width of a terminal ends.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(says), "{field}: {text}");
    }
}

#[test]
fn every_kind_is_explained_to_its_last_field() {
    // SPEC: KU-1
    for info in KINDS {
        let text = cluster().kubectl(&["explain", "--recursive", info.plural]);
        assert!(
            text.contains(&format!("KIND:       {}", info.kind)),
            "{text}"
        );
        assert!(text.contains("\n  spec\t<Object> -required-"), "{text}");
    }
}

#[test]
fn short_names_and_the_category_find_the_objects() {
    // SPEC: KU-1
    // Given an object of each kind
    cluster().apply(&fixture("only-required.yaml", "only-required", "names"));
    for info in KINDS {
        let definition = crd::definition(info).unwrap();
        for short in definition["spec"]["names"]["shortNames"]
            .as_array()
            .into_iter()
            .flatten()
        {
            // When they are asked for by a short name, then those of that kind come.
            let found = cluster().kubectl(&[
                "get",
                short.as_str().unwrap(),
                "--namespace=names",
                "--output=name",
            ]);
            assert!(!found.is_empty(), "{short} finds nothing");
            let kind = format!("{}.{}/", info.kind.to_lowercase(), drover_api::GROUP);
            assert!(
                found.lines().all(|line| line.starts_with(&kind)),
                "{short} finds {found}"
            );
        }
    }
    // When all of Drover's are asked for, then there are some of each kind.
    let found = cluster().kubectl(&["get", "drover", "--namespace=names", "--output=name"]);
    let found: BTreeSet<&str> = found
        .lines()
        .filter_map(|line| line.split_once('.'))
        .map(|(kind, _)| kind)
        .collect();
    let kinds: Vec<String> = KINDS.iter().map(|info| info.kind.to_lowercase()).collect();
    assert_eq!(found, kinds.iter().map(String::as_str).collect());
}

/// For each kind an object of `every-field.yaml` and the status that its columns show.
fn shown() -> Vec<(&'static str, &'static str, Value)> {
    let now = "2026-11-20T12:00:00Z";
    let ready = json!([{
        "type": "Ready", "status": "True", "reason": "Fine", "message": "All is well.",
        "lastTransitionTime": now, "observedGeneration": 1,
    }]);
    vec![
        (
            "sites",
            "columns-simulator",
            json!({
                "reachability": { "state": "Reachable", "since": now },
                "inventory": { "machines": 3, "protected": 2 },
                "conditions": ready,
            }),
        ),
        ("replicationpolicies", "simulator", json!({ "users": 2 })),
        (
            "networkmappings",
            "seoul-busan",
            json!({ "conditions": ready }),
        ),
        ("failbackpolicies", "home-again", json!({ "users": 1 })),
        (
            "protectiongroups",
            "shop-data",
            json!({
                "members": { "total": 3, "protected": 2, "enabling": 1, "resynchronizing": 0, "failed": 0 },
                "worstRpo": "45s",
                "conditions": ready,
            }),
        ),
        (
            "recoveryplans",
            "shop",
            json!({
                "activeSite": "Mixed",
                "currentRun": "shop-7",
                "forecast": { "waves": 2, "rto": "12m", "rpo": "0s", "source": "Recorded" },
                "conditions": ready,
            }),
        ),
        (
            "recoverydrills",
            "by-time",
            json!({ "phase": "Standing", "result": "Passed", "rto": "11m" }),
        ),
        ("rundecisions", "approve", json!({ "outcome": "Accepted" })),
        (
            "protectedmachines",
            "shop-data-db-1",
            json!({
                "phase": "Protected",
                "activeSite": "primary",
                "replication": { "towards": "secondary", "rpo": "30s" },
            }),
        ),
        (
            "recoveryruns",
            "shop-7",
            json!({ "phase": "CommitPending", "machines": { "healthy": 3 }, "rto": "11m", "rpo": "40s" }),
        ),
        (
            "machineruns",
            "shop-7-db-1",
            json!({ "leave": { "state": "Done" }, "enter": { "state": "Pending" } }),
        ),
    ]
}

#[test]
fn columns_show_what_they_promise() {
    // SPEC: KU-1
    // Given an object of each kind with a status
    cluster().apply(&fixture("every-field.yaml", "every-", "columns-"));
    let shown = shown();
    assert_eq!(shown.len(), KINDS.len());
    for (plural, name, status) in shown {
        let patch = format!("--patch={}", json!({ "status": status }));
        let object = [plural, name, "--namespace=columns-field"];
        cluster().kubectl(
            &[
                &["patch", "--subresource=status", "--type=merge", &patch],
                &object[..],
            ]
            .concat(),
        );

        // When it is looked at
        let table = cluster().kubectl(&[&["get"], &object[..]].concat());

        // Then no column is empty.
        let info = KINDS.iter().find(|info| info.plural == plural).unwrap();
        let definition = crd::definition(info).unwrap();
        let columns = definition["spec"]["versions"][0]["additionalPrinterColumns"]
            .as_array()
            .unwrap();
        let names = columns
            .iter()
            .map(|column| column["name"].as_str().unwrap().to_uppercase());
        let cells = cells_of(&table);
        assert_eq!(
            cells
                .iter()
                .map(|(title, _)| (*title).to_owned())
                .collect::<Vec<_>>(),
            ["NAME".to_owned()]
                .into_iter()
                .chain(names)
                .collect::<Vec<_>>()
        );
        let is_empty = |cell: &str| matches!(cell, "" | "<none>" | "<unknown>" | "<invalid>");
        let empty: Vec<_> = cells.iter().filter(|(_, cell)| is_empty(cell)).collect();
        assert!(empty.is_empty(), "{plural}: {empty:?}\n{table}");
    }
}

/// Title and content of each column of a table with one row. A title has no blank in it; a cell may
/// be empty, so it is found by the place of its title.
fn cells_of(table: &str) -> Vec<(&str, &str)> {
    let (titles, row) = table.trim_end().split_once('\n').unwrap();
    let is_start =
        |at: usize| !titles[at..].starts_with(' ') && (at == 0 || titles[..at].ends_with(' '));
    let mut ends: Vec<usize> = (0..titles.len()).filter(|at| is_start(*at)).collect();
    ends.push(usize::MAX);
    let cut = |line, from, to| -> &str { cut(line, from, to).trim() };
    let pairs = ends.windows(2);
    pairs
        .map(|ends| (cut(titles, ends[0], ends[1]), cut(row, ends[0], ends[1])))
        .collect()
}

fn cut(line: &str, from: usize, to: usize) -> &str {
    &line[from.min(line.len())..to.min(line.len())]
}

#[test]
fn scripts_can_wait_for_a_condition_and_read_the_status_alone() {
    // SPEC: KU-2
    // Given a plan whose spec was changed since its condition was set
    let text = fixture("example.yaml", "shop", "waiting")
        .replace("seoul", "seoul-waiting")
        .replace("busan", "busan-waiting");
    cluster().apply(&text);
    let plan = ["recoveryplan/waiting", "--namespace=waiting"];
    let set = |status: Value| {
        let patch = format!("--patch={}", json!({ "status": status }));
        cluster().kubectl(
            &[
                &["patch", "--subresource=status", "--type=merge", &patch],
                &plan[..],
            ]
            .concat(),
        );
    };
    let condition = |kind: &str, status: &str| {
        json!({
            "type": kind, "status": status, "reason": "Tested", "message": "A test says so.",
            "lastTransitionTime": "2026-11-20T12:00:00Z", "observedGeneration": 1,
        })
    };
    set(
        json!({ "observedGeneration": 1, "conditions": [condition("Ready", "True"), condition("CommitPending", "True")] }),
    );

    // When a script waits, then it goes on at once, for either condition;
    for kind in ["Ready", "CommitPending"] {
        let wait = format!("--for=condition={kind}");
        cluster().kubectl(&[&["wait", &wait, "--timeout=10s"], &plan[..]].concat());
    }
    // and a status never changes what was declared, nor the other way round.
    let seen = cluster().get(&["recoveryplan", "waiting", "--namespace=waiting"]);
    assert_eq!(seen["metadata"]["generation"], 1);
    let patch =
        r#"--patch={"spec":{"activeSite":"secondary"},"status":{"activeSite":"secondary"}}"#;
    cluster().kubectl(&[&["patch", "--type=merge", patch], &plan[..]].concat());
    let seen = cluster().get(&["recoveryplan", "waiting", "--namespace=waiting"]);
    assert_eq!(seen["metadata"]["generation"], 2);
    assert_eq!(seen["spec"]["activeSite"], "secondary");
    assert!(seen["status"]["activeSite"].is_null());
}
