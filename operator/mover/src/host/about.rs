//! What a host is and has.

use std::path::PathBuf;

use virt::connect::Connect;
use virt_sys as c;

use super::fault::{Fault, HostError};
use super::link::{LONG, SHORT};
use super::{Host, xml};

/// What a host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The version of libvirt, such as `9.0.0`.
    pub libvirt: String,
    /// The version of QEMU.
    pub qemu: String,
    /// The types of machines of its own architecture, such as `pc-q35-7.2`, by their names.
    pub machine_types: Vec<String>,
    /// The processors that libvirt knows there by name, such as `Haswell`; none where it does not say.
    pub cpu_models: Vec<String>,
    /// The programs that emulate machines, by their paths; none where it does not say.
    pub emulators: Vec<String>,
    /// Memory that nobody uses, in bytes.
    pub free_memory: u64,
    /// All its memory, in bytes.
    pub memory: u64,
    /// How many processors it has, as its guests could use them.
    pub cpus: u32,
}

/// A storage pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its folder, or its device.
    pub path: PathBuf,
    /// How large it is, in bytes.
    pub capacity: u64,
    /// How much of it is free, in bytes.
    pub available: u64,
}

impl Host {
    /// A storage pool, as it is now.
    ///
    /// # Errors
    /// When there is no such pool, or it is not active, or the host does not answer.
    pub async fn pool(&self, pool: &str) -> Result<Pool, HostError> {
        let (doing, name) = (format!("look at the storage pool {pool}"), pool.to_owned());
        self.link
            .call(doing, LONG, move |connect| look_at(connect, &name))
            .await
    }

    /// The names of networks that machines can be attached to now, in order.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn networks(&self) -> Result<Vec<String>, HostError> {
        let list = |connect: &Connect| {
            let networks = connect.list_all_networks(c::VIR_CONNECT_LIST_NETWORKS_ACTIVE)?;
            let names: Result<Vec<_>, _> =
                networks.iter().map(virt::network::Network::name).collect();
            let mut names = names?;
            names.sort();
            Ok(names)
        };
        self.link.call("list networks", SHORT, list).await
    }

    /// What the host is.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn about(&self) -> Result<About, HostError> {
        let ask = |connect: &Connect| {
            let node = connect.node_info()?;
            let capabilities = connect.capabilities()?;
            // An architecture without names has none.
            let named = connect.cpu_models_names(&xml::architecture(&capabilities)?, 0);
            Ok(About {
                cpu_models: named.unwrap_or_default(),
                libvirt: version(connect.lib_version()?),
                qemu: version(connect.hyp_version()?),
                machine_types: xml::machine_types(&capabilities)?,
                emulators: xml::emulators(&capabilities)?,
                free_memory: connect.free_memory()?,
                memory: node.memory.saturating_mul(1024),
                cpus: node.cpus,
            })
        };
        self.link.call("ask what it is", LONG, ask).await
    }
}

fn look_at(connect: &Connect, name: &str) -> Result<Pool, Fault> {
    let pool = connect.lookup_storage_pool_by_name(name)?;
    if !pool.is_active()? {
        return Err(Fault::Failed("it is not active".to_owned()));
    }
    // libvirt measures only then. One that is in use, as for a new volume, says what it was.
    if let Err(error) = pool.refresh(0) {
        tracing::debug!(name, %error, "a storage pool was not measured");
    }
    let path = xml::pool_path(&pool.xml_desc(0)?)?;
    let path = path.ok_or_else(|| Fault::Failed("it has no folder".to_owned()))?;
    let info = pool.info()?;
    Ok(Pool {
        path: path.into(),
        capacity: info.capacity,
        available: info.available,
    })
}

/// libvirt counts a million to each major version, and a thousand to each minor one.
fn version(number: u32) -> String {
    format!(
        "{}.{}.{}",
        number / 1_000_000,
        number / 1000 % 1000,
        number % 1000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_libvirt_counts() {
        assert_eq!(version(9_000_000), "9.0.0");
        assert_eq!(version(7_002_022), "7.2.22");
    }
}
