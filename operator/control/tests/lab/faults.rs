//! Faults at named points: a call of the API or of a driver, by what it is about and how often that was
//! called before, never "call number n".

#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use drover_api::value::{MachineName, SiteName};
use drover_embedded::{ApiBody, ApiService};
use drover_fabric::{
    ActionTargets, Answer, Capabilities, Cursor, Driver, Extent, Fabric, InstanceKey, InstanceSeen,
    LinkGoal, Materialize, PairCapabilities, PairConfig, Probe, Replicator, Sightings, SiteConfig,
    SiteGoal, Subject,
};
use drover_simulator::Simulation;
use drover_world::{ErrorClass, FabricError, Inventory, Link, Outcome, Stamp};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::sync::Notify;
use tower::Service;

/// What goes wrong at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process ends before the call.
    CrashBefore,
    /// The call is carried out, and the process ends before it hears so.
    CrashAfter,
    /// The call fails and does nothing.
    Error,
    /// The call is carried out, and nobody ever answers.
    Timeout,
    /// Somebody else was quicker.
    Conflict,
    /// The call is delivered twice.
    Duplicate,
    /// What is read is what was read before; what is asked for arrives much later.
    Stale,
    /// The process stands still in the middle of the call for longer than its lease lasts: the call
    /// arrives afterwards, when another process leads.
    Pause,
    /// The primary site loses its power right before the call, and comes back a minute later.
    LoseSite,
}

pub const EVERY_FAULT: [Fault; 7] = [
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::Error,
    Fault::Timeout,
    Fault::Conflict,
    Fault::Duplicate,
    Fault::Stale,
];

/// How late a delayed request arrives.
const LATE: Duration = Duration::from_secs(20);
/// How long a process stands still.
const STILL: Duration = Duration::from_secs(40);
/// How long a lost site is away.
pub const AWAY: Duration = Duration::from_mins(1);

/// Where faults happen.
#[derive(Default)]
pub struct Faults {
    state: Mutex<State>,
    /// The process is to end.
    pub crash: Notify,
}

#[derive(Default)]
struct State {
    counts: BTreeMap<String, u32>,
    points: Vec<String>,
    /// What happens where.
    planned: BTreeMap<String, Fault>,
    fired: Vec<(String, Fault)>,
    /// Every later call of this incarnation hangs.
    dead: bool,
    /// Points are only counted between these marks.
    recording: bool,
    /// How often drivers were opened, by the site or the primary site of the pair.
    opened: BTreeMap<String, u32>,
}

impl Faults {
    pub fn planned(planned: impl IntoIterator<Item = (String, Fault)>) -> Arc<Self> {
        let faults = Self::default();
        faults.state.lock().unwrap().planned = planned.into_iter().collect();
        Arc::new(faults)
    }

    pub fn record(&self, recording: bool) {
        self.state.lock().unwrap().recording = recording;
    }

    pub fn points(&self) -> Vec<String> {
        self.state.lock().unwrap().points.clone()
    }

    pub fn fired(&self) -> Vec<(String, Fault)> {
        self.state.lock().unwrap().fired.clone()
    }

    fn opens(&self, what: String) {
        *self.state.lock().unwrap().opened.entry(what).or_default() += 1;
    }

    /// How often the drivers of sites and pairs were opened.
    pub fn opened(&self) -> BTreeMap<String, u32> {
        self.state.lock().unwrap().opened.clone()
    }

    /// A new incarnation begins.
    pub fn revive(&self) {
        self.state.lock().unwrap().dead = false;
    }

    /// Names a call, and says what happens to it.
    fn meet(&self, what: &str) -> Met {
        let mut state = self.state.lock().unwrap();
        if state.dead {
            return Met::Dead;
        }
        if !state.recording {
            return Met::Nothing;
        }
        let count = state.counts.entry(what.to_owned()).or_default();
        *count += 1;
        let point = format!("{what} #{count}");
        state.points.push(point.clone());
        let Some(fault) = state.planned.remove(&point) else {
            return Met::Nothing;
        };
        state.fired.push((point, fault));
        Met::Fault(fault)
    }

