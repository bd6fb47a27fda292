//! What a driver's test gives the suite: its real system, and hands in it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drover_api::common::SiteRole;

use crate::{Fabric, Replicator, Subject};

/// Two sites, a pair, and hands that reach where Drover does not.
///
/// The suite calls what needs an ability only where [`Lab::abilities`] says that it is there.
#[async_trait]
pub trait Lab: Send + Sync {
    /// What the hands can do.
    fn abilities(&self) -> Abilities;

    /// Drivers, made anew each time, as after a restart.
    async fn drivers(&self) -> Drivers;

    /// A machine with this name runs at the primary site, unknown to Drover, and is healthy.
    async fn machine(&self, name: &str) -> Subject;

    /// A machine with the name of this one stands at a site, and Drover did not make it.
    async fn stranger(&self, machine: &Subject, at: SiteRole);

    /// The guest writes once, and the write is acknowledged.
    async fn write(&self, machine: &Subject, at: SiteRole);

    /// What the disks of a machine, of its copy, or of what a drill made of it, hold; nothing where there
    /// are none. The copy of a link that is live may lag.
    async fn content(&self, machine: &Subject, at: SiteRole, drill: bool) -> Option<Token>;

    /// Somebody switches the machine on or off, by hand.
    async fn switch(&self, machine: &Subject, at: SiteRole, on: bool);

    /// Lets so much time pass, or waits for it.
    async fn pass(&self, time: Duration);

    /// Cuts a site off, or ends that. Needs [`Abilities::cut_off`].
    async fn cut_off(&self, at: SiteRole, cut: bool);

    /// Takes the power from a site and gives it back. Needs [`Abilities::power_cycle`].
    async fn power_cycle(&self, at: SiteRole);

    /// Makes copies into a site so slow that they can be watched, or ends that. Needs
    /// [`Abilities::slow_copies`].
    async fn slow_copies(&self, into: SiteRole, slow: bool);
}

/// What the hands of a lab can do; where they cannot, why.
#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// Cutting a site off.
    pub cut_off: Result<(), &'static str>,
    /// Taking a site's power.
    pub power_cycle: Result<(), &'static str>,
    /// Slowing copies down.
    pub slow_copies: Result<(), &'static str>,
    /// Letting days pass.
    pub days: Result<(), &'static str>,
}

/// Drivers of both sites and of the pair.
#[derive(Clone, Debug)]
pub struct Drivers {
    /// The primary site.
    pub primary: Arc<dyn Fabric>,
    /// The secondary site.
    pub secondary: Arc<dyn Fabric>,
    /// The pair.
    pub pair: Arc<dyn Replicator>,
}

impl Drivers {
    /// The site in this role.
    pub fn at(&self, role: SiteRole) -> &dyn Fabric {
        match role {
            SiteRole::Primary => self.primary.as_ref(),
            SiteRole::Secondary => self.secondary.as_ref(),
        }
    }
}

/// What disks hold, in whatever form the lab reads it: equal when the same writes are on them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub String);
