//! Bringing what manifests say into the API, object by object, when they change.
//!
//! Manifests with errors change nothing: what was applied last stays. What is in the manifests no longer
//! is told, and deleted only where that was asked for.

use std::collections::BTreeSet;
use std::path::PathBuf;

use drover_api::{KINDS, KindInfo, Object};
use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt as _};

use super::applied::{Applied, Who};
use super::home::NAMESPACE;
use super::story::{Line, Mood};
use crate::cluster::access::objects;
use crate::cluster::apply::{self, Mode, Outcome};
use crate::cluster::error::{failed, words};
use crate::cluster::reading;
use crate::cluster::written::{self, Key, Written};
use crate::commands::{shown, summary};
use crate::failure::Failure;
use crate::files;
use crate::manifests::{Findings, Manifests};
use crate::text::{Style, count};

/// What a pass over the manifests has to say.
#[derive(Debug, Default)]
pub struct Said {
    /// Problems as `drover validate` prints them.
    pub problems: Option<String>,
    /// What was done.
    pub lines: Vec<Line>,
    /// Whether another pass may get further although nothing changed.
    pub again: bool,
}

impl Said {
    fn line(&mut self, mood: Mood, text: impl Into<String>) {
        self.lines.push(Line::new(mood, text));
    }
}

/// Brings manifests into the API.
pub struct Keeper {
    client: Client,
    applied: Applied,
    prune: bool,
    style: Style,
    /// Who is declared no longer and was told.
    told: BTreeSet<Who>,
}

impl Keeper {
    /// A keeper of what was applied so far.
    pub fn new(client: Client, applied: Applied, prune: bool, style: Style) -> Self {
        Self {
            client,
            applied,
            prune,
            style,
            told: BTreeSet::new(),
        }
    }

    /// Looks at the manifests and applies what changed in them.
    ///
    /// # Errors
    /// When what was applied cannot be written down. What is wrong with manifests, or refused by the
    /// API, is told instead.
    pub async fn pass(&mut self, paths: &[PathBuf]) -> Result<Said, Failure> {
        let mut said = Said::default();
        match self.try_pass(paths, &mut said).await {
            // A folder that cannot be read now, or holds nothing, says nothing about what is wanted.
            Err(failure @ Failure::Write { .. }) => return Err(failure),
            Err(failure) => {
                said.again = true;
                said.line(Mood::Bad, failure.in_one_line());
            }
            Ok(()) => {}
        }
        Ok(said)
    }

    async fn try_pass(&mut self, paths: &[PathBuf], said: &mut Said) -> Result<(), Failure> {
        let found = files::read(paths)?;
        if found.files.is_empty() {
            let text = match self.applied.all().count() {
                0 => "there are no manifests yet".to_owned(),
                number => format!(
                    "there are no manifests any more; the {} applied from them stay",
                    count(number, "object")
                ),
            };
            said.line(Mood::Notable, text);
            return Ok(());
        }
        let mut manifests = Manifests::load(&found.files)?;
        if let Some(findings) = manifests.unreadable() {
            self.refuse(&findings, &manifests, said);
            return Ok(());
        }
        let mut objects = written::read(&manifests.sources, NAMESPACE);
        for (object, written) in manifests.objects.iter_mut().zip(&objects) {
            if let Ok(placed) = written.object() {
                *object = placed;
            }
        }
        let findings = self.check(&manifests, &objects).await?;
        if findings.has_errors() {
            self.refuse(&findings, &manifests, said);
            return Ok(());
        }
        objects.sort_by_key(Written::key);
        let due: Vec<&Written> = objects
            .iter()
            .filter(|object| !self.applied.holds(object))
            .collect();
        if !due.is_empty() && findings.summary.warnings > 0 {
            said.problems = Some(shown(&findings, &manifests, self.style));
        }
        self.namespaces(&due, said).await?;
        for object in due {
            self.apply(object, said).await;
        }
        self.surplus(&objects, said).await?;
        self.applied.keep()
    }

    fn refuse(&self, findings: &Findings, manifests: &Manifests<'_>, said: &mut Said) {
        said.problems = Some(shown(findings, manifests, self.style));
        let numbers = summary(findings);
        let text = format!("{numbers}; nothing was applied, what was applied before stays");
        said.line(Mood::Bad, text);
    }

