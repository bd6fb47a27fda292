//! How many writes of status per second: `cargo run --release -p drover-embedded --example measure [FOLDER]`.
//!
//! 64 callers, each with an object of its own of about 2 KB, through `kube::Client` in this process.

use std::{env, error::Error, io::Write as _, path::PathBuf, time::Instant};

use drover_api::{KINDS, ProtectedMachine};
use drover_embedded::{Api, Options};
use kube::{
    api::{DynamicObject, PostParams},
    core::ApiResource,
};
use serde_json::json;

const CALLERS: usize = 64;
const WRITES: usize = 1000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let data = env::args().nth(1).map(PathBuf::from);
    let crds = KINDS.iter().map(|kind| (kind.crd)()).collect();
    let api = Api::open(Options {
        data,
        crds,
        ..Options::default()
    })
    .await?;
    let kind = ApiResource::erase::<ProtectedMachine>(&());
    let machines: kube::Api<DynamicObject> =
        kube::Api::namespaced_with(api.client("default"), "default", &kind);
    let spec = json!({
        "groupRef": { "name": "group" },
        "machine": "machine",
        "policyRef": { "name": "policy" },
        "sites": { "primary": "one", "secondary": "two" },
    });
    let started = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let (machines, kind, spec) = (machines.clone(), kind.clone(), spec.clone());
        callers.spawn(async move {
            let name = format!("machine-{caller}");
            let object = DynamicObject::new(&name, &kind).data(json!({ "spec": spec }));
            let mut current = match machines.get_opt(&name).await? {
                Some(current) => current,
                None => machines.create(&PostParams::default(), &object).await?,
            };
            for write in 0..WRITES {
                current.data["status"] = json!({ "conditions": [{
                    "type": "Ready", "status": "True", "reason": "Measured", "observedGeneration": 1,
                    "message": format!("{write} {}", "x".repeat(1200)), "lastTransitionTime": "2026-01-02T03:04:05Z",
                }] });
                current = machines.replace_status(&name, &PostParams::default(), &current).await?;
            }
            Ok::<_, kube::Error>(())
        });
    }
    while let Some(done) = callers.join_next().await {
        done??;
    }
    let seconds = started.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss)]
    let rate = (CALLERS * WRITES) as f64 / seconds;
    writeln!(std::io::stdout(), "{rate:.0} writes of status per second")?;
    Ok(())
}
