//! Admission: what the API server asks before it takes a declaration.
//!
//! The answer is that of `drover validate`: the engine's `check` over the object and everything that is
//! declared beside it. Neighbours are read from the API when they are needed, not kept: every process
//! answers, a standby too, and what was created a moment ago must not be missing.
//!
//! What is refused is what the object brings, to itself or to another that was sound before. An update is
//! not refused for what was wrong before it, or nobody could mend one thing after the other; and one that
//! changes no declaration is not looked at at all: finalizers come and go whatever is wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use drover_api::{
    FailbackPolicy, KindInfo, NetworkMapping, Object, ProtectionGroup, RecoveryDrill, RecoveryPlan,
    ReplicationPolicy, Site,
};
use drover_engine::check::{self, Options};
use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use drover_engine::problem::{Problem, Severity};
use drover_fabric::Clock;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tracing::{debug, info, warn};

use crate::declaration::in_words;
use crate::feed::Chain;
use crate::guarded::Guarded;

/// The API server waits ten seconds unless it is told otherwise.
const LIMIT: Duration = Duration::from_secs(8);
/// Objects in one answer.
const PAGE: u32 = 500;
/// Of more the rest is counted: headers carry them.
const MOST_WARNINGS: usize = 16;

/// Judges declarations for the API server.
pub struct Admission {
    client: Client,
    clock: Clock,
    jobs: bool,
}

#[derive(Debug, Deserialize)]
struct Review {
    request: Request,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    uid: String,
    kind: Kind,
    operation: String,
    #[serde(default)]
    sub_resource: Option<String>,
    #[serde(default)]
    object: Value,
    #[serde(default)]
    old_object: Value,
}

#[derive(Debug, Deserialize)]
struct Kind {
    kind: String,
}

/// What is answered.
#[derive(Debug, Default)]
struct Verdict {
    refused: Vec<String>,
    warnings: Vec<String>,
}

/// A request that cannot be answered; whether the object is taken then is for the configuration of the
/// webhook to say.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// The request is none.
    #[error("this is no AdmissionReview")]
    NoReview(#[source] serde_json::Error),
    /// The API did not answer.
    #[error("what is declared could not be read")]
    Api(#[source] Box<kube::Error>),
    /// The API did not answer in time.
    #[error("what is declared could not be read in time")]
    Late,
}

impl Admission {
    /// Judges by what this API holds.
    pub fn new(client: Client, clock: Clock) -> Self {
        Self {
            client,
            clock,
            jobs: false,
        }
    }

    /// Scripts run as Jobs here, so they need an image.
    #[must_use]
    pub fn with_jobs(mut self, jobs: bool) -> Self {
        self.jobs = jobs;
        self
    }

    /// Answers an `AdmissionReview` with another.
    ///
    /// # Errors
    /// When it is none, or what is declared cannot be read.
    pub async fn review(&self, body: &[u8]) -> Result<Value, AdmissionError> {
        let review: Review = serde_json::from_slice(body).map_err(AdmissionError::NoReview)?;
        let request = review.request;
        let verdict = tokio::time::timeout(LIMIT, self.judge(&request)).await;
        let verdict = match verdict {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(error)) => {
                warn!(error = %Chain(&error), "an object could not be judged");
                return Err(AdmissionError::Api(Box::new(error)));
            }
            Err(_) => return Err(AdmissionError::Late),
        };
        Ok(answer(&request, verdict))
    }

    async fn judge(&self, request: &Request) -> Result<Verdict, kube::Error> {
        let changes = matches!(request.operation.as_str(), "CREATE" | "UPDATE");
        let whole = request.sub_resource.as_deref().is_none_or(str::is_empty);
        let info = KindInfo::named(&request.kind.kind).filter(|info| info.written_by_people);
        let (true, true, Some(info)) = (changes, whole, info) else {
            return Ok(Verdict::default());
        };
        let declares_nothing = request.old_object.get("spec") == request.object.get("spec");
        let goes = !request.object["metadata"]["deletionTimestamp"].is_null();
        if request.operation == "UPDATE" && (declares_nothing || goes) {
            return Ok(Verdict::default());
        }
        let object = match read(info.kind, &request.object) {
            Ok(object) => object,
            Err(why) => {
                return Ok(Verdict {
                    refused: vec![why],
                    warnings: Vec::new(),
                });
            }
        };
        // What was there before, where it could be read.
        let old = read(info.kind, &request.old_object).ok();
        let neighbours = self.neighbours(&object).await?;
        Ok(self.compare(neighbours, object, old))
    }

    /// What the object brings that was not wrong before.
    fn compare(&self, neighbours: Vec<Object>, object: Object, old: Option<Object>) -> Verdict {
        let subject = neighbours.len();
        let mut all = neighbours;
        let replaced = old.is_some();
        all.extend(old);
        let before: BTreeSet<(usize, String)> = self
            .problems(&all)
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .map(|problem| (problem.object, in_words(problem)))
            .collect();
        let unsound: BTreeSet<usize> = before.iter().map(|(object, _)| *object).collect();
        if replaced {
            all.pop();
        }
        all.push(object);
        let mut verdict = Verdict::default();
        for problem in self.problems(&all) {
            let own = problem.object == subject;
            let mut others = problem.related.iter();
            let named = own || others.any(|other| other.object == subject);
            let words = in_words(&problem);
            let is_error = problem.severity == Severity::Error;
            let fresh = is_error && !before.contains(&(problem.object, words.clone()));
            let words = match all.get(problem.object) {
                Some(other) if !own => format!("{}: {words}", shown(other)),
                _ => words,
            };
            // What was unsound before may show the next of its errors now, which is not this object's.
            if fresh && (named || !unsound.contains(&problem.object)) {
                verdict.refused.push(words);
            } else if named {
                verdict.warnings.push(words);
            }
        }
        verdict
    }

    fn problems(&self, all: &[Object]) -> Vec<Problem> {
        let declared = Declared::new(all);
        let inventories = declared_inventories(&declared);
        let options = Options {
            now: Some(self.clock.now()),
            jobs: self.jobs,
        };
        check::check(&declared, &inventories, &options)
    }

    /// Everything else that is declared.
    async fn neighbours(&self, object: &Object) -> Result<Vec<Object>, kube::Error> {
        let lists = tokio::try_join!(
            self.list::<Site>(),
            self.list::<ReplicationPolicy>(),
            self.list::<NetworkMapping>(),
            self.list::<FailbackPolicy>(),
            self.list::<ProtectionGroup>(),
            self.list::<RecoveryPlan>(),
            self.list::<RecoveryDrill>(),
        )?;
        let mut all: Vec<Object> = lists.0;
        for list in [lists.1, lists.2, lists.3, lists.4, lists.5, lists.6] {
            all.extend(list);
        }
        all.retain(|other| {
            other.kind() != object.kind()
                || other.name() != object.name()
                || other.namespace() != object.namespace()
        });
        Ok(all)
    }

    /// All of a kind that can be read.
    async fn list<K>(&self) -> Result<Vec<Object>, kube::Error>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug,
        Object: From<K>,
    {
        let api: Api<Guarded<K>> = Api::all(self.client.clone());
        let mut params = ListParams::default().limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page = api.list(&params).await?;
            let read = page.items.into_iter().filter_map(|object| object.read.ok());
            all.extend(read.map(Object::from));
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                return Ok(all);
            }
        }
    }
}

