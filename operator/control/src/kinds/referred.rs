//! What others refer to: policies and mappings. They do nothing; their status says who uses them and what
//! is wrong with them.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::cache::ObjectKey;
use crate::conditions::Conditions;
use crate::context::Context;
use crate::declaration::Object;
use crate::write::WriteError;

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

fn judge(context: &Context, list: &mut Vec<Condition>, generation: Option<i64>, errors: &[String]) {
    let mut conditions = Conditions::of(list, generation, context.clock.now());
    if errors.is_empty() {
        conditions.ready("Valid", "it can be referred to");
    } else {
        conditions.stalled("Invalid", &errors.join("\n"));
    }
}

pub(crate) async fn policy(context: &Arc<Context>, key: &ObjectKey) -> Result<(), WriteError> {
    let found = context.cache().policies.get(key).cloned();
    let Some(policy) = found else { return Ok(()) };
    let snapshot = context.snapshot();
    let mut next = (*policy).clone();
    let mut status = next.status.take().unwrap_or_default();
    status.observed_generation = policy.metadata.generation;
    status.users = count(snapshot.users_of_policy(key));
    let errors = snapshot.errors(&Object::Policy(key.clone()));
    judge(
        context,
        &mut status.conditions,
        policy.metadata.generation,
        &errors,
    );
    next.status = Some(status);
    if next.status == policy.status {
        return Ok(());
    }
    context.replace_status(next).await.map(|_| ())
}

pub(crate) async fn failback_policy(
    context: &Arc<Context>,
    key: &ObjectKey,
) -> Result<(), WriteError> {
    let found = context.cache().failback_policies.get(key).cloned();
    let Some(policy) = found else { return Ok(()) };
    let snapshot = context.snapshot();
    let mut next = (*policy).clone();
    let mut status = next.status.take().unwrap_or_default();
    status.observed_generation = policy.metadata.generation;
    status.users = count(snapshot.users_of_failback_policy(key));
    let errors = snapshot.errors(&Object::FailbackPolicy(key.clone()));
    judge(
        context,
        &mut status.conditions,
        policy.metadata.generation,
        &errors,
    );
    next.status = Some(status);
    if next.status == policy.status {
        return Ok(());
    }
    context.replace_status(next).await.map(|_| ())
}

pub(crate) async fn mapping(context: &Arc<Context>, key: &ObjectKey) -> Result<(), WriteError> {
    let found = context.cache().mappings.get(key).cloned();
    let Some(mapping) = found else { return Ok(()) };
    let snapshot = context.snapshot();
    let mut next = (*mapping).clone();
    let mut status = next.status.take().unwrap_or_default();
    status.observed_generation = mapping.metadata.generation;
    let errors = snapshot.errors(&Object::Mapping(key.clone()));
    judge(
        context,
        &mut status.conditions,
        mapping.metadata.generation,
        &errors,
    );
    next.status = Some(status);
    if next.status == mapping.status {
        return Ok(());
    }
    context.replace_status(next).await.map(|_| ())
}
