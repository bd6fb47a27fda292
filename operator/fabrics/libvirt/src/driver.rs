//! The driver that the registry calls `libvirt`, and `qemuBitmap` where pairs are meant.

use std::sync::Arc;

use async_trait::async_trait;
use drover_api::common::NamespacedSecretRef;
use drover_api::{Fabric as FabricSpec, FencingMethod, LibvirtFabric, ReplicationPolicySpec};
use drover_fabric::{Driver, Fabric, PairConfig, Replicator, SiteConfig};
use drover_world::{ErrorClass, FabricError, pairs};

use crate::call::{Address, CallError, Caller, Credentials};
use crate::pair::LibvirtPair;
use crate::site::LibvirtSite;

/// Opens libvirt sites and pairs of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Libvirt;

#[async_trait]
impl Driver for Libvirt {
    async fn fabric(&self, site: SiteConfig<'_>) -> Result<Arc<dyn Fabric>, FabricError> {
        can_be_fenced(site.spec.fencing.method)?;
        Ok(Arc::new(LibvirtSite {
            name: site.name.clone(),
            mover: mover(site)?,
            hosts: declared(site)?
                .hosts
                .iter()
                .map(|host| host.name.to_string())
                .collect(),
            fencing: site.spec.fencing.method,
        }))
    }

    async fn replicator(&self, pair: PairConfig<'_>) -> Result<Arc<dyn Replicator>, FabricError> {
        let (one, other) = (&pair.primary.spec.fabric, &pair.secondary.spec.fabric);
        let rules = pairs::of_fabrics(one, other, &pair.policy.replicator)
            .map_err(|error| refused(error.to_string(), error.hint))?;
        can_be_heeded(pair.policy)?;
        let movers = [mover(pair.primary)?, mover(pair.secondary)?];
        let replicator = LibvirtPair::new(pair, movers, rules)?;
        Ok(Arc::new(replicator))
    }
}

/// A machine whose storage or network should be cut is not cut off its power instead.
fn can_be_fenced(method: FencingMethod) -> Result<(), FabricError> {
    match method {
        FencingMethod::None | FencingMethod::Power => Ok(()),
        FencingMethod::Storage | FencingMethod::Network => Err(refused(
            format!(
                "fencing.method {method:?} cannot be heeded by a libvirt site: what it can cut is the power"
            ),
            "declare `fencing: { method: Power }`",
        )),
    }
}

/// What a policy asks for and would not get is refused, not passed over.
fn can_be_heeded(policy: &ReplicationPolicySpec) -> Result<(), FabricError> {
    let encryption = policy.encryption.as_ref();
    if encryption.is_some_and(|encryption| encryption.at_rest_key_secret_ref.is_some()) {
        return Err(refused(
            "encryption.atRestKeySecretRef cannot be heeded by this pair: copies lie in the pool as they are"
                .into(),
            "leave it out, and encrypt the file system of the pool",
        ));
    }
    Ok(())
}

pub(crate) fn refused(message: String, hint: &str) -> FabricError {
    FabricError {
        class: ErrorClass::Terminal,
        message,
        hint: Some(hint.to_owned()),
        epoch_seen: None,
    }
}

pub(crate) fn declared(site: SiteConfig<'_>) -> Result<&LibvirtFabric, FabricError> {
    match &site.spec.fabric {
        FabricSpec::Libvirt(libvirt) => Ok(libvirt),
        _ => Err(refused(
            format!("{} is no libvirt site", site.name),
            "declare the fabric libvirt",
        )),
    }
}

fn mover(site: SiteConfig<'_>) -> Result<Caller, FabricError> {
    let Some(mover) = &declared(site)?.mover else {
        return Err(refused(
            format!("no mover is declared for {}", site.name),
            "start `drover mover` beside the hosts, and declare it as fabric.libvirt.mover",
        ));
    };
    let address: Address = mover.address.parse().map_err(|error| {
        refused(
            format!("the address of the mover of {}: {error}", site.name),
            "write HOST:PORT, or unix:///PATH",
        )
    })?;
    let credentials = mover
        .credentials_secret_ref
        .as_ref()
        .map(|secret| credentials(site, secret))
        .transpose()?;
    Caller::new(address, credentials.as_ref()).map_err(CallError::into)
}

fn credentials(
    site: SiteConfig<'_>,
    secret: &NamespacedSecretRef,
) -> Result<Credentials, FabricError> {
    let (namespace, name) = (secret.namespace.as_str(), secret.name.as_str());
    let entry = |entry: &str| {
        let found = site.secrets.entry(namespace, name, entry);
        found.map(<[u8]>::to_vec).ok_or_else(|| {
            refused(
                format!("the secret {namespace}/{name} has no {entry}"),
                "it holds ca.crt, tls.crt and tls.key",
            )
        })
    };
    Ok(Credentials {
        ca: entry("ca.crt")?,
        certificate: entry("tls.crt")?,
        key: entry("tls.key")?,
    })
}
