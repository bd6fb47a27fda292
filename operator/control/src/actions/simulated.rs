//! Actions whose target lives in a simulated site: its world answers.

use std::sync::Arc;
use std::time::Duration;

use drover_api::{DnsAction, HttpAction};
use drover_engine::outside::dns::ttl;
use drover_fabric::{ActionTargets, DnsChange, Fabric, HttpCall};

use super::Errand;
use super::http::expect;
use crate::context::Context;

/// How often it is looked whether the target's driver is open by now.
const OPENS: Duration = Duration::from_millis(200);

impl Errand {
    pub(super) async fn simulated_http(
        &self,
        context: &Context,
        http: &HttpAction,
    ) -> Result<(), String> {
        let Some(place) = &self.machine else {
            return Err("the machine is none of this run".into());
        };
        let fabric = self.fabric(context).await;
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
        let fabric = self.fabric(context).await;
        let change = DnsChange {
            record: dns.record.clone(),
            ttl: ttl(dns),
            addresses: dns.at(self.role).to_vec(),
        };
        targets(&fabric)?.dns(&change).await
    }

    /// The target's driver. Who has just begun to lead opens it in a moment: an attempt waits for that, for
    /// as long as it may take.
    async fn fabric(&self, context: &Context) -> Arc<dyn Fabric> {
        loop {
            if let Some(fabric) = context.fabric(&self.target) {
                return fabric;
            }
            tokio::time::sleep(OPENS).await;
        }
    }
}

fn targets(fabric: &Arc<dyn Fabric>) -> Result<&dyn ActionTargets, String> {
    let targets = fabric.action_targets();
    targets.ok_or_else(|| "the target site is simulated and answers no actions".into())
}
