//! `drover get`: what there is and how it stands.
//!
//! Objects for programs are those of the cluster, several of them in a `List`. Without a kind there is
//! an `Overview`, whose fields are those of [`Overview`].

use drover_api::{KindInfo, ProtectedMachine, RecoveryPlan, RecoveryRun, Site};
use futures::StreamExt as _;
use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::cli::{Get, GetFormat};
use crate::cluster::access::{Access, block_on};
use crate::cluster::reading::{self, Listed};
use crate::cluster::watching::{Change, changes};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::report::Report;
use crate::reports::overview::{self, Overview};
use crate::tables::Rows;
use crate::text::Style;

/// Shows objects, or how everything stands.
///
/// # Errors
/// When there is no such object, or the cluster does not answer.
pub fn run(arguments: &Get, output: &mut Output) -> Result<Exit, Failure> {
    block_on(async {
        let access = Access::open(&arguments.target).await?;
        match arguments.kind {
            None => overview(arguments, &access, output).await?,
            Some(info) if arguments.watch => watch(arguments, info, &access, output).await?,
            Some(info) => objects(arguments, info, &access, output).await?,
        }
        Ok(Exit::Fine)
    })
}

fn namespace<'a>(arguments: &Get, access: &'a Access) -> Option<&'a str> {
    (!arguments.all_namespaces).then(|| access.namespace())
}

async fn objects(
    arguments: &Get,
    info: &'static KindInfo,
    access: &Access,
    output: &mut Output,
) -> Result<(), Failure> {
    let namespace = namespace(arguments, access).filter(|_| info.namespaced);
    if let Some(name) = &arguments.name {
        let object = reading::get(access.client(), info, namespace, name).await?;
        return print(arguments, info, &[object], true, output);
    }
    let selector = arguments.selector.as_deref();
    let objects = reading::list(access.client(), info, namespace, selector).await?;
    if objects.is_empty() && matches!(arguments.output, GetFormat::Table | GetFormat::Wide) {
        let place = namespace
            .map(|name| format!(" in namespace {name}"))
            .unwrap_or_default();
        output.talk(&format!("there are no {}{place}", info.plural));
        return Ok(());
    }
    print(arguments, info, &objects, false, output)
}

fn print(
    arguments: &Get,
    info: &'static KindInfo,
    objects: &[DynamicObject],
    single: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    match arguments.output {
        GetFormat::Table | GetFormat::Wide => {
            let style = style(arguments, output);
            let rows = Rows::new(info, arguments.all_namespaces && info.namespaced);
            output.data(&rows.table(objects, Timestamp::now()).render(style, ""))
        }
        GetFormat::Name => {
            for object in objects {
                output.data(&name(info, object))?;
            }
            Ok(())
        }
        GetFormat::Json => output.json(&one_or_list(objects, single)),
        GetFormat::Yaml => output.yaml(&one_or_list(objects, single)),
    }
}

/// `recoveryplan.drover.dev/shop`, which `kubectl` takes.
fn name(info: &KindInfo, object: &DynamicObject) -> String {
    let kind = info.kind.to_lowercase();
    format!("{kind}.{}/{}\n", drover_api::GROUP, object.name_any())
}

fn one_or_list(objects: &[DynamicObject], single: bool) -> Value {
    let items: Vec<Value> = objects.iter().map(plain).collect();
    match items.as_slice() {
        [one] if single => one.clone(),
        _ => json!({ "apiVersion": "v1", "kind": "List", "items": items }),
    }
}

/// Who wrote which field is of no use to a reader and often longer than the rest.
fn plain(object: &DynamicObject) -> Value {
    let mut object = object.clone();
    object.metadata.managed_fields = None;
    reading::json(&object)
}

fn style(arguments: &Get, output: &Output) -> Style {
    let style = output.data_style();
    match arguments.output {
        GetFormat::Wide => Style::new(style.color(), usize::from(u16::MAX)),
        _ => style,
    }
}

