//! What `drover wait` waits for, and whether it is so.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// Only controllers answer decisions.
const UNANSWERED: &str = "nobody answered; does Drover run there?";

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A condition has this status.
    Condition {
        /// Its type.
        kind: String,
        /// `True`, `False` or `Unknown`.
        status: String,
    },
    /// `status.phase` is this.
    Phase(String),
    /// The object is gone.
    Delete,
    /// A decision was answered. It is not written on the command line.
    Answer,
}

impl FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const HOW: &str = "write it as condition=Ready, condition=Ready=False, phase=CommitPending \
                           or delete";
        let filled = |text: &str| !text.is_empty() && !text.contains('=');
        if text == "delete" {
            return Ok(Self::Delete);
        }
        match text.split_once('=') {
            Some(("phase", phase)) if filled(phase) => Ok(Self::Phase(phase.to_owned())),
            Some(("condition", rest)) => {
                let (kind, status) = rest.split_once('=').unwrap_or((rest, "True"));
                let status = ["True", "False", "Unknown"]
                    .into_iter()
                    .find(|known| known.eq_ignore_ascii_case(status))
                    .filter(|_| filled(kind))
                    .ok_or(HOW)?;
                Ok(Self::Condition {
                    kind: kind.to_owned(),
                    status: status.to_owned(),
                })
            }
            _ => Err(HOW.to_owned()),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condition { kind, status } => write!(f, "condition {kind}={status}"),
            Self::Phase(phase) => write!(f, "phase {phase}"),
            Self::Delete => f.write_str("deletion"),
            Self::Answer => f.write_str("the answer"),
        }
    }
}

impl Goal {
    /// Whether an object, or its absence, is what is waited for.
    pub fn reached(&self, object: Option<&Value>) -> bool {
        match (self, object) {
            (Self::Delete, None) => true,
            (Self::Delete, Some(_)) | (_, None) => false,
            (Self::Answer, Some(object)) => outcome(object).is_some(),
            (Self::Phase(phase), Some(object)) => {
                let is = object.pointer("/status/phase").and_then(Value::as_str);
                is.is_some_and(|is| is.eq_ignore_ascii_case(phase))
            }
            (Self::Condition { kind, status }, Some(object)) => condition(object, kind)
                .is_some_and(|condition| {
                    condition["status"] == status.as_str() && is_current(object, condition)
                }),
        }
    }

    /// What is so instead.
    pub fn seen(&self, object: Option<&Value>) -> String {
        let Some(object) = object else {
            return match self {
                Self::Answer => UNANSWERED.to_owned(),
                _ => "it does not exist".to_owned(),
            };
        };
        match self {
            Self::Delete => match object
                .pointer("/metadata/finalizers")
                .and_then(Value::as_array)
            {
                Some(finalizers) if object.pointer("/metadata/deletionTimestamp").is_some() => {
                    let names: Vec<&str> = finalizers.iter().filter_map(Value::as_str).collect();
                    format!("it is being deleted, and held by {}", names.join(", "))
                }
                _ if object.pointer("/metadata/deletionTimestamp").is_some() => {
                    "it is being deleted".to_owned()
                }
                _ => "it exists, and nobody deletes it".to_owned(),
            },
            Self::Answer => match outcome(object) {
                Some(outcome) => outcome.to_owned(),
                None => UNANSWERED.to_owned(),
            },
            Self::Phase(_) => match object.pointer("/status/phase").and_then(Value::as_str) {
                Some(phase) => format!("phase {phase}{}", ready(object)),
                None => format!("it has no phase yet{}", ready(object)),
            },
            Self::Condition { kind, .. } => match condition(object, kind) {
                Some(found) if !is_current(object, found) => {
                    format!("{kind}={}, of an older declaration", text(found, "status"))
                }
                Some(found) => format!("{kind}={}{}", text(found, "status"), because(found)),
                None => format!("it has no condition {kind}{}", ready(object)),
            },
        }
    }
}

fn outcome(object: &Value) -> Option<&str> {
    object.pointer("/status/outcome").and_then(Value::as_str)
}

fn condition<'o>(object: &'o Value, kind: &str) -> Option<&'o Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|each| {
        each["type"]
            .as_str()
            .is_some_and(|own| own.eq_ignore_ascii_case(kind))
    })
}

/// A condition that speaks of an older spec says nothing of this one.
fn is_current(object: &Value, condition: &Value) -> bool {
    let declared = object
        .pointer("/metadata/generation")
        .and_then(Value::as_i64);
    let observed = condition["observedGeneration"].as_i64();
    match (declared, observed) {
        (Some(declared), Some(observed)) => observed >= declared,
        _ => true,
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or("?")
}

fn because(condition: &Value) -> String {
    let message = condition["message"].as_str().unwrap_or_default();
    match (text(condition, "reason"), message) {
        (reason, "") => format!(" ({reason})"),
        (reason, message) => format!(" ({reason}: {message})"),
    }
}

fn ready(object: &Value) -> String {
    match condition(object, "Ready") {
        Some(found) => format!("; Ready={}{}", text(found, "status"), because(found)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(generation: i64, status: &str) -> Value {
        json!({
            "metadata": { "generation": generation },
            "status": { "phase": "Entering", "conditions": [{
                "type": "Ready", "status": status, "observedGeneration": 2,
                "reason": "Waiting", "message": "a person approves",
            }] },
        })
    }

    #[test]
    fn goals_are_written_as_for_kubectl() {
        // SPEC: KU-2
        let ready: Goal = "condition=Ready".parse().unwrap();
        assert_eq!(ready, "condition=Ready=true".parse().unwrap());
        assert_eq!("delete".parse(), Ok(Goal::Delete));
        assert_eq!("phase=Halted".parse(), Ok(Goal::Phase("Halted".into())));
        for wrong in [
            "",
            "Ready",
            "condition=",
            "phase=",
            "condition=Ready=maybe",
            "phase=a=b",
        ] {
            assert!(wrong.parse::<Goal>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_condition_of_an_older_declaration_does_not_count() {
        // SPEC: KU-1
        let goal: Goal = "condition=Ready".parse().unwrap();
        assert!(goal.reached(Some(&plan(2, "True"))));
        assert!(!goal.reached(Some(&plan(3, "True"))));
        assert!(!goal.reached(None));
        assert!(
            goal.seen(Some(&plan(3, "True")))
                .contains("older declaration")
        );
    }

    #[test]
    fn what_is_so_instead_says_why() {
        let goal: Goal = "condition=Ready".parse().unwrap();
        assert_eq!(
            goal.seen(Some(&plan(2, "False"))),
            "Ready=False (Waiting: a person approves)"
        );
        let goal: Goal = "phase=CommitPending".parse().unwrap();
        assert!(!goal.reached(Some(&plan(2, "False"))));
        assert_eq!(
            goal.seen(Some(&plan(2, "False"))),
            "phase Entering; Ready=False (Waiting: a person approves)"
        );
        assert!(Goal::Delete.reached(None));
        assert!(
            Goal::Delete
                .seen(Some(&plan(1, "True")))
                .contains("nobody deletes it")
        );
    }
}
