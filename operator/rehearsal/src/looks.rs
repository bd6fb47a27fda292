//! What is seen of the machines of a run, brought up to now.

use std::collections::BTreeMap;

use drover_api::common::SiteRole;
use drover_api::value::MachineName;
use drover_engine::decide::Sight;
use drover_fabric::Cursor;
use drover_world::{Instance, Link, LinkState, Observed};
use jiff::Timestamp;

use crate::prepared::Prepared;
use crate::stage::{Stage, side};

/// What is seen.
#[derive(Debug)]
pub(crate) struct Looks {
    pub sights: Vec<Sight>,
    source: SiteRole,
    sites: [Option<Cursor>; 2],
    pairs: Vec<Option<Cursor>>,
    /// Positions by the name at each site.
    named: [BTreeMap<MachineName, usize>; 2],
    /// Positions by the name at the primary site, for each pair.
    linked: Vec<BTreeMap<MachineName, usize>>,
}

impl Looks {
    pub fn new(prepared: &Prepared, now: Timestamp) -> Self {
        let named = [SiteRole::Primary, SiteRole::Secondary].map(|role| {
            let all = prepared.actors.iter().enumerate();
            all.map(|(at, actor)| (actor.subject.at(role).clone(), at))
                .collect()
        });
        let linked = (0..prepared.pairs.len()).map(|pair| {
            let all = prepared.actors.iter().enumerate();
            all.filter(|(_, actor)| actor.pair == pair)
                .map(|(at, actor)| (actor.subject.primary.clone(), at))
                .collect()
        });
        Self {
            sights: vec![blind(now); prepared.actors.len()],
            source: prepared.shape.source(),
            sites: [None; 2],
            pairs: vec![None; prepared.pairs.len()],
            linked: linked.collect(),
            named,
        }
    }

    /// Looks at both sites, and at what replicates between them.
    pub async fn look(&mut self, stage: &Stage) {
        let now = stage.clock.now();
        for role in [SiteRole::Primary, SiteRole::Secondary] {
            self.look_at_site(stage, role, now).await;
        }
        for pair in 0..self.pairs.len() {
            self.look_at_pair(stage, pair, now).await;
        }
        if let Ok(fences) = stage.fabrics[side(self.source)].fences().await {
            for (name, epoch) in fences {
                if let Some(at) = self.named[side(self.source)].get(&name) {
                    self.sights[*at].fenced = Some(epoch);
                }
            }
        }
    }

    async fn look_at_site(&mut self, stage: &Stage, role: SiteRole, now: Timestamp) {
        let cursor = &mut self.sites[side(role)];
        let seen = stage.fabrics[side(role)].observe(*cursor).await;
        let at_source = role == self.source;
        let Ok(seen) = seen else {
            for sight in &mut self.sights {
                lost(instance(sight, at_source), now);
            }
            return;
        };
        *cursor = Some(seen.cursor);
        for sight in &mut self.sights {
            answers(instance(sight, at_source), now);
        }
        for (key, told) in seen.seen {
            let found = self.named[side(role)].get(&key.name);
            if let (Some(at), false) = (found, key.drill) {
                let value = told.instance;
                *instance(&mut self.sights[*at], at_source) = Observed::Seen { value, at: now };
            }
        }
    }

    async fn look_at_pair(&mut self, stage: &Stage, pair: usize, now: Timestamp) {
        let seen = stage.pairs[pair].observe(self.pairs[pair]).await;
        let linked = &self.linked[pair];
        let Ok(seen) = seen else {
            for at in linked.values() {
                lost(&mut self.sights[*at].link, now);
            }
            return;
        };
        self.pairs[pair] = Some(seen.cursor);
        for at in linked.values() {
            answers(&mut self.sights[*at].link, now);
        }
        for (name, value) in seen.seen {
            if let Some(at) = linked.get(&name) {
                self.sights[*at].link = Observed::Seen { value, at: now };
            }
        }
    }
}

/// A machine at one of the sites.
fn instance(sight: &mut Sight, at_source: bool) -> &mut Observed<Instance> {
    if at_source {
        &mut sight.source
    } else {
        &mut sight.target
    }
}

/// What is known was looked at again.
fn answers<T: Clone>(known: &mut Observed<T>, now: Timestamp) {
    match known {
        Observed::Seen { at, .. } => *at = now,
        Observed::Unknown { last, .. } => {
            if let Some(value) = last.take() {
                *known = Observed::Seen { value, at: now };
            }
        }
    }
}

/// What is known was not seen this time.
fn lost<T: Clone>(known: &mut Observed<T>, now: Timestamp) {
    if let Observed::Seen { value, .. } = known {
        *known = Observed::Unknown {
            since: now,
            last: Some(value.clone()),
        };
    }
}

/// Before anything was looked at: what is not told of is absent.
fn blind(now: Timestamp) -> Sight {
    let absent = Observed::Unknown {
        since: now,
        last: Some(Instance::ABSENT),
    };
    Sight {
        source: absent,
        target: absent,
        drill: absent,
        link: Observed::Unknown {
            since: now,
            last: Some(Link::new(SiteRole::Secondary, LinkState::None)),
        },
        fenced: None,
    }
}
