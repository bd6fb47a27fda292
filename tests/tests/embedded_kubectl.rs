//! `kubectl` works with the embedded API as with a cluster.
#![cfg(test)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use drover_api::KINDS;
use drover_embedded::{Api, Options, ServeOptions, Server};
use drover_tests::controlplane::kubectl_path;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// An embedded API on loopback, and the `kubectl` that talks to it.
struct House {
    // Dropped first: the server stops before its runtime.
    server: Option<Server>,
    runtime: Runtime,
    folder: TempDir,
    kubectl: PathBuf,
}

impl House {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let crds = KINDS.iter().map(|kind| (kind.crd)()).collect();
        let options = Options {
            data: Some(folder.path().join("data")),
            crds,
            ..Options::default()
        };
        let server = runtime.block_on(async {
            let api = Api::open(options).await.unwrap();
            api.serve(ServeOptions::default()).await.unwrap()
        });
        fs::write(folder.path().join("kubeconfig"), server.kubeconfig()).unwrap();
        Self {
            server: Some(server),
            runtime,
            folder,
            kubectl: kubectl_path().unwrap(),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command
            .args(args)
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            .env("KUBECACHEDIR", self.folder.path().join("cache"))
            .env("KUBERC", "off");
        command
    }

    fn run(&self, args: &[&str], input: &str) -> Output {
        let file = self.folder.path().join("input.yaml");
        fs::File::create(&file)
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        self.command(args)
            .stdin(fs::File::open(file).unwrap())
            .output()
            .unwrap()
    }

    /// What it prints when it succeeds.
    fn with_input(&self, args: &[&str], input: &str) -> String {
        let output = self.run(args, input);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "kubectl {}: {error}",
            args.join(" ")
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        self.with_input(args, "")
    }

    /// What it prints when it fails.
    fn refused(&self, args: &[&str], input: &str) -> String {
        let output = self.run(args, input);
        assert!(
            !output.status.success(),
            "kubectl {} did not fail",
            args.join(" ")
        );
        String::from_utf8(output.stderr).unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.shutdown());
        }
    }
}

const APPLY: &[&str] = &["apply", "--filename=-"];

const SHOP: &str = "
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Secret
metadata: { name: key, namespace: shop }
stringData: { password: hunter2 }
---
apiVersion: drover.dev/v1alpha1
kind: FailbackPolicy
metadata: { name: home, namespace: shop }
spec: {}
";

#[test]
fn apply_get_change_and_delete() {
    // SPEC: KU-2, KU-4
    let house = House::open();
    let applied = house.with_input(APPLY, SHOP);
    assert_eq!(
        applied.lines().collect::<Vec<_>>(),
        [
            "namespace/shop created",
            "secret/key created",
            "failbackpolicy.drover.dev/home created"
        ]
    );
    let again = house.with_input(APPLY, SHOP);
    assert!(
        again.contains("failbackpolicy.drover.dev/home unchanged"),
        "{again}"
    );
    assert!(house.with_input(&["diff", "--filename=-"], SHOP).is_empty());

    let table = house.ok(&["get", "failbackpolicies", "--namespace=shop"]);
    assert!(
        table.starts_with("NAME ") && table.contains("\nhome "),
        "{table}"
    );
    assert!(table.lines().next().unwrap().contains("AGE"), "{table}");
    let short = house.ok(&["get", "fbp", "--all-namespaces", "--output=name"]);
    assert_eq!(short.trim(), "failbackpolicy.drover.dev/home");
    let yaml = house.ok(&["get", "fbp", "home", "--namespace=shop", "--output=yaml"]);
    assert!(
        yaml.contains("apiVersion: drover.dev/v1alpha1") && yaml.contains("generation: 1"),
        "{yaml}"
    );
    let described = house.ok(&["describe", "fbp", "home", "--namespace=shop"]);
    assert!(
        described.contains("Kind:         FailbackPolicy"),
        "{described}"
    );

    house.ok(&["label", "fbp", "home", "--namespace=shop", "tier=web"]);
    house.ok(&["annotate", "fbp", "home", "--namespace=shop", "note=x"]);
    let patch = r#"{"metadata":{"labels":{"other":"y"}}}"#;
    house.ok(&[
        "patch",
        "fbp",
        "home",
        "--namespace=shop",
        "--type=merge",
        "--patch",
        patch,
    ]);
    let labelled = house.ok(&[
        "get",
        "fbp",
        "--namespace=shop",
        "--selector=tier=web,other=y",
        "--output=name",
    ]);
    assert_eq!(labelled.trim(), "failbackpolicy.drover.dev/home");
    let whole = house.ok(&["get", "fbp", "home", "--namespace=shop", "--output=json"]);
    assert!(
        house
            .with_input(&["replace", "--filename=-"], &whole)
            .contains("replaced")
    );

    let secret = house.ok(&[
        "get",
        "secret",
        "key",
        "--namespace=shop",
        "--output=jsonpath={.data.password}",
    ]);
    assert_eq!(secret, "aHVudGVyMg==");
    house.ok(&["delete", "fbp", "home", "--namespace=shop"]);
    let gone = house.refused(&["get", "fbp", "home", "--namespace=shop"], "");
    assert!(
        gone.contains("(NotFound): failbackpolicies.drover.dev \"home\" not found"),
        "{gone}"
    );
    house.ok(&["delete", "namespace", "shop"]);
    house.refused(&["get", "secret", "key", "--namespace=shop"], "");
}

