//! A record that `ExternalDNS` writes: its `DNSEndpoint` is made or replaced, at the version that was seen.

use drover_api::{DnsAction, DnsEndpoint};
use drover_engine::outside::endpoint::{GROUP, KIND, PLURAL, Step, VERSION, name, step};
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::Value;

use super::Errand;
use crate::context::Context;
use crate::feed::Chain;

/// How often a change is tried against somebody who changes the object too.
const TRIES: u32 = 3;

impl Errand {
    pub(super) async fn dns_endpoint(
        &self,
        context: &Context,
        dns: &DnsAction,
        endpoint: &DnsEndpoint,
    ) -> Result<(), String> {
        let gvk = GroupVersionKind::gvk(GROUP, VERSION, KIND);
        let resource = ApiResource::from_gvk_with_plural(&gvk, PLURAL);
        let api: Api<DynamicObject> =
            Api::namespaced_with(context.client.clone(), &self.namespace, &resource);
        let object = name(dns);
        let failed = |error: &kube::Error| self.endpoint_failed(&object, error);
        for _ in 0..TRIES {
            let standing = api.get_opt(&object).await.map_err(|error| failed(&error))?;
            let standing = standing.map(serde_json::to_value).transpose();
            let standing = standing.map_err(|error| error.to_string())?;
            let step = step(dns, endpoint, self.role, &self.plan, standing.as_ref());
            Self::leads(context)?;
            let written = match step {
                Step::Nothing => return Ok(()),
                Step::Refuse(why) => return Err(why),
                Step::Create(next) => api.create(&PostParams::default(), &read(next)?).await,
                Step::Replace(next) => {
                    let next = read(next)?;
                    api.replace(&object, &PostParams::default(), &next).await
                }
            };
            match written {
                // It is read back: the next look finds nothing to do.
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(failed(&error)),
            }
        }
        Err(format!(
            "DNSEndpoint {object} does not stay as it is written: somebody else changes it too"
        ))
    }

    fn endpoint_failed(&self, object: &str, error: &kube::Error) -> String {
        let at = format!("DNSEndpoint {object} in namespace {}", self.namespace);
        match error {
            // A namespace that were not there would have no plan in it.
            kube::Error::Api(status) if status.code == 404 => format!(
                "{at} cannot be written: this API has no DNSEndpoint ({GROUP}/{VERSION}); in a cluster install \
                 ExternalDNS with its definition, elsewhere use `rfc2136`"
            ),
            kube::Error::Api(status) if status.code == 403 => format!(
                "{at} may not be written ({}): set `dns.endpoints` of the chart",
                status.message
            ),
            error => format!("{at} could not be written: {}", Chain(error)),
        }
    }
}

fn read(value: Value) -> Result<DynamicObject, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}
