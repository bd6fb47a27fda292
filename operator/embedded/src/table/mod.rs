//! Tables: what `kubectl get` prints. The server makes them, so that a client needs to know nothing
//! of a kind to show it. Columns are compiled once; cells are filled as Kubernetes 1.36 fills them.

mod age;
mod builtin;
mod cell;
mod jsonpath;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;
use serde_json::{Value, json};

pub use age::human_duration;
pub use jsonpath::PathError;

use builtin::Made;
use jsonpath::JsonPath;

/// What a row carries of the object it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Include {
    /// Nothing.
    None,
    /// Its metadata, as a `PartialObjectMetadata`.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

impl Include {
    /// As the parameter `includeObject` says it; none for what it cannot be.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "" | "Metadata" => Some(Self::Metadata),
            "None" => Some(Self::None),
            "Object" => Some(Self::Object),
            _ => None,
        }
    }
}

/// The columns of one kind.
#[derive(Debug)]
pub struct Columns {
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    kind: String,
    format: String,
    description: String,
    /// Above 0 it is shown only where there is room, `kubectl get -o wide`.
    priority: i32,
    cell: Source,
}

/// Where a cell comes from.
#[derive(Debug)]
enum Source {
    Path(JsonPath),
    Made(Made),
}

const ABOUT_NAME: &str = "Name must be unique within a namespace. Is required when creating resources, \
    although some resources may allow a client to request the generation of an appropriate name \
    automatically. Name is primarily intended for creation idempotence and configuration definition. \
    Cannot be updated. More info: \
    https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const ABOUT_AGE: &str = "CreationTimestamp is a timestamp representing the server time when this object \
    was created. It is not guaranteed to be set in happens-before order across separate operations. \
    Clients may not set this value. It is represented in RFC3339 form and is in UTC.";

impl Columns {
    /// The columns that a definition asks for, after the name; only the age where it asks for none.
    ///
    /// # Errors
    ///
    /// If a path is none that is understood here.
    pub fn of(definitions: &[CustomResourceColumnDefinition]) -> Result<Self, PathError> {
        let mut columns = vec![Column::made("Name", "string", Made::Name)];
        for definition in definitions {
            let path = &definition.json_path;
            let given = definition
                .description
                .clone()
                .filter(|text| !text.is_empty());
            columns.push(Column {
                name: definition.name.clone(),
                kind: definition.type_.clone(),
                format: definition.format.clone().unwrap_or_default(),
                description: given.unwrap_or_else(|| {
                    format!("Custom resource definition column (in JSONPath format): {path}")
                }),
                priority: definition.priority.unwrap_or_default(),
                cell: Source::Path(JsonPath::parse(path)?),
            });
        }
        if definitions.is_empty() {
            columns.push(Column::made("Age", "date", Made::Age));
        }
        Ok(Self { columns })
    }

    /// The columns of a built-in kind by its plural, such as `namespaces`; name and time of creation
    /// for one that has no others.
    pub fn builtin(plural: &str) -> Self {
        Self {
            columns: builtin::columns(plural),
        }
    }

    /// A table of objects. `list` is the metadata of the list that they come from.
    pub fn table<'v>(
        &self,
        objects: impl IntoIterator<Item = &'v Value>,
        list: &Value,
        include: Include,
        now: Timestamp,
    ) -> Value {
        let rows: Vec<Value> = objects
            .into_iter()
            .map(|object| self.row(object, include, now))
            .collect();
        json!({
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": list,
            "columnDefinitions": self.headers(),
            "rows": rows,
        })
    }

    /// One object as a table, as a watch sends it: columns are named in its first event only.
    pub fn event(&self, object: &Value, is_first: bool, include: Include, now: Timestamp) -> Value {
        let list = json!({ "resourceVersion": object["metadata"]["resourceVersion"] });
        let mut table = self.table([object], &list, include, now);
        if !is_first {
            table["columnDefinitions"] = Value::Null;
        }
        table
    }

    /// The headers, as `columnDefinitions`.
    pub fn headers(&self) -> Vec<Value> {
        let header = |column: &Column| {
            json!({
                "name": column.name,
                "type": column.kind,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            })
        };
        self.columns.iter().map(header).collect()
    }

    /// One row.
    pub fn row(&self, object: &Value, include: Include, now: Timestamp) -> Value {
        let cells: Vec<Value> = self
            .columns
            .iter()
            .map(|column| column.cell(object, now))
            .collect();
        json!({ "cells": cells, "object": included(object, include) })
    }
}

impl Column {
    fn made(name: &str, kind: &str, made: Made) -> Self {
        let (format, description) = match made {
            Made::Name => ("name", ABOUT_NAME),
            Made::Age | Made::CreatedAt => ("", ABOUT_AGE),
            _ => ("", ""),
        };
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            format: format.to_owned(),
            description: description.to_owned(),
            priority: 0,
            cell: Source::Made(made),
        }
    }

    fn cell(&self, object: &Value, now: Timestamp) -> Value {
        match &self.cell {
            Source::Path(path) => match path.first(object) {
                Some(value) => cell::of(value, &self.kind, now),
                None => Value::Null,
            },
            Source::Made(made) => made.cell(object, now),
        }
    }
}

fn included(object: &Value, include: Include) -> Value {
    match include {
        Include::None => Value::Null,
        Include::Object => object.clone(),
        Include::Metadata => json!({
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": object["metadata"],
        }),
    }
}

#[cfg(test)]
mod tests;
