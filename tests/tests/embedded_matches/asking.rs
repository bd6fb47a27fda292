//! Asks one server, and keeps what it answers in a form that two servers can be compared by.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, Request, header};
use http_body_util::BodyExt as _;
use kube::{Client, client::Body};
use serde_json::{Value, json};

use crate::script::Asked;

/// A stream that does not come to its end is cut off, so that the test ends.
const LONGEST: Duration = Duration::from_secs(45);

/// What one server said to one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub code: u16,
    pub content_type: String,
    pub body: Value,
    pub warnings: Vec<String>,
}

/// One of the two servers.
pub struct Server {
    client: Client,
    known: Known,
}

/// What a server made up by itself, for later steps to send back.
#[derive(Debug, Default)]
struct Known {
    /// By the object's name.
    uids: BTreeMap<String, String>,
    versions: BTreeMap<String, String>,
    /// Of the last list.
    list: String,
    proceed: String,
    /// A mark in a list of long ago, in the server's own form.
    expired: String,
}

impl Known {
    /// Puts `{uid:NAME}`, `{version:NAME}`, `{list}`, `{continue}` and `{expired}` in their places.
    fn fill(&self, text: &str) -> String {
        let mut text = text
            .replace("{list}", &self.list)
            .replace("{continue}", &self.proceed)
            .replace("{expired}", &self.expired);
        for (kind, values) in [("uid", &self.uids), ("version", &self.versions)] {
            for (name, value) in values {
                text = text.replace(&format!("{{{kind}:{name}}}"), value);
            }
        }
        text
    }

    fn learn(&mut self, body: &Value) {
        let metadata = &body["metadata"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if let Some(name) = text(&metadata["name"]) {
            if let Some(uid) = text(&metadata["uid"]) {
                self.uids.insert(name.clone(), uid);
            }
            if let Some(version) = text(&metadata["resourceVersion"]) {
                self.versions.insert(name, version);
            }
        } else if body["items"].is_array() || body["rows"].is_array() {
            self.list = text(&metadata["resourceVersion"]).unwrap_or_default();
            self.proceed = text(&metadata["continue"]).unwrap_or_default();
        }
    }
}

impl Server {
    pub fn new(client: Client, expired: String) -> Self {
        Self {
            client,
            known: Known {
                expired,
                ..Known::default()
            },
        }
    }

    /// # Panics
    ///
    /// If there is no answer.
    pub async fn answer(&mut self, asked: &Asked) -> Said {
        let said = tokio::time::timeout(LONGEST, self.last(asked)).await;
        said.unwrap_or_else(|_| panic!("{} {} is not answered", asked.method, asked.path))
    }

    async fn last(&mut self, asked: &Asked) -> Said {
        for _ in 1..asked.step.times {
            self.once(asked).await;
        }
        // Controllers act in their own time; some steps wait until they have.
        for _ in 0..200 {
            let said = self.once(asked).await;
            if asked.step.until.is_none_or(|code| code == said.code) {
                return said;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "{} {} never came to {:?}",
            asked.method, asked.path, asked.step.until
        );
    }

    async fn once(&mut self, asked: &Asked) -> Said {
        let path = self.known.fill(&asked.path);
        let request = |method: &str, path: &str| {
            Request::builder()
                .method(method)
                .uri(path)
                .header(header::CONTENT_TYPE, &asked.content_type)
                .header(header::ACCEPT, &asked.accept)
                .body(Body::from(self.known.fill(&asked.body).into_bytes()))
                .unwrap()
        };
        if asked.method == "WATCH" {
            let between = if path.contains('?') { '&' } else { '?' };
            let path = format!("{path}{between}watch=1");
            return self.stream(request("GET", &path), asked.step.events).await;
        }
        let answer = self
            .client
            .send(request(&asked.method, &path))
            .await
            .unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = read(&bytes);
        self.known.learn(&body);
        said(parts.status.as_u16(), &parts.headers, body)
    }

    /// Events of a watch, so many or all. Versions only grow.
    async fn stream(&self, request: Request<Body>, most: Option<usize>) -> Said {
        let answer = self.client.send(request).await.unwrap();
        let (parts, mut body) = answer.into_parts();
        let (mut events, mut reached, mut text) = (Vec::new(), 0, Vec::new());
        while events.len() < most.unwrap_or(usize::MAX) {
            if let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                let event = read(&line);
                reached = in_order(&event, reached);
                events.push(event);
            } else if let Some(frame) = body.frame().await {
                text.extend_from_slice(frame.unwrap().data_ref().unwrap());
            } else {
                break;
            }
        }
        if !text.is_empty() && events.is_empty() {
            // A refusal does not end in a new line.
            events.push(read(&text));
        }
        let body = if parts.status.is_success() {
            json!(events)
        } else {
            events.swap_remove(0)
        };
        said(parts.status.as_u16(), &parts.headers, body)
    }
}

fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(bytes)))
}

