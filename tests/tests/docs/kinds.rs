//! `docs/kinds/`: a page for each kind, from its definition.

use std::{collections::BTreeMap, fmt::Write as _};

use drover_api::{API_VERSION, KINDS, KindInfo, crd, fields};
use serde_json::{Map, Value};

use crate::MADE;

/// The pages by name, below `docs/`.
pub fn pages() -> BTreeMap<String, String> {
    let mut pages: BTreeMap<String, String> = KINDS
        .iter()
        .map(|info| (format!("kinds/{}.md", info.kind.to_lowercase()), page(info)))
        .collect();
    pages.insert("kinds/README.md".to_owned(), overview());
    pages
}

fn overview() -> String {
    let mut page = format!(
        "{MADE}\n\n# Kinds\n\nAll are of `{API_VERSION}`. `kubectl explain` says the same as these pages.\n"
    );
    for (people, title) in [(true, "Written by people"), (false, "Made by Drover")] {
        write!(
            page,
            "\n## {title}\n\n| kind | says | short name |\n| --- | --- | --- |\n"
        )
        .unwrap();
        for info in KINDS.iter().filter(|info| info.written_by_people == people) {
            let definition = crd::definition(info).unwrap();
            writeln!(
                page,
                "| [{kind}]({}.md) | {} | {} |",
                info.kind.to_lowercase(),
                prose(&schema(&definition)["description"]),
                codes(&definition["spec"]["names"]["shortNames"]),
                kind = info.kind,
            )
            .unwrap();
        }
    }
    page
}

fn page(info: &KindInfo) -> String {
    let definition = crd::definition(info).unwrap();
    let schema = schema(&definition);
    let scope = if info.namespaced {
        "namespaced"
    } else {
        "cluster-scoped"
    };
    let author = if info.written_by_people {
        "written by people"
    } else {
        "made by Drover"
    };
    let mut page = format!(
        "{MADE}\n\n# {}\n\n{}\n\n`{API_VERSION}`, {scope}, {author}",
        info.kind,
        prose(&schema["properties"]["spec"]["description"]),
    );
    let short = codes(&definition["spec"]["names"]["shortNames"]);
    if !short.is_empty() {
        write!(page, "; short name {short}").unwrap();
    }
    page.push_str(".\n");
    let schema = (info.schema)();
    let mut writer = Writer {
        root: &schema,
        fields: Vec::new(),
        rules: Vec::new(),
        seen: Vec::new(),
    };
    for part in ["spec", "status"] {
        if schema["properties"][part].is_object() {
            writer.of(part, &mut page);
        }
    }
    page
}

fn schema(definition: &Value) -> Value {
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Walks a schema and writes its tables.
struct Writer<'a> {
    root: &'a Value,
    /// Rows of the table.
    fields: Vec<String>,
    /// Where, and what the rule says to who breaks it.
    rules: Vec<(String, String)>,
    /// Objects that were told already, by what is in them, and where.
    seen: Vec<(&'a Map<String, Value>, String)>,
}

impl<'a> Writer<'a> {
    fn of(&mut self, part: &str, page: &mut String) {
        let schema = &self.root["properties"][part];
        self.rules(schema, part);
        self.children(schema, part);
        write!(
            page,
            "\n## {part}\n\n| field | type | default | bounds | says |\n| --- | --- | --- | --- | --- |\n"
        )
        .unwrap();
        for row in self.fields.drain(..) {
            page.push_str(&row);
        }
        if !self.rules.is_empty() {
            page.push_str("\nRules, as who breaks one is told:\n\n");
        }
        for (at, message) in self.rules.drain(..) {
            writeln!(page, "- `{at}`: {message}").unwrap();
        }
    }

    fn children(&mut self, schema: &'a Value, path: &str) {
        let Some(properties) = schema["properties"].as_object() else {
            return;
        };
        for (name, field) in properties {
            let needed = fields::is_required(schema, name);
            self.field(field, &format!("{path}.{name}"), needed);
        }
    }

    fn field(&mut self, schema: &'a Value, path: &str, needed: bool) {
        // What is in a list is told with the list.
        let inner = fields::inner(schema);
        let path = if schema["type"] == "array" {
            format!("{path}[]")
        } else {
            path.to_owned()
        };
        // A condition is Kubernetes' own type.
        let told = if path.ends_with(".status.conditions[]") || path == "status.conditions[]" {
            Some("a `metav1.Condition`".to_owned())
        } else {
            self.told_at(inner, &path)
                .map(|at| format!("fields as in `{at}`"))
        };
        let mut bounds = fields::bounds(schema, quoted);
        if needed {
            bounds.insert(0, "required".to_owned());
        }
        let mut says = prose(&schema["description"]);
        if let Some(told) = &told {
            write!(says, " ({told})").unwrap();
        }
        self.fields.push(format!(
            "| `{path}` | {} | {} | {} | {says} |\n",
            fields::kind(schema, quoted),
            fields::default(schema, quoted).unwrap_or_default(),
            bounds.join(", "),
        ));
        if told.is_none() {
            self.rules(schema, &path);
            if inner != schema {
                self.rules(inner, &path);
            }
            self.children(inner, &path);
        }
    }

    /// Where the same object was told before; small ones are told again.
    fn told_at(&mut self, schema: &'a Value, path: &str) -> Option<String> {
        let properties = schema["properties"]
            .as_object()
            .filter(|fields| fields.len() > 2)?;
        if let Some((_, at)) = self.seen.iter().find(|(told, _)| *told == properties) {
            return Some(at.clone());
        }
        self.seen.push((properties, path.to_owned()));
        None
    }

    fn rules(&mut self, schema: &Value, path: &str) {
        let rules = fields::rules(schema).map(str::to_owned);
        self.rules.extend(rules.map(|rule| (path.to_owned(), rule)));
    }
}

fn quoted(text: &str) -> String {
    format!("`{text}`")
}

fn codes(values: &Value) -> String {
    let values = values.as_array().into_iter().flatten();
    let values: Vec<String> = values.filter_map(Value::as_str).map(quoted).collect();
    values.join(", ")
}

/// A description on one line of a table.
fn prose(description: &Value) -> String {
    let text = description.as_str().unwrap_or_default();
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
