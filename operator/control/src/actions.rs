//! Carrying out the actions of a plan (PL-4). They run at least once: each attempt carries a key by which
//! whoever is called can tell a repetition.

use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use drover_api::common::{RunKind, SiteRole};
use drover_api::value::{Address, SiteName};
use drover_api::{Action, ActionKind, DnsAction, HttpAction, RecoveryRun, ScriptAction};
use drover_engine::decide::{ActionId, ActionReport, Around};
use drover_fabric::{DnsChange, HttpCall, InstanceKey};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};

use crate::context::Context;
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
        let (epoch, attempt) = (self.epoch, self.attempt);
        let result = match tokio::time::timeout(limit, self.attempt(context)).await {
            Ok(result) => result,
            Err(_) => Err(format!("it took longer than {} seconds", limit.as_secs())),
        };
        ActionReport {
            epoch,
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
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{program} could not be started: {error}"))?;
        let mut group = ProcessGroup::of(&child);
        let (input, errors) = (child.stdin.take(), child.stderr.take());
        let about = self.about.to_string();
        let mut said = Vec::new();
        let ended = {
            // A program may end without reading, and leave others behind that hold its pipes open.
            let told = tell(input, about.as_bytes());
            let mut talk = pin!(futures::future::join(told, listen(errors, &mut said)));
            let mut over = false;
            let ended = tokio::select! {
                ended = child.wait() => ended,
                _ = &mut talk => {
                    over = true;
                    child.wait().await
                }
            };
            let ended = ended.map_err(|error| error.to_string())?;
            group.ended();
            if !over {
                let _ = tokio::time::timeout(LAST_WORDS, talk).await;
            }
            ended
        };
        if ended.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&said);
        let last = said
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        Err(format!("{program} ended with {ended}: {last}"))
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

/// Everything that a script started; it ends when the attempt is given up.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Self(pid.and_then(Pid::from_raw))
    }

    /// The script came to its end by itself. What it left running on purpose runs on, and its number may be
    /// another's from now on.
    fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended in this moment; then there is nobody to end.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn tell(input: Option<ChildStdin>, about: &[u8]) {
    if let Some(mut input) = input {
        // That it does not read is the program's own affair.
        drop(input.write_all(about).await);
    }
}

/// Reads to the end and keeps the last of it.
async fn listen(errors: Option<ChildStderr>, said: &mut Vec<u8>) {
    let Some(mut errors) = errors else { return };
    let mut piece = [0; 1024];
    while let Ok(read @ 1..) = errors.read(&mut piece).await {
        said.extend_from_slice(&piece[..read]);
        let surplus = said.len().saturating_sub(KEPT);
        said.drain(..surplus);
    }
}

/// Bytes that are kept of what a script says; its last line is told.
const KEPT: usize = 4096;
/// How long a script's last words are waited for after its end.
const LAST_WORDS: Duration = Duration::from_millis(100);

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
