//! Traces: a run as spans, on request (KU-3).
//!
//! Spans are made from what is on record, when a phase of a run has ended: the trace is the run's uid, and
//! the name of each span follows from what it is about. So a failover is one trace, however many
//! processes carried it, and nothing is measured that is not in the status anyway. They are written as
//! OTLP has them in JSON; whoever takes them sends them.

use std::sync::Arc;

use drover_api::{MachineRun, RecoveryRun, RunPhase, StepRecord, StepState};
use drover_engine::lifecycle::RUN;
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::debug;

use crate::cache::ObjectKey;
use crate::context::Context;

/// Machines that a trace shows; of more the rest is counted. Collectors refuse what is too large.
const MOST_MACHINES: usize = 1_000;

/// Where spans go: each message is one `ExportTraceServiceRequest` in JSON.
pub type Traces = mpsc::Sender<Value>;

impl Context {
    /// A phase of the run began, so another ended.
    pub(crate) fn trace(&self, run: &Arc<RecoveryRun>) {
        let Some(traces) = &self.settings.traces else {
            return;
        };
        let machines = self.cache().machine_runs_of(&ObjectKey::of(&**run));
        let spans = spans(run, &machines);
        if !spans.is_empty() && traces.try_send(request(&spans)).is_err() {
            debug!(run = %run.name_any(), "spans were dropped: nobody takes them");
        }
    }
}

fn request(spans: &[Value]) -> Value {
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            text("service.name", "drover"),
            text("service.version", env!("CARGO_PKG_VERSION")),
        ]},
        "scopeSpans": [{ "scope": { "name": "drover" }, "spans": spans }],
    }]})
}

/// The spans that ended with the newest phase of a run.
fn spans(run: &RecoveryRun, machines: &[Arc<MachineRun>]) -> Vec<Value> {
    let Some(status) = &run.status else {
        return Vec::new();
    };
    let trace = Trace {
        id: run.uid().unwrap_or_default().replace('-', ""),
        run,
    };
    let mut spans = Vec::new();
    let mut last = status.history.iter().rev();
    if let (Some(now), Some(ended)) = (last.next(), last.next()) {
        let mut attributes = Vec::new();
        if matches!(ended.phase, RunPhase::Leaving | RunPhase::Entering) {
            let shown = machines.iter().take(MOST_MACHINES);
            spans.extend(shown.filter_map(|machine| trace.machine(machine, ended.phase)));
            let left = machines.len().saturating_sub(MOST_MACHINES);
            if left > 0 {
                attributes.push(text("drover.machines.not_shown", &left.to_string()));
            }
        }
        let mut span = trace.span(
            &phase_path(ended.phase, ended.at),
            Some("run"),
            &format!("{:?}", ended.phase),
            (ended.at, now.at),
            attributes,
        );
        if now.phase == RunPhase::Halted {
            let why = status.record.halt.as_ref().map(|halt| halt.reason.as_str());
            span["status"] = json!({ "code": 2, "message": why });
        }
        spans.push(span);
    }
    if RUN.is_final(status.record.phase)
        && let Some((first, last)) = status.history.first().zip(status.history.last())
    {
        let attributes = vec![
            text("drover.run.phase", &format!("{:?}", last.phase)),
            text("drover.run.machines", &run.spec.machines.to_string()),
        ];
        let name = format!("{:?} {}", run.spec.kind, run.spec.plan_ref.name);
        spans.push(trace.span("run", None, &name, (first.at, last.at), attributes));
    }
    spans
}

/// A phase may be entered twice, so its time belongs to its path.
fn phase_path(phase: RunPhase, at: Timestamp) -> String {
    format!("run/{phase:?}/{}", at.as_nanosecond())
}

struct Trace<'a> {
    id: String,
    run: &'a RecoveryRun,
}

impl Trace<'_> {
    /// What a machine did in a phase: from its release to its outcome.
    fn machine(&self, machine: &MachineRun, phase: RunPhase) -> Option<Value> {
        let status = self.run.status.as_ref()?;
        let journal = machine.status.as_ref()?;
        let mut groups = self.run.spec.groups.iter();
        let group = groups.position(|group| group.name == machine.spec.group)?;
        let record = status.record.groups.get(group)?;
        let (name, released, step): (_, _, &StepRecord) = match phase {
            RunPhase::Leaving => ("leave", record.leave_released, &journal.leave),
            _ => ("enter", record.enter_released, &journal.enter),
        };
        let entry = status.history.iter().rev();
        let within = entry.clone().find(|entry| entry.phase == phase)?;
        let path = format!("run/machine/{}/{name}/{}", machine.name_any(), step.epoch);
        let attributes = vec![
            text("drover.group", machine.spec.group.as_str()),
            text("drover.machine", machine.spec.machine.name.as_str()),
        ];
        let mut span = self.span(
            &path,
            Some(&phase_path(within.phase, within.at)),
            &format!("{name} {}", machine.spec.machine.name),
            (released?, step.at?),
            attributes,
        );
        if step.state == StepState::Failed {
            span["status"] = json!({ "code": 2, "message": step.error });
        }
        Some(span)
    }

    fn span(
        &self,
        path: &str,
        parent: Option<&str>,
        name: &str,
        (from, to): (Timestamp, Timestamp),
        mut attributes: Vec<Value>,
    ) -> Value {
        let run = self.run;
        attributes.push(text(
            "drover.namespace",
            &run.namespace().unwrap_or_default(),
        ));
        attributes.push(text("drover.plan", run.spec.plan_ref.name.as_str()));
        attributes.push(text("drover.run", &run.name_any()));
        json!({
            "traceId": self.id,
            "spanId": self.span_id(path),
            "parentSpanId": parent.map(|parent| self.span_id(parent)).unwrap_or_default(),
            "name": name,
            "kind": 1,
            "startTimeUnixNano": from.as_nanosecond().to_string(),
            "endTimeUnixNano": to.max(from).as_nanosecond().to_string(),
            "attributes": attributes,
        })
    }

    /// FNV-1a of run and path: the same in every process.
    fn span_id(&self, path: &str) -> String {
        let bytes = self.id.bytes().chain(path.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{hash:016x}")
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}
