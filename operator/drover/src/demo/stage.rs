//! The stage: an embedded API in memory, an operator, and the sites of a scenery; and what a person does and
//! sees there.

use std::time::Duration;

use drover_api::common::RunKind;
use drover_api::value::SiteName;
use drover_api::{
    DecisionAction, MachinePhase, MachineRun, ProtectedMachine, ProtectionGroup, RecoveryDrill,
    RecoveryPlan, RecoveryRun, RunDecision, RunPhase, Site,
};
use drover_manifest::Source;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::Instant;

use super::scenery::Scenery;
use crate::cluster::apply::{self, Mode};
use crate::cluster::error::failed;
use crate::cluster::reading;
use crate::cluster::written::{self, Written};
use crate::failure::{Failure, Why};
use crate::output::Output;
use crate::up::home::Home;
use crate::up::screen::Screen;
use crate::up::story::{Line, Mood, Story};

/// The namespace of the shop.
pub const SHOP: &str = "shop";
/// Everything that is on the stage, and who looks on.
pub struct Stage<'o> {
    pub home: Home,
    client: Client,
    begun: Instant,
    pub scenery: Box<dyn Scenery>,
    story: Story,
    pub screen: Screen,
    pub output: &'o mut Output,
}

impl<'o> Stage<'o> {
    pub fn new(
        home: Home,
        scenery: Box<dyn Scenery>,
        screen: Screen,
        output: &'o mut Output,
    ) -> Self {
        Self {
            client: home.client(),
            home,
            begun: Instant::now(),
            scenery,
            story: Story::default(),
            screen,
            output,
        }
    }

    /// Time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The same as `mm:ss`.
    pub fn time(&self) -> String {
        stamp(self.elapsed())
    }

    /// Tells something.
    pub fn say(&mut self, mood: Mood, text: impl Into<String>) {
        let (time, line) = (self.time(), Line::new(mood, text));
        self.screen.say(self.output, &time, &line);
    }

    /// Applies what the shop declares.
    pub async fn declare(&mut self) -> Result<usize, Failure> {
        let source = Source {
            name: "shop.yaml",
            text: self.scenery.props().manifests.as_bytes(),
        };
        let mut objects = written::read(&[source], SHOP);
        objects.sort_by_key(Written::key);
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(SHOP.to_owned());
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let made = namespaces.create(&PostParams::default(), &namespace).await;
        made.map_err(failed("create the namespace"))?;
        for object in &objects {
            let applied = apply::apply(&self.client, object, Mode::Real).await;
            applied.map_err(failed(format!("apply {}", object.shown())))?;
        }
        Ok(objects.len())
    }

