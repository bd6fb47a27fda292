//! What the chart installs, and one process with the rights of its service account and no other: the quickstart
//! is applied, rehearsed, moved and brought home with `kubectl` alone, while another tool applies it again
//! and again.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use drover_tests::{chart, rights};
use serde_json::{Value, json};

use crate::cluster::{Cluster, declared, drill};
use crate::process::Process;

/// The webhook must answer: what it does not answer is refused.
const VALUES: &str = "webhook: { failurePolicy: Fail }";
const OPERATOR: &str = "system:serviceaccount:drover-system:drover";
/// Of the service in this test: the usual one is for those alone who may do everything on a machine.
const PORT: u16 = 9443;

const PATIENCE: &str = "--timeout=300s";

/// A process with the arguments of the chart's deployment, as its service account.
fn start(cluster: &Cluster) -> Process {
    let address = give_address(cluster);
    let documents = chart::render(VALUES).unwrap();
    let mut deployments = documents.iter().filter(|one| one.kind() == "Deployment");
    let deployment = &deployments.next().unwrap().value;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let of_chart = container["args"].as_array().unwrap();
    let mut arguments: Vec<String> = of_chart
        .iter()
        .map(|argument| argument.as_str().unwrap())
        .map(|argument| match argument.split_once('=') {
            // A pod has addresses of its own.
            Some(("--listen", _)) => "--listen=127.0.0.1:0".to_owned(),
            Some(("--webhook-listen", _)) => format!("--webhook-listen={address}"),
            _ => argument.to_owned(),
        })
        .collect();
    // And it knows its namespace.
    arguments.push(format!("--lease-namespace={}", chart::NAMESPACE));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut process = Process::start_as(cluster, &kubeconfig(cluster), &arguments);
    process.until("the API server trusts the webhook");
    process
}

/// Where the API server finds the webhook: at the address of its service. No pod and no proxy is behind it,
/// but whoever listens there.
fn give_address(cluster: &Cluster) -> String {
    let port = |path: &str| json!([{ "op": "replace", "path": path, "value": PORT }]).to_string();
    let patch = |object: &str, path: &str| {
        let namespace = ["--namespace", chart::NAMESPACE];
        let patch = ["patch", object, "--type=json", "--patch", &port(path)].map(str::to_owned);
        let patch: Vec<&str> = patch.iter().map(String::as_str).collect();
        let said = cluster.anywhere(&[&namespace[..], &patch].concat(), "");
        assert!(said.fine, "{}", said.talk);
    };
    patch("service/drover-webhook", "/spec/ports/0/port");
    patch(
        "validatingwebhookconfiguration/drover",
        "/webhooks/0/clientConfig/service/port",
    );
    let of_service = ["get", "service", "drover-webhook", "--output", "json"];
    let namespace = ["--namespace", chart::NAMESPACE];
    let said = cluster.anywhere(&[&namespace[..], &of_service].concat(), "");
    let service: Value = serde_json::from_str(&said.data).unwrap();
    format!("{}:{PORT}", service["spec"]["clusterIP"].as_str().unwrap())
}

/// The token of the service account and nothing more.
fn kubeconfig(cluster: &Cluster) -> PathBuf {
    let create = ["create", "token", "drover", "--namespace", chart::NAMESPACE];
    let token = cluster.anywhere(&create, "").data;
    let admin = fs::read_to_string(cluster.control_plane.kubeconfig_path()).unwrap();
    let mut config: Value = serde_json::from_str(&admin).unwrap();
    config["users"][0]["user"] = json!({ "token": token.trim() });
    let path = cluster.folder.path().join("operator.kubeconfig");
    fs::write(&path, config.to_string()).unwrap();
    path
}

/// The files of a repository, and what a tool does that keeps a cluster as they say.
struct Repository {
    at_secondary: AtomicBool,
    closed: AtomicBool,
    applied: AtomicUsize,
}

impl Repository {
    fn text(&self) -> String {
        let text = declared();
        if self.at_secondary.load(Ordering::SeqCst) {
            let moved = text.replace("activeSite: primary ", "activeSite: secondary ");
            assert_ne!(text, moved);
            return moved;
        }
        text
    }

    /// Applies what is declared as a manager of its own, without force: a field that another manager owns
    /// and has changed is a conflict.
    fn apply(&self, cluster: &Cluster) {
        let apply = ["apply", "--server-side", "--field-manager=gitops"];
        let said = cluster.anywhere(&[&apply[..], &["--filename=-"]].concat(), &self.text());
        assert!(said.fine, "{}", said.talk);
        self.applied.fetch_add(1, Ordering::SeqCst);
    }

    /// Over and over, until it is closed.
    fn apply_in_a_loop(&self, cluster: &Cluster) {
        while !self.closed.load(Ordering::SeqCst) {
            self.apply(cluster);
        }
    }
}

/// Closes the repository also where a test fails: otherwise nobody would hear of that.
struct Close<'a>(&'a Repository);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
    }
}

fn wait(cluster: &Cluster, object: &str, what: &str) {
    cluster.kubectl(&["wait", object, &format!("--for={what}"), PATIENCE]);
}

