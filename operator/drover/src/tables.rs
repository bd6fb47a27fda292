//! Objects of any kind in a table, with the columns that the kind's definition names.
//!
//! `kubectl get` shows the same columns, because it reads the same definition.

use drover_api::KindInfo;
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::cluster::reading;
use crate::reports::moments;
use crate::text::{Cell, Column, Table};

/// How objects of a kind become rows.
#[derive(Debug)]
pub struct Rows {
    columns: Vec<CustomResourceColumnDefinition>,
    namespaces: bool,
}

impl Rows {
    /// With the columns of a kind, and one for namespaces.
    pub fn new(info: &KindInfo, namespaces: bool) -> Self {
        let version = (info.crd)().spec.versions.into_iter().next();
        let columns = version.and_then(|version| version.additional_printer_columns);
        Self {
            columns: columns.unwrap_or_default(),
            namespaces,
        }
    }

    /// The objects as a table.
    pub fn table(&self, objects: &[DynamicObject], now: Timestamp) -> Table {
        let mut columns = Vec::new();
        if self.namespaces {
            columns.push(Column::short("NAMESPACE"));
        }
        // Cut, it could not be given to a command.
        columns.push(Column::short("NAME"));
        columns.extend(self.columns.iter().map(|column| {
            let title = column.name.to_uppercase();
            match column.type_.as_str() {
                "integer" | "number" | "date" => Column::number(title),
                _ => Column::text(title),
            }
        }));
        let mut table = Table::new(columns);
        for object in objects {
            table.row(self.row(object, now));
        }
        table
    }

    fn row(&self, object: &DynamicObject, now: Timestamp) -> Vec<Cell> {
        let mut cells = Vec::new();
        if self.namespaces {
            cells.push(object.namespace().unwrap_or_default().into());
        }
        cells.push(object.name_any().into());
        let object = reading::json(object);
        for column in &self.columns {
            let found = at(&object, &column.json_path);
            cells.push(match (column.type_.as_str(), found) {
                (_, None) => "-".into(),
                ("date", Some(value)) => age(value, now).into(),
                (_, Some(value)) => cell(&column.name, value),
            });
        }
        cells
    }
}

fn cell(column: &str, value: &Value) -> Cell {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match (column, text.as_str()) {
        ("Ready", "False")
        | ("Phase", "Failed" | "Halted" | "Inconsistent")
        | ("Reachable", "Unknown")
        | ("Outcome", "Refused") => Cell::bad(text),
        ("Phase", "CommitPending" | "AwaitingCompleteSync" | "NotProtected" | "ResyncRequired") => {
            Cell::notable(text)
        }
        _ => text.into(),
    }
}

fn age(value: &Value, now: Timestamp) -> String {
    let at = value
        .as_str()
        .and_then(|text| text.parse::<Timestamp>().ok());
    at.map_or_else(|| "-".to_owned(), |at| moments::ago(at, now))
}

/// What a path of a definition leads to: fields, and one list item found by a field's value.
fn at<'o>(object: &'o Value, path: &str) -> Option<&'o Value> {
    let mut found = object;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(filter) = rest.strip_prefix("[?(@.") {
            let (condition, after) = filter.split_once(")]")?;
            let (field, wanted) = condition.split_once("==")?;
            let wanted = wanted.trim().trim_matches('"');
            let items = found.as_array()?;
            found = items.iter().find(|item| item[field.trim()] == wanted)?;
            rest = after;
        } else {
            let field = rest.strip_prefix('.')?;
            let end = field.find(['.', '[']).unwrap_or(field.len());
            found = found.get(&field[..end])?;
            rest = &field[end..];
        }
    }
    (!found.is_null()).then_some(found)
}

#[cfg(test)]
mod tests {
    use drover_api::KINDS;
    use serde_json::json;

    use super::*;
    use crate::text::Style;

    #[test]
    fn a_path_leads_to_a_field_or_to_nothing() {
        let object = json!({ "status": { "phase": "x", "conditions": [
            { "type": "Stalled", "status": "True" }, { "type": "Ready", "status": "False" },
        ] } });
        assert_eq!(at(&object, ".status.phase"), Some(&json!("x")));
        let ready = ".status.conditions[?(@.type==\"Ready\")].status";
        assert_eq!(at(&object, ready), Some(&json!("False")));
        for nothing in [
            ".spec.phase",
            ".status.phase.more",
            "status",
            ".status[?(@.a==\"b\")].c",
        ] {
            assert_eq!(at(&object, nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_paths_of_all_definitions_are_understood() {
        // SPEC: KU-1
        for info in KINDS {
            for column in Rows::new(info, false).columns {
                let path = column.json_path;
                let fields = path.replace("[?(@.type==\"Ready\")]", "");
                let plain = |each: char| each.is_ascii_alphanumeric() || each == '.';
                assert!(
                    fields.starts_with('.') && fields.chars().all(plain),
                    "{path}"
                );
            }
        }
    }

    #[test]
    fn a_run_fits_into_eighty_columns() {
        let info = KindInfo::named("RecoveryRun").unwrap();
        let object = json!({
            "apiVersion": drover_api::API_VERSION, "kind": "RecoveryRun",
            "metadata": { "name": "shop-7", "namespace": "shop",
                          "creationTimestamp": "2026-11-20T14:00:00Z" },
            "spec": { "planRef": { "name": "shop" }, "kind": "PlannedFailover",
                      "direction": "ToSecondary" },
            "status": { "phase": "CommitPending", "machines": { "healthy": 12 }, "rto": "7m" },
        });
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let now = "2026-11-20T14:30:00Z".parse().unwrap();
        let table = Rows::new(info, false).table(&[object], now);
        let text = table.render(Style::new(false, 80), "");
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        assert_eq!(
            text,
            "NAME    PLAN  KIND            DIRECTION    PHASE          HEALTHY  RTO  RPO  AGE\n\
             shop-7  shop  PlannedFailov…  ToSecondary  CommitPending       12  7m   -    30m\n"
        );
    }
}
