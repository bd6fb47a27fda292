//! `drover mover`: what runs at a libvirt site.

use drover_mover::serve::{Bound, Listen, ServerTls};
use drover_mover::site::{Options, Roles, Site, router};
use tokio::runtime::Builder;

use crate::cli::Mover;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::begin_log;
use crate::signals::Signals;
use crate::up::home::cannot;

/// Runs until it is told to end.
///
/// # Errors
/// When it cannot begin.
pub fn run(arguments: &Mover) -> Result<Exit, Failure> {
    begin_log(&arguments.log)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| cannot("begin", &error))?;
    let result = runtime.block_on(live(arguments));
    // A call of libvirt that still waits is nothing that an end may wait for.
    runtime.shutdown_background();
    result
}

async fn live(arguments: &Mover) -> Result<Exit, Failure> {
    let mut signals = Signals::new()?;
    let site = Site::open(Options {
        hosts: arguments.hosts.clone(),
        folder: arguments.pool.clone(),
        run: arguments.run.clone(),
        tls: arguments.tls.clone(),
    })
    .map_err(|error| cannot("open what is kept in the pool", &error))?;
    let mut doors: Vec<Listen> = arguments.socket.iter().cloned().map(Listen::Unix).collect();
    for address in &arguments.listen {
        let folder = arguments.tls.clone().unwrap_or_default();
        let tls =
            ServerTls::of_folder(folder).map_err(|error| cannot("read certificates", &error))?;
        doors.push(Listen::Tcp(*address, tls));
    }
    let bound = Bound::new(doors)
        .await
        .map_err(|error| cannot("listen", &error))?;
    let working = tokio::spawn(site.clone().work());
    let roles = Roles {
        operators: arguments.operator.clone(),
        peers: arguments.peer.clone(),
    };
    bound.serve(router(site, roles), signals.any()).await;
    working.abort();
    Ok(Exit::Fine)
}
