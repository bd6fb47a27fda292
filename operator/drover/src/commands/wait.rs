//! `drover wait`: until something is so.

use std::time::Duration;

use drover_api::KindInfo;
use drover_engine::lifecycle::RUN;
use futures::StreamExt as _;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::cli::Wait;
use crate::cluster::access::{Access, block_on};
use crate::cluster::goal::Goal;
use crate::cluster::reading;
use crate::cluster::watching::{Change, changes};
use crate::exit::Exit;
use crate::failure::{Failure, Why};
use crate::output::Output;

/// Waits until something is so.
///
/// # Errors
/// When it does not come to be so in time, never will, or the cluster stays away.
pub fn run(arguments: &Wait, output: &mut Output) -> Result<Exit, Failure> {
    block_on(async {
        let access = Access::open(&arguments.target).await?;
        let info = arguments.object.info();
        let name = &arguments.object.name;
        if arguments.goal != Goal::Delete {
            // A mistyped name is told now and not when the time is over.
            reading::get(access.client(), info, access.namespace_of(info), name).await?;
        }
        until(
            &access,
            info,
            name,
            &arguments.goal,
            arguments.timeout.as_std(),
        )
        .await
    })?;
    output.data(&format!(
        "{} {}\n",
        arguments.object,
        reached(&arguments.goal)
    ))?;
    Ok(Exit::Fine)
}

fn reached(goal: &Goal) -> String {
    match goal {
        Goal::Delete => "deleted".to_owned(),
        other => format!("has {other}"),
    }
}

/// Waits until an object, or its absence, is what is waited for, and returns the object.
///
/// # Errors
/// When it does not come to be so in time, never will, or the cluster stays away.
pub async fn until(
    access: &Access,
    info: &'static KindInfo,
    name: &str,
    goal: &Goal,
    timeout: Duration,
) -> Result<Option<Value>, Failure> {
    let api = access.objects(info, access.namespace_of(info));
    let fields = format!("metadata.name={name}");
    let mut changes = changes(api, Some(&fields), None);
    let mut seen: Option<Value> = None;
    let what = || {
        format!(
            "{goal} of {}",
            reading::shown(info, access.namespace_of(info), name)
        )
    };
    let looking = async {
        // Whether there is one is known when all that is there was told.
        let mut told = false;
        while let Some(change) = changes.next().await {
            match change? {
                Change::Is(object) if is(&object, name) => seen = Some(reading::json(&object)),
                Change::Gone(object) if is(&object, name) => seen = None,
                Change::Told => told = true,
                Change::Is(_) | Change::Gone(_) => {}
            }
            let known = told || seen.is_some();
            if known && goal.reached(seen.as_ref()) {
                return Ok(seen.clone());
            }
            if let Some(hint) = seen.as_ref().and_then(|object| never(info, goal, object)) {
                return Err(Failure::Refused {
                    what: format!("{} will not come: {}", what(), goal.seen(seen.as_ref())),
                    hint,
                });
            }
        }
        Err(Failure::Refused {
            what: format!("the cluster ended the watch while waiting for {}", what()),
            hint: "try again".to_owned(),
        })
    };
    match tokio::time::timeout(timeout, looking).await {
        Ok(result) => result,
        Err(_) => Err(Failure::TimedOut {
            after: drover_api::value::Duration::from_std(timeout),
            what: what(),
            last: Why(format!("last seen: {}", goal.seen(seen.as_ref()))),
        }),
    }
}

fn is(object: &DynamicObject, name: &str) -> bool {
    object.metadata.name.as_deref() == Some(name)
}

/// A run that is over changes no more.
fn never(info: &KindInfo, goal: &Goal, object: &Value) -> Option<String> {
    if info.kind != "RecoveryRun" || !matches!(goal, Goal::Phase(_)) || goal.reached(Some(object)) {
        return None;
    }
    let phase = object.pointer("/status/phase")?;
    let phase = serde_json::from_value(phase.clone()).ok()?;
    RUN.is_final(phase).then(|| {
        let name = object
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        format!("the run is over; `drover report {name}` says how it went")
    })
}