#[test]
fn kubectl_creates_what_it_has_types_for() {
    // SPEC: KU-4
    let house = House::open();
    house.ok(&["create", "namespace", "shop"]);
    house.ok(&[
        "create",
        "secret",
        "generic",
        "key",
        "--namespace=shop",
        "--from-literal=a=b",
    ]);
    house.ok(&[
        "create",
        "configmap",
        "map",
        "--namespace=shop",
        "--from-literal=a=b",
    ]);
    let data = house.ok(&[
        "get",
        "secret/key",
        "configmap/map",
        "--namespace=shop",
        "--output=jsonpath={.items[*].data.a}",
    ]);
    assert_eq!(data, "Yg== b");
    assert_eq!(
        house
            .ok(&["auth", "can-i", "create", "recoveryplans"])
            .trim(),
        "yes"
    );
}

#[test]
fn kubectl_knows_the_kinds() {
    // SPEC: KU-1, KU-4
    let house = House::open();
    let resources = house.ok(&["api-resources", "--api-group=drover.dev", "--output=name"]);
    assert_eq!(resources.lines().count(), KINDS.len());
    let explained = house.ok(&["explain", "recoveryplan.spec"]);
    assert!(
        explained.contains("KIND:       RecoveryPlan") && explained.contains("activeSite"),
        "{explained}"
    );
    let definitions = house.ok(&["get", "crd", "--output=name"]);
    assert_eq!(definitions.lines().count(), KINDS.len());
    house.ok(&[
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=10s",
    ]);
}

#[test]
fn what_is_wrong_is_refused_in_words_that_help() {
    // SPEC: BI-1
    let house = House::open();
    let unknown = "{apiVersion: drover.dev/v1alpha1, kind: FailbackPolicy, metadata: {name: x}, spec: {colour: red}}";
    let refused = house.refused(APPLY, unknown);
    assert!(
        refused.contains("unknown field \"spec.colour\""),
        "{refused}"
    );
    let typo = house.refused(
        APPLY,
        "{apiVersion: drover.dev/v1alpha1, kind: FailbackPollicy, metadata: {name: x}}",
    );
    assert!(typo.contains("no matches for kind"), "{typo}");
    let apply = house.refused(&["apply", "--server-side", "--filename=-"], SHOP);
    assert!(
        apply.contains("use kubectl apply without --server-side"),
        "{apply}"
    );
}

#[test]
fn watching_and_waiting_see_what_happens() {
    // SPEC: KU-2, KU-4
    let house = House::open();
    house.with_input(APPLY, SHOP);
    let watch = [
        "get",
        "fbp",
        "--namespace=shop",
        "--watch",
        "--output=jsonpath={.metadata.labels.step}{\"\\n\"}",
    ];
    let mut watching = house
        .command(&watch)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "");
    for step in ["one", "two"] {
        house.ok(&[
            "label",
            "fbp",
            "home",
            "--namespace=shop",
            "--overwrite",
            &format!("step={step}"),
        ]);
        assert_eq!(lines.next().unwrap().unwrap(), step);
    }
    watching.kill().unwrap();
    watching.wait().unwrap();

    let until = "--for=jsonpath={.metadata.labels.step}=two";
    house.ok(&[
        "wait",
        "fbp/home",
        "--namespace=shop",
        until,
        "--timeout=10s",
    ]);
    house.ok(&["delete", "fbp", "home", "--namespace=shop", "--wait=false"]);
    house.ok(&[
        "wait",
        "fbp/home",
        "--namespace=shop",
        "--for=delete",
        "--timeout=10s",
    ]);
}

#[test]
fn nobody_gets_in_without_the_token() {
    // SPEC: BI-3
    let house = House::open();
    let refused = house.refused(&["get", "secrets", "--token=wrong"], "");
    assert!(
        refused.contains("Unauthorized") || refused.contains("logged in"),
        "{refused}"
    );
}