/// An object of a kind, or which of its fields cannot be read.
fn read(kind: &str, value: &Value) -> Result<Object, String> {
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(value, &mut track);
    match Object::deserialize_kind(kind, deserializer) {
        Some(Ok(object)) => Ok(object),
        Some(Err(error)) => Err(format!("{}: {error}", track.path())),
        None => Err(format!("{kind} is no kind of Drover")),
    }
}

fn shown(object: &Object) -> String {
    let (kind, name) = (object.kind(), object.name());
    match object.namespace() {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

fn answer(request: &Request, verdict: Verdict) -> Value {
    let allowed = verdict.refused.is_empty();
    let mut response = json!({ "uid": request.uid, "allowed": allowed });
    let mut warnings = verdict.warnings;
    if warnings.len() > MOST_WARNINGS {
        let left = warnings.len() - MOST_WARNINGS;
        warnings.truncate(MOST_WARNINGS);
        warnings.push(format!("{left} more; `drover validate` says all of them"));
    }
    // They travel in a header, where a line has to be one.
    let warnings: Vec<String> = warnings
        .iter()
        .map(|words| words.replace(['\n', '\r'], " "))
        .collect();
    if !warnings.is_empty() {
        response["warnings"] = json!(warnings);
    }
    let kind = &request.kind.kind;
    if allowed {
        debug!(kind, "taken");
    } else {
        let message = verdict.refused.join("\n");
        info!(kind, why = message, "refused");
        response["status"] = json!({ "code": 422, "reason": "Invalid", "message": message });
    }
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": response,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_cannot_be_read_is_named() {
        // SPEC: BI-1
        let object = json!({
            "apiVersion": "drover.dev/v1alpha1",
            "kind": "RecoveryDrill",
            "metadata": { "name": "rehearsal", "namespace": "shop" },
            "spec": { "planRef": { "name": "shop" }, "ttl": "4000d" },
        });
        let why = read("RecoveryDrill", &object).unwrap_err();
        assert!(why.starts_with("spec.ttl: "), "{why}");
        assert!(why.contains("it is longer than 10 years (3650d)"), "{why}");
    }
}
