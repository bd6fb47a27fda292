//! `drover apply`: a cluster is made to hold what manifests say.
//!
//! For programs there is an `ApplyReport`:
//!
//! ```json
//! {
//!   "apiVersion": "drover.dev/v1alpha1", "kind": "ApplyReport", "dryRun": null,
//!   "objects": [{ "kind": "RecoveryPlan", "namespace": "shop", "name": "shop",
//!                 "outcome": "configured", "error": null }]
//! }
//! ```

use std::collections::BTreeSet;

use drover_api::{KINDS, Object};
use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde::Serialize;
use serde_json::Value;

use super::ask::{self, Confirmation};
use super::delete::meaning;
use super::{read, refuse, shown};
use crate::cli::{Apply, DryRun, TextOrData};
use crate::cluster::access::{Access, block_on};
use crate::cluster::apply::{self, APPLIED_BY, Mode, Outcome, Surplus};
use crate::cluster::error::{failed, words};
use crate::cluster::reading;
use crate::cluster::written::{self, Key, Written};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::File;
use crate::manifests::{Findings, Manifests};
use crate::output::Output;
use crate::report::Report;
use crate::text::count;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    dry_run: Option<&'static str>,
    objects: Vec<Row>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    kind: &'static str,
    namespace: Option<String>,
    name: String,
    outcome: Option<Outcome>,
    error: Option<String>,
}

/// Applies manifests.
///
/// # Errors
/// When they cannot be read, or the cluster does not answer.
pub fn run(arguments: &Apply, output: &mut Output) -> Result<Exit, Failure> {
    let files = read(&arguments.paths, output)?;
    let manifests = Manifests::load(&files)?;
    if let Some(findings) = manifests.unreadable() {
        return Ok(wrong(&findings, &manifests, output));
    }
    block_on(async {
        let access = Access::open(&arguments.target).await?;
        Application {
            arguments,
            access,
            rows: Vec::new(),
        }
        .run(&files, manifests, output)
        .await
    })
}

fn wrong(findings: &Findings, manifests: &Manifests<'_>, output: &mut Output) -> Exit {
    let problems = shown(findings, manifests, output.talk_style());
    output.talk(&problems);
    refuse(findings, output);
    output.talk("nothing was applied");
    Exit::Wrong
}

struct Application<'a> {
    arguments: &'a Apply,
    access: Access,
    rows: Vec<Row>,
}

