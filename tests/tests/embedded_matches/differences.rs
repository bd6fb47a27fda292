//! Where the embedded API answers otherwise, and why: `differences.yaml`, and the table in
//! `docs/embedded-api.md` that is made from it and from the answers.

use std::{collections::BTreeMap, env, fmt::Write as _, fs};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    asking::Said,
    script::{Asked, folder, read},
};

/// What may differ, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    /// Messages, their causes and warnings.
    Words,
    /// The body, and its media type.
    Body,
    /// The code too.
    Code,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    key: String,
    /// What the requests have in common.
    about: String,
    part: Part,
    because: String,
}

/// What was found out about one request that is known to be answered otherwise.
struct Row {
    request: String,
    real: String,
    embedded: String,
}

/// Compares answers, and collects what is not as it is written down.
pub struct Judge {
    known: Vec<Difference>,
    rows: BTreeMap<String, Vec<Row>>,
    wrong: Vec<String>,
}

impl Judge {
    pub fn new() -> Self {
        Self {
            known: read("differences.yaml"),
            rows: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    pub fn compare(&mut self, asked: &Asked, real: &Said, embedded: &Said) {
        let title = format!(
            "{}: {}: {} {}",
            asked.topic, asked.step.about, asked.method, asked.path
        );
        let Some(key) = &asked.step.differs else {
            if real != embedded {
                self.wrong.push(shown(&title, real, embedded));
            }
            return;
        };
        let Some(difference) = self.known.iter().find(|known| known.key == *key) else {
            self.wrong
                .push(format!("== {title}\n`{key}` is not in differences.yaml\n"));
            return;
        };
        if real == embedded {
            self.wrong
                .push(format!("== {title}\n`{key}` no longer differs\n"));
        } else if difference.part.of(real) != difference.part.of(embedded) {
            let more = format!("{title}\nmore than `{key}` allows differs");
            self.wrong.push(shown(&more, real, embedded));
        }
        self.rows.entry(key.clone()).or_default().push(Row {
            request: format!("{}: {}", asked.topic, asked.step.about),
            real: in_short(real),
            embedded: in_short(embedded),
        });
    }

    /// Everything that is not as it is written down, here and in the documentation.
    pub fn finish(mut self) -> Vec<String> {
        for known in &self.known {
            if !self.rows.contains_key(&known.key) {
                self.wrong
                    .push(format!("no request shows the difference `{}`", known.key));
            }
        }
        if self.wrong.is_empty() {
            self.wrong.extend(self.compare_table());
        }
        self.wrong
    }

    fn compare_table(&self) -> Option<String> {
        const BEGIN: &str = "<!-- differences: made by the test embedded_matches -->\n";
        const END: &str = "<!-- end of differences -->";
        let path = folder().join("../../../docs/embedded-api.md");
        let page = fs::read_to_string(&path).unwrap();
        let (head, rest) = page.split_once(BEGIN).expect("where the table begins");
        let (_, tail) = rest.split_once(END).expect("where the table ends");
        let made = format!("{head}{BEGIN}\n{}\n{END}{tail}", self.table());
        if made == page {
            return None;
        }
        if env::var_os("DROVER_UPDATE").is_some() {
            fs::write(&path, made).unwrap();
            return None;
        }
        Some("docs/embedded-api.md says something else; write it anew with DROVER_UPDATE=1".into())
    }

    fn table(&self) -> String {
        let mut table =
            "| requests | kube-apiserver | embedded | why |\n| --- | --- | --- | --- |\n"
                .to_owned();
        for known in &self.known {
            let rows = &self.rows[&known.key];
            let column = |pick: fn(&Row) -> &String| {
                let mut all: Vec<&str> = rows.iter().map(|row| pick(row).as_str()).collect();
                all.dedup();
                all.join("; ")
            };
            let (real, embedded) = match known.part {
                Part::Words => ("in its words".into(), "in other words".into()),
                _ => (column(|row| &row.real), column(|row| &row.embedded)),
            };
            let requests = match known.part {
                Part::Words => rows.len().to_string(),
                _ => column(|row| &row.request),
            };
            let _ = writeln!(
                table,
                "| **{}** ({requests}) | {real} | {embedded} | {} |",
                known.about, known.because
            );
        }
        table
    }
}

impl Part {
    /// What of an answer must be the same although this part differs.
    fn of(self, said: &Said) -> Option<Said> {
        let mut kept = said.clone();
        match self {
            Self::Words => {
                kept.warnings.clear();
                without_words(&mut kept.body);
            }
            Self::Body => {
                kept.body = Value::Null;
                kept.warnings.clear();
                kept.content_type.clear();
            }
            Self::Code => return None,
        }
        Some(kept)
    }
}

fn without_words(body: &mut Value) {
    match body {
        Value::Object(fields) if fields.get("kind").is_some_and(|kind| kind == "Status") => {
            fields.remove("message");
            if let Some(Value::Object(details)) = fields.get_mut("details") {
                details.remove("causes");
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(without_words),
        Value::Array(items) => items.iter_mut().for_each(without_words),
        _ => {}
    }
}

fn in_short(said: &Said) -> String {
    let reason = said.body["reason"].as_str();
    let status = said.body["kind"] == "Status";
    match reason.filter(|_| status) {
        Some(reason) => format!("{} {reason}", said.code),
        None => said.code.to_string(),
    }
}

fn shown(title: &str, real: &Said, embedded: &Said) -> String {
    let one = |said: &Said| {
        format!(
            "{} {} {:?}\n{:#}",
            said.code, said.content_type, said.warnings, said.body
        )
    };
    format!(
        "== {title}\n-- kube-apiserver\n{}\n-- embedded\n{}\n",
        one(real),
        one(embedded)
    )
}
