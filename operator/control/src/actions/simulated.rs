//! Actions whose target lives in a simulated site: its world answers.

use std::sync::Arc;

use drover_api::{DnsAction, HttpAction};
use drover_engine::outside::dns::ttl;
use drover_fabric::{ActionTargets, DnsChange, Fabric, HttpCall};

use super::Errand;
use super::http::expect;
use crate::context::Context;

impl Errand {
    pub(super) async fn simulated_http(
        &self,
        context: &Context,
        http: &HttpAction,
    ) -> Result<(), String> {
        let Some(place) = &self.machine else {
            return Err("the machine is none of this run".into());
        };
        let fabric = self.fabric(context)?;
        let call = HttpCall {
            machine: place.subject.at(self.role).clone(),
            drill: self.drill,
            port: http.port.unwrap_or(80),
            path: http.path.clone().unwrap_or_else(|| "/".into()),
        };
        let status = targets(&fabric)?.http(&call).await?;
        expect(http, status)
    }

    pub(super) async fn simulated_dns(
        &self,
        context: &Context,
        dns: &DnsAction,
    ) -> Result<(), String> {
        let fabric = self.fabric(context)?;
        let change = DnsChange {
            record: dns.record.clone(),
            ttl: ttl(dns),
            addresses: dns.at(self.role).to_vec(),
        };
        targets(&fabric)?.dns(&change).await
    }

    fn fabric(&self, context: &Context) -> Result<Arc<dyn Fabric>, String> {
        let fabric = context.fabric(&self.target);
        fabric.ok_or_else(|| "the target site's driver is not open".into())
    }
}

fn targets(fabric: &Arc<dyn Fabric>) -> Result<&dyn ActionTargets, String> {
    let targets = fabric.action_targets();
    targets.ok_or_else(|| "the target site is simulated and answers no actions".into())
}
