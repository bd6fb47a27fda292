//! `drover events`: what happened lately.

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::cli::{Events, TextOrData};
use crate::cluster::access::{Access, block_on};
use crate::cluster::error::failed;
use crate::cluster::kinds::Named;
use crate::cluster::watching::{Change, changes};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::reports::moments;
use crate::text::{Cell, Column, Table};

/// Shows events.
///
/// # Errors
/// When the cluster refuses or does not answer.
pub fn run(arguments: &Events, output: &mut Output) -> Result<Exit, Failure> {
    block_on(async {
        let access = Access::open(&arguments.target).await?;
        let client = access.client().clone();
        // Events of what lives in no namespace are kept in the one called default.
        let clusterwide = arguments
            .object
            .as_ref()
            .is_some_and(|named| !named.info().namespaced);
        let api: Api<Event> = match (arguments.all_namespaces, clusterwide) {
            (true, _) => Api::all(client),
            (false, true) => Api::namespaced(client, "default"),
            (false, false) => Api::namespaced(client, access.namespace()),
        };
        if arguments.watch {
            watch(arguments, api, output).await?;
        } else {
            list(arguments, &api, output).await?;
        }
        Ok(Exit::Fine)
    })
}

async fn list(arguments: &Events, api: &Api<Event>, output: &mut Output) -> Result<(), Failure> {
    let all = api
        .list(&ListParams::default())
        .await
        .map_err(failed("list events"))?;
    let mut events: Vec<Event> = all.items;
    events.retain(|event| is_meant(event, arguments.object.as_ref()));
    events.sort_by_key(last_seen);
    match arguments.output {
        TextOrData::Text if events.is_empty() => output.talk("nothing happened lately"),
        TextOrData::Text => {
            let style = output.data_style();
            output.data(&table(arguments, &events).render(style, ""))?;
        }
        TextOrData::Json => output.json(&as_list(&events))?,
        TextOrData::Yaml => output.yaml(&as_list(&events))?,
    }
    Ok(())
}

fn as_list(events: &[Event]) -> Value {
    let items: Vec<Value> = events
        .iter()
        .map(|event| {
            let mut event = event.clone();
            event.metadata.managed_fields = None;
            let mut event = serde_json::to_value(event).unwrap_or_default();
            event["apiVersion"] = json!("v1");
            event["kind"] = json!("Event");
            event
        })
        .collect();
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

async fn watch(arguments: &Events, api: Api<Event>, output: &mut Output) -> Result<(), Failure> {
    let mut changes = changes(api, None, None);
    let (mut first, mut told) = (Vec::new(), false);
    while let Some(change) = changes.next().await {
        match change? {
            Change::Is(event) if !is_meant(&event, arguments.object.as_ref()) => {}
            Change::Is(event) if !told => first.push(event),
            Change::Is(event) => line(arguments, &event, output)?,
            Change::Told if !told => {
                told = true;
                first.sort_by_key(last_seen);
                for event in &first {
                    line(arguments, event, output)?;
                }
            }
            Change::Told | Change::Gone(_) => {}
        }
        output.flush()?;
        if output.is_closed() {
            break;
        }
    }
    Ok(())
}

fn line(arguments: &Events, event: &Event, output: &mut Output) -> Result<(), Failure> {
    match arguments.output {
        TextOrData::Text => {
            let style = output.data_style();
            let table = table(arguments, std::slice::from_ref(event));
            output.data(&table.render_rows(style, ""))
        }
        TextOrData::Json => output.json(event),
        TextOrData::Yaml => {
            output.data("---\n")?;
            output.yaml(event)
        }
    }
}

fn table(arguments: &Events, events: &[Event]) -> Table {
    let now = Timestamp::now();
    let mut table = Table::new([
        Column::number("SEEN"),
        Column::short("TYPE"),
        Column::short("REASON"),
        Column::short("OBJECT"),
        Column::wrapped("MESSAGE"),
    ]);
    for event in events {
        let object = &event.involved_object;
        let kind = object.kind.as_deref().unwrap_or("?").to_lowercase();
        let name = object.name.as_deref().unwrap_or("?");
        let place = match &object.namespace {
            Some(namespace) if arguments.all_namespaces => format!("{namespace}/"),
            _ => String::new(),
        };
        let seen = last_seen(event).map_or_else(|| "-".to_owned(), |at| moments::ago(at, now));
        let kind_of_event = event.type_.clone().unwrap_or_default();
        table.row(vec![
            seen.into(),
            if kind_of_event == "Warning" {
                Cell::notable(kind_of_event)
            } else {
                kind_of_event.into()
            },
            event.reason.clone().unwrap_or_default().into(),
            format!("{place}{kind}/{name}").into(),
            message(event).into(),
        ]);
    }
    table
}

fn message(event: &Event) -> String {
    let message = event.message.clone().unwrap_or_default();
    let series = event.series.as_ref().and_then(|series| series.count);
    match series.or(event.count) {
        Some(number) if number > 1 => format!("{message} ({number} times)"),
        _ => message,
    }
}

/// Whether an event is about something of Drover's, and about this object where one is named.
fn is_meant(event: &Event, object: Option<&Named>) -> bool {
    let about = &event.involved_object;
    let group = about
        .api_version
        .as_deref()
        .and_then(|version| version.split_once('/'));
    let ours = group.is_some_and(|(group, _)| group == drover_api::GROUP);
    let same = object.is_none_or(|named| {
        about.kind.as_deref() == Some(named.kind) && about.name.as_deref() == Some(&named.name)
    });
    ours && same
}

fn last_seen(event: &Event) -> Option<Timestamp> {
    let series = event
        .series
        .as_ref()
        .and_then(|series| series.last_observed_time.as_ref());
    let last = event.last_timestamp.as_ref().map(|at| at.0);
    let first = event.first_timestamp.as_ref().map(|at| at.0);
    let created = event.metadata.creation_timestamp.as_ref().map(|at| at.0);
    series
        .map(|at| at.0)
        .or(last)
        .or(event.event_time.as_ref().map(|at| at.0))
        .or(first)
        .or(created)
}
