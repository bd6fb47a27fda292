//! `drover run`: the operator for a cluster, with its health, its metrics and its webhook.
//!
//! [`http`] serves health and metrics, [`webhook`] serves admission over TLS with what [`certificates`]
//! keeps fresh, [`simulator`] opens the simulated world for the process that leads, [`log`] writes lines,
//! [`traces`] sends spans.
//! The operator itself is `drover_control`'s; here it is only given what it works with.

mod certificates;
mod http;
mod log;
mod simulator;
mod traces;
mod webhook;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use drover_control::{Admission, Operator, Scripts, Settings, Stopped};
use drover_fabric::{Clock, Registry};
use drover_libvirt::Libvirt;
use drover_simulator::Latency;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::cli::{Run, RunScripts, SimulatorLatency, Target};
use crate::cluster::access::Access;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::up::home::cannot;
pub use log::begin as begin_log;
pub use log::filter;
use simulator::Simulator;

/// What goes on beside the work.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Before an operator that lost its lease takes part in the election again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the last spans may take to be sent.
const LAST_SPANS: Duration = Duration::from_secs(2);
/// The namespace of the lease where nobody says another.
const NAMESPACE: &str = "drover-system";

/// The drivers of real sites.
pub fn drivers() -> Registry {
    let libvirt = Arc::new(Libvirt);
    let registry = Registry::default();
    registry
        .with("libvirt", libvirt.clone())
        .with("qemuBitmap", libvirt)
}

/// Runs until it is told to end.
///
/// # Errors
/// When it cannot begin.
pub fn run(arguments: &Run) -> Result<Exit, Failure> {
    log::begin(&arguments.log)?;
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| cannot("begin", &error))?;
    let result = runtime.block_on(live(arguments));
    // What still waits, such as a script of a plan, is nothing that an end may wait for.
    runtime.shutdown_background();
    result
}

async fn live(arguments: &Run) -> Result<Exit, Failure> {
    let mut signals = Signals::new()?;
    let target = Target {
        kubeconfig: arguments.kubeconfig.clone(),
        context: arguments.context.clone(),
        namespace: None,
    };
    let client = Access::open(&target).await?.client().clone();
    let clock = Clock::system();
    let namespace = namespace_of(arguments);
    let simulator = Arc::new(Simulator::new(options(arguments, clock), arguments));
    let registry = drivers().with("simulator", simulator.clone());
    let mut servers = JoinSet::new();
    let (mut traces, mut sending) = (None, None);
    if let Some(endpoint) = &arguments.otlp_endpoint {
        let (sender, sends) = traces::begin(endpoint)?;
        traces = Some(sender);
        sending = Some(tokio::spawn(sends));
    }
    let settings = Settings {
        identity: identity()?,
        namespace: namespace.clone(),
        // As processes here they would have the operator's rights.
        scripts: match arguments.scripts {
            RunScripts::None => Scripts::Off,
            RunScripts::Jobs => Scripts::Jobs,
        },
        traces,
        ..Settings::default()
    };
    let identity = settings.identity.clone();
    let operator = Arc::new(Operator::new(client.clone(), clock, registry, settings));
    let stop = watch::Sender::new(false);
    let listening = http::serve(arguments.listen, &operator).await?;
    servers.spawn(listening);
    if !arguments.admission.no_webhook {
        let jobs = arguments.scripts == RunScripts::Jobs;
        let admission = Arc::new(Admission::new(client.clone(), clock).with_jobs(jobs));
        let served = webhook::begin(&arguments.admission, client, &namespace, admission);
        for task in served.await? {
            servers.spawn(task);
        }
    }
    info!(%identity, version = env!("CARGO_PKG_VERSION"), "begins");
    let mut work = tokio::spawn(operate(operator, simulator, stop.subscribe()));
    let ended = tokio::select! {
        biased;
        () = signals.any() => None,
        ended = &mut work => Some(ended.map_err(|error| error.to_string()).err()),
        ended = servers.join_next() => Some(ended.and_then(Result::err).map(|error| error.to_string())),
    };
    if let Some(why) = ended {
        let why = why.unwrap_or_else(|| "a part of it ended by itself".to_owned());
        error!(why, "ends: this is a bug of Drover");
        return Ok(Exit::Wrong);
    }
    stop.send_replace(true);
    tokio::select! {
        biased;
        () = signals.any() => {
            warn!("ended at once; what was in hand is carried on by whoever leads next");
            Ok(Exit::Wrong)
        }
        _ = &mut work => {
            if let Some(sending) = sending {
                drop(tokio::time::timeout(LAST_SPANS, sending).await);
            }
            servers.shutdown().await;
            Ok(Exit::Fine)
        }
    }
}

/// Works whenever it leads, until it is told to stop.
async fn operate(
    operator: Arc<Operator>,
    simulator: Arc<Simulator>,
    stopped: watch::Receiver<bool>,
) {
    loop {
        let mut stopped = stopped.clone();
        let stop = async move {
            // An error means that the process ends.
            drop(stopped.wait_for(|stopped| *stopped).await);
        };
        let why = operator.run(stop).await;
        simulator.close();
        if why == Stopped::Asked {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn options(arguments: &Run, clock: Clock) -> drover_simulator::Options {
    let mut options = drover_simulator::Options::new(clock);
    options.latency = match arguments.simulator_latency {
        SimulatorLatency::Realistic => Latency::Realistic,
        SimulatorLatency::Zero => Latency::Zero,
    };
    options
}

fn namespace_of(arguments: &Run) -> String {
    let of_pod = || {
        std::env::var("POD_NAMESPACE")
            .ok()
            .filter(|name| !name.is_empty())
    };
    let given = arguments.lease_namespace.clone();
    given
        .or_else(of_pod)
        .unwrap_or_else(|| NAMESPACE.to_owned())
}

/// A name that no other process has, also not the one before in the same pod: its requests may still
/// be on their way.
fn identity() -> Result<String, Failure> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| {
        let error = std::io::Error::other(error.to_string());
        cannot("draw a random number", &error)
    })?;
    let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let host = name("POD_NAME").or_else(|| name("HOSTNAME"));
    let host = host.unwrap_or_else(|| "drover".to_owned());
    Ok(format!("{host}_{:08x}", u32::from_be_bytes(bytes)))
}