/// Waits for this run, and has it approved and committed.
fn see_through(cluster: &Cluster, number: u32, approves: bool) {
    let name = format!("shop-{number}");
    let run = format!("recoveryrun/{name}");
    wait(cluster, &run, "create");
    if approves {
        wait(cluster, &run, "condition=ApprovalPending");
        cluster.decide(&name, "Approve", Some(("web", "business-says-go")));
    }
    wait(cluster, &run, "jsonpath={.status.phase}=CommitPending");
    cluster.decide(&name, "Commit", None);
    wait(cluster, &run, "jsonpath={.status.phase}=Committed");
}

fn is_clean(cluster: &Cluster, repository: &Repository) {
    for how in [
        &["diff", "--filename=-"][..],
        &[
            "diff",
            "--server-side",
            "--field-manager=gitops",
            "--filename=-",
        ],
    ] {
        let said = cluster.anywhere(how, &repository.text());
        assert!(said.fine, "{how:?}: {}{}", said.data, said.talk);
    }
}

/// What the operator owns of what people declare is its status and its finalizers.
fn owns_no_field_of_people(cluster: &Cluster) {
    for kind in [
        "recoveryplan",
        "protectiongroup",
        "replicationpolicy",
        "site",
    ] {
        let get = ["get", kind, "--show-managed-fields", "--output", "json"];
        let list: Value = serde_json::from_str(&cluster.kubectl(&get)).unwrap();
        for object in list["items"].as_array().unwrap() {
            let managers = object["metadata"]["managedFields"].as_array().unwrap();
            let mut managers = managers.iter();
            let gitops = managers
                .clone()
                .find(|one| one["manager"] == "gitops")
                .unwrap();
            assert!(gitops["fieldsV1"]["f:spec"].is_object(), "{gitops:#}");
            let theirs = managers
                .find(|one| one["manager"] != "gitops" && !one["fieldsV1"]["f:spec"].is_null());
            assert_eq!(theirs, None, "{kind}");
        }
    }
}

#[test]
fn the_quickstart_is_lived_with_kubectl_alone() {
    // SPEC: KU-1, KU-2, KU-3, FO-3, FB-1, TF-1
    let cluster = Cluster::installed(VALUES);
    let process = start(&cluster);
    let repository = Repository {
        at_secondary: AtomicBool::new(false),
        closed: AtomicBool::new(false),
        applied: AtomicUsize::new(0),
    };
    repository.apply(&cluster);
    thread::scope(|scope| {
        let closing = Close(&repository);
        let tool = scope.spawn(|| repository.apply_in_a_loop(&cluster));

        cluster.apply(&drill());
        wait(
            &cluster,
            "recoverydrill/shop-november",
            "jsonpath={.status.phase}=Standing",
        );
        cluster.kubectl(&["delete", "recoverydrill", "shop-november", PATIENCE]);
        wait(&cluster, "rp/shop", "condition=FailoverReady");

        // A merge, and the tool does the rest.
        repository.at_secondary.store(true, Ordering::SeqCst);
        see_through(&cluster, 2, true);
        assert_eq!(
            cluster.object("rp", "shop")["status"]["activeSite"],
            "secondary"
        );
        is_clean(&cluster, &repository);
        // The way home copies what differs first: so its failback policy says.
        repository.at_secondary.store(false, Ordering::SeqCst);
        see_through(&cluster, 3, false);
        let reprotect = "recoveryrun/shop-4";
        wait(&cluster, reprotect, "create");
        wait(&cluster, reprotect, "jsonpath={.status.phase}=Protected");
        wait(&cluster, "rp/shop", "condition=FailoverReady");

        drop(closing);
        tool.join().unwrap();
    });
    println!(
        "applied {} times meanwhile",
        repository.applied.load(Ordering::SeqCst)
    );

    // There and back are two changes, whoever applied them how often.
    let plan = cluster.object("rp", "shop");
    assert_eq!(plan["metadata"]["generation"], 3, "{plan:#}");
    assert_eq!(plan["status"]["activeSite"], "primary");
    is_clean(&cluster, &repository);
    owns_no_field_of_people(&cluster);
    has_the_rights_that_it_needs(&cluster);
    drop(process);
}

fn has_the_rights_that_it_needs(cluster: &Cluster) {
    let log = fs::read_to_string(cluster.control_plane.audit_log_path()).unwrap();
    assert!(
        rights::missed(&log, OPERATOR).is_empty(),
        "{:?}",
        rights::missed(&log, OPERATOR)
    );
    let used = rights::used(&log, OPERATOR);
    let granted = rights::granted(&chart::render(VALUES).unwrap(), chart::NAMESPACE, "drover");
    let difference = rights::compare(&granted, &used);
    let missing: Vec<String> = difference.missing.iter().map(ToString::to_string).collect();
    assert_eq!(missing, Vec::<String>::new());
    // Those of the webhook are used here; all others are looked at where a whole life is lived. A certificate
    // is written anew when it is about to expire.
    let of_webhook = |right: &&rights::Right| {
        let secret = right.resource == "secrets" && right.name.is_some();
        let renewed = secret && right.verb == "update";
        (secret || right.resource == "validatingwebhookconfigurations") && !renewed
    };
    let idle = difference.idle.iter().filter(of_webhook);
    let idle: Vec<String> = idle.map(ToString::to_string).collect();
    assert_eq!(idle, Vec::<String>::new());
}