impl Application<'_> {
    async fn run(
        mut self,
        files: &[File],
        mut manifests: Manifests<'_>,
        output: &mut Output,
    ) -> Result<Exit, Failure> {
        let mut objects = written::read(&manifests.sources, self.access.namespace());
        debug_assert_eq!(
            objects.len(),
            manifests.objects.len(),
            "{} files",
            files.len()
        );
        place(&mut manifests.objects, &objects);
        let findings = self.check(&manifests, &objects).await?;
        if findings.has_errors() {
            return Ok(wrong(&findings, &manifests, output));
        }
        if findings.summary.warnings > 0 {
            let problems = shown(&findings, &manifests, output.talk_style());
            output.talk(&problems);
        }
        objects.sort_by_key(Written::key);
        if let Some(set) = &self.arguments.set {
            for object in &mut objects {
                apply::mark(object, set);
            }
        }
        if let Some(revision) = &self.arguments.revision {
            for object in &mut objects {
                apply::revise(object, revision);
            }
        }
        let surplus = self.surplus(&objects).await?;
        self.confirm(&surplus, output)?;
        self.namespaces(&objects, output).await?;
        for object in &objects {
            self.apply(object, output).await?;
        }
        for each in &surplus {
            self.prune(each, output).await?;
        }
        self.conclude(output)
    }

    fn mode(&self) -> Mode {
        match self.arguments.dry_run {
            None => Mode::Real,
            Some(DryRun::Client) => Mode::DryHere,
            Some(DryRun::Server) => Mode::DryThere,
        }
    }

    /// Checks the manifests together with what is in the cluster: what they refer to may be there
    /// already. Only problems of the manifests are told.
    async fn check(
        &self,
        manifests: &Manifests<'_>,
        objects: &[Written],
    ) -> Result<Findings, Failure> {
        let own: BTreeSet<Key> = objects.iter().map(Written::key).collect();
        let mut all = manifests.objects.clone();
        for info in KINDS
            .iter()
            .filter(|info| info.written_by_people && info.kind != "RunDecision")
        {
            for found in reading::list(self.access.client(), info, None, None).await? {
                let key = Key::new(info, found.namespace(), found.name_any());
                if own.contains(&key) || self.will_be_pruned(&found) {
                    continue;
                }
                // One that cannot be read is not the business of these manifests.
                if let Some(Ok(object)) = Object::deserialize_kind(info.kind, reading::json(&found))
                {
                    all.push(object);
                }
            }
        }
        let declared = Declared::new(&all);
        let inventories = declared_inventories(&declared);
        Ok(manifests
            .check(&declared, &inventories, Timestamp::now())
            .of_manifests())
    }

    fn will_be_pruned(&self, object: &kube::api::DynamicObject) -> bool {
        let set = self.arguments.set.as_ref().filter(|_| self.arguments.prune);
        set.is_some_and(|set| object.labels().get(APPLIED_BY) == Some(set))
    }

    async fn surplus(&self, objects: &[Written]) -> Result<Vec<Surplus>, Failure> {
        let Some(set) = self.arguments.set.as_ref().filter(|_| self.arguments.prune) else {
            return Ok(Vec::new());
        };
        let kept = objects.iter().map(Written::key).collect();
        apply::surplus(self.access.client(), set, &kept).await
    }

    /// Says what would be deleted, and asks.
    fn confirm(&self, surplus: &[Surplus], output: &mut Output) -> Result<(), Failure> {
        if surplus.is_empty() || self.mode() != Mode::Real {
            return Ok(());
        }
        let set = self.arguments.set.clone().unwrap_or_default();
        let number = count(surplus.len(), "object");
        output.talk(&format!(
            "{number} of the set {set} are declared no longer and will be deleted:"
        ));
        for each in surplus {
            let name = shown_object(each);
            let meaning = meaning(each.info, &reading::json(&each.object));
            output.talk(&format!("  {name}: {}", meaning.words));
        }
        ask::confirm(&Confirmation::Typed(set), self.arguments.yes, output)
    }

    /// Namespaces that are missing are made, or named.
    async fn namespaces(&self, objects: &[Written], output: &mut Output) -> Result<(), Failure> {
        let api: Api<Namespace> = Api::all(self.access.client().clone());
        let wanted: BTreeSet<&String> = objects
            .iter()
            .filter_map(|object| object.namespace.as_ref())
            .collect();
        for name in wanted {
            match api.get_opt(name).await {
                Ok(Some(_)) => continue,
                // Who may not look at namespaces finds out when applying.
                Err(kube::Error::Api(status)) if status.is_forbidden() => continue,
                Err(error) => return Err(failed(format!("get namespace {name}"))(error)),
                Ok(None) if !self.arguments.create_namespaces => {
                    return Err(Failure::Refused {
                        what: format!("there is no namespace {name}; nothing was applied"),
                        hint: "--create-namespaces makes those that are missing".to_owned(),
                    });
                }
                Ok(None) => {}
            }
            if self.mode() == Mode::Real {
                let mut namespace = Namespace::default();
                namespace.metadata.name = Some(name.clone());
                api.create(&PostParams::default(), &namespace)
                    .await
                    .map_err(failed(format!("create namespace {name}")))?;
            }
            output.talk(&format!("namespace {name} created{}", self.suffix()));
        }
        Ok(())
    }

    async fn apply(&mut self, object: &Written, output: &mut Output) -> Result<(), Failure> {
        let result = apply::apply(self.access.client(), object, self.mode()).await;
        let mut row = Row {
            kind: object.info.kind,
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            outcome: None,
            error: None,
        };
        match result {
            Ok(applied) => {
                row.outcome = Some(applied.outcome);
                self.say(&object.shown(), applied.outcome, output)?;
                if let Some(note) = moved(object, applied.before.as_ref()) {
                    let style = output.talk_style();
                    output.talk(&format!("{} {note}", style.strong("note:")));
                }
            }
            Err(error) => {
                // The others do not depend on how this one went: they are tried, too.
                let failure = failed(format!("apply {}", object.shown()))(kube_error(&error));
                row.error = Some(words(&error));
                output.failure(&failure);
            }
        }
        self.rows.push(row);
        Ok(())
    }

    async fn prune(&mut self, surplus: &Surplus, output: &mut Output) -> Result<(), Failure> {
        let (info, object) = (surplus.info, &surplus.object);
        let name = object.name_any();
        let mut row = Row {
            kind: info.kind,
            namespace: object.namespace(),
            name: name.clone(),
            outcome: Some(Outcome::Pruned),
            error: None,
        };
        let api = self.access.objects(info, object.namespace().as_deref());
        let params = match self.mode() {
            Mode::DryHere => None,
            Mode::DryThere => Some(DeleteParams::default().dry_run()),
            // What was looked at, and no other of the same name.
            Mode::Real => Some(
                DeleteParams::default().preconditions(kube::api::Preconditions {
                    uid: object.uid(),
                    resource_version: object.resource_version(),
                }),
            ),
        };
        let result = match params {
            None => Ok(()),
            Some(params) => api.delete(&name, &params).await.map(|_| ()),
        };
        match result {
            Ok(()) => self.say(&shown_object(surplus), Outcome::Pruned, output)?,
            Err(error) => {
                row.outcome = None;
                row.error = Some(words(&error));
                output.failure(&failed(format!("delete {}", shown_object(surplus)))(error));
            }
        }
        self.rows.push(row);
        Ok(())
    }

    fn say(&self, object: &str, outcome: Outcome, output: &mut Output) -> Result<(), Failure> {
        if self.arguments.output != TextOrData::Text {
            return Ok(());
        }
        output.data(&format!("{object} {}{}\n", outcome.as_str(), self.suffix()))
    }

    fn suffix(&self) -> &'static str {
        match self.mode() {
            Mode::Real => "",
            Mode::DryHere => " (dry run)",
            Mode::DryThere => " (server dry run)",
        }
    }

    fn conclude(self, output: &mut Output) -> Result<Exit, Failure> {
        let number = |outcome| {
            self.rows
                .iter()
                .filter(|row| row.outcome == Some(outcome))
                .count()
        };
        let mut parts = Vec::new();
        for outcome in [
            Outcome::Created,
            Outcome::Configured,
            Outcome::Unchanged,
            Outcome::Pruned,
        ] {
            if number(outcome) > 0 {
                parts.push(format!("{} {}", number(outcome), outcome.as_str()));
            }
        }
        let wrong = self.rows.iter().filter(|row| row.error.is_some()).count();
        if wrong > 0 {
            parts.push(format!("{wrong} failed"));
        }
        let summary = format!(
            "{}: {}{}",
            count(self.rows.len(), "object"),
            parts.join(", "),
            self.suffix()
        );
        let dry_run = match self.arguments.dry_run {
            None => None,
            Some(DryRun::Client) => Some("client"),
            Some(DryRun::Server) => Some("server"),
        };
        let report = Report::new(
            "ApplyReport",
            Body {
                dry_run,
                objects: self.rows,
            },
        );
        match self.arguments.output {
            TextOrData::Text => {}
            TextOrData::Json => output.json(&report)?,
            TextOrData::Yaml => output.yaml(&report)?,
        }
        output.talk(&summary);
        Ok(if wrong > 0 { Exit::Wrong } else { Exit::Fine })
    }
}

