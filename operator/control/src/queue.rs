//! What is to be reconciled, in order: each key once, never twice at a time, now or at an instant.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cache::ObjectKey;

/// What is reconciled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A run, with all its machines.
    Run(ObjectKey),
    /// A plan.
    Plan(ObjectKey),
    /// A drill.
    Drill(ObjectKey),
    /// A site.
    Site(ObjectKey),
    /// A protection group.
    Group(ObjectKey),
    /// A protected machine.
    Machine(ObjectKey),
    /// A replication policy.
    Policy(ObjectKey),
    /// A network mapping.
    Mapping(ObjectKey),
    /// A failback policy.
    FailbackPolicy(ObjectKey),
    /// An object of a kind that cannot be read, or could not be.
    Unreadable(&'static str, ObjectKey),
}

impl Key {
    /// What kind it is, for metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Run(_) => "RecoveryRun",
            Self::Plan(_) => "RecoveryPlan",
            Self::Drill(_) => "RecoveryDrill",
            Self::Site(_) => "Site",
            Self::Group(_) => "ProtectionGroup",
            Self::Machine(_) => "ProtectedMachine",
            Self::Policy(_) => "ReplicationPolicy",
            Self::Mapping(_) => "NetworkMapping",
            Self::FailbackPolicy(_) => "FailbackPolicy",
            Self::Unreadable(kind, _) => kind,
        }
    }

    /// The namespace of the object; empty for what lives in the cluster.
    pub(crate) fn namespace(&self) -> &str {
        let (Self::Run(key)
        | Self::Plan(key)
        | Self::Drill(key)
        | Self::Site(key)
        | Self::Group(key)
        | Self::Machine(key)
        | Self::Policy(key)
        | Self::Mapping(key)
        | Self::FailbackPolicy(key)
        | Self::Unreadable(_, key)) = self;
        &key.namespace
    }

    /// Whether somebody's service waits for it.
    fn urgent(&self) -> bool {
        matches!(self, Self::Run(_))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, key) = match self {
            Self::Run(key) => ("run", key),
            Self::Plan(key) => ("plan", key),
            Self::Drill(key) => ("drill", key),
            Self::Site(key) => ("site", key),
            Self::Group(key) => ("group", key),
            Self::Machine(key) => ("machine", key),
            Self::Policy(key) => ("policy", key),
            Self::Mapping(key) => ("mapping", key),
            Self::FailbackPolicy(key) => ("failback policy", key),
            Self::Unreadable(kind, key) => return write!(f, "unreadable {kind} {key}"),
        };
        write!(f, "{kind} {key}")
    }
}

/// An ordered queue without duplicates. A key that is added while it is in hand comes again afterwards.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    urgent: VecDeque<Key>,
    ready: VecDeque<Key>,
    queued: BTreeSet<Key>,
    in_hand: BTreeSet<Key>,
    again: BTreeSet<Key>,
    /// Timers by instant, then by the order of their keys.
    timers: BTreeSet<(Instant, Key)>,
    timer_of: BTreeMap<Key, Instant>,
    /// Nothing is given out any more.
    closed: bool,
}

impl State {
    fn add(&mut self, key: Key) {
        if self.in_hand.contains(&key) {
            self.again.insert(key);
        } else if self.queued.insert(key.clone()) {
            if key.urgent() {
                self.urgent.push_back(key);
            } else {
                self.ready.push_back(key);
            }
        }
    }

    fn take(&mut self, now: Instant) -> Option<Key> {
        if self.closed {
            return None;
        }
        while let Some((at, _)) = self.timers.first()
            && *at <= now
        {
            if let Some((_, key)) = self.timers.pop_first() {
                self.timer_of.remove(&key);
                self.add(key);
            }
        }
        let key = self.urgent.pop_front().or_else(|| self.ready.pop_front())?;
        self.queued.remove(&key);
        self.in_hand.insert(key.clone());
        Some(key)
    }
}

impl Queue {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out no key any more; those in hand are brought to their end.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        // A timer that is due would wake whoever waits again and again.
        state.timers.clear();
        state.timer_of.clear();
    }

    /// How many keys wait, not counting those whose time has not come.
    pub(crate) fn len(&self) -> usize {
        let state = self.state();
        state.urgent.len() + state.ready.len()
    }

    /// Adds a key.
    pub(crate) fn add(&self, key: Key) {
        self.state().add(key);
        self.wake.notify_one();
    }

    /// Adds a key at an instant; of several the earliest counts.
    pub(crate) fn add_at(&self, key: Key, at: Instant) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        match state.timer_of.get(&key) {
            Some(earlier) if *earlier <= at => return,
            Some(later) => {
                let later = (*later, key.clone());
                state.timers.remove(&later);
            }
            None => {}
        }
        state.timer_of.insert(key.clone(), at);
        state.timers.insert((at, key));
        drop(state);
        self.wake.notify_one();
    }

    /// The next key; waits until there is one. It is in hand until [`done`](Self::done) is called.
    pub(crate) async fn next(&self) -> Key {
        loop {
            let woken = self.wake.notified();
            let timer = {
                let mut state = self.state();
                if let Some(key) = state.take(Instant::now()) {
                    let more = !state.urgent.is_empty() || !state.ready.is_empty();
                    drop(state);
                    if more {
                        self.wake.notify_one();
                    }
                    return key;
                }
                state.timers.first().map(|(at, _)| *at)
            };
            match timer {
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = woken => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
                None => woken.await,
            }
        }
    }

    /// The key is out of hand.
    pub(crate) fn done(&self, key: &Key) {
        let mut state = self.state();
        state.in_hand.remove(key);
        if state.again.remove(key) {
            state.add(key.clone());
            drop(state);
            self.wake.notify_one();
        }
    }
}
