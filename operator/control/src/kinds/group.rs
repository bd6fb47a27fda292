//! A protection group: an object for each member, and how they are.

use std::collections::BTreeSet;
use std::sync::Arc;

use drover_api::annotations::{asked_now, is_suspended};
use drover_api::conditions::{CONFLICTED, PROTECTED};
use drover_api::value::{Duration as ApiDuration, MachineName};
use drover_api::{
    Consistency, MachinePhase, MemberCounts, ProtectedMachine, ProtectedMachineSpec,
    ProtectionGroup, ProtectionGroupStatus,
};
use drover_engine::members::{self, Member, Members};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ObjectMeta;
use kube::{Api, ResourceExt};

use crate::cache::ObjectKey;
use crate::conditions::{Conditions, Status};
use crate::context::{Context, GATHER};
use crate::declaration::{Object, Snapshot};
use crate::kinds::machine::{FINALIZER, recoverable_together};
use crate::kinds::plan::awaited_reprotect;
use crate::queue::Key;
use crate::write::{WriteError, owned_by};

/// When is looked again whether the members have a common recovery point: each is heard of by itself.
const TOGETHER: std::time::Duration = std::time::Duration::from_secs(2);

pub(crate) async fn reconcile(context: &Arc<Context>, key: &ObjectKey) -> Result<(), WriteError> {
    let found = context.cache().groups.get(key).cloned();
    let Some(group) = found else {
        return Ok(());
    };
    if group.metadata.deletion_timestamp.is_some() {
        return let_go(context, key, &group).await;
    }
    if !group
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == FINALIZER)
    {
        let mut next = (*group).clone();
        next.finalizers_mut().push(FINALIZER.to_owned());
        context.replace(next).await?;
        return Ok(());
    }
    let snapshot = context.snapshot();
    let mut errors = snapshot.errors(&Object::Group(key.clone()));
    if errors.is_empty()
        && let Some(refusal) = not_admitted(context, key, &group, &snapshot).await?
    {
        errors.push(refusal);
    }
    let members = members::of(&group.spec, snapshot.inventories());
    let mut conflicts = Vec::new();
    let suspended = is_suspended(group.annotations());
    if errors.is_empty() && !suspended {
        conflicts = ensure_members(context, key, &group, &members).await?;
    }
    let gone = no_longer(context, key, &group, &members).await?;
    if let Some(status) = &group.status
        && asked_now(
            group.annotations(),
            status.last_handled_reconcile.as_deref(),
        )
        .is_some()
    {
        try_again(context, key);
    }
    record(context, &group, key, &members, &errors, &conflicts, gone).await
}

/// Whether the sites give this namespace their machines (PR-11). Labels of namespaces are not among
/// manifests, so this is seen here and nowhere before.
async fn not_admitted(
    context: &Context,
    key: &ObjectKey,
    group: &ProtectionGroup,
    snapshot: &Snapshot,
) -> Result<Option<String>, WriteError> {
    let sites = [&group.spec.sites.primary, &group.spec.sites.secondary];
    let tenants = sites.map(|site| snapshot.site(site).map(|site| &site.spec.tenants));
    let everybody = tenants.iter().all(|tenants| {
        let mut all = tenants.iter().flat_map(|tenants| tenants.iter());
        all.any(|tenant| tenant.namespace_selector.is_everything())
    });
    if everybody {
        return Ok(None);
    }
    let api: Api<Namespace> = Api::all(context.client.clone());
    let namespace = context.ask(api.get(&key.namespace)).await?;
    let labels = namespace.labels();
    for (site, tenants) in sites.iter().zip(tenants) {
        let mut all = tenants.into_iter().flatten();
        if !all.any(|tenant| tenant.namespace_selector.matches(labels)) {
            return Ok(Some(format!(
                "site {site} gives no machines to namespace {}: an administrator adds it to the \
                 site's tenants",
                key.namespace
            )));
        }
    }
    Ok(None)
}

