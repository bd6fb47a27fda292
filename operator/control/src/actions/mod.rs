//! Carrying out the actions of a plan (PL-4). They run at least once: each attempt carries a key by which
//! whoever is called can tell a repetition.

mod dns;
mod http;
mod jobs;
mod script;
mod secret;
mod simulated;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use drover_api::common::{RunKind, SiteRole};
use drover_api::value::{Address, SiteName};
use drover_api::{Action, ActionKind, DnsAction, HttpAction, RecoveryRun, ScriptAction};
use drover_engine::decide::{ActionId, ActionReport, Around, pause_before};
use drover_engine::outside::{Route, route};
use drover_fabric::InstanceKey;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use serde_json::json;

use crate::cache::ObjectKey;
use crate::context::{Context, Scripts};
use crate::drivers::Place;
use crate::kinds::run::RunState;

/// One attempt of an action, with everything that it needs.
pub(crate) struct Errand {
    action: Action,
    /// The epoch of the record that began the attempt.
    epoch: u64,
    attempt: u32,
    /// The same for every repetition of this attempt.
    key: String,
    /// The namespace of the plan: its secrets, and what is made for it.
    namespace: String,
    plan: String,
    /// What belongs to the run goes with it.
    run: OwnerReference,
    target: SiteName,
    role: SiteRole,
    drill: bool,
    /// The machine that an HTTP call goes to.
    machine: Option<Place>,
    /// What the run says of itself, as JSON.
    about: serde_json::Value,
}

impl Errand {
    pub(crate) fn of(
        context: &Context,
        run: &Arc<RecoveryRun>,
        state: &RunState,
        id: ActionId,
        attempt: u32,
    ) -> Option<Self> {
        let group = run.spec.groups.get(id.group)?;
        let action = match id.around {
            Around::Before => group.before.get(id.index)?,
            Around::After => group.after.get(id.index)?,
        };
        let role = run.spec.direction.target();
        let name = run.metadata.name.as_deref().unwrap_or_default();
        let uid = run.metadata.uid.as_deref().unwrap_or_default();
        let drill = run.spec.kind == RunKind::TestFailover;
        let record = &run.status.as_ref()?.record;
        // Machines that are rebuilt from another point need it done once more.
        let movement = record.movement_epoch;
        Some(Self {
            epoch: record.epoch,
            attempt,
            key: format!(
                "{uid}/{movement}/{}/{:?}/{}",
                group.name, id.around, action.name
            ),
            namespace: run.metadata.namespace.clone().unwrap_or_default(),
            plan: run.spec.plan_ref.name.to_string(),
            run: run.owner_ref(&())?,
            target: run.spec.sites.at(role).clone(),
            role,
            drill,
            machine: action.http.as_ref().and_then(|http| called(state, http)),
            about: json!({
                "run": name,
                "plan": run.spec.plan_ref.name.to_string(),
                "kind": run.spec.kind,
                "direction": run.spec.direction,
                "group": group.name.to_string(),
                "action": action.name.to_string(),
                "attempt": attempt,
                "machines": machines(context, run, state, drill),
            }),
            action: action.clone(),
        })
    }

    /// Carries it out, for as long as it may take.
    pub(crate) async fn run(self, context: &Arc<Context>) -> ActionReport {
        let is_job = self.action.script.is_some() && context.settings.scripts == Scripts::Jobs;
        let limit = if is_job {
            self.limit_of_job()
        } else {
            self.limit()
        };
        let (epoch, attempt) = (self.epoch, self.attempt);
        let result = match tokio::time::timeout(limit, self.attempt(context, limit)).await {
            Ok(result) => result,
            Err(_) => Err(format!("it took longer than {} seconds", limit.as_secs())),
        };
        ActionReport {
            epoch,
            attempt,
            result: result.map_err(|error| error.chars().take(1000).collect()),
        }
    }

    fn limit(&self) -> Duration {
        let limit = self.action.timeout.as_ref();
        limit.map_or(DEFAULT_LIMIT, drover_api::value::Duration::as_std)
    }

