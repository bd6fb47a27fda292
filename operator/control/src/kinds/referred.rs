//! What others refer to: policies and mappings. They do nothing; their status says who uses them and what
//! is wrong with them.

use std::sync::Arc;

use drover_api::NetworkMapping;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::object::HasStatus;

use crate::cache::ObjectKey;
use crate::conditions::Conditions;
use crate::context::Context;
use crate::declaration::{Object, Snapshot};
use crate::write::{WriteError, Written};

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// The parts of a status that all of them have.
struct Judgement<'a> {
    observed_generation: &'a mut Option<i64>,
    conditions: &'a mut Vec<Condition>,
}

/// Says in the status of an object what is wrong with it. `parts` fills in what only its kind has.
async fn judge<K>(
    context: &Arc<Context>,
    found: Option<Arc<K>>,
    object: Object,
    parts: impl for<'a> FnOnce(&'a mut K::Status, &Snapshot) -> Judgement<'a>,
) -> Result<(), WriteError>
where
    K: Written + HasStatus,
    K::Status: Clone + Default + PartialEq,
{
    let Some(former) = found else { return Ok(()) };
    let snapshot = context.snapshot();
    let mut next = (*former).clone();
    let generation = former.meta().generation;
    let judged = parts(next.status_mut().get_or_insert_default(), &snapshot);
    *judged.observed_generation = generation;
    let mut conditions = Conditions::of(judged.conditions, generation, context.clock.now());
    let errors = snapshot.errors(&object);
    if errors.is_empty() {
        conditions.ready("Valid", "it can be referred to");
    } else {
        conditions.stalled("Invalid", &errors.join("\n"));
    }
    if next.status() == former.status() {
        return Ok(());
    }
    context.replace_status(next).await.map(|_| ())
}

pub(crate) async fn policy(context: &Arc<Context>, key: &ObjectKey) -> Result<(), WriteError> {
    let found = context.cache().policies.get(key).cloned();
    judge(
        context,
        found,
        Object::Policy(key.clone()),
        |status, snapshot| {
            status.users = count(snapshot.users_of_policy(key));
            Judgement {
                observed_generation: &mut status.observed_generation,
                conditions: &mut status.conditions,
            }
        },
    )
    .await
}

pub(crate) async fn failback_policy(
    context: &Arc<Context>,
    key: &ObjectKey,
) -> Result<(), WriteError> {
    let found = context.cache().failback_policies.get(key).cloned();
    let object = Object::FailbackPolicy(key.clone());
    judge(context, found, object, |status, snapshot| {
        status.users = count(snapshot.users_of_failback_policy(key));
        Judgement {
            observed_generation: &mut status.observed_generation,
            conditions: &mut status.conditions,
        }
    })
    .await
}

pub(crate) async fn mapping(context: &Arc<Context>, key: &ObjectKey) -> Result<(), WriteError> {
    let found = context.cache().mappings.get(key).cloned();
    judge::<NetworkMapping>(context, found, Object::Mapping(key.clone()), |status, _| {
        Judgement {
            observed_generation: &mut status.observed_generation,
            conditions: &mut status.conditions,
        }
    })
    .await
}