    /// The process stands still: none of its calls gets anywhere, for a while.
    fn stand_still(self: &Arc<Self>) {
        self.state.lock().unwrap().dead = true;
        let this = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(STILL).await;
            this.revive();
        });
    }

    /// Ends the process: nothing of this incarnation goes on.
    async fn die<T>(&self) -> T {
        self.state.lock().unwrap().dead = true;
        self.crash.notify_one();
        std::future::pending().await
    }
}

enum Met {
    Nothing,
    Fault(Fault),
    /// The process that calls has ended.
    Dead,
}

// ---- the API ----

/// The API as a process with faults sees it.
#[derive(Clone)]
pub struct FaultyApi {
    pub inner: ApiService,
    pub faults: Arc<Faults>,
    pub world: Arc<Simulation>,
    /// The last answer to each read.
    pub read: Arc<Mutex<BTreeMap<String, (StatusCode, Bytes)>>>,
}

type Answered = Response<ApiBody>;

impl Service<Request<Body>> for FaultyApi {
    type Response = Answered;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Answered, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        async move { Ok(this.answer(request).await) }.boxed()
    }
}

/// A request that can be sent again.
#[derive(Clone)]
struct Sent {
    parts: http::request::Parts,
    body: Bytes,
}

impl FaultyApi {
    async fn answer(mut self, request: Request<Body>) -> Answered {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let sent = Sent { parts, body };
        let watch = sent
            .parts
            .uri
            .query()
            .is_some_and(|query| query.contains("watch=true"));
        let read = sent.parts.method == http::Method::GET && !watch;
        let name = name_of(&sent, watch);
        let fault = match self.faults.meet(&name) {
            Met::Dead => return std::future::pending().await,
            Met::Fault(Fault::LoseSite) => {
                lose_primary(&self.world);
                None
            }
            Met::Fault(fault) => Some(fault),
            Met::Nothing => None,
        };
        match fault {
            None | Some(Fault::LoseSite) => self.pass(&name, sent, read).await,
            Some(Fault::CrashBefore) => self.faults.die().await,
            Some(Fault::CrashAfter) => {
                self.pass(&name, sent, read).await;
                self.faults.die().await
            }
            Some(Fault::Error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
            Some(Fault::Timeout) => {
                self.pass(&name, sent, read).await;
                std::future::pending().await
            }
            Some(Fault::Conflict) if read || watch => {
                refusal(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests")
            }
            Some(Fault::Conflict) => refusal(StatusCode::CONFLICT, "Conflict"),
            Some(Fault::Pause) => {
                self.faults.stand_still();
                let late = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(STILL).await;
                    late.clone().pass("late", sent, false).await;
                });
                std::future::pending().await
            }
            Some(Fault::Duplicate) => {
                self.pass(&name, sent.clone(), read).await;
                self.pass(&name, sent, read).await
            }
            Some(Fault::Stale) if read => self.stale(&name, sent).await,
            Some(Fault::Stale) => {
                // It is on its way for long; whoever sent it hears of a failure meanwhile.
                let late = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(LATE).await;
                    late.clone().pass("late", sent, false).await;
                });
                refusal(StatusCode::GATEWAY_TIMEOUT, "Timeout")
            }
        }
    }

    async fn pass(&mut self, name: &str, sent: Sent, read: bool) -> Answered {
        let request = Request::from_parts(sent.parts, Body::from(sent.body.to_vec()));
        let answer = self.inner.call(request).await.unwrap();
        if !read {
            return answer;
        }
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let mut last = self.read.lock().unwrap();
        last.insert(name.to_owned(), (parts.status, body.clone()));
        Response::from_parts(parts, ApiBody::from(body))
    }

    async fn stale(mut self, name: &str, sent: Sent) -> Answered {
        let former = self.read.lock().unwrap().get(name).cloned();
        match former {
            Some((status, body)) => {
                let builder = Response::builder().status(status);
                builder
                    .header("content-type", "application/json")
                    .body(ApiBody::from(body))
                    .unwrap()
            }
            None => self.pass(name, sent, true).await,
        }
    }
}

fn lose_primary(world: &Arc<Simulation>) {
    let site: SiteName = "seoul".parse().unwrap();
    world.lose_site(&site);
    let world = Arc::clone(world);
    tokio::spawn(async move {
        tokio::time::sleep(AWAY).await;
        world.return_site(&site);
    });
}

