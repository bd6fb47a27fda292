//! A record of a real zone (NM-6): it is read, changed by one update that says what must stand there, and
//! read back. What is to be done about what stands there is the engine's choice.

mod endpoint;
mod key;
mod message;
mod rfc2136;

use drover_api::DnsAction;

use super::Errand;
use crate::context::Context;

impl Errand {
    pub(super) async fn real_dns(&self, context: &Context, dns: &DnsAction) -> Result<(), String> {
        match (&dns.rfc2136, &dns.dns_endpoint) {
            (Some(server), None) => self.rfc2136(context, dns, server).await,
            (None, Some(endpoint)) => self.dns_endpoint(context, dns, endpoint).await,
            _ => Err("the action must have exactly one of rfc2136 and dnsEndpoint".into()),
        }
    }
}
