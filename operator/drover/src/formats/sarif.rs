//! SARIF 2.1.0, as code scanning of forges reads it.
//!
//! GitHub takes a file with at most 20 runs and 25,000 results in each, and shows the 5,000 worst of
//! them. There is one run here. What matters most comes first, so that it is shown; what is beyond the
//! limit is left out, and both the file and the [`Sarif`] say how many.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use drover_manifest::Place;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Finding, Level};
use crate::digest;
use crate::text::count;

/// The most results of a run that GitHub takes.
pub const MOST_RESULTS: usize = 25_000;
/// The most results of a run that GitHub shows.
pub const MOST_SHOWN: usize = 5_000;
/// The most places beside the first of one result: a person follows no more.
const MOST_RELATED: usize = 20;
/// Where paths that are not absolute begin: at the root of the repository.
const ROOT: &str = "%SRCROOT%";

/// A SARIF file, and what became of the findings.
#[derive(Debug)]
pub struct Sarif {
    /// The file.
    pub log: Value,
    /// Findings that are not in it.
    pub left_out: usize,
    /// Findings that are in it and that GitHub does not show.
    pub not_shown: usize,
}

impl Sarif {
    /// What a person should know about it, where it came near the limits.
    pub fn limits(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.left_out > 0 {
            let number = count(self.left_out, "result");
            lines.push(format!(
                "{number} left out: a forge takes 25,000 in one file"
            ));
        }
        if self.not_shown > 0 {
            let number = count(self.not_shown, "result");
            lines.push(format!(
                "{number} not shown by GitHub, which shows the worst 5,000"
            ));
        }
        lines
    }
}

/// The findings as SARIF. `meaning` is what a rule means, in one line.
pub fn sarif(findings: &[Finding], meaning: impl Fn(&str) -> Option<String>) -> Sarif {
    let mut order: Vec<&Finding> = findings.iter().collect();
    order.sort_by_key(|finding| finding.level);
    let left_out = order.len().saturating_sub(MOST_RESULTS);
    order.truncate(MOST_RESULTS);
    let rules = Rules::of(&order);
    let results: Vec<Value> = order.iter().map(|each| result(each, &rules)).collect();
    let mut run = json!({
        "tool": { "driver": {
            "name": "drover",
            "version": env!("CARGO_PKG_VERSION"),
            "rules": rules.written(&meaning),
        }},
        "columnKind": "unicodeCodePoints",
        "results": results,
    });
    if left_out > 0 {
        let text = format!("{left_out} more results are not in this file, the least of them");
        run["invocations"] = json!([{
            "executionSuccessful": true,
            "toolExecutionNotifications": [{ "level": "warning", "message": { "text": text } }],
        }]);
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    });
    Sarif {
        log,
        left_out,
        not_shown: order.len().saturating_sub(MOST_SHOWN),
    }
}

/// The rules that were broken, each with its number and the worst level it was broken with.
struct Rules<'a>(BTreeMap<&'a str, (usize, Level)>);

impl<'a> Rules<'a> {
    fn of(findings: &[&'a Finding]) -> Self {
        let mut rules: BTreeMap<&str, (usize, Level)> = BTreeMap::new();
        for finding in findings {
            let (_, level) = rules.entry(&finding.rule).or_insert((0, finding.level));
            *level = (*level).min(finding.level);
        }
        for (number, rule) in rules.values_mut().enumerate() {
            rule.0 = number;
        }
        Self(rules)
    }

    fn number(&self, rule: &str) -> usize {
        self.0.get(rule).map_or(0, |(number, _)| *number)
    }

    fn written(&self, meaning: impl Fn(&str) -> Option<String>) -> Vec<Value> {
        let rule = |(id, (_, level)): (&&str, &(usize, Level))| {
            let text = meaning(id).unwrap_or_else(|| (*id).to_owned());
            json!({
                "id": id,
                "shortDescription": { "text": text },
                "help": { "text": format!("{text}.") },
                "defaultConfiguration": { "level": level.in_sarif() },
            })
        };
        self.0.iter().map(rule).collect()
    }
}

impl Level {
    fn in_sarif(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

fn result(finding: &Finding, rules: &Rules<'_>) -> Value {
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.number(&finding.rule),
        "level": finding.level.in_sarif(),
        "message": { "text": finding.words() },
        "partialFingerprints": { "droverFinding/v1": fingerprint(finding) },
    });
    let mut location = json!({});
    if let Some(place) = &finding.place {
        location["physicalLocation"] = physical(place);
    }
    if let Some(object) = &finding.object {
        let name = match &finding.field {
            Some(field) => format!("{object} {field}"),
            None => object.clone(),
        };
        location["logicalLocations"] = json!([{ "fullyQualifiedName": name, "kind": "object" }]);
    }
    if finding.place.is_some() || finding.object.is_some() {
        result["locations"] = json!([location]);
    }
    if !finding.related.is_empty() {
        let related = finding.related.iter().take(MOST_RELATED).enumerate();
        let related = related.map(|(number, (place, text))| {
            json!({
                "id": number,
                "physicalLocation": physical(place),
                "message": { "text": text },
            })
        });
        result["relatedLocations"] = related.collect();
    }
    result
}

fn physical(place: &Place) -> Value {
    let uri = uri(&place.file);
    let mut artifact = json!({ "uri": uri });
    if !uri.starts_with("file:") {
        artifact["uriBaseId"] = ROOT.into();
    }
    json!({
        "artifactLocation": artifact,
        "region": {
            "startLine": place.start.line,
            "startColumn": place.start.column,
            "endLine": place.end.line,
            "endColumn": place.end.column,
        },
    })
}

/// A path as a reference: what is no plain character of a path is written as its bytes.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.strip_prefix("./").unwrap_or(path).bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// What makes a finding the same one tomorrow: not its line, which moves with what is written above.
fn fingerprint(finding: &Finding) -> String {
    let mut hash = Sha256::new();
    let file = finding.place.as_ref().map_or("", |place| &place.file);
    let parts = [
        Some(finding.rule.as_str()),
        Some(file),
        finding.object.as_deref(),
        finding.field.as_deref(),
        Some(finding.message.as_str()),
    ];
    for part in parts {
        hash.update(part.unwrap_or_default());
        hash.update([0]);
    }
    digest::hex(&hash.finalize()[..16])
}
