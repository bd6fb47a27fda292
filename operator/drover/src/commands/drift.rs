//! `drover drift`: where what is differs from what is declared (RD-2).
//!
//! For programs there is a `DriftReport`: `at`, `digest`, `counts` by severity, `plans` with their `findings`,
//! `withoutPlan`, `sites`, `notJudged` and `operatorSeen`. Each finding has `severity`, `kind`, `subject`,
//! `since`, `message`, `meaning` and `remedy`.

use drover_engine::drift;
use drover_world::PlanId;
use jiff::Timestamp;
use kube::Client;

use crate::cli::{Drift, DriftFormat};
use crate::cluster::access::{Access, block_on};
use crate::cluster::heartbeat;
use crate::cluster::reading::{self, Listed};
use crate::drifts::{markdown, page, text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::plans::select;
use crate::report::Report;

/// Shows what differs.
///
/// # Errors
/// When the cluster does not answer, or there is no such plan.
pub fn run(arguments: &Drift, output: &mut Output) -> Result<Exit, Failure> {
    let found = block_on(async {
        let access = Access::open(&arguments.target).await?;
        // A plan that is named with its namespace is looked for there.
        let everywhere =
            arguments.all_namespaces || arguments.plans.iter().any(|name| name.contains('/'));
        let namespace = (!everywhere).then(|| access.namespace());
        let found = Found::read(access.client(), namespace).await?;
        match namespace {
            _ if !found.is_empty() => Ok(found),
            Some(namespace) => Err(nothing(&format!("the namespace {namespace} holds"))),
            None => Err(nothing("this cluster holds")),
        }
    })?;
    for line in &found.unreadable {
        let style = output.talk_style();
        output.talk(&format!(
            "{} {line}; it is left out",
            style.notable("warning:")
        ));
    }
    let mut report = found.report(Timestamp::now());
    if !arguments.plans.is_empty() {
        report.only(&found.select(&arguments.plans)?);
    }
    match arguments.format {
        DriftFormat::Text => {
            output.data(&text::render(&report, arguments.full, output.data_style()))?;
        }
        DriftFormat::Json => output.json(&Report::new("DriftReport", &report))?,
        DriftFormat::Markdown => output.data(&markdown::render(&report))?,
        DriftFormat::Html => output.data(&page::page(&report))?,
    }
    let unsure = report.is_unsure() || !found.unreadable.is_empty();
    Ok(if unsure || report.reaches(arguments.fail_on.into()) {
        Exit::Seen
    } else {
        Exit::Fine
    })
}

/// That nothing differs where nothing is would be taken for good news.
fn nothing(place: &str) -> Failure {
    Failure::Refused {
        what: format!("{place} no recovery plan and no protected machine"),
        hint: "-n NAMESPACE looks in another namespace, -A in all of them".to_owned(),
    }
}

/// What the cluster holds.
struct Found {
    sites: Vec<drover_api::Site>,
    machines: Vec<drover_api::ProtectedMachine>,
    plans: Vec<drover_api::RecoveryPlan>,
    drills: Vec<drover_api::RecoveryDrill>,
    unreadable: Vec<String>,
    operator_seen: Option<Timestamp>,
}

impl Found {
    async fn read(client: &Client, namespace: Option<&str>) -> Result<Self, Failure> {
        let mut unreadable = Vec::new();
        Ok(Self {
            sites: taken(reading::typed(client, None).await?, &mut unreadable),
            machines: taken(reading::typed(client, namespace).await?, &mut unreadable),
            plans: taken(reading::typed(client, namespace).await?, &mut unreadable),
            drills: taken(reading::typed(client, namespace).await?, &mut unreadable),
            unreadable,
            operator_seen: heartbeat::last(client).await,
        })
    }

    fn is_empty(&self) -> bool {
        self.machines.is_empty() && self.plans.is_empty() && self.unreadable.is_empty()
    }

    fn report(&self, now: Timestamp) -> drift::Report {
        let objects = drift::Objects {
            sites: &self.sites,
            machines: &self.machines,
            plans: &self.plans,
            drills: &self.drills,
        };
        drift::Report {
            operator_seen: self.operator_seen,
            ..drift::Report::of(&objects, now)
        }
    }

    fn select(&self, names: &[String]) -> Result<Vec<PlanId>, Failure> {
        let ids = self.plans.iter().filter_map(|plan| {
            Some(PlanId {
                namespace: plan.metadata.namespace.as_deref()?.parse().ok()?,
                name: plan.metadata.name.as_deref()?.parse().ok()?,
            })
        });
        let ids: Vec<PlanId> = ids.collect();
        match (names, ids.as_slice()) {
            ([name, ..], []) => Err(Failure::NoSuchPlan {
                name: name.clone(),
                hint: "there is none here; -A looks in all namespaces".to_owned(),
            }),
            _ => select::among(ids, names),
        }
    }
}

fn taken<K>(listed: Listed<K>, unreadable: &mut Vec<String>) -> Vec<K> {
    unreadable.extend(listed.unreadable);
    listed.items
}
