//! Objects from a cluster.
//!
//! They are read one by one, so that one that an older or newer Drover wrote does not hide the rest.

use drover_api::KindInfo;
use drover_engine::problem::did_you_mean;
use kube::api::{DynamicObject, ListParams};
use kube::{Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::access::objects;
use super::error::failed;
use crate::failure::Failure;

/// Objects in one answer: what an API server reads from its store without strain.
const PAGE: u32 = 500;

/// What was listed.
#[derive(Debug)]
pub struct Listed<K> {
    /// The objects, by namespace and name.
    pub items: Vec<K>,
    /// Those that could not be read, and why.
    pub unreadable: Vec<String>,
}

impl<K> Default for Listed<K> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            unreadable: Vec::new(),
        }
    }
}

/// All objects of a kind, page by page and in order: in a namespace, or everywhere.
///
/// # Errors
/// When the cluster refuses or does not answer.
pub async fn list(
    client: &Client,
    info: &KindInfo,
    namespace: Option<&str>,
    labels: Option<&str>,
) -> Result<Vec<DynamicObject>, Failure> {
    let all = list_raw(client, info, namespace, labels).await;
    all.map_err(failed(format!("list {}", info.plural)))
}

/// The same, with the error as the client has it.
///
/// # Errors
/// When the cluster refuses or does not answer.
pub async fn list_raw(
    client: &Client,
    info: &KindInfo,
    namespace: Option<&str>,
    labels: Option<&str>,
) -> Result<Vec<DynamicObject>, kube::Error> {
    let api = objects(client, info, namespace);
    let mut params = ListParams::default().limit(PAGE);
    params.label_selector = labels.map(str::to_owned);
    let mut all = Vec::new();
    loop {
        let page = api.list(&params).await?;
        all.extend(page.items);
        params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            break;
        }
    }
    all.sort_by_cached_key(|object| (object.namespace(), object.name_any()));
    for object in &mut all {
        complete(object, info);
    }
    Ok(all)
}

/// Items of a list do not say what they are.
fn complete(object: &mut DynamicObject, info: &KindInfo) {
    object.types.get_or_insert_with(|| kube::core::TypeMeta {
        api_version: drover_api::API_VERSION.to_owned(),
        kind: info.kind.to_owned(),
    });
}

/// All objects of a type: in a namespace, or everywhere.
///
/// # Errors
/// When the cluster refuses or does not answer.
pub async fn typed<K>(client: &Client, namespace: Option<&str>) -> Result<Listed<K>, Failure>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let info = info_of::<K>();
    let mut listed = Listed::default();
    for object in list(client, info, namespace, None).await? {
        let name = shown(info, object.namespace().as_deref(), &object.name_any());
        match object.try_parse() {
            Ok(object) => listed.items.push(object),
            Err(error) => listed
                .unreadable
                .push(format!("{name} cannot be read: {}", reason(&error))),
        }
    }
    Ok(listed)
}

/// One object of a type.
///
/// # Errors
/// When there is none, it cannot be read, or the cluster does not answer.
pub async fn one<K>(client: &Client, namespace: Option<&str>, name: &str) -> Result<K, Failure>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let info = info_of::<K>();
    let object = get(client, info, namespace, name).await?;
    object.try_parse().map_err(|error| Failure::Cluster {
        doing: format!("read {}", shown(info, namespace, name)),
        why: crate::failure::Why(reason(&error)),
        hint: Some("was it written by another version of Drover?".to_owned()),
    })
}

/// One object of a kind.
///
/// # Errors
/// When there is none, or the cluster does not answer. What may have been meant is the hint.
pub async fn get(
    client: &Client,
    info: &KindInfo,
    namespace: Option<&str>,
    name: &str,
) -> Result<DynamicObject, Failure> {
    let api = objects(client, info, namespace);
    let found = api.get_opt(name).await;
    let what = shown(info, namespace.filter(|_| info.namespaced), name);
    if let Some(mut object) = found.map_err(failed(format!("get {what}")))? {
        complete(&mut object, info);
        return Ok(object);
    }
    // Also tells whether the cluster knows the kind at all.
    let others = list(client, info, namespace, None).await?;
    let names: Vec<String> = others.iter().map(kube::ResourceExt::name_any).collect();
    let hint = meant(info, name, &names);
    Err(Failure::NoSuchObject { what, hint })
}

fn meant(info: &KindInfo, name: &str, names: &[String]) -> String {
    if let Some(meant) = did_you_mean(name, names.iter().map(String::as_str)) {
        return format!("did you mean {meant}?");
    }
    let everywhere = if info.namespaced { " -A" } else { "" };
    match names {
        [] if info.namespaced => format!(
            "this namespace has none; `drover get {}{everywhere}` lists those of all",
            info.plural
        ),
        [] => format!("there are no {}", info.plural),
        _ => format!("`drover get {}{everywhere}` lists them", info.plural),
    }
}

/// `RecoveryPlan shop/mail`, `Site seoul`.
pub fn shown(info: &KindInfo, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{} {namespace}/{name}", info.kind),
        None => format!("{} {name}", info.kind),
    }
}

/// What is known of a type's kind.
pub fn info_of<K: Resource<DynamicType = ()>>() -> &'static KindInfo {
    let kind = K::kind(&());
    KindInfo::named(&kind).unwrap_or(&drover_api::KINDS[0])
}

/// An object as JSON.
pub fn json(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

fn reason(error: &kube::core::dynamic::ParseDynamicObjectError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}
