//! One difference of a report, and what it is about.

use drover_api::value::{GroupName, MachineName};
use drover_api::{Drift, DriftKind, DriftSeverity, ProtectedMachine};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::{meaning, remedy};

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How much it matters.
    pub severity: DriftSeverity,
    /// What differs.
    pub kind: DriftKind,
    /// Of what.
    pub subject: Subject,
    /// Since when.
    pub since: Timestamp,
    /// What was found.
    pub message: String,
    /// What it means.
    pub meaning: &'static str,
    /// What a person does about it.
    pub remedy: String,
}

/// What a difference is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// The kind of the object; `Machine` where it is one of a site's inventory that has no object.
    pub kind: &'static str,
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The machine, where it is one.
    #[serde(flatten)]
    pub machine: Option<MachineOf>,
}

/// A machine as people know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineOf {
    /// Its own name.
    pub machine: MachineName,
    /// Its protection group.
    pub group: GroupName,
}

impl Subject {
    pub(super) fn of(kind: &'static str, meta: &ObjectMeta) -> Self {
        Self {
            kind,
            namespace: meta.namespace.clone(),
            name: meta.name.clone().unwrap_or_default(),
            machine: None,
        }
    }

    pub(super) fn of_machine(machine: &ProtectedMachine) -> Self {
        Self {
            machine: Some(MachineOf {
                machine: machine.spec.machine.clone(),
                group: machine.spec.group_ref.name.clone(),
            }),
            ..Self::of("ProtectedMachine", &machine.metadata)
        }
    }

    /// What people call it: a machine by its own name.
    pub fn shown(&self) -> &str {
        match &self.machine {
            Some(of) => of.machine.as_str(),
            None => &self.name,
        }
    }
}

impl Finding {
    /// What was found, with what it means and what a person does about it.
    pub(super) fn new(
        kind: DriftKind,
        severity: DriftSeverity,
        subject: Subject,
        since: Timestamp,
        message: String,
    ) -> Self {
        let of = subject.machine.as_ref().and(subject.namespace.as_deref());
        let remedy = remedy(kind, of.map(|namespace| (namespace, subject.name.as_str())));
        Self {
            severity,
            kind,
            subject,
            since,
            message,
            meaning: meaning(kind),
            remedy,
        }
    }

    /// What was recorded of an object.
    pub(super) fn of(drift: &Drift, subject: Subject) -> Self {
        let message = drift.message.clone();
        Self::new(drift.kind, drift.severity, subject, drift.since, message)
    }
}
