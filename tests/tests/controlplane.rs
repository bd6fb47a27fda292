//! The test control plane: what every end-to-end test stands on.
#![cfg(test)]

use std::{
    env,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use drover_tests::controlplane::ControlPlane;
use serde_json::Value;

/// Set in the process that starts a control plane in order to be killed.
const VICTIM: &str = "DROVER_TEST_VICTIM";

/// The kernel closes files and ends processes in milliseconds; a busy machine takes longer.
const GONE_TIMEOUT: Duration = Duration::from_secs(30);

#[test]
fn serves_the_pinned_version() {
    // Given the shared control plane
    let control_plane = ControlPlane::shared().unwrap();

    // When its version is asked for
    let answer = json(
        &control_plane
            .kubectl(&["version", "--output=json"])
            .unwrap(),
    );

    // Then it and its kubectl are the release that go.mod pins, not v0.0.0-master; or some release,
    // where somebody brought binaries of their own.
    let server = answer["serverVersion"]["gitVersion"].as_str().unwrap();
    let client = answer["clientVersion"]["gitVersion"].as_str().unwrap();
    if env::var_os("KUBEBUILDER_ASSETS").is_none() {
        let mut pins = include_str!("../controlplane/go.mod").lines();
        let pinned = pins.find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "));
        let pinned = pinned.unwrap().split(' ').next().unwrap();
        assert_eq!((server, client), (pinned, pinned));
    }
    assert!(server.starts_with("v1."), "{server}");
}

#[test]
fn keeps_what_is_created() {
    // Given a namespace
    let control_plane = ControlPlane::shared().unwrap();
    succeeds(
        &control_plane
            .kubectl(&["create", "namespace", "keeps"])
            .unwrap(),
    );

    // When a config map is applied from text
    let text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {key: value}}";
    let apply = ["apply", "--namespace=keeps", "--filename=-"];
    succeeds(&control_plane.kubectl_with_input(&apply, text).unwrap());

    // Then it is there; and what does not exist is an answer with a non-zero exit.
    let get = ["get", "configmap", "--namespace=keeps", "--output=json"];
    let seen = json(&control_plane.kubectl(&[&get[..], &["a"]].concat()).unwrap());
    assert_eq!(seen["data"]["key"], "value");
    let absent = control_plane.kubectl(&[&get[..], &["b"]].concat()).unwrap();
    assert_eq!(absent.status.code(), Some(1));
}

#[test]
fn refuses_who_is_not_allowed() {
    // Given the shared control plane
    let control_plane = ControlPlane::shared().unwrap();

    // When a service account, which nobody gave any rights, asks
    let who = "--as=system:serviceaccount:default:nobody";
    let answer = control_plane.kubectl(&["get", "secrets", who]).unwrap();

    // Then RBAC says no: tests of Drover's own role can trust it.
    assert!(!answer.status.success());
    let message = String::from_utf8_lossy(&answer.stderr);
    assert!(message.contains("Forbidden"), "{message}");
}

#[test]
fn accepts_the_token_of_a_service_account() {
    // Given a service account
    let control_plane = ControlPlane::shared().unwrap();
    succeeds(
        &control_plane
            .kubectl(&["create", "namespace", "accepts"])
            .unwrap(),
    );
    let create = ["create", "serviceaccount", "drover", "--namespace=accepts"];
    succeeds(&control_plane.kubectl(&create).unwrap());

    // When somebody comes with a token made for it
    let token = ["create", "token", "drover", "--namespace=accepts"];
    let token = succeeds(&control_plane.kubectl(&token).unwrap());
    let token = format!("--token={}", token.trim());
    let answer = control_plane
        .kubectl(&["auth", "whoami", "--output=json", &token])
        .unwrap();

    // Then they are that service account: one key signs and checks.
    let user = &json(&answer)["status"]["userInfo"]["username"];
    assert_eq!(user, "system:serviceaccount:accepts:drover");
}

#[test]
fn ends_a_namespace_when_there_are_controllers() {
    // Given a control plane with controllers, and an object in a namespace
    let control_plane = ControlPlane::start_with_controllers().unwrap();
    succeeds(
        &control_plane
            .kubectl(&["create", "namespace", "ends"])
            .unwrap(),
    );
    succeeds(
        &control_plane
            .kubectl(&["create", "configmap", "a", "--namespace=ends"])
            .unwrap(),
    );

    // When the namespace is deleted
    let delete = [
        "delete",
        "namespace",
        "ends",
        "--wait=true",
        "--timeout=30s",
    ];

    // Then it goes, instead of staying `Terminating` for ever.
    succeeds(&control_plane.kubectl(&delete).unwrap());
}

#[test]
fn ends_when_dropped() {
    // Given a control plane of one's own
    let control_plane = ControlPlane::start().unwrap();
    let url = control_plane.url();
    let folder = control_plane.kubeconfig_path().parent().unwrap().to_owned();
    assert_eq!(
        processes_of(&folder),
        3,
        "etcd, kube-apiserver and the watchdog"
    );

    // When it is dropped
    drop(control_plane);

    // Then nothing of it is left.
    assert!(is_gone(&url, &folder));
}

#[test]
fn ends_when_its_process_is_killed() {
    // Given another process (this very test, told to be the victim) with a control plane
    if env::var_os(VICTIM).is_some() {
        let control_plane = ControlPlane::shared().unwrap();
        let kubeconfig = control_plane.kubeconfig_path();
        println!(
            "\nstarted {} {}",
            control_plane.url(),
            kubeconfig.parent().unwrap().display()
        );
        loop {
            thread::park();
        }
    }
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "ends_when_its_process_is_killed", "--nocapture"])
        .env(VICTIM, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let started = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("started ").map(str::to_owned))
        .expect("the victim starts a control plane");
    let (url, folder) = started.split_once(' ').unwrap();
    let folder = Path::new(folder);
    assert!(!is_gone(url, folder));

    // When it is killed without a chance to run anything
    victim.kill().unwrap();
    assert_eq!(victim.wait().unwrap().signal(), Some(9));

    // Then its control plane goes too.
    let killed = Instant::now();
    while !is_gone(url, folder) {
        assert!(
            killed.elapsed() < GONE_TIMEOUT,
            "{} processes are left",
            processes_of(folder)
        );
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_gone(url: &str, folder: &Path) -> bool {
    let address = url.strip_prefix("https://").unwrap();
    TcpStream::connect(address).is_err() && processes_of(folder) == 0 && !folder.exists()
}

/// How many processes run whose command line names `folder`.
fn processes_of(folder: &Path) -> usize {
    let listing = Command::new("ps")
        .args(["-A", "-ww", "-o", "args="])
        .output()
        .unwrap();
    let listing = succeeds(&listing);
    listing
        .lines()
        .filter(|line| line.contains(folder.to_str().unwrap()))
        .count()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&succeeds(output)).unwrap()
}

/// What it wrote, provided that it succeeded.
fn succeeds(output: &Output) -> String {
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {message}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