/// Versions only grow; but initial objects come in the order of their names.
fn in_order(event: &Value, reached: u64) -> u64 {
    let version = event["object"]["metadata"]["resourceVersion"].as_str();
    let Some(version) = version.and_then(|text| text.parse().ok()) else {
        return reached;
    };
    assert!(version >= reached || event["type"] == "ADDED", "{event}");
    version
}

fn said(code: u16, headers: &HeaderMap, mut body: Value) -> Said {
    let texts = |name: header::HeaderName| -> Vec<String> {
        let values = headers.get_all(name).iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    };
    let mut warnings = texts(header::WARNING);
    warnings.sort();
    let content_type = texts(header::CONTENT_TYPE).concat();
    if let (true, Some(text)) = (content_type.contains("yaml"), body.as_str()) {
        body = serde_yaml::from_str(text).unwrap();
    }
    normalise(&mut body);
    Said {
        code,
        content_type,
        body,
        warnings,
    }
}

/// What a server makes up by itself.
const OWN: &[&str] = &[
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "resourceVersion",
    "lastTransitionTime",
    "continue",
    "serverRelativeURL",
];

/// Takes out what differs between any two servers.
fn normalise(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("managedFields");
            // The real server makes it up from its storage.
            fields.remove("storageVersionHash");
            fields.retain(|field, value| !(value.is_null() || field == "continue" && value == ""));
            made_up_names(fields);
            if let Some(Value::Array(cells)) = fields.get_mut("cells") {
                cells
                    .iter_mut()
                    .filter(|cell| is_age(cell))
                    .for_each(|cell| *cell = json!("*"));
            }
            // Kinds come in the order in which a server happened to hear of them.
            if let Some(Value::Array(kinds)) = fields.get_mut("resources") {
                kinds.sort_by_key(|kind| kind["name"].to_string());
            }
            for (key, value) in fields.iter_mut() {
                if OWN.contains(&key.as_str()) && value.is_string() {
                    *value = json!("*");
                } else {
                    normalise(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        _ => {}
    }
}

/// `generateName`, of which so much is taken that five letters fit behind it.
fn made_up_names(fields: &mut serde_json::Map<String, Value>) {
    let stem = fields.get("generateName").and_then(Value::as_str);
    let name = fields.get("name").and_then(Value::as_str);
    if let (Some(stem), Some(name)) = (stem, name)
        && let Some(ending) = name.strip_prefix(&stem[..stem.len().min(58)])
    {
        fields.insert(
            "name".to_owned(),
            json!(format!("{stem}({} letters)", ending.len())),
        );
    }
}

/// As tables show it: `5s`, `2m`.
fn is_age(cell: &Value) -> bool {
    let digits = cell.as_str().and_then(|text| text.strip_suffix(['s', 'm']));
    digits.is_some_and(|digits| digits.parse::<u32>().is_ok())
}