/// The name of a member's object: native names need not be names of objects.
fn machine_name(group: &str, machine: &MachineName) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let text = machine.as_str();
    let fits = text.chars().all(plain)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && !text.contains("..")
        && !text.contains(".-")
        && !text.contains("-.")
        && group.len() + text.len() < 250;
    if fits {
        return format!("{group}.{text}");
    }
    let readable: String = text
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                c
            } else {
                '-'
            }
        })
        .take(100)
        .collect();
    // Names that read alike are told apart by what they really are.
    format!(
        "{group}.{}-{:016x}",
        readable.trim_matches('-'),
        fingerprint(text)
    )
    .replace(".-", ".")
}

/// FNV-1a, which is the same on every machine and in every build.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn spec_of(
    group: &ProtectionGroup,
    key: &ObjectKey,
    member: &Member<'_>,
) -> Option<ProtectedMachineSpec> {
    let listed = group
        .spec
        .machines
        .iter()
        .find(|listed| listed.name == *member.name);
    Some(ProtectedMachineSpec {
        group_ref: drover_api::common::GroupRef {
            name: key.name.parse().ok()?,
        },
        machine: member.name.clone(),
        sites: group.spec.sites.clone(),
        policy_ref: group.spec.policy_ref.clone(),
        network_mapping_ref: group.spec.network_mapping_ref.clone(),
        nics: member.nics.to_vec(),
        excluded_disks: listed
            .map(|listed| listed.excluded_disks.clone())
            .unwrap_or_default(),
        target_settings: member
            .target_settings
            .cloned()
            .or_else(|| group.spec.target_settings.clone()),
        purpose: group.spec.purpose,
        deletion_policy: group.spec.deletion_policy,
    })
}

/// Makes the objects of members that have none, and brings those that have one up to date. Returns the
/// members that another group has already (PR-11).
async fn ensure_members(
    context: &Arc<Context>,
    key: &ObjectKey,
    group: &Arc<ProtectionGroup>,
    members: &Members<'_>,
) -> Result<Vec<String>, WriteError> {
    let mut conflicts = Vec::new();
    let mut writes = Vec::new();
    for member in &members.known {
        let Some(spec) = spec_of(group, key, member) else {
            continue;
        };
        let cache = context.cache();
        let there = cache.member(key, member.name.as_str()).cloned();
        let holder = cache
            .native(&group.spec.sites.primary, member.name)
            .cloned();
        drop(cache);
        match there {
            Some(there) if there.spec == spec => {}
            Some(there) => {
                let mut next = (*there).clone();
                next.spec = spec;
                writes.push((true, next));
            }
            None if holder.is_some() => conflicts.push(member.name.to_string()),
            None => {
                let machine = fresh(group, key, spec);
                // One that is there and cannot be read says so itself.
                if !context
                    .unread()
                    .has("ProtectedMachine", &ObjectKey::of(&machine))
                {
                    writes.push((false, machine));
                }
            }
        }
    }
    futures::stream::iter(writes)
        .map(|(there, machine)| {
            let context = Arc::clone(context);
            let task = tokio::spawn(async move {
                if there {
                    context.replace(machine).await.map(|_| ())
                } else {
                    context.create(machine).await.map(|_| ())
                }
            });
            async move { task.await.unwrap_or(Err(WriteError::NoAnswer)) }
        })
        .buffer_unordered(context.settings.writes)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(conflicts)
}

