//! `docs/kinds/`: a page for each kind, from its definition.

use std::{collections::BTreeMap, fmt::Write as _};

use drover_api::{API_VERSION, KINDS, KindInfo, crd};
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
    // The derived definition still names the formats that only Drover knows.
    let derived = serde_json::to_value((info.crd)()).unwrap();
    let mut writer = Writer {
        root: &schema,
        formats: &derived["spec"]["versions"][0]["schema"]["openAPIV3Schema"],
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
    formats: &'a Value,
    /// Rows of the table.
    fields: Vec<String>,
    /// Where, and what the rule says to who breaks it.
    rules: Vec<(String, String)>,
    /// Objects that were told already, by what is in them, and where.
    seen: Vec<(&'a Map<String, Value>, String)>,
}

impl<'a> Writer<'a> {
    fn of(&mut self, part: &str, page: &mut String) {
        let (root, formats) = (self.root, self.formats);
        let (schema, formats) = (&root["properties"][part], &formats["properties"][part]);
        self.rules(schema, part);
        self.children(schema, formats, part);
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

    fn children(&mut self, schema: &'a Value, formats: &'a Value, path: &str) {
        let Some(properties) = schema["properties"].as_object() else {
            return;
        };
        let required = schema["required"].as_array();
        for (name, field) in properties {
            let path = format!("{path}.{name}");
            let needed = required.is_some_and(|names| names.iter().any(|needed| needed == name));
            self.field(field, &formats["properties"][name], &path, needed);
        }
    }

    fn field(&mut self, schema: &'a Value, formats: &'a Value, path: &str, needed: bool) {
        // What is in a list is told with the list.
        let (inner, inner_formats, path) = if schema["type"] == "array" {
            (&schema["items"], &formats["items"], format!("{path}[]"))
        } else {
            (schema, formats, path.to_owned())
        };
        // A condition is Kubernetes' own type.
        let told = if path.ends_with(".status.conditions[]") || path == "status.conditions[]" {
            Some("a `metav1.Condition`".to_owned())
        } else {
            self.told_at(inner, &path)
                .map(|at| format!("fields as in `{at}`"))
        };
        let mut bounds = bounds(schema, formats);
        if inner["type"] != "object" && schema["type"] == "array" {
            bounds.extend(
                self::bounds(inner, inner_formats)
                    .into_iter()
                    .map(|bound| format!("each {bound}")),
            );
        }
        if needed {
            bounds.insert(0, "required".to_owned());
        }
        let mut says = prose(&schema["description"]);
        if let Some(told) = &told {
            write!(says, " ({told})").unwrap();
        }
        self.fields.push(format!(
            "| `{path}` | {} | {} | {} | {says} |\n",
            kind(schema, formats),
            default(schema),
            bounds.join(", "),
        ));
        if told.is_none() {
            self.rules(schema, &path);
            if inner != schema {
                self.rules(inner, &path);
            }
            self.children(inner, inner_formats, &path);
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
        for rule in schema["x-kubernetes-validations"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let message = rule["message"].as_str().unwrap_or_default();
            self.rules.push((path.to_owned(), message.to_owned()));
        }
    }
}

fn kind(schema: &Value, formats: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(code).collect();
        return words.join(", ");
    }
    let format = formats["format"].as_str().unwrap_or_default();
    match (schema["type"].as_str().unwrap_or_default(), format) {
        ("array", _) => format!("list of {}", kind(&schema["items"], &formats["items"])),
        ("object", _) if schema["additionalProperties"].is_object() => "map of text".to_owned(),
        ("string", "date-time") => "instant".to_owned(),
        ("string", "cidr") => "subnet".to_owned(),
        ("string", own) if own.starts_with("drover-") => own["drover-".len()..].replace('-', " "),
        ("string", _) => "text".to_owned(),
        (other, _) => other.to_owned(),
    }
}

/// The bounds of one value. Those that its type stands for are not told: nobody reads the pattern or
/// the length of a duration.
fn bounds(schema: &Value, formats: &Value) -> Vec<String> {
    let format = formats["format"].as_str().unwrap_or_default();
    let stands_for_its_own = format.starts_with("drover-") || format == "cidr";
    let mut bounds = Vec::new();
    let mut range = |least: &str, most: &str, what: &str| {
        let [least, most] = [least, most].map(|keyword| schema[keyword].as_u64());
        match (least, most) {
            (Some(least), Some(most)) if least == most => bounds.push(format!("{least}{what}")),
            (Some(least), Some(most)) => bounds.push(format!("{least} to {most}{what}")),
            (None, Some(most)) => bounds.push(format!("at most {most}{what}")),
            (Some(least), None) if least > 0 => bounds.push(format!("at least {least}{what}")),
            _ => {}
        }
    };
    range("minItems", "maxItems", " entries");
    range("minProperties", "maxProperties", " entries");
    if schema["enum"].is_null() && !stands_for_its_own {
        range("minLength", "maxLength", " characters");
    }
    range("minimum", "maximum", "");
    if let Some(keys) = schema["x-kubernetes-list-map-keys"].as_array() {
        let keys: Vec<String> = keys.iter().map(code).collect();
        bounds.push(format!("{} is unique", keys.join(", ")));
    }
    bounds
}

fn default(schema: &Value) -> String {
    match &schema["default"] {
        Value::Null => String::new(),
        Value::Object(fields) => {
            let told = fields
                .iter()
                .all(|(name, value)| schema["properties"][name]["default"] == *value);
            // Each of its fields says its own.
            if told {
                String::new()
            } else {
                code(&schema["default"])
            }
        }
        value => code(value),
    }
}

fn code(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    format!("`{text}`")
}

fn codes(values: &Value) -> String {
    let values: Vec<String> = values.as_array().into_iter().flatten().map(code).collect();
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