/// Objects know their namespace, so that they are found among those of the cluster.
fn place(objects: &mut [Object], written: &[Written]) {
    for (object, written) in objects.iter_mut().zip(written) {
        if let Ok(placed) = written.object() {
            *object = placed;
        }
    }
}

/// What a changed line may set going.
fn moved(object: &Written, before: Option<&Value>) -> Option<String> {
    let word = |value: &Value, place: &str| {
        let word = value.pointer(place).and_then(Value::as_str);
        word.map(str::to_owned)
    };
    if object.info.kind != "RecoveryPlan" {
        return None;
    }
    let declared = "/spec/activeSite";
    let (was, is) = (word(before?, declared)?, word(&object.value, declared)?);
    let there = word(before?, "/status/activeSite").is_some_and(|actual| actual == is);
    let follows = if there {
        "its machines are there, so no run starts"
    } else {
        "a run starts as soon as its guards allow"
    };
    (was != is).then(|| {
        let plan = object.shown();
        format!("{plan} declares {is} now and declared {was} before: {follows}")
    })
}

fn shown_object(surplus: &Surplus) -> String {
    let object = &surplus.object;
    reading::shown(
        surplus.info,
        object.namespace().as_deref(),
        &object.name_any(),
    )
}

/// The client's errors cannot be copied, and this one is told twice.
fn kube_error(error: &kube::Error) -> kube::Error {
    match error {
        kube::Error::Api(status) => kube::Error::Api(status.clone()),
        other => kube::Error::Service(words(other).into()),
    }
}
