//! Every field that people declare is changed while it is in use, and changed back.
//!
//! Fields come from the definitions, their other values from `tests/fixtures/every-field.yaml`, so that
//! a new field is covered by itself. The method is that of Acto (SOSP'23): whatever is asked for, the API
//! server refuses it, or the operator follows, or it says what it waits for; and when it is asked for what
//! there was before, everything is as it was before.

use std::{
    collections::BTreeMap,
    env, fs,
    time::{Duration, Instant},
};

use drover_tests::manifests;
use http::Request;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::world::{World, is_true};

/// One object of each kind that people declare.
const DECLARED: &[(&str, &str, &str)] = &[
    ("sites", "", "seoul"),
    ("replicationpolicies", "life", "gold"),
    ("networkmappings", "life", "seoul-busan"),
    ("failbackpolicies", "life", "home"),
    ("protectiongroups", "life", "data"),
    ("recoveryplans", "life", "shop"),
];

/// Fields of which a change is meant to start a run: other tests do that.
const STARTING: &[&str] = &["recoveryplans.activeSite", "recoveryplans.request"];

/// An operator that has not looked after so long will not look at all.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// Failures that are told of; each took as long as patience lasts.
const MOST_WRONG: usize = 3;

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// By the API server.
    Refused,
    Followed,
    /// With a condition that says why.
    Held,
}

struct Change {
    about: String,
    target: usize,
    spec: Value,
}

struct Campaign {
    client: Client,
    originals: Vec<Value>,
}

