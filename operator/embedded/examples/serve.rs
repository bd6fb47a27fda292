//! Serves an API with Drover's kinds, to try `kubectl` on: `cargo run -p drover-embedded --example serve FOLDER`.
//!
//! The kubeconfig is written into the folder.

use std::{env, error::Error, fs, path::PathBuf};

use drover_api::KINDS;
use drover_embedded::{Api, Options, ServeOptions};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args().nth(1).ok_or("a folder is needed")?);
    let crds = KINDS.iter().map(|kind| (kind.crd)()).collect();
    let api = Api::open(Options {
        data: Some(folder.clone()),
        crds,
        ..Options::default()
    })
    .await?;
    let server = api.serve(ServeOptions::default()).await?;
    fs::write(folder.join("kubeconfig"), server.kubeconfig())?;
    std::future::pending::<()>().await;
    Ok(())
}
