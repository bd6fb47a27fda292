//! What the sites of a demonstration are made of: the story is the same, and this is what differs.
//!
//! What may not enter: anything of the story. A scenery is asked what is there; whether that is as it must
//! be is said by [`script`](super::script).

use std::time::Duration;

use drover_api::value::SiteName;
use jiff::Timestamp;
use serde_json::Value;

use crate::failure::Failure;

/// Sites where the demonstration can play.
pub trait Scenery {
    /// What is told and declared of it, and how long things take there.
    fn props(&self) -> &Props;

    /// Called at each look of the audience: who makes time go slower holds it here.
    fn hold(&self, _elapsed: Duration) {}

    /// What is at a site now.
    ///
    /// # Errors
    /// When nobody can tell.
    fn seen(&mut self, site: &SiteName) -> Result<Seen, Failure>;

    /// Takes the power of a site away.
    ///
    /// # Errors
    /// When it cannot be taken.
    fn lose(&mut self, site: &SiteName) -> Result<(), Failure>;

    /// Gives a site its power back.
    ///
    /// # Errors
    /// When it does not come up again.
    fn restore(&mut self, site: &SiteName) -> Result<(), Failure>;

    /// Whether the copies at a site have a recovery point of one instant, not older than this.
    ///
    /// # Errors
    /// When nobody can tell.
    fn has_common_point(&self, copies: &SiteName, since: Timestamp) -> Result<bool, Failure>;

    /// A failover or a drill begins: what guests say from now on belongs to it.
    fn mark(&mut self) {}

    /// What guests that went over since the mark say of it, once all of them said something.
    ///
    /// # Errors
    /// When one of them says nothing.
    fn crossings(&mut self, _from: &SiteName, _to: &SiteName) -> Result<Vec<Crossing>, Failure> {
        Ok(Vec::new())
    }

    /// What happened that must never happen, in sentences.
    fn broken(&self) -> Vec<String>;

    /// What is said when the curtain has fallen.
    fn farewell(&self, elapsed: Duration) -> String;
}

/// What is told and declared of a scenery, and how long things take there.
#[derive(Clone, Debug)]
pub struct Props {
    /// Its machines.
    pub machines: Vec<String>,
    /// What is declared.
    pub manifests: String,
    /// What a request for an unplanned failover says besides that, and when it expires.
    pub request: Value,
    /// How often the audience looks.
    pub look: Duration,
    /// Nothing takes so long: what does will never come to be.
    pub patience: Duration,
    /// How long the shop does business between two acts: replication goes on, guests write.
    pub business: Duration,
    /// What kind of time it is, after "What happened".
    pub time: &'static str,
}

/// What is at a site: how many of the machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// May serve.
    pub serving: usize,
    /// Are there and cannot serve: off, or fenced.
    pub held: usize,
    /// Run in a drill, on a test network and on no other.
    pub drilling: usize,
}

/// What a guest says of having gone over.
#[cfg_attr(
    not(feature = "mover"),
    allow(dead_code, reason = "simulated guests say nothing")
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The machine.
    pub machine: String,
    /// The last count that it said is durable where it was.
    pub left: u64,
    /// The last count that it found where it went.
    pub entered: u64,
    /// Counts that are missing before that one: what was durable and is not whole.
    pub gaps: u64,
    /// How long it took to count what is lost; nothing where nothing is.
    pub lost: Duration,
    /// From its last count where it was to its first one where it went.
    pub silent: Duration,
}

impl Crossing {
    /// How many counts are lost.
    pub fn lost_counts(&self) -> u64 {
        self.left.saturating_sub(self.entered)
    }

    /// Whether all that was acknowledged is there, and nothing else.
    pub fn is_whole(&self) -> bool {
        self.entered == self.left && self.gaps == 0
    }
}
