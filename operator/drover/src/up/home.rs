//! Everything in one process: an API, a simulated world, and an operator that works on both.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drover_api::KINDS;
use drover_control::{Operator, Settings, Stopped};
use drover_embedded::{Api, Options};
use drover_fabric::Clock;
use drover_simulator::{Latency, Simulation};
use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::{Failure, Why};

/// The namespace that is meant where none is named, and that the lease is in.
pub const NAMESPACE: &str = "default";

/// Before an operator that lost its lease tries again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the store may take to close. What was answered is on disk already, so nothing is lost by
/// not waiting longer.
const CLOSING: Duration = Duration::from_secs(10);

/// How a home is made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder that everything is kept in; `None`: nothing outlives the process.
    pub data: Option<PathBuf>,
    /// How long simulated things take.
    pub latency: Latency,
    /// What time it is.
    pub clock: Clock,
    /// With a seed, uids are the same in every run.
    pub seed: Option<u64>,
}

/// An API, a simulated world, and an operator.
pub struct Home {
    /// The API.
    pub api: Api,
    /// The simulated world.
    pub world: Arc<Simulation>,
    clock: Clock,
    stop: watch::Sender<bool>,
    operator: Option<JoinHandle<()>>,
}

impl Home {
    /// Opens everything; the operator is not at work yet.
    ///
    /// # Errors
    /// When the folder cannot be used, another process has it open, or something else is in it.
    pub async fn open(plan: Plan) -> Result<Self, Failure> {
        let clock = plan.clock;
        let api = Api::open(Options {
            data: plan.data.clone(),
            crds: KINDS.iter().map(|kind| (kind.crd)()).collect(),
            now: Arc::new(move || clock.now()),
            uid_seed: plan.seed,
            ..Options::default()
        });
        let api = api.await.map_err(|error| cannot("open the API", &error))?;
        let mut options = drover_simulator::Options::new(clock);
        options.latency = plan.latency;
        options.seed = plan.seed.unwrap_or_default();
        let world = match &plan.data {
            None => Simulation::new(options),
            Some(data) => Simulation::open(options, &data.join("world.jsonl"))
                .map_err(|error| cannot("open the simulated world", &error))?,
        };
        Ok(Self {
            api,
            world,
            clock,
            stop: watch::Sender::new(false),
            operator: None,
        })
    }

    /// Now.
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// A client of the API.
    pub fn client(&self) -> Client {
        self.api.client(NAMESPACE)
    }

    /// Sets the operator to work. It goes on when it loses its lease, and ends when it is told to.
    pub fn start(&mut self) {
        let world: Arc<Simulation> = Arc::clone(&self.world);
        let registry = crate::serve::drivers().with("simulator", world);
        // The data folder is locked by this process, so whoever held the lease under this name is
        // dead: there is no term to be waited for.
        let settings = Settings {
            identity: "drover-embedded".into(),
            namespace: NAMESPACE.into(),
            ..Settings::default()
        };
        let operator = Operator::new(self.client(), self.clock, registry, settings);
        let stopped = self.stop.subscribe();
        self.operator = Some(tokio::spawn(async move {
            loop {
                let mut stopped = stopped.clone();
                let stop = async move {
                    // An error means that the home is gone.
                    drop(stopped.wait_for(|stopped| *stopped).await);
                };
                if operator.run(stop).await == Stopped::Asked {
                    break;
                }
                tokio::time::sleep(AGAIN).await;
            }
        }));
    }

    /// Lets the operator end what it writes and give its lease back, and closes what is on disk.
    ///
    /// # Errors
    /// When the world cannot be written.
    pub async fn close(mut self) -> Result<(), Failure> {
        self.stop.send_replace(true);
        if let Some(operator) = self.operator.take() {
            // One that panicked has ended, too.
            drop(operator.await);
        }
        let flushed = self.world.flush();
        drop(tokio::time::timeout(CLOSING, self.api.close()).await);
        flushed.map_err(|error| cannot("keep the simulated world", &error))
    }
}

/// What could not be done, and all of why.
pub fn cannot(doing: &str, error: &dyn std::error::Error) -> Failure {
    let mut words = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        words.push(cause.to_string());
        next = cause.source();
    }
    Failure::Cluster {
        doing: doing.to_owned(),
        why: Why(words.join(": ")),
        hint: None,
    }
}
