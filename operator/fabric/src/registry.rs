//! The drivers that there are, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use drover_api::value::SiteName;
use drover_api::{Fabric as FabricSpec, Replicator as ReplicatorSpec};
use drover_api::{ReplicationPolicySpec, SiteSpec};
use drover_world::FabricError;
use thiserror::Error;

use crate::{Fabric, Replicator};

/// Makes fabrics and replicators of one kind.
#[async_trait]
pub trait Driver: Send + Sync {
    /// A site of this kind.
    ///
    /// # Errors
    /// When what is declared of it does not suffice to speak to it. That it does not answer now is no
    /// error here.
    async fn fabric(&self, site: SiteConfig<'_>) -> Result<Arc<dyn Fabric>, FabricError>;

    /// An ordered pair of sites under one policy.
    ///
    /// # Errors
    /// As [`fabric`](Self::fabric).
    async fn replicator(&self, pair: PairConfig<'_>) -> Result<Arc<dyn Replicator>, FabricError>;
}

/// What a driver is told of a site.
#[derive(Clone, Copy)]
pub struct SiteConfig<'a> {
    /// Its name.
    pub name: &'a SiteName,
    /// What is declared of it.
    pub spec: &'a SiteSpec,
    /// The secrets that it refers to.
    pub secrets: &'a Secrets,
}

/// What a driver is told of a pair of sites.
#[derive(Clone, Copy)]
pub struct PairConfig<'a> {
    /// The primary site.
    pub primary: SiteConfig<'a>,
    /// The secondary site.
    pub secondary: SiteConfig<'a>,
    /// The policy that its machines replicate under.
    pub policy: &'a ReplicationPolicySpec,
}

/// Secrets by namespace and name, entry by entry. They are not shown, whoever prints them (BI-3).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<(String, String), BTreeMap<String, Vec<u8>>>);

impl Secrets {
    /// Adds a secret.
    pub fn insert(&mut self, namespace: &str, name: &str, entries: BTreeMap<String, Vec<u8>>) {
        self.0
            .insert((namespace.to_owned(), name.to_owned()), entries);
    }

    /// One entry of a secret.
    pub fn entry(&self, namespace: &str, name: &str, entry: &str) -> Option<&[u8]> {
        let secret = self.0.get(&(namespace.to_owned(), name.to_owned()))?;
        secret.get(entry).map(Vec::as_slice)
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

/// The drivers that there are, by the name that manifests call them.
#[derive(Clone, Default)]
pub struct Registry {
    drivers: BTreeMap<String, Arc<dyn Driver>>,
}

/// A driver is asked for that there is not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no driver {name} in this build of Drover")]
pub struct NoSuchDriver {
    /// Its name.
    pub name: String,
}

impl Registry {
    /// Adds a driver.
    #[must_use]
    pub fn with(mut self, name: &str, driver: Arc<dyn Driver>) -> Self {
        self.drivers.insert(name.to_owned(), driver);
        self
    }

    /// The driver of a site.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_fabric(&self, fabric: &FabricSpec) -> Result<&Arc<dyn Driver>, NoSuchDriver> {
        self.named(fabric.driver())
    }

    /// The driver of a replicator.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_replicator(
        &self,
        replicator: &ReplicatorSpec,
    ) -> Result<&Arc<dyn Driver>, NoSuchDriver> {
        self.named(replicator.driver())
    }

    fn named(&self, name: &str) -> Result<&Arc<dyn Driver>, NoSuchDriver> {
        self.drivers.get(name).ok_or_else(|| NoSuchDriver {
            name: name.to_owned(),
        })
    }
}
