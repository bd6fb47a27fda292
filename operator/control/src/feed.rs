//! From the watches of the API into the cache, and from every change to the keys that follow it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use drover_api::common::RunKind;
use drover_api::value::MachineName;
use drover_api::{
    FailbackPolicy, MachineRun, NetworkMapping, ProtectedMachine, ProtectionGroup, RecoveryDrill,
    RecoveryPlan, RecoveryRun, ReplicationPolicy, RunDecision, Site,
};
use futures::StreamExt;
use kube::Api;
use kube::runtime::watcher::{self, Event};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tracing::warn;

use crate::cache::{Change, Kept, ObjectKey, kept, version};
use crate::context::{Context, GATHER};
use crate::guarded::Guarded;
use crate::queue::Key;

/// A kind whose changes others follow.
pub(crate) trait Followed: Kept {
    /// Wakes whoever follows it.
    fn follow(context: &Context, change: &Change<Self>);
}

/// Feeds the cache with one kind for as long as this incarnation lives. Says on `synced` when all that
/// there was is in.
pub(crate) async fn feed<K>(context: Arc<Context>, synced: watch::Sender<bool>)
where
    K: Followed + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let api: Api<Guarded<K>> = Api::all(context.client.clone());
    let begin = || watcher::watcher(api.clone(), watcher::Config::default()).boxed();
    let mut events = begin();
    let mut listed = BTreeSet::new();
    loop {
        let Ok(event) = tokio::time::timeout(SILENT, events.next()).await else {
            // Nothing at all for so long: the connection may be dead without anybody having said so.
            events = begin();
            continue;
        };
        let Some(event) = event else { return };
        match event {
            Ok(Event::Apply(object)) => put(&context, object),
            Ok(Event::Delete(object)) => {
                let key = ObjectKey::of(&object);
                context.not_there::<K>(&key);
                remove::<K>(&context, &key, version(&object));
            }
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => {
                listed.insert(ObjectKey::of(&object));
                put(&context, object);
            }
            Ok(Event::InitDone) => {
                context.only_these::<K>(&listed);
                forget_missing::<K>(&context, &std::mem::take(&mut listed));
                synced.send_replace(true);
            }
            Err(error) => {
                warn!(kind = %K::kind(&()), error = %Chain(&error), "the watch broke; it is begun again");
                tokio::time::sleep(BROKEN).await;
            }
        }
    }
}

/// After so long without anything a watch is begun again.
const SILENT: Duration = Duration::from_mins(10);

/// How long machines that come or go wait for others before their sites are looked at.
const CLAIMED: Duration = Duration::from_secs(2);

/// How long a broken watch rests before it is begun again.
const BROKEN: Duration = Duration::from_secs(1);

fn put<K: Followed>(context: &Context, object: Guarded<K>) {
    let key = ObjectKey::of(&object);
    let version = version(&object);
    match object.read {
        Ok(read) => {
            context.can_read::<K>(&key, object.marked);
            let change = context.cache().put(kept(read));
            if let Some(change) = change {
                K::follow(context, &change);
            }
        }
        Err(unreadable) => {
            context.cannot_read::<K>(&key, unreadable);
            remove::<K>(context, &key, version);
        }
    }
}

fn remove<K: Followed>(context: &Context, key: &ObjectKey, version: u64) {
    let change = context.cache().remove::<K>(key, version);
    if let Some(change) = change {
        K::follow(context, &change);
    }
}

/// A list names all that there is: what it does not name went while nobody watched.
fn forget_missing<K: Followed>(context: &Context, listed: &BTreeSet<ObjectKey>) {
    let missing: Vec<(ObjectKey, u64)> = {
        let mut cache = context.cache();
        let table = K::table(&mut cache);
        let missing = table.iter().filter(|(key, _)| !listed.contains(key));
        missing
            .map(|(key, object)| (key.clone(), version(&**object)))
            .collect()
    };
    for (key, version) in missing {
        remove::<K>(context, &key, version);
    }
}