    fn of_shop<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), SHOP)
    }

    /// Waits until something is so, and tells what happens meanwhile.
    pub async fn until(
        &mut self,
        what: &str,
        mut so: impl AsyncFnMut(&Self) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let since = Instant::now();
        let (look, patience) = (self.scenery.props().look, self.scenery.props().patience);
        loop {
            self.look().await?;
            if so(self).await? {
                return Ok(());
            }
            if since.elapsed() > patience {
                return Err(Failure::TimedOut {
                    after: drover_api::value::Duration::from_secs(patience.as_secs()),
                    what: what.to_owned(),
                    last: Why(self.picture().await),
                });
            }
            tokio::time::sleep(look).await;
            self.scenery.hold(self.elapsed());
        }
    }

    /// Lets as much time pass as the shop does business between two acts.
    pub async fn pass(&mut self) -> Result<(), Failure> {
        let end = Instant::now() + self.scenery.props().business;
        self.until("time", async |_| Ok(Instant::now() >= end))
            .await
    }

    /// Lets the shop do business, until that can be recovered at the site of its copies.
    pub async fn business(&mut self, copies: &SiteName) -> Result<(), Failure> {
        let since = self.home.now();
        let end = Instant::now() + self.scenery.props().business;
        self.until("a recovery point of one instant", async |stage| {
            Ok(Instant::now() >= end && stage.scenery.has_common_point(copies, since)?)
        })
        .await
    }

    /// Tells what changed.
    async fn look(&mut self) -> Result<(), Failure> {
        let mut lines = Vec::new();
        for site in self.all::<Site>(None).await? {
            lines.extend(self.story.site(&site));
        }
        for group in self.all::<ProtectionGroup>(Some(SHOP)).await? {
            lines.extend(self.story.group(&group));
        }
        for plan in self.all::<RecoveryPlan>(Some(SHOP)).await? {
            lines.extend(self.story.plan(&plan));
        }
        for drill in self.all::<RecoveryDrill>(Some(SHOP)).await? {
            lines.extend(self.story.drill(&drill));
        }
        for run in self.runs().await? {
            lines.extend(self.story.run(&run));
        }
        let time = self.time();
        // What a person would type to release a wait: here it is done without being asked.
        for line in lines.iter().filter(|line| !line.text.starts_with("  ")) {
            self.screen.say(self.output, &time, line);
        }
        self.screen.show(&self.story);
        Ok(())
    }

    async fn all<K>(&self, namespace: Option<&str>) -> Result<Vec<K>, Failure>
    where
        K: kube::Resource<DynamicType = ()> + DeserializeOwned,
    {
        Ok(reading::typed(&self.client, namespace).await?.items)
    }

    pub async fn runs(&self) -> Result<Vec<RecoveryRun>, Failure> {
        let mut runs: Vec<RecoveryRun> = self.all(Some(SHOP)).await?;
        runs.sort_by_key(|run| run.spec.number);
        Ok(runs)
    }

    pub async fn machine_runs(&self) -> Result<Vec<MachineRun>, Failure> {
        self.all(Some(SHOP)).await
    }

    pub async fn plan(&self) -> Result<RecoveryPlan, Failure> {
        reading::one(&self.client, Some(SHOP), SHOP).await
    }

    pub async fn machines(&self) -> Result<Vec<ProtectedMachine>, Failure> {
        self.all(Some(SHOP)).await
    }

    /// How many machines the shop has.
    pub fn size(&self) -> usize {
        self.scenery.props().machines.len()
    }

    /// Whether all of them are in this phase.
    pub async fn all_are(&self, phase: MachinePhase) -> Result<bool, Failure> {
        let machines = self.machines().await?;
        let is = |machine: &ProtectedMachine| {
            machine
                .status
                .as_ref()
                .is_some_and(|status| status.phase == phase)
        };
        Ok(machines.len() == self.size() && machines.iter().all(is))
    }

    /// An instant that a request may expire at.
    pub fn in_an_hour(&self) -> Timestamp {
        let hour = jiff::SignedDuration::from_hours(1);
        self.home
            .now()
            .saturating_add(hour)
            .unwrap_or(Timestamp::MAX)
    }

    /// Changes the plan, as `kubectl patch` does.
    pub async fn patch_plan(&mut self, spec: serde_json::Value) -> Result<(), Failure> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        let api = self.of_shop::<RecoveryPlan>();
        let patched = api.patch(SHOP, &PatchParams::default(), &patch).await;
        patched.map(drop).map_err(failed("patch the plan"))
    }

    /// Waits for the next run of a kind to reach a phase; gives its name.
    pub async fn until_run(
        &mut self,
        after: u64,
        kind: RunKind,
        phase: RunPhase,
    ) -> Result<RecoveryRun, Failure> {
        let mut found = None;
        let what = format!("a {kind:?} to be {phase:?}");
        self.until(&what, async |stage| {
            let runs = stage.runs().await?.into_iter();
            found = runs
                .filter(|run| run.spec.number > after)
                .find(|run| run.spec.kind == kind);
            Ok(found.as_ref().is_some_and(|run| run.phase() == phase))
        })
        .await?;
        found.ok_or_else(|| Failure::NoSuchObject {
            what,
            hint: String::new(),
        })
    }

    /// The number of the newest run.
    pub async fn newest(&self) -> Result<u64, Failure> {
        let runs = self.runs().await?;
        Ok(runs.last().map_or(0, |run| run.spec.number))
    }

    /// A person's word on a run.
    pub async fn decide(
        &mut self,
        run: &RecoveryRun,
        action: DecisionAction,
    ) -> Result<(), Failure> {
        let name = run.name_any();
        let text = format!("{action:?}").to_lowercase();
        self.say(Mood::Plain, format!("$ drover {text} -n {SHOP} {name}"));
        let decision = json!({
            "apiVersion": drover_api::API_VERSION,
            "kind": "RunDecision",
            "metadata": { "name": format!("{name}-{text}") },
            "spec": {
                "runRef": { "name": name, "uid": run.metadata.uid },
                "action": action,
                "digest": run.spec.digest,
                "by": "whoever-is-on-duty",
            },
        });
        let decision: RunDecision = serde_json::from_value(decision)
            .map_err(|error| failed("decide")(kube::Error::SerdeError(error)))?;
        let api = self.of_shop::<RunDecision>();
        let made = api.create(&PostParams::default(), &decision).await;
        made.map(drop).map_err(failed("decide"))
    }

    /// Begins a drill.
    pub async fn begin_drill(&mut self, name: &str) -> Result<(), Failure> {
        let drill = json!({
            "apiVersion": drover_api::API_VERSION,
            "kind": "RecoveryDrill",
            "metadata": { "name": name },
            "spec": { "planRef": { "name": SHOP }, "recoveryPoint": { "type": "Latest" } },
        });
        let drill: RecoveryDrill = serde_json::from_value(drill)
            .map_err(|error| failed("declare a drill")(kube::Error::SerdeError(error)))?;
        let api = self.of_shop::<RecoveryDrill>();
        let made = api.create(&PostParams::default(), &drill).await;
        made.map(drop).map_err(failed("declare a drill"))
    }

    /// The drill, as long as it is there.
    pub async fn drill(&self, name: &str) -> Result<Option<RecoveryDrill>, Failure> {
        let found = self.of_shop::<RecoveryDrill>().get_opt(name).await;
        found.map_err(failed("look at the drill"))
    }

    /// Deletes a drill: that is its clean-up.
    pub async fn delete_drill(&mut self, name: &str) -> Result<(), Failure> {
        let api = self.of_shop::<RecoveryDrill>();
        let deleted = api.delete(name, &DeleteParams::default()).await;
        deleted.map(drop).map_err(failed("delete the drill"))
    }

    /// What there is, for whoever looks at a failure.
    async fn picture(&self) -> String {
        let api = self.of_shop::<RecoveryPlan>();
        let plans = api.list(&ListParams::default()).await;
        let plans = plans.map(|list| list.items).unwrap_or_default();
        let conditions = plans
            .iter()
            .flat_map(|plan| &plan.status)
            .flat_map(|status| &status.conditions);
        let words: Vec<String> = conditions
            .map(|each| {
                format!(
                    "{}={} {}: {}",
                    each.type_, each.status, each.reason, each.message
                )
            })
            .collect();
        words.join("; ")
    }
}

/// `mm:ss`.
pub fn stamp(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}