    async fn attempt(&self, context: &Arc<Context>, limit: Duration) -> Result<(), String> {
        tokio::time::sleep(pause_before(self.attempt, limit)).await;
        Self::leads(context)?;
        match self.action.kind() {
            Ok(ActionKind::Script(script)) => self.script(context, script).await,
            Ok(ActionKind::Http(http)) => self.http(context, http).await,
            Ok(ActionKind::Dns(dns)) => self.dns(context, dns).await,
            // Waiting and approving are the engine's.
            Ok(ActionKind::Wait(_) | ActionKind::Manual(_)) => Ok(()),
            Err(kinds) => Err(format!("the action is of {kinds} kinds")),
        }
    }

    async fn script(&self, context: &Context, script: &ScriptAction) -> Result<(), String> {
        match context.settings.scripts {
            Scripts::Processes => self.process(script).await,
            Scripts::Jobs => self.job(context, script).await,
            Scripts::Off => Err(
                "scripts are not run by this operator: set `scripts.jobs` of the chart, or give `drover run` \
                 the flag --scripts jobs"
                    .into(),
            ),
        }
    }

    async fn http(&self, context: &Context, http: &HttpAction) -> Result<(), String> {
        match self.route(context)? {
            Route::Simulated => self.simulated_http(context, http).await,
            Route::Real => self.real_http(context, http).await,
        }
    }

    async fn dns(&self, context: &Context, dns: &DnsAction) -> Result<(), String> {
        if self.drill {
            return Err("a drill changes no record, because that would move real clients".into());
        }
        match self.route(context)? {
            Route::Simulated => self.simulated_dns(context, dns).await,
            Route::Real => self.real_dns(context, dns).await,
        }
    }

    /// Nothing outside is written by a process that does not lead any more (SA-4).
    fn leads(context: &Context) -> Result<(), String> {
        if context.gate.is_open() {
            Ok(())
        } else {
            Err("this process does not lead any more".into())
        }
    }

    /// The address of a machine that is seen at the target.
    fn address_of(&self, context: &Context, place: &Place) -> Option<IpAddr> {
        let key = InstanceKey {
            name: place.subject.at(self.role).clone(),
            drill: self.drill,
        };
        let index = context.index();
        let seen = index.seen_at(place.sites.at(self.role), &key)?;
        seen.addresses.first().copied().map(Address::ip)
    }

    /// Who answers. Of a site that nobody declares nothing is known, also not that it is real.
    fn route(&self, context: &Context) -> Result<Route, String> {
        let key = ObjectKey::new("", self.target.as_str());
        let Some(site) = context.cache().sites.get(&key).cloned() else {
            return Err(format!(
                "there is no readable Site {}: declare it",
                self.target
            ));
        };
        Ok(route(&self.action, &site.spec.fabric))
    }
}

/// For an action without a timeout of its own.
const DEFAULT_LIMIT: Duration = Duration::from_mins(5);

/// The machine that an HTTP action names.
fn called(state: &RunState, http: &HttpAction) -> Option<Place> {
    let name = http.machine.as_ref()?;
    let position = state.journals.iter().position(|machine| {
        let group = http.protection_group.as_ref();
        machine.spec.machine.name == *name
            && group.is_none_or(|group| *group == machine.spec.machine.protection_group)
    })?;
    state.places[position].clone()
}

/// The machines of the run with the addresses that are seen at the target.
fn machines(
    context: &Context,
    run: &RecoveryRun,
    state: &RunState,
    drill: bool,
) -> Vec<serde_json::Value> {
    let role = run.spec.direction.target();
    let index = context.index();
    let known = state.journals.iter().zip(&state.places);
    known
        .filter_map(|(machine, place)| {
            let place = place.as_ref()?;
            let key = InstanceKey {
                name: place.subject.at(role).clone(),
                drill,
            };
            let seen = index.seen_at(place.sites.at(role), &key);
            let addresses: Vec<String> = seen
                .into_iter()
                .flat_map(|seen| &seen.addresses)
                .map(ToString::to_string)
                .collect();
            Some(json!({
                "protectionGroup": machine.spec.machine.protection_group.to_string(),
                "name": machine.spec.machine.name.to_string(),
                "addresses": addresses,
            }))
        })
        .collect()
}