/// An error with its causes on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Context {
    /// What plans are made of changed, in one namespace or everywhere: whoever may refer to it looks anew.
    fn declaration_changed(&self, namespace: Option<&str>) {
        let keys: Vec<Key> = {
            let cache = self.cache();
            let groups = cache.groups.iter().map(|(key, _)| Key::Group(key.clone()));
            let plans = cache.plans.iter().map(|(key, _)| Key::Plan(key.clone()));
            let mappings = cache.mappings.iter();
            let mappings = mappings.map(|(key, _)| Key::Mapping(key.clone()));
            let ways_back = cache.failback_policies.iter();
            let ways_back = ways_back.map(|(key, _)| Key::FailbackPolicy(key.clone()));
            let drills = cache.drills.iter().map(|(key, _)| Key::Drill(key.clone()));
            let all = groups.chain(plans).chain(mappings).chain(ways_back);
            let here = |key: &Key| namespace.is_none_or(|here| key.namespace() == here);
            all.chain(drills).filter(here).collect()
        };
        for key in keys {
            self.queue.add(key);
        }
    }

    /// Plans that are about a group are looked at soon.
    pub(crate) fn plans_of(&self, group: &ObjectKey) {
        let plans = self.cache().plans_of_group(group);
        for plan in plans {
            self.later(Key::Plan(plan), GATHER);
        }
    }
}

fn spec_changed<K: Kept>(change: &Change<K>) -> bool {
    let generation = |object: &Arc<K>| object.meta().generation;
    change.now.as_ref().map(generation) != change.before.as_ref().map(generation)
}

impl Followed for Site {
    fn follow(context: &Context, change: &Change<Self>) {
        context.queue.add(Key::Site(change.key.clone()));
        if spec_changed(change) {
            context.declaration_changed(None);
        }
    }
}

macro_rules! referred {
    ($($kind:ident => $key:ident),*) => {$(
        impl Followed for $kind {
            fn follow(context: &Context, change: &Change<Self>) {
                context.queue.add(Key::$key(change.key.clone()));
                if spec_changed(change) {
                    context.declaration_changed(Some(&change.key.namespace));
                }
            }
        }
    )*};
}

referred![
    ReplicationPolicy => Policy,
    NetworkMapping => Mapping,
    FailbackPolicy => FailbackPolicy
];

impl Followed for ProtectionGroup {
    fn follow(context: &Context, change: &Change<Self>) {
        context.queue.add(Key::Group(change.key.clone()));
        if spec_changed(change) {
            context.declaration_changed(Some(&change.key.namespace));
        }
        let gone = |group: &Option<Arc<Self>>| -> BTreeSet<MachineName> {
            let status = group.iter().filter_map(|group| group.status.as_ref());
            status
                .flat_map(|status| status.no_longer_matching.iter().cloned())
                .collect()
        };
        // Those who belong to it no longer say so, and those who do again do not.
        for name in gone(&change.now).symmetric_difference(&gone(&change.before)) {
            let member = context.cache().member(&change.key, name.as_str()).cloned();
            if let Some(member) = member {
                context.queue.add(Key::Machine(ObjectKey::of(&*member)));
            }
        }
    }
}

impl Followed for ProtectedMachine {
    fn follow(context: &Context, change: &Change<Self>) {
        context.queue.add(Key::Machine(change.key.clone()));
        let Some(any) = change.now.as_ref().or(change.before.as_ref()) else {
            return;
        };
        if change.now.is_none() || change.before.is_none() {
            // Its sites say who is protected by nobody.
            for site in [&any.spec.sites.primary, &any.spec.sites.secondary] {
                context.later(Key::Site(ObjectKey::new("", site.as_str())), CLAIMED);
            }
        }
        let group = ObjectKey::new(&change.key.namespace, any.spec.group_ref.name.as_str());
        context.later(Key::Group(group.clone()), GATHER);
        context.plans_of(&group);
    }
}