/// What there is, then a line for each change.
async fn watch(
    arguments: &Get,
    info: &'static KindInfo,
    access: &Access,
    output: &mut Output,
) -> Result<(), Failure> {
    let namespace = namespace(arguments, access).filter(|_| info.namespaced);
    let fields = arguments
        .name
        .as_ref()
        .map(|name| format!("metadata.name={name}"));
    let api = access.objects(info, namespace);
    let mut changes = changes(api, fields.as_deref(), arguments.selector.as_deref());
    let rows = Rows::new(info, arguments.all_namespaces && info.namespaced);
    let style = style(arguments, output);
    let mut first = Vec::new();
    let mut told = false;
    while let Some(change) = changes.next().await {
        match change? {
            Change::Is(object) if !told => first.push(object),
            Change::Told if !told => {
                told = true;
                if matches!(arguments.output, GetFormat::Table | GetFormat::Wide) {
                    output.data(&rows.table(&first, Timestamp::now()).render(style, ""))?;
                } else {
                    for object in &first {
                        changed(arguments, info, object, &rows, style, output)?;
                    }
                }
            }
            Change::Is(object) => changed(arguments, info, &object, &rows, style, output)?,
            Change::Gone(object) => {
                let shown = reading::shown(info, object.namespace().as_deref(), &object.name_any());
                output.talk(&format!("{shown} is gone"));
            }
            Change::Told => {}
        }
        output.flush()?;
        if output.is_closed() {
            return Ok(());
        }
    }
    Ok(())
}

fn changed(
    arguments: &Get,
    info: &'static KindInfo,
    object: &DynamicObject,
    rows: &Rows,
    style: Style,
    output: &mut Output,
) -> Result<(), Failure> {
    match arguments.output {
        GetFormat::Table | GetFormat::Wide => {
            let table = rows.table(std::slice::from_ref(object), Timestamp::now());
            output.data(&table.render_rows(style, ""))
        }
        GetFormat::Name => output.data(&name(info, object)),
        GetFormat::Json => output.json(&plain(object)),
        GetFormat::Yaml => {
            output.data("---\n")?;
            output.yaml(&plain(object))
        }
    }
}

async fn overview(arguments: &Get, access: &Access, output: &mut Output) -> Result<(), Failure> {
    let first = look(arguments, access, output).await?;
    show(arguments, &first, output)?;
    if !arguments.watch {
        return Ok(());
    }
    let namespace = namespace(arguments, access);
    let of = |kind: &'static str| {
        let info = crate::cluster::kinds::find(kind);
        info.map(|info| changes(access.objects(info, namespace), None, None))
    };
    let watched = ["RecoveryPlan", "RecoveryRun", "Site"]
        .into_iter()
        .filter_map(of);
    let mut changes = futures::stream::select_all(watched);
    let mut last = serde_json::to_value(&first).unwrap_or_default();
    while let Some(change) = changes.next().await {
        change?;
        let now = look(arguments, access, output).await?;
        let seen = serde_json::to_value(&now).unwrap_or_default();
        // Most changes are not seen on this screen.
        if seen != last {
            last = seen;
            output.data("\n")?;
            show(arguments, &now, output)?;
            output.flush()?;
        }
        if output.is_closed() {
            break;
        }
    }
    Ok(())
}

async fn look(arguments: &Get, access: &Access, output: &mut Output) -> Result<Overview, Failure> {
    let (client, namespace) = (access.client(), namespace(arguments, access));
    let plans: Listed<RecoveryPlan> = reading::typed(client, namespace).await?;
    let runs: Listed<RecoveryRun> = reading::typed(client, namespace).await?;
    let machines: Listed<ProtectedMachine> = reading::typed(client, namespace).await?;
    // Who may look at one namespace may not be one who may look at sites.
    let sites: Listed<Site> = reading::typed(client, None).await.unwrap_or_default();
    let unreadable = [
        plans.unreadable,
        runs.unreadable,
        machines.unreadable,
        sites.unreadable,
    ];
    for note in unreadable.into_iter().flatten() {
        let style = output.talk_style();
        output.talk(&format!("{} {note}", style.notable("warning:")));
    }
    Ok(Overview::of(
        &plans.items,
        &runs.items,
        &machines.items,
        &sites.items,
    ))
}

fn show(arguments: &Get, overview: &Overview, output: &mut Output) -> Result<(), Failure> {
    match arguments.output {
        GetFormat::Json => output.json(&Report::new("Overview", overview)),
        GetFormat::Yaml => output.yaml(&Report::new("Overview", overview)),
        GetFormat::Name => {
            for plan in &overview.plans {
                output.data(&format!(
                    "recoveryplan.{}/{}\n",
                    drover_api::GROUP,
                    plan.name
                ))?;
            }
            Ok(())
        }
        GetFormat::Table | GetFormat::Wide => {
            if overview.plans.is_empty() {
                let everywhere = if arguments.all_namespaces {
                    ""
                } else {
                    " here; -A looks everywhere"
                };
                output.talk(&format!("there are no recovery plans{everywhere}"));
            }
            let style = style(arguments, output);
            let text =
                overview::render(overview, arguments.all_namespaces, Timestamp::now(), style);
            output.data(&text)
        }
    }
}