fn fresh(group: &ProtectionGroup, key: &ObjectKey, spec: ProtectedMachineSpec) -> ProtectedMachine {
    ProtectedMachine {
        metadata: ObjectMeta {
            name: Some(machine_name(&key.name, &spec.machine)),
            namespace: Some(key.namespace.to_string()),
            owner_references: Some(owned_by(group, true)),
            finalizers: Some(vec![FINALIZER.to_owned()]),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    }
}

/// Members that are protected and not among the group's any more. One that was listed by name and is not
/// any more is let go of; one that a selector found is reported and stays protected (PR-10).
async fn no_longer(
    context: &Arc<Context>,
    key: &ObjectKey,
    group: &ProtectionGroup,
    members: &Members<'_>,
) -> Result<Vec<MachineName>, WriteError> {
    if members.open {
        return Ok(Vec::new());
    }
    let known: BTreeSet<&MachineName> = members.known.iter().map(|member| member.name).collect();
    let strays: Vec<Arc<ProtectedMachine>> = {
        let cache = context.cache();
        let strays = cache
            .members(key)
            .filter(|machine| !known.contains(&machine.spec.machine));
        strays.cloned().collect()
    };
    let mut reported = Vec::new();
    for stray in strays {
        let held = !context
            .runs()
            .hands
            .get(&ObjectKey::of(&*stray))
            .is_none_or(BTreeSet::is_empty);
        if group.spec.selector.is_some() || held || is_suspended(group.annotations()) {
            reported.push(stray.spec.machine.clone());
        } else if stray.metadata.deletion_timestamp.is_none() {
            context
                .delete::<ProtectedMachine>(&ObjectKey::of(&*stray))
                .await?;
        }
    }
    Ok(reported)
}

/// A person wants it looked at now: what failed is asked for again without waiting.
fn try_again(context: &Context, key: &ObjectKey) {
    let members: Vec<ObjectKey> = {
        let cache = context.cache();
        let members = cache.members(key);
        members.map(|machine| ObjectKey::of(&**machine)).collect()
    };
    for member in members {
        context.failures().remove(&member);
        context.queue.add(Key::Machine(member));
    }
}

/// The group is deleted: its machines are let go of, and nothing in the middle of a run.
async fn let_go(
    context: &Arc<Context>,
    key: &ObjectKey,
    group: &Arc<ProtectionGroup>,
) -> Result<(), WriteError> {
    let members: Vec<ObjectKey> = {
        let cache = context.cache();
        cache
            .members(key)
            .map(|machine| ObjectKey::of(&**machine))
            .collect()
    };
    if members.is_empty() {
        let mut next = (**group).clone();
        next.finalizers_mut()
            .retain(|finalizer| finalizer != FINALIZER);
        return context.replace(next).await.map(|_| ());
    }
    let mut held = 0_usize;
    for member in &members {
        let in_hand = context
            .runs()
            .hands
            .get(member)
            .is_some_and(|hands| !hands.is_empty());
        if in_hand {
            held += 1;
        } else {
            context.delete::<ProtectedMachine>(member).await?;
        }
    }
    let mut status = group.status.clone().unwrap_or_default();
    let now = context.clock.now();
    let words = if held > 0 {
        format!("{held} machines are in a run; they are let go of when it ends")
    } else {
        format!("{} machines are let go of", members.len())
    };
    Conditions::of(&mut status.conditions, group.metadata.generation, now)
        .reconciling("Deleting", &words);
    context.later(Key::Group(key.clone()), std::time::Duration::from_secs(2));
    if group.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let mut next = (**group).clone();
    next.status = Some(status);
    context.replace_status(next).await.map(|_| ())
}

/// How the members are.
async fn record(
    context: &Arc<Context>,
    group: &Arc<ProtectionGroup>,
    key: &ObjectKey,
    members: &Members<'_>,
    errors: &[String],
    conflicts: &[String],
    gone: Vec<MachineName>,
) -> Result<(), WriteError> {
    let mut status = group.status.clone().unwrap_or_default();
    status.observed_generation = group.metadata.generation;
    let answered = status.last_handled_reconcile.take();
    let asked = asked_now(group.annotations(), answered.as_deref());
    status.last_handled_reconcile = asked.or(answered);
    let (counts, worst) = counts(context, key, members.known.len());
    let lacks = lacks(context, key, group, &counts);
    if lacks == Some(Lack::CommonPoint) {
        context.later(Key::Group(key.clone()), TOGETHER);
    }
    status.worst_rpo = worst;
    status.no_longer_matching = gone.into_iter().take(256).collect();
    say(
        &mut status,
        group,
        &counts,
        lacks.as_ref(),
        errors,
        conflicts,
        context.clock.now(),
    );
    status.members = Some(counts);
    if members.open {
        context.later(Key::Group(key.clone()), GATHER * 10);
    }
    if group.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let mut next = (**group).clone();
    next.status = Some(status);
    context.replace_status(next).await.map(|_| ())
}

/// What a group has not, none of whose members is on its way any more.
#[derive(Debug, PartialEq, Eq)]
enum Lack {
    /// Somebody's word.
    Word(String),
    /// A recovery point of one instant of all members (PR-7).
    CommonPoint,
}

fn lacks(
    context: &Context,
    key: &ObjectKey,
    group: &ProtectionGroup,
    counts: &MemberCounts,
) -> Option<Lack> {
    if counts.protected < counts.total {
        return awaited(context, key, counts).map(Lack::Word);
    }
    (group.spec.consistency == Consistency::Group && !recoverable_together(context, key))
        .then_some(Lack::CommonPoint)
}

/// Whose word members wait for that failed over and that nothing replicates. It is asked for when none of
/// them is on its way any more: that looks at the whole plan.
fn awaited(context: &Context, key: &ObjectKey, counts: &MemberCounts) -> Option<String> {
    let settled = counts.protected + counts.unprotected == counts.total;
    if counts.unprotected == 0 || !settled {
        return None;
    }
    let plans = context.cache().plans_of_group(key);
    plans
        .iter()
        .find_map(|plan| awaited_reprotect(context, plan))
}

/// The members by phase, and the worst RPO.
fn counts(context: &Context, key: &ObjectKey, known: usize) -> (MemberCounts, Option<ApiDuration>) {
    use MachinePhase as P;
    let mut counts = MemberCounts::default();
    let mut worst: Option<ApiDuration> = None;
    let cache = context.cache();
    for machine in cache.members(key) {
        counts.total += 1;
        let Some(status) = &machine.status else {
            counts.enabling += 1;
            continue;
        };
        match status.phase {
            P::Protected => counts.protected += 1,
            P::ResyncRequired | P::Resynchronizing => counts.resynchronizing += 1,
            P::NotProtected => counts.unprotected += 1,
            P::Failed | P::Inconsistent => counts.failed += 1,
            P::Unprotected | P::Enabling | P::InitialReplication | P::Finalizing => {
                counts.enabling += 1;
            }
            _ => {}
        }
        let rpo = status
            .replication
            .as_ref()
            .and_then(|seen| seen.rpo.clone());
        worst = worst.max(rpo);
    }
    counts.total = counts.total.max(u32::try_from(known).unwrap_or(u32::MAX));
    (counts, worst)
}

fn say(
    status: &mut ProtectionGroupStatus,
    group: &ProtectionGroup,
    counts: &MemberCounts,
    lacks: Option<&Lack>,
    errors: &[String],
    conflicts: &[String],
    now: jiff::Timestamp,
) {
    let all = counts.protected == counts.total && lacks.is_none();
    let mut words = format!(
        "{} of {} machines are protected",
        counts.protected, counts.total
    );
    if lacks == Some(&Lack::CommonPoint) {
        words.push_str("; they have no common recovery point yet");
    }
    let mut conditions = Conditions::of(&mut status.conditions, group.metadata.generation, now);
    conditions.set(
        PROTECTED,
        Status::of(all),
        match lacks {
            _ if all => "Protected",
            Some(Lack::Word(_)) => "AwaitingReprotect",
            Some(Lack::CommonPoint) => "NoCommonPoint",
            None => "NotAll",
        },
        &words,
    );
    let meaning = "no member is taken up or let go of; those that are protected stay so";
    conditions.set_suspended(is_suspended(group.annotations()), meaning);
    if conflicts.is_empty() {
        conditions.clear(CONFLICTED);
    } else {
        let who = conflicts.join(", ");
        conditions.set(
            CONFLICTED,
            Status::True,
            "AlreadyProtected",
            &format!("another group has {who}"),
        );
    }
    if !errors.is_empty() {
        conditions.stalled("Invalid", &errors.join("\n"));
    } else if !conflicts.is_empty() {
        conditions.stalled("Conflicted", "another group protects some of its machines");
    } else if all {
        conditions.ready("Protected", &words);
    } else if let Some(Lack::Word(awaited)) = lacks {
        // That is a wait for a person, and no failure (KU-1).
        conditions.ready("AwaitingReprotect", &format!("{words}; {awaited}"));
    } else if counts.failed > 0 && counts.enabling + counts.resynchronizing == 0 {
        conditions.stalled("NotProtected", &words);
    } else {
        conditions.reconciling("Protecting", &words);
    }
}