/// The verb and the object, as people would say it.
fn name_of(sent: &Sent, watch: bool) -> String {
    let path = sent.parts.uri.path();
    let path = path
        .split("/v1alpha1/")
        .nth(1)
        .or_else(|| path.split("/v1/").nth(1))
        .unwrap_or(path);
    let path = path.trim_start_matches("namespaces/default/");
    let verb = if watch {
        "WATCH"
    } else {
        sent.parts.method.as_str()
    };
    // Events have names of their own making.
    if path.starts_with("events") {
        return format!("{verb} events");
    }
    if verb != "POST" {
        return format!("{verb} {path}");
    }
    let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap_or_default();
    let name = body["metadata"]["name"].as_str().unwrap_or_default();
    format!("{verb} {path} {name}")
}

fn refusal(status: StatusCode, reason: &str) -> Answered {
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": "injected", "reason": reason, "code": status.as_u16(),
    });
    let body = Bytes::from(body.to_string());
    let builder = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    builder.body(ApiBody::from(body)).unwrap()
}

// ---- drivers ----

/// The simulator's driver as a process with faults sees it.
pub struct FaultyDriver {
    pub world: Arc<Simulation>,
    pub faults: Arc<Faults>,
}

#[derive(Debug)]
struct FaultyFabric {
    name: SiteName,
    inner: Arc<dyn Fabric>,
    world: Arc<Simulation>,
    faults: Arc<Faults>,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("faults")
    }
}

#[derive(Debug)]
struct FaultyReplicator {
    inner: Arc<dyn Replicator>,
    world: Arc<Simulation>,
    faults: Arc<Faults>,
}

#[async_trait]
impl Driver for FaultyDriver {
    async fn fabric(&self, site: SiteConfig<'_>) -> Result<Arc<dyn Fabric>, FabricError> {
        let name = site.name.clone();
        self.faults.opens(name.to_string());
        Ok(Arc::new(FaultyFabric {
            name,
            inner: self.world.fabric(site).await?,
            world: Arc::clone(&self.world),
            faults: Arc::clone(&self.faults),
        }))
    }

    async fn replicator(&self, pair: PairConfig<'_>) -> Result<Arc<dyn Replicator>, FabricError> {
        self.faults
            .opens(format!("{} to {}", pair.primary.name, pair.secondary.name));
        Ok(Arc::new(FaultyReplicator {
            inner: self.world.replicator(pair).await?,
            world: Arc::clone(&self.world),
            faults: Arc::clone(&self.faults),
        }))
    }
}

fn failed(epoch_seen: Option<u64>) -> FabricError {
    FabricError {
        class: ErrorClass::Retryable,
        message: "injected".into(),
        hint: None,
        epoch_seen,
    }
}

/// Asks for an effect, with what goes wrong at this point.
async fn asked<F>(
    faults: &Arc<Faults>,
    world: &Arc<Simulation>,
    point: &str,
    epoch: u64,
    call: impl Fn() -> F,
) -> Answer
where
    F: Future<Output = Answer> + Send + 'static,
{
    let fault = match faults.meet(point) {
        Met::Nothing => return call().await,
        Met::Dead => return std::future::pending().await,
        Met::Fault(fault) => fault,
    };
    match fault {
        Fault::CrashBefore => faults.die().await,
        Fault::CrashAfter => {
            drop(call().await);
            faults.die().await
        }
        Fault::Error => Err(failed(None)),
        Fault::Timeout => {
            drop(call().await);
            std::future::pending().await
        }
        Fault::Conflict => Err(failed(Some(epoch + 1))),
        Fault::Pause => {
            faults.stand_still();
            let late = call();
            tokio::spawn(async move {
                tokio::time::sleep(STILL).await;
                drop(late.await);
            });
            std::future::pending().await
        }
        Fault::Duplicate => {
            drop(call().await);
            call().await
        }
        Fault::Stale => {
            // The request arrives much later than its answer says.
            let late = call();
            tokio::spawn(async move {
                tokio::time::sleep(LATE).await;
                drop(late.await);
            });
            Ok(Outcome::Started)
        }
        Fault::LoseSite => {
            lose_primary(world);
            call().await
        }
    }
}