#[test]
fn whatever_is_changed_is_refused_followed_or_held_and_can_be_changed_back() {
    // SPEC: BI-1, KU-4, PL-8
    let world = World::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (counts, wrong) = runtime.block_on(async {
        let campaign = Campaign::new(&world).await;
        let mut counts = BTreeMap::<Outcome, usize>::new();
        let mut wrong = Vec::new();
        for change in campaign.changes() {
            match campaign.make(&change).await {
                Ok(outcome) => *counts.entry(outcome).or_default() += 1,
                Err(error) => wrong.push(error),
            }
            // What comes after a world that is out of joint says nothing new.
            if wrong.len() == MOST_WRONG {
                break;
            }
        }
        (counts, wrong)
    });
    println!("{counts:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let runs = world.get(&["recoveryruns"]).unwrap();
    assert_eq!(runs["items"], json!([]), "no change started a run");
    assert!(world.sites.violations().is_empty());
}

#[test]
fn a_failover_is_what_was_compiled_whatever_is_changed_meanwhile() {
    // SPEC: FO-7
    let world = World::new();
    let run = world.fail_over("secondary");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let counts = runtime.block_on(async {
        let campaign = Campaign::new(&world).await;
        let mut counts = [0, 0];
        let plans = |change: &Change| DECLARED[change.target].0 == "recoveryplans";
        for change in campaign.changes().into_iter().filter(plans) {
            let taken = campaign.put(change.target, &change.spec).await.is_ok();
            counts[usize::from(taken)] += 1;
            let original = &campaign.originals[change.target]["spec"];
            campaign.put(change.target, original).await.unwrap();
        }
        counts
    });
    println!("during a failover: {counts:?} refused and taken");
    world.completes(&run);
}

impl Campaign {
    async fn new(world: &World) -> Self {
        let kubeconfig = Kubeconfig::read_from(world.control_plane.kubeconfig_path()).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let mut campaign = Self {
            client: Client::try_from(config.unwrap()).unwrap(),
            originals: Vec::new(),
        };
        for target in 0..DECLARED.len() {
            let object = campaign.get(target).await;
            campaign.originals.push(object);
        }
        campaign
    }

    /// All changes, in the order of kinds and of their fields.
    fn changes(&self) -> Vec<Change> {
        let fixture = manifests::repository().join("tests/fixtures/every-field.yaml");
        let fixture = fs::read_to_string(fixture).unwrap();
        let examples: Vec<Value> = serde_yaml::from_multiple(&fixture).unwrap();
        let mut changes = Vec::new();
        for (target, (plural, _, _)) in DECLARED.iter().enumerate() {
            let original = &self.originals[target];
            let of_kind = |example: &&Value| example["kind"] == original["kind"];
            let examples: Vec<&Value> = examples.iter().filter(of_kind).collect();
            let mut fields = Vec::new();
            walk(&schema(plural)["properties"]["spec"], &[], &mut fields);
            for (path, schema) in fields {
                let about = format!("{plural}.{}", path.join("."));
                if STARTING.iter().any(|starting| about.starts_with(starting)) {
                    continue;
                }
                let pointer = format!("/spec/{}", path.join("/"));
                let now = original.pointer(&pointer);
                let other = examples
                    .iter()
                    .filter_map(|example| example.pointer(&pointer))
                    .find(|value| Some(*value) != now);
                let values = [
                    ("other", other.cloned()),
                    ("wrong", Some(wrong_value(&schema))),
                    ("removed", now.map(|_| Value::Null)),
                ];
                for (how, value) in values {
                    if let Some(value) = value {
                        changes.push(Change {
                            about: format!("{about} {how}"),
                            target,
                            spec: with(&original["spec"], &path, value),
                        });
                    }
                }
            }
        }
        if env::var_os("DROVER_LONG").is_none() {
            // The wrong values of fields deep down are refused by the schema alone.
            changes.retain(|change| {
                !(change.about.ends_with("wrong") && change.about.matches('.').count() > 2)
            });
        }
        changes
    }

    /// There and back.
    async fn make(&self, change: &Change) -> Result<Outcome, String> {
        let about = &change.about;
        let outcome = match self.put(change.target, &change.spec).await {
            Err(refusal) if [400, 422].contains(&refusal) => Outcome::Refused,
            Err(code) => return Err(format!("{about}: the API server answered {code}")),
            Ok(()) => self.followed(change).await?,
        };
        if outcome != Outcome::Refused {
            let original = &self.originals[change.target]["spec"];
            let back = self.put(change.target, original).await;
            back.map_err(|code| format!("{about}: cannot be changed back: {code}"))?;
            self.as_before(about).await?;
        }
        Ok(outcome)
    }

    async fn followed(&self, change: &Change) -> Result<Outcome, String> {
        let started = Instant::now();
        loop {
            let object = self.get(change.target).await;
            if object["status"]["observedGeneration"] == object["metadata"]["generation"] {
                let conditions = object["status"]["conditions"].as_array();
                let mut conditions = conditions.into_iter().flatten();
                let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
                if is_true(&object, "Ready") {
                    return Ok(Outcome::Followed);
                }
                if conditions.any(|each| each["status"] != "True" && text(&each["message"])) {
                    return Ok(Outcome::Held);
                }
            }
            if started.elapsed() > PATIENCE {
                let (about, status) = (&change.about, &object["status"]);
                return Err(format!("{about}: neither followed nor held: {status:#}"));
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// All that is declared is ready, and all machines are protected.
    async fn as_before(&self, about: &str) -> Result<(), String> {
        let started = Instant::now();
        loop {
            let Some(why) = self.differs().await else {
                return Ok(());
            };
            if started.elapsed() > PATIENCE {
                return Err(format!("{about}: changed back, but {why}"));
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    async fn differs(&self) -> Option<String> {
        for (target, (plural, _, name)) in DECLARED.iter().enumerate() {
            let (object, before) = (self.get(target).await, &self.originals[target]);
            let current =
                object["status"]["observedGeneration"] == object["metadata"]["generation"];
            let mut conditions = before["status"]["conditions"]
                .as_array()
                .into_iter()
                .flatten();
            let same = conditions.all(|condition| {
                let kind = condition["type"].as_str().unwrap_or_default();
                is_true(&object, kind) == (condition["status"] == "True")
            });
            if !current || !same {
                return Some(format!("{plural} {name} is not: {:#}", object["status"]));
            }
        }
        let machines = self
            .ask(
                "GET",
                "/apis/drover.dev/v1alpha1/protectedmachines",
                &Value::Null,
            )
            .await
            .unwrap();
        let machines = machines["items"].as_array().unwrap();
        let protected = |machine: &&Value| machine["status"]["phase"] == "Protected";
        (machines.iter().filter(protected).count() != 3)
            .then(|| format!("not all machines are protected: {machines:#?}"))
    }

    async fn get(&self, target: usize) -> Value {
        self.ask("GET", &path(target), &Value::Null).await.unwrap()
    }

    async fn put(&self, target: usize, spec: &Value) -> Result<(), u16> {
        // The operator writes the status meanwhile.
        loop {
            let mut object = self.get(target).await;
            object["spec"] = spec.clone();
            match self.ask("PUT", &path(target), &object).await {
                Err(409) => {}
                done => return done.map(drop),
            }
        }
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, u16> {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Content-Type", "application/json")
            .body(body)
            .unwrap();
        self.client
            .request(request)
            .await
            .map_err(|error| match error {
                kube::Error::Api(status) => status.code,
                other => panic!("{path}: {other}"),
            })
    }
}

fn path(target: usize) -> String {
    let (plural, namespace, name) = DECLARED[target];
    let root = "/apis/drover.dev/v1alpha1";
    if namespace.is_empty() {
        format!("{root}/{plural}/{name}")
    } else {
        format!("{root}/namespaces/{namespace}/{plural}/{name}")
    }
}

fn schema(plural: &str) -> Value {
    let file = manifests::repository().join(format!("crds/{plural}.yaml"));
    let text = fs::read_to_string(file).unwrap();
    let definition: Value = serde_yaml::from_str(&text).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// All fields below a schema, with theirs. Lists are changed as a whole.
fn walk(schema: &Value, above: &[String], fields: &mut Vec<(Vec<String>, Value)>) {
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = [above, std::slice::from_ref(name)].concat();
        fields.push((path.clone(), below.clone()));
        walk(below, &path, fields);
    }
}

/// What the schema does not allow.
fn wrong_value(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("integer" | "number") => json!(-1),
        Some("boolean" | "object") => json!("!"),
        Some("array") => json!([{ "!": "!" }]),
        _ => json!("!".repeat(5000)),
    }
}

/// A specification with another value at a path; what is above it is made where it is not there.
fn with(spec: &Value, path: &[String], value: Value) -> Value {
    let mut spec = spec.clone();
    let mut place = &mut spec;
    for step in path {
        place = &mut place[step.as_str()];
    }
    *place = value;
    without_nulls(&mut spec);
    spec
}

fn without_nulls(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(without_nulls);
    }
}
