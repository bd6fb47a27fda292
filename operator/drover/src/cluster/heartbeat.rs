//! Whether an operator works: whoever leads renews a lease, as long as it lives.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};

/// The operator's lease, in whichever namespace it runs.
const LEASE: &str = "drover";

/// When an operator last renewed its lease; nothing where there is none, or who asks may not see it.
pub async fn last(client: &Client) -> Option<Timestamp> {
    let leases: Api<Lease> = Api::all(client.clone());
    let named = ListParams::default().fields(&format!("metadata.name={LEASE}"));
    let listed = leases.list(&named).await.ok()?;
    let ours = listed
        .items
        .into_iter()
        .filter(|lease| lease.name_any() == LEASE);
    let renewed = ours.filter_map(|lease| Some(lease.spec?.renew_time?.0));
    renewed.max()
}
