//! `drover delete`: what deleting means is said first.

use drover_api::KindInfo;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, DynamicObject, Preconditions};
use serde_json::Value;

use super::ask::{self, Confirmation};
use super::{read, refuse, shown};
use crate::cli::Delete;
use crate::cluster::access::{Access, block_on};
use crate::cluster::error::failed;
use crate::cluster::goal::Goal;
use crate::cluster::reading;
use crate::cluster::written;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::manifests::Manifests;
use crate::output::Output;

/// Something that is to be deleted.
struct Doomed {
    info: &'static KindInfo,
    namespace: Option<String>,
    object: DynamicObject,
}

impl Doomed {
    fn shown(&self) -> String {
        reading::shown(
            self.info,
            self.namespace.as_deref(),
            &self.object.name_any(),
        )
    }
}

/// Deletes objects.
///
/// # Errors
/// When there is no such object, nobody confirms, or the cluster refuses.
pub fn run(arguments: &Delete, output: &mut Output) -> Result<Exit, Failure> {
    block_on(async {
        let access = Access::open(&arguments.target).await?;
        let Some(doomed) = doomed(arguments, &access, output).await? else {
            return Ok(Exit::Wrong);
        };
        let meanings: Vec<Meaning> = doomed
            .iter()
            .map(|each| meaning(each.info, &reading::json(&each.object)))
            .collect();
        for (each, meaning) in doomed.iter().zip(&meanings) {
            output.talk(&format!("{}: {}", each.shown(), meaning.words));
        }
        if let Some(dangerous) = meanings.iter().position(|meaning| meaning.loses) {
            let word = doomed[dangerous].object.name_any();
            ask::confirm(&Confirmation::Typed(word), arguments.yes, output)?;
        }
        for each in &doomed {
            delete(arguments, &access, each, output).await?;
        }
        Ok(Exit::Fine)
    })
}

async fn doomed(
    arguments: &Delete,
    access: &Access,
    output: &mut Output,
) -> Result<Option<Vec<Doomed>>, Failure> {
    let mut doomed = Vec::new();
    if let Some(info) = arguments.kind {
        for name in &arguments.names {
            let namespace = access.namespace_of(info).map(str::to_owned);
            let object = reading::get(access.client(), info, namespace.as_deref(), name).await?;
            doomed.push(Doomed {
                info,
                namespace,
                object,
            });
        }
        return Ok(Some(doomed));
    }
    let files = read(&arguments.filename, output)?;
    let manifests = Manifests::load(&files)?;
    if let Some(findings) = manifests.unreadable() {
        let problems = shown(&findings, &manifests, output.talk_style());
        output.talk(&problems);
        refuse(&findings, output);
        output.talk("nothing was deleted");
        return Ok(None);
    }
    let mut objects = written::read(&manifests.sources, access.namespace());
    // What refers goes before what is referred to.
    objects.sort_by_key(|object| std::cmp::Reverse(object.key()));
    for each in objects {
        let api = access.objects(each.info, each.namespace.as_deref());
        let found = api.get_opt(&each.name).await;
        match found.map_err(failed(format!("get {}", each.shown())))? {
            Some(object) => doomed.push(Doomed {
                info: each.info,
                namespace: each.namespace,
                object,
            }),
            None => output.talk(&format!("{} is not there", each.shown())),
        }
    }
    Ok(Some(doomed))
}

async fn delete(
    arguments: &Delete,
    access: &Access,
    doomed: &Doomed,
    output: &mut Output,
) -> Result<(), Failure> {
    let name = doomed.object.name_any();
    let shown = doomed.shown();
    let api = access.objects(doomed.info, doomed.namespace.as_deref());
    // What was looked at, and no other of the same name.
    let params = DeleteParams::background().preconditions(Preconditions {
        uid: doomed.object.uid(),
        resource_version: None,
    });
    api.delete(&name, &params)
        .await
        .map_err(failed(format!("delete {shown}")))?;
    if arguments.no_wait {
        return output.data(&format!("{shown} is being deleted\n"));
    }
    let namespaced = access.clone().in_namespace(doomed.namespace.as_deref());
    let timeout = arguments.timeout.as_std();
    super::wait::until(&namespaced, doomed.info, &name, &Goal::Delete, timeout).await?;
    output.data(&format!("{shown} deleted\n"))
}

/// What deleting an object does.
#[derive(Debug, PartialEq, Eq)]
pub struct Meaning {
    /// In words.
    pub words: String,
    /// Whether data or evidence is lost.
    pub loses: bool,
}

/// What deleting an object does (PR-12, FO-1).
pub fn meaning(info: &KindInfo, object: &Value) -> Meaning {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let keeps = |words: &str| Meaning {
        words: words.to_owned(),
        loses: false,
    };
    let loses = |words: String| Meaning { words, loses: true };
    match info.kind {
        "RecoveryDrill" => {
            keeps("everything that the drill made is removed; production stays as it is")
        }
        "ProtectionGroup" | "ProtectedMachine" => match text("/spec/deletionPolicy") {
            Some("RemoveReplica") => {
                let members = object
                    .pointer("/status/members/total")
                    .and_then(Value::as_u64);
                let whose = match members {
                    Some(number) => format!("the copies and recovery points of {number} machines"),
                    None => "the copies and recovery points".to_owned(),
                };
                loses(format!(
                    "{whose} are REMOVED (deletionPolicy RemoveReplica)"
                ))
            }
            _ => keeps("Drover stops managing it; the copies stay (deletionPolicy Retain)"),
        },
        "RecoveryPlan" => match text("/status/currentRun") {
            Some(run) => Meaning {
                words: format!("it waits until {run} is over; runs stay as evidence"),
                loses: false,
            },
            None => keeps("its machines stay where they are; runs stay as evidence"),
        },
        "RecoveryRun" | "MachineRun" => {
            let phase = text("/status/phase").unwrap_or("unknown");
            loses(format!("this is evidence, and it is LOST (phase {phase})"))
        }
        "RunDecision" => loses("this is evidence of who decided what, and it is LOST".to_owned()),
        "Site" => keeps("what refers to the site stops working; nothing happens at the site"),
        _ => keeps("what refers to it stops working"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meaning_of(kind: &str, object: &Value) -> Meaning {
        meaning(KindInfo::named(kind).unwrap(), object)
    }

    #[test]
    fn deleting_says_whether_copies_stay() {
        // SPEC: PR-12
        let retain = meaning_of("ProtectionGroup", &json!({ "spec": {} }));
        assert!(!retain.loses && retain.words.contains("copies stay"));
        let remove = json!({
            "spec": { "deletionPolicy": "RemoveReplica" },
            "status": { "members": { "total": 12 } },
        });
        let remove = meaning_of("ProtectionGroup", &remove);
        assert!(remove.loses && remove.words.contains("12 machines are REMOVED"));
    }

    #[test]
    fn deleting_a_plan_in_the_middle_of_a_run_waits() {
        // SPEC: PR-12
        let plan = meaning_of(
            "RecoveryPlan",
            &json!({ "status": { "currentRun": "shop-7" } }),
        );
        assert!(plan.words.contains("waits until shop-7"));
        assert!(!plan.loses);
    }

    #[test]
    fn a_drill_is_cleaned_up_and_evidence_is_guarded() {
        // SPEC: FO-1
        assert!(!meaning_of("RecoveryDrill", &json!({})).loses);
        for kind in ["RecoveryRun", "MachineRun", "RunDecision"] {
            assert!(meaning_of(kind, &json!({})).loses, "{kind}");
        }
    }
}
