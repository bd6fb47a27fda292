//! The simulated world of a process that may lead: it is opened when a driver is asked for, which only
//! happens while it leads, and closed when it leads no longer.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use drover_fabric::{Driver, Fabric, PairConfig, Replicator, SiteConfig};
use drover_simulator::{Options, Simulation};
use drover_world::{ErrorClass, FabricError};
use tracing::{info, warn};

use crate::cli::Run;

/// The driver of simulated sites.
pub struct Simulator {
    options: Options,
    data: Option<PathBuf>,
    open: Mutex<Option<Open>>,
}

struct Open {
    world: Arc<Simulation>,
    /// Locked for as long as the world is open: a process that stood still and was replaced must not
    /// write what another one has read.
    _lock: Option<File>,
}

impl Simulator {
    /// Not open yet.
    pub fn new(options: Options, arguments: &Run) -> Self {
        Self {
            options,
            data: arguments.simulator_data.clone(),
            open: Mutex::default(),
        }
    }

    /// Closes a world that another process may open. One in memory stays: there is no other.
    pub fn close(&self) {
        if self.data.is_some() {
            *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn world(&self) -> Result<Arc<Simulation>, FabricError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*open {
            return Ok(Arc::clone(&open.world));
        }
        let fresh = match &self.data {
            None => {
                warn!("the simulated world is this process's own, and ends with it");
                Open {
                    world: Simulation::new(self.options),
                    _lock: None,
                }
            }
            Some(folder) => self.read(folder)?,
        };
        let world = Arc::clone(&fresh.world);
        *open = Some(fresh);
        Ok(world)
    }

    fn read(&self, folder: &Path) -> Result<Open, FabricError> {
        std::fs::create_dir_all(folder).map_err(|error| not_now(&error))?;
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true);
        let lock = lock
            .open(folder.join("lock"))
            .map_err(|error| not_now(&error))?;
        lock.try_lock().map_err(|error| not_now(&error))?;
        let path = folder.join("world.jsonl");
        let world = Simulation::open(self.options, &path).map_err(|error| not_now(&error))?;
        info!(path = %path.display(), "the simulated world is open");
        Ok(Open {
            world,
            _lock: Some(lock),
        })
    }
}

fn not_now(error: &dyn std::error::Error) -> FabricError {
    FabricError {
        class: ErrorClass::Retryable,
        message: format!("the simulated world cannot be opened: {error}"),
        hint: Some("another process may have it open still".into()),
        epoch_seen: None,
    }
}

#[async_trait]
impl Driver for Simulator {
    async fn fabric(&self, site: SiteConfig<'_>) -> Result<Arc<dyn Fabric>, FabricError> {
        self.world()?.fabric(site).await
    }

    async fn replicator(&self, pair: PairConfig<'_>) -> Result<Arc<dyn Replicator>, FabricError> {
        self.world()?.replicator(pair).await
    }
}