impl Followed for RecoveryPlan {
    fn follow(context: &Context, change: &Change<Self>) {
        context.queue.add(Key::Plan(change.key.clone()));
        if !spec_changed(change) {
            return;
        }
        // A changed mind reaches the run that is going on (PL-8).
        let runs = context.cache().unfinished_runs(&change.key);
        for run in runs {
            context.queue.add(Key::Run(run));
        }
        let plans: Vec<ObjectKey> = {
            let cache = context.cache();
            let keys = cache.plans.in_namespace(&change.key.namespace);
            keys.map(|(key, _)| key.clone()).collect()
        };
        // Two plans may contend for a machine (PL-7).
        for plan in plans {
            context.later(Key::Plan(plan), GATHER);
        }
        // A drill may have been seen before its plan: each kind has a watch of its own.
        let drills: Vec<ObjectKey> = {
            let cache = context.cache();
            let keys = cache.drills.in_namespace(&change.key.namespace);
            keys.map(|(key, _)| key.clone()).collect()
        };
        for drill in drills {
            context.later(Key::Drill(drill), GATHER);
        }
        // Whether one fits depends on the plans that use it.
        let ways_back: Vec<ObjectKey> = {
            let cache = context.cache();
            let keys = cache.failback_policies.in_namespace(&change.key.namespace);
            keys.map(|(key, _)| key.clone()).collect()
        };
        for policy in ways_back {
            context.later(Key::FailbackPolicy(policy), GATHER);
        }
    }
}

impl Followed for RecoveryDrill {
    fn follow(context: &Context, change: &Change<Self>) {
        context.queue.add(Key::Drill(change.key.clone()));
        let Some(any) = change.now.as_ref().or(change.before.as_ref()) else {
            return;
        };
        if let Some(run) = any.status.as_ref().and_then(|status| status.run.as_ref()) {
            context.queue.add(Key::Run(ObjectKey::new(
                &change.key.namespace,
                run.as_str(),
            )));
        }
        let plan = ObjectKey::new(&change.key.namespace, any.spec.plan_ref.name.as_str());
        context.later(Key::Plan(plan), GATHER);
    }
}

impl Followed for RecoveryRun {
    fn follow(context: &Context, change: &Change<Self>) {
        context.queue.add(Key::Run(change.key.clone()));
        let Some(any) = change.now.as_ref().or(change.before.as_ref()) else {
            return;
        };
        let stand = |run: &Arc<Self>| {
            let record = &run.status.as_ref()?.record;
            Some((record.phase, record.decisions.len()))
        };
        let moved = change.now.as_ref().and_then(stand) != change.before.as_ref().and_then(stand);
        if !moved && change.now.is_some() && change.before.is_some() {
            return;
        }
        let plan = ObjectKey::new(&change.key.namespace, any.spec.plan_ref.name.as_str());
        if any.spec.kind == RunKind::Reprotect {
            // They say whose word their machines wait for.
            let groups = context.cache().groups_of_plan(&plan);
            for group in groups {
                context.later(Key::Group(group), GATHER);
            }
        }
        context.queue.add(Key::Plan(plan));
        let drills = context.cache().drills_of(&change.key);
        for drill in drills {
            context.queue.add(Key::Drill(drill));
        }
    }
}

impl Followed for MachineRun {
    fn follow(context: &Context, change: &Change<Self>) {
        let Some(any) = change.now.as_ref().or(change.before.as_ref()) else {
            return;
        };
        let run = ObjectKey::new(&change.key.namespace, any.spec.run.as_str());
        context
            .runs()
            .inbox(&run)
            .journals
            .insert(change.key.clone());
        context.queue.add(Key::Run(run));
    }
}

impl Followed for RunDecision {
    fn follow(context: &Context, change: &Change<Self>) {
        let Some(decision) = change.now.as_ref() else {
            return;
        };
        let run = ObjectKey::new(&change.key.namespace, decision.spec.run_ref.name.as_str());
        context.queue.add(Key::Run(run));
    }
}
