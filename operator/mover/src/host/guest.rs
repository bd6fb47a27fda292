//! What guests say and do through their agents.

use std::net::IpAddr;

use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys as c;

use super::awaited::Awaited;
use super::fault::{Fault, HostError};
use super::link::{LONG, SHORT};
use super::{Host, find, find_active, sys, xml};

impl Host {
    /// Has the guest's agent write what is in memory and hold further writes, until [`thaw`](Self::thaw).
    ///
    /// When this fails the guest may be frozen all the same: thaw it. When nobody waits for it any more it is
    /// thawed by itself as soon as it is frozen.
    ///
    /// # Errors
    /// When the machine does not run, has no agent or a silent one, or the host does not answer.
    pub async fn freeze(&self, name: &str) -> Result<(), HostError> {
        let awaited = Awaited::new();
        let is_awaited = awaited.told();
        let freeze = move |domain: &Domain| {
            sys::freeze(domain)?;
            if !is_awaited() {
                sys::thaw(domain)?;
            }
            Ok(())
        };
        self.with_agent("freeze", name, freeze).await
    }

    /// Lets the guest write again.
    ///
    /// # Errors
    /// When the machine does not run, has no agent or a silent one, or the host does not answer. That the
    /// guest is not frozen is none.
    pub async fn thaw(&self, name: &str) -> Result<(), HostError> {
        self.with_agent("thaw", name, |domain| Ok(sys::thaw(domain)?))
            .await
    }

    /// The addresses that a guest has: as its agent says, else as the host handed them out or heard of them.
    /// None where nobody knows, or the machine is off; none that are only valid on the guest or its link.
    ///
    /// # Errors
    /// When there is no such machine, or the host does not answer.
    pub async fn addresses(&self, name: &str) -> Result<Vec<String>, HostError> {
        let (doing, name) = (format!("ask for the addresses of {name}"), name.to_owned());
        self.link
            .call(doing, SHORT, move |connect| {
                addresses(&find(connect, &name)?)
            })
            .await
    }

    async fn with_agent(
        &self,
        doing: &str,
        name: &str,
        act: impl FnOnce(&Domain) -> Result<(), Fault> + Send + 'static,
    ) -> Result<(), HostError> {
        let (doing, name) = (format!("{doing} {name}"), name.to_owned());
        let act = move |connect: &Connect| {
            let domain = find_active(connect, &name)?;
            if !xml::has_agent(&domain.xml_desc(0)?)? {
                return Err(Fault::NoAgent("it is not connected".to_owned()));
            }
            act(&domain)
        };
        self.link.call(doing, LONG, act).await
    }
}

fn addresses(domain: &Domain) -> Result<Vec<String>, Fault> {
    if !domain.is_active()? {
        return Ok(Vec::new());
    }
    let mut sources = vec![
        c::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
        c::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP,
    ];
    if xml::has_agent(&domain.xml_desc(0)?)? {
        sources.insert(0, c::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT);
    }
    for source in sources {
        match sys::addresses(domain, source).map_err(Fault::from) {
            Ok(found) => {
                let of_use = found.into_iter().filter(|(_, address)| is_of_use(address));
                let mut addresses: Vec<_> = of_use.map(|(_, address)| address).collect();
                addresses.dedup();
                if !addresses.is_empty() {
                    return Ok(addresses);
                }
            }
            Err(fault @ Fault::Unreachable(_)) => return Err(fault),
            // This source knows nothing.
            Err(_) => {}
        }
    }
    Ok(Vec::new())
}

fn is_of_use(address: &str) -> bool {
    match address.parse() {
        Ok(IpAddr::V4(address)) => !address.is_loopback() && !address.is_link_local(),
        Ok(IpAddr::V6(address)) => !address.is_loopback() && !address.is_unicast_link_local(),
        Err(_) => false,
    }
}