    /// Together with what is in the API already: manifests may refer to it.
    async fn check(
        &self,
        manifests: &Manifests<'_>,
        objects: &[Written],
    ) -> Result<Findings, Failure> {
        let own: BTreeSet<Key> = objects.iter().map(Written::key).collect();
        let mut all = manifests.objects.clone();
        let declared_by_people =
            |info: &&KindInfo| info.written_by_people && info.kind != "RunDecision";
        for info in KINDS.iter().filter(declared_by_people) {
            for found in reading::list(&self.client, info, None, None).await? {
                let key = Key::new(info, found.namespace(), found.name_any());
                if own.contains(&key) {
                    continue;
                }
                if let Some(Ok(object)) = Object::deserialize_kind(info.kind, reading::json(&found))
                {
                    all.push(object);
                }
            }
        }
        let declared = Declared::new(&all);
        let inventories = declared_inventories(&declared);
        let findings = manifests.check(&declared, &inventories, Timestamp::now());
        Ok(findings.of_manifests())
    }

    /// Whoever runs everything alone has nobody to ask for a namespace.
    async fn namespaces(&self, due: &[&Written], said: &mut Said) -> Result<(), Failure> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let wanted: BTreeSet<&String> = due
            .iter()
            .filter_map(|object| object.namespace.as_ref())
            .collect();
        for name in wanted {
            let found = api.get_opt(name).await;
            if found
                .map_err(failed(format!("get namespace {name}")))?
                .is_some()
            {
                continue;
            }
            let mut namespace = Namespace::default();
            namespace.metadata.name = Some(name.clone());
            let made = api.create(&PostParams::default(), &namespace).await;
            made.map_err(failed(format!("create namespace {name}")))?;
            said.line(
                Mood::Plain,
                format!("namespace {name}: created, it was missing"),
            );
        }
        Ok(())
    }

    async fn apply(&mut self, object: &Written, said: &mut Said) {
        match apply::apply(&self.client, object, Mode::Real).await {
            Ok(applied) => {
                self.applied.add(object);
                self.told.remove(&Who::of(object));
                if applied.outcome != Outcome::Unchanged {
                    let text = format!("{}: {}", object.shown(), applied.outcome.as_str());
                    said.line(Mood::Plain, text);
                }
            }
            Err(error) => {
                said.again = true;
                let text = format!("{}: not applied: {}", object.shown(), words(&error));
                said.line(Mood::Bad, text);
            }
        }
    }

    /// What was applied and is declared no longer: told once, or deleted.
    async fn surplus(&mut self, objects: &[Written], said: &mut Said) -> Result<(), Failure> {
        let kept: BTreeSet<Who> = objects.iter().map(Who::of).collect();
        let gone: Vec<Who> = self
            .applied
            .all()
            .filter(|who| !kept.contains(who))
            .cloned()
            .collect();
        let known = gone.into_iter().filter_map(|who| {
            let info = KindInfo::named(&who.kind)?;
            let key = Key::new(info, who.namespace.clone(), who.name.clone());
            Some((key, info, who))
        });
        let mut known: Vec<_> = known.collect();
        known.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        // What refers to others goes before them.
        for (_, info, who) in known.into_iter().rev() {
            self.leave(info, &who, said).await?;
        }
        Ok(())
    }

    async fn leave(&mut self, info: &KindInfo, who: &Who, said: &mut Said) -> Result<(), Failure> {
        let api = objects(&self.client, info, who.namespace.as_deref());
        let found = api.get_opt(&who.name).await;
        let Some(object) = found.map_err(failed(format!("get {who}")))? else {
            self.applied.forget(who);
            return Ok(());
        };
        // A decision is evidence: it is never taken back by a missing file.
        if !self.prune || info.kind == "RunDecision" {
            if self.told.insert(who.clone()) {
                let text =
                    format!("{who}: no manifest declares it any more; it stays (--prune deletes)");
                said.line(Mood::Notable, text);
            }
            return Ok(());
        }
        let params = DeleteParams::default().preconditions(Preconditions {
            uid: object.uid(),
            resource_version: None,
        });
        match api.delete(&who.name, &params).await {
            Ok(_) => {
                self.applied.forget(who);
                let text = format!("{who}: pruned, no manifest declares it any more");
                said.line(Mood::Notable, text);
            }
            Err(error) => {
                said.again = true;
                said.line(Mood::Bad, format!("{who}: not pruned: {}", words(&error)));
            }
        }
        Ok(())
    }
}