/// Looks, with what goes wrong at this point.
async fn looked<K, V, F>(
    faults: &Arc<Faults>,
    world: &Arc<Simulation>,
    point: &str,
    since: Option<Cursor>,
    call: impl Fn() -> F,
) -> Result<Sightings<K, V>, FabricError>
where
    F: Future<Output = Result<Sightings<K, V>, FabricError>>,
{
    let fault = match faults.meet(point) {
        Met::Nothing => return call().await,
        Met::Dead => return std::future::pending().await,
        Met::Fault(fault) => fault,
    };
    match fault {
        Fault::CrashBefore => faults.die().await,
        Fault::CrashAfter => {
            drop(call().await);
            faults.die().await
        }
        Fault::Error | Fault::Conflict => Err(failed(None)),
        Fault::Timeout => std::future::pending().await,
        Fault::Pause => {
            faults.stand_still();
            std::future::pending().await
        }
        Fault::Duplicate => {
            drop(call().await);
            call().await
        }
        // Nothing new, although there is.
        Fault::Stale => match since {
            Some(cursor) => Ok(Sightings {
                cursor,
                extent: Extent::Changes,
                seen: Vec::new(),
                gone: Vec::new(),
            }),
            None => call().await,
        },
        Fault::LoseSite => {
            lose_primary(world);
            call().await
        }
    }
}

#[async_trait]
impl Fabric for FaultyFabric {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn probe(&self) -> Result<Probe, FabricError> {
        self.inner.probe().await
    }

    async fn inventory(&self) -> Result<Inventory, FabricError> {
        self.inner.inventory().await
    }

    async fn observe(
        &self,
        since: Option<Cursor>,
    ) -> Result<Sightings<InstanceKey, InstanceSeen>, FabricError> {
        let point = format!("observe {}", self.name);
        looked(&self.faults, &self.world, &point, since, || {
            self.inner.observe(since)
        })
        .await
    }

    async fn changed(&self, since: Cursor) {
        self.inner.changed(since).await;
    }

    async fn fences(&self) -> Result<Vec<(MachineName, u64)>, FabricError> {
        self.inner.fences().await
    }

    async fn ensure(&self, stamp: &Stamp, machine: &MachineName, goal: SiteGoal) -> Answer {
        let point = format!("{goal:?} {machine} at {}", self.name);
        asked(&self.faults, &self.world, &point, stamp.epoch, || {
            let (inner, stamp, machine) = (Arc::clone(&self.inner), stamp.clone(), machine.clone());
            async move { inner.ensure(&stamp, &machine, goal).await }
        })
        .await
    }

    async fn accepts(&self, machine: &MachineName, with: &Materialize) -> Result<(), FabricError> {
        self.inner.accepts(machine, with).await
    }

    fn action_targets(&self) -> Option<&dyn ActionTargets> {
        self.inner.action_targets()
    }
}

#[async_trait]
impl Replicator for FaultyReplicator {
    fn capabilities(&self) -> PairCapabilities {
        self.inner.capabilities()
    }

    async fn observe(
        &self,
        since: Option<Cursor>,
    ) -> Result<Sightings<MachineName, Link>, FabricError> {
        looked(&self.faults, &self.world, "observe links", since, || {
            self.inner.observe(since)
        })
        .await
    }

    async fn changed(&self, since: Cursor) {
        self.inner.changed(since).await;
    }

    async fn ensure(&self, stamp: &Stamp, machine: &Subject, goal: LinkGoal) -> Answer {
        let point = format!("{goal:?} {}", machine.primary);
        asked(&self.faults, &self.world, &point, stamp.epoch, || {
            let (inner, stamp, machine) = (Arc::clone(&self.inner), stamp.clone(), machine.clone());
            async move { inner.ensure(&stamp, &machine, goal).await }
        })
        .await
    }

    async fn materialize(&self, stamp: &Stamp, machine: &Subject, with: &Materialize) -> Answer {
        let drill = if with.drill { "drill " } else { "" };
        let point = format!(
            "materialize {drill}{} at {}",
            machine.primary,
            with.site.as_str()
        );
        asked(&self.faults, &self.world, &point, stamp.epoch, || {
            let (inner, stamp) = (Arc::clone(&self.inner), stamp.clone());
            let (machine, with) = (machine.clone(), with.clone());
            async move { inner.materialize(&stamp, &machine, &with).await }
        })
        .await
    }
}
