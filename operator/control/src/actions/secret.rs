//! What an action takes from a secret, in the namespace of its plan.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use super::Errand;
use crate::context::Context;
use crate::feed::Chain;

impl Errand {
    /// A secret in the plan's namespace.
    pub(super) async fn secret(&self, context: &Context, name: &str) -> Result<Secret, String> {
        let api: Api<Secret> = Api::namespaced(context.client.clone(), &self.namespace);
        let at = format!("secret {name} in namespace {}", self.namespace);
        match api.get(name).await {
            Ok(secret) => Ok(secret),
            Err(kube::Error::Api(status)) if status.code == 404 => {
                Err(format!("there is no {at}: create it"))
            }
            Err(kube::Error::Api(status)) if status.code == 403 => Err(format!(
                "{at} may not be read: give the operator the right to, with the chart's `secrets.readable`"
            )),
            Err(error) => Err(format!("{at} could not be read: {}", Chain(&error))),
        }
    }
}
