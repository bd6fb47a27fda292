//! Carrying out the actions of a plan (PL-4). They run at least once: each attempt carries a key by which
//! whoever is called can tell a repetition.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use drover_api::common::{RunKind, SiteRole};
use drover_api::value::{Address, SiteName};
use drover_api::{Action, ActionKind, DnsAction, HttpAction, RecoveryRun, ScriptAction};
use drover_engine::decide::{ActionId, ActionReport, Around};
use drover_fabric::{DnsChange, HttpCall, InstanceKey};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::context::Context;
use crate::drivers::Place;
use crate::kinds::run::RunState;

/// One attempt of an action, with everything that it needs.
pub(crate) struct Errand {
    action: Action,
    attempt: u32,
    /// The same for every repetition of this attempt.
    key: String,
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
        Some(Self {
            attempt,
            key: format!("{uid}/{}/{:?}/{}", group.name, id.around, action.name),
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
        let limit = self
            .action
            .timeout
            .as_ref()
            .map_or(DEFAULT_LIMIT, drover_api::value::Duration::as_std);
        let attempt = self.attempt;
        let result = match tokio::time::timeout(limit, self.attempt(context)).await {
            Ok(result) => result,
            Err(_) => Err(format!("it took longer than {} seconds", limit.as_secs())),
        };
        ActionReport {
            attempt,
            result: result.map_err(|error| error.chars().take(1000).collect()),
        }
    }

    async fn attempt(&self, context: &Arc<Context>) -> Result<(), String> {
        if !context.gate.is_open() {
            return Err("this process does not lead any more".into());
        }
        match self.action.kind() {
            Ok(ActionKind::Script(script)) => self.script(context, script).await,
            Ok(ActionKind::Http(http)) => self.http(context, http).await,
            Ok(ActionKind::Dns(dns)) => self.dns(context, dns).await,
            // Waiting and approving are the engine's.
            Ok(ActionKind::Wait(_) | ActionKind::Manual(_)) => Ok(()),
            Err(kinds) => Err(format!("the action is of {kinds} kinds")),
        }
    }

    /// A process; it reads what the run says of itself from its standard input.
    async fn script(&self, context: &Context, script: &ScriptAction) -> Result<(), String> {
        if !context.settings.scripts {
            return Err("scripts are not run by this operator".into());
        }
        let Some((program, arguments)) = script.command.split_first() else {
            return Err("the command is empty".into());
        };
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(&script.env)
            .env("DROVER_IDEMPOTENCY_KEY", &self.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{program} could not be started: {error}"))?;
        if let Some(mut input) = child.stdin.take() {
            // A program may end without reading; that is its own affair.
            drop(input.write_all(self.about.to_string().as_bytes()).await);
        }
        let output = child
            .wait_with_output()
            .await
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        Err(format!("{program} ended with {}: {last}", output.status))
    }

    async fn http(&self, context: &Context, http: &HttpAction) -> Result<(), String> {
        let Some(fabric) = context.fabric(&self.target) else {
            return Err("the target site's driver is not open".into());
        };
        let Some(place) = &self.machine else {
            return Err(match &http.url {
                Some(url) => {
                    format!("{url} cannot be called: only machines of simulated sites can, yet")
                }
                None => "the machine is none of this run".into(),
            });
        };
        let Some(targets) = fabric.action_targets() else {
            return Err("machines of this fabric cannot be called, yet".into());
        };
        let call = HttpCall {
            machine: place.subject.at(self.role).clone(),
            drill: self.drill,
            port: http.port.unwrap_or(80),
            path: http.path.clone().unwrap_or_else(|| "/".into()),
        };
        let status = targets.http(&call).await?;
        if status == http.expect_status {
            return Ok(());
        }
        Err(format!(
            "it answered {status} and not {}",
            http.expect_status
        ))
    }

    async fn dns(&self, context: &Context, dns: &DnsAction) -> Result<(), String> {
        let Some(fabric) = context.fabric(&self.target) else {
            return Err("the target site's driver is not open".into());
        };
        let Some(targets) = fabric.action_targets() else {
            return Err("records are only changed in the zones of simulated sites, yet".into());
        };
        let addresses: &[Address] = match self.role {
            SiteRole::Primary => &dns.primary,
            SiteRole::Secondary => &dns.secondary,
        };
        let change = DnsChange {
            record: dns.record.clone(),
            ttl: u32::try_from(dns.ttl.as_std().as_secs()).unwrap_or(u32::MAX),
            addresses: addresses.to_vec(),
        };
        targets.dns(&change).await
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
