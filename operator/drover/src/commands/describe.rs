//! `drover describe`: everything that matters of one object.

use drover_api::{
    KindInfo, MachineRun, ProtectedMachine, ProtectionGroup, RecoveryDrill, RecoveryPlan,
    RecoveryRun, RunDecision, Site,
};
use jiff::Timestamp;
use kube::{Client, ResourceExt as _};

use crate::cli::Describe;
use crate::cluster::access::{Access, block_on};
use crate::cluster::reading;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::reports::describe::{self, Around};
use crate::reports::period;
use crate::text::Style;

/// Runs of a plan that are shown.
const LAST_RUNS: usize = 5;

/// Describes an object.
///
/// # Errors
/// When there is none of that name, or the cluster does not answer.
pub fn run(arguments: &Describe, output: &mut Output) -> Result<Exit, Failure> {
    let text = block_on(async {
        let access = Access::open(&arguments.target).await?;
        let what = Question {
            client: access.client(),
            namespace: access.namespace_of(arguments.kind),
            name: &arguments.name,
            now: Timestamp::now(),
            style: output.data_style(),
        };
        what.answer(arguments.kind).await
    })?;
    output.data(&text)?;
    Ok(Exit::Fine)
}

struct Question<'a> {
    client: &'a Client,
    namespace: Option<&'a str>,
    name: &'a str,
    now: Timestamp,
    style: Style,
}

impl Question<'_> {
    async fn answer(&self, info: &'static KindInfo) -> Result<String, Failure> {
        match info.kind {
            "RecoveryPlan" => self.plan().await,
            "RecoveryRun" => self.run().await,
            "ProtectedMachine" => {
                let machine: ProtectedMachine = self.one().await?;
                Ok(describe::machine(&machine, self.now, self.style))
            }
            "ProtectionGroup" => self.group().await,
            "Site" => {
                let site: Site = self.one().await?;
                Ok(describe::site(&site, self.now, self.style))
            }
            "RecoveryDrill" => self.drill().await,
            _ => self.other(info).await,
        }
    }

    async fn one<K>(&self) -> Result<K, Failure>
    where
        K: kube::Resource<DynamicType = ()> + serde::de::DeserializeOwned,
    {
        reading::one(self.client, self.namespace, self.name).await
    }

    async fn plan(&self) -> Result<String, Failure> {
        let plan: RecoveryPlan = self.one().await?;
        let runs = reading::typed::<RecoveryRun>(self.client, self.namespace)
            .await?
            .items;
        let mut last: Vec<RecoveryRun> = runs
            .into_iter()
            .filter(|run| run.spec.plan_ref.name.as_str() == self.name)
            .collect();
        last.sort_by_key(|run| std::cmp::Reverse(run.spec.number));
        let current = plan
            .status
            .as_ref()
            .and_then(|status| status.current_run.as_ref());
        let current = current.and_then(|name| {
            last.iter()
                .find(|run| run.name_any() == name.as_str())
                .cloned()
        });
        let current = match current {
            Some(run) => {
                let machines = machines_of(self.client, self.namespace, &run).await?;
                Some((run, machines))
            }
            None => None,
        };
        last.truncate(LAST_RUNS);
        Ok(describe::plan(
            &plan,
            &Around { current, last },
            self.now,
            self.style,
        ))
    }

    async fn run(&self) -> Result<String, Failure> {
        let run: RecoveryRun = self.one().await?;
        let machines = machines_of(self.client, self.namespace, &run).await?;
        let decisions = decisions_of(self.client, self.namespace, &run).await?;
        let (now, style) = (self.now, self.style);
        Ok(describe::run(&run, &machines, &decisions, now, style))
    }

    async fn group(&self) -> Result<String, Failure> {
        let group: ProtectionGroup = self.one().await?;
        let machines = reading::typed::<ProtectedMachine>(self.client, self.namespace).await?;
        let own: Vec<ProtectedMachine> = machines
            .items
            .into_iter()
            .filter(|machine| machine.spec.group_ref.name.as_str() == self.name)
            .collect();
        Ok(describe::group(&group, &own, self.now, self.style))
    }

    async fn drill(&self) -> Result<String, Failure> {
        let drill: RecoveryDrill = self.one().await?;
        let name = drill.status.as_ref().and_then(|status| status.run.as_ref());
        let run = match name {
            Some(name) => {
                let runs = reading::typed::<RecoveryRun>(self.client, self.namespace).await?;
                runs.items
                    .into_iter()
                    .find(|run| run.name_any() == name.as_str())
            }
            None => None,
        };
        let machines = match &run {
            Some(run) => machines_of(self.client, self.namespace, run).await?,
            None => Vec::new(),
        };
        let run = run.as_ref().map(|run| (run, machines.as_slice()));
        Ok(describe::drill(&drill, run, self.now, self.style))
    }

    async fn other(&self, info: &'static KindInfo) -> Result<String, Failure> {
        let object = reading::get(self.client, info, self.namespace, self.name).await?;
        let json = reading::json(&object);
        let spec = output::to_yaml(&json["spec"])?;
        let metadata = &object.metadata;
        Ok(describe::other(
            info, metadata, &json, &spec, self.now, self.style,
        ))
    }
}

/// The journals of the machines of a run.
///
/// # Errors
/// When the cluster does not answer.
pub async fn machines_of(
    client: &Client,
    namespace: Option<&str>,
    run: &RecoveryRun,
) -> Result<Vec<MachineRun>, Failure> {
    let all = reading::typed::<MachineRun>(client, namespace).await?;
    Ok(period::own(run, &all.items))
}

/// The decisions on a run, oldest first.
///
/// # Errors
/// When the cluster does not answer.
pub async fn decisions_of(
    client: &Client,
    namespace: Option<&str>,
    run: &RecoveryRun,
) -> Result<Vec<RunDecision>, Failure> {
    let all = reading::typed::<RunDecision>(client, namespace).await?;
    let uid = run.uid().unwrap_or_default();
    let mut own: Vec<RunDecision> = all
        .items
        .into_iter()
        .filter(|decision| decision.spec.run_ref.uid == uid)
        .collect();
    own.sort_by_key(|decision| decision.metadata.creation_timestamp.as_ref().map(|at| at.0));
    Ok(own)
}
