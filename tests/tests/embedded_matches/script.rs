//! The requests, as the files in `requests` have them: one file for each topic, in the order of their names.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

/// One request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub about: String,
    /// `VERB PATH`; the verb `WATCH` reads a stream.
    ask: String,
    /// The name of a template, over which `body` is merged.
    like: Option<String>,
    body: Option<Value>,
    /// A body that is no object, as it stands.
    text: Option<String>,
    /// So many letters more in an annotation of the body.
    #[serde(default)]
    pad: usize,
    #[serde(rename = "type")]
    content_type: Option<String>,
    accept: Option<String>,
    /// Asked again until this is the code: something happens by itself.
    pub until: Option<u16>,
    /// Asked so often; the last answer counts.
    #[serde(default = "once")]
    pub times: usize,
    /// Events of a watch that are read; without, all until the stream ends.
    pub events: Option<usize>,
    /// The known difference that shows here; see `differences.yaml`.
    pub differs: Option<String>,
}

fn once() -> usize {
    1
}

/// What the steps of all topics may refer to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    /// Put in place of `{NAME}` in paths.
    paths: BTreeMap<String, String>,
    /// Short names of media types.
    media: BTreeMap<String, String>,
    templates: BTreeMap<String, Value>,
}

/// A step with everything said.
#[derive(Debug)]
pub struct Asked {
    pub topic: String,
    pub method: String,
    pub path: String,
    pub body: String,
    pub content_type: String,
    pub accept: String,
    pub step: Step,
}

pub fn folder() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/embedded_matches"
    ))
}

pub fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = folder().join(name);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All steps, in order.
pub fn script() -> Vec<Asked> {
    let names: Names = read("names.yaml");
    let mut topics: Vec<String> = fs::read_dir(folder().join("requests"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    topics.sort();
    topics
        .iter()
        .flat_map(|file| {
            let topic = file.trim_end_matches(".yaml");
            let topic = topic.split_once('-').map_or(topic, |(_, topic)| topic);
            read::<Vec<Step>>(&format!("requests/{file}"))
                .into_iter()
                .map(|step| names.complete(topic, step))
                .collect::<Vec<_>>()
        })
        .collect()
}

impl Names {
    fn complete(&self, topic: &str, step: Step) -> Asked {
        let (method, path) = step.ask.split_once(' ').expect("a verb and a path");
        let mut path = path.to_owned();
        for (name, long) in &self.paths {
            path = path.replace(&format!("{{{name}}}"), long);
        }
        let media = |name: &Option<String>| {
            let name = name.as_deref()?;
            Some(self.media.get(name).map_or(name, |long| long).to_owned())
        };
        let usual = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        Asked {
            topic: topic.to_owned(),
            method: method.to_owned(),
            path,
            body: self.body(&step),
            content_type: media(&step.content_type).unwrap_or_else(|| usual.to_owned()),
            accept: media(&step.accept).unwrap_or_else(|| "application/json".to_owned()),
            step,
        }
    }

    fn body(&self, step: &Step) -> String {
        if let Some(text) = &step.text {
            return text.clone();
        }
        let mut body = match &step.like {
            Some(name) => self.templates[name].clone(),
            None if step.body.is_none() => return String::new(),
            None => Value::Null,
        };
        match &step.body {
            Some(over) if step.like.is_some() => json_patch::merge(&mut body, over),
            Some(whole) => body = whole.clone(),
            None => {}
        }
        if step.pad > 0 {
            body["metadata"]["annotations"]["padding"] = json!("x".repeat(step.pad));
        }
        body.to_string()
    }
}
