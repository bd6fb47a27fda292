//! The API as a service: from requests to answers.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;

use crate::{
    MAX_BODY_BYTES,
    answer::{self, Answer},
    body::ApiBody,
    call::{Call, Core},
    discovery,
    error::Refusal,
    negotiate::{self, Form, Format},
    openapi::V2_PROTOBUF,
    request::{Query, Target, target},
    verbs,
};

/// The API, as `kube::Client` and servers call it.
#[derive(Clone)]
pub struct ApiService {
    pub(crate) core: Arc<Core>,
}

impl std::fmt::Debug for ApiService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiService").finish_non_exhaustive()
    }
}

impl<B> tower::Service<Request<B>> for ApiService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<ApiBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let answer = match read(body).await {
                Ok(body) => handle(core, parts, body).await,
                Err(refusal) => Err(refusal),
            };
            Ok(answer.unwrap_or_else(|refusal| answer::refusal(&refusal)))
        })
    }
}

async fn read<B>(body: B) -> Result<Bytes, Refusal>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::too_large()),
        Err(error) => Err(Refusal::bad_request(format!(
            "the body cannot be read: {error}"
        ))),
    }
}

async fn handle(core: Arc<Core>, parts: Parts, body: Bytes) -> Result<Answer, Refusal> {
    let form = negotiate::form(&parts.headers);
    let place = match target(parts.uri.path()).ok_or_else(Refusal::no_such_path)? {
        Target::Resource(place) => place,
        Target::GroupVersion { group, version } => {
            let found = discovery::resources(&core.registry.kinds(), &group, &version);
            if found.is_none() && group.is_empty() {
                return Err(Refusal::no_such_resource());
            }
            return described(&parts.method, form?, found);
        }
        Target::Root(path) => return root(&core, &parts, form, &path),
    };
    let form = form?;
    if place.group == discovery::REVIEW_GROUP && place.plural == discovery::REVIEWS {
        return review(&parts, form, &body);
    }
    let resource = core
        .registry
        .find(&place.group, &place.plural)
        .ok_or_else(Refusal::no_such_path)?;
    let version = resource
        .versions
        .iter()
        .position(|version| version.served && version.name == place.version)
        .ok_or_else(Refusal::no_such_path)?;
    let namespace = place.namespace.unwrap_or_default();
    let across = resource.namespaced && namespace.is_empty();
    if across && place.name.is_some() && resource.traits.bare_items {
        return Err(Refusal::no_such_resource());
    }
    if !resource.namespaced && !namespace.is_empty() || across && place.name.is_some() {
        return Err(Refusal::no_such_path());
    }
    let status = match place.subresource.as_deref() {
        None => false,
        Some("status") if resource.versions[version].status => true,
        Some(_) if resource.traits.bare_items => return Err(Refusal::no_such_resource()),
        Some(_) => {
            let mut refusal =
                Refusal::not_found(resource.subject(place.name.as_deref().unwrap_or_default()));
            "the server could not find the requested resource".clone_into(&mut refusal.message);
            return Err(refusal);
        }
    };
    // What is in all namespaces at once is only looked at.
    if across && resource.traits.bare_items && parts.method != Method::GET {
        return Err(Refusal::no_such_method());
    }
    if across && parts.method == Method::POST {
        return Err(Refusal::method_not_allowed(resource.subject(""), "create"));
    }
    let call = Call {
        resource,
        version,
        namespace,
        name: place.name,
        status,
        query: Query::of(parts.uri.query()),
        headers: parts.headers,
        form,
        body,
        core,
    };
    verbs::perform(call, &parts.method).await
}

/// Paths outside of resources.
fn root(
    core: &Core,
    parts: &Parts,
    form: Result<Form, Refusal>,
    path: &[String],
) -> Result<Answer, Refusal> {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    if let ["healthz" | "livez" | "readyz", ..] = words.as_slice() {
        let mut answer = Response::new(ApiBody::from(b"ok".to_vec()));
        let plain = header::HeaderValue::from_static("text/plain; charset=utf-8");
        answer.headers_mut().insert(header::CONTENT_TYPE, plain);
        return Ok(answer);
    }
    let kinds = core.registry.kinds();
    if let ["openapi", rest @ ..] = words.as_slice() {
        return openapi(core, &parts.headers, rest);
    }
    if !matches!(words.as_slice(), ["version" | "api"] | ["apis", ..]) {
        return Err(Refusal::no_such_path());
    }
    let form = form?;
    let found = match words.as_slice() {
        ["version"] => Some(discovery::version()),
        ["api"] if form.aggregated => Some(discovery::aggregated(&kinds, true)),
        ["api"] => Some(discovery::core()),
        ["apis"] if form.aggregated => Some(discovery::aggregated(&kinds, false)),
        ["apis"] => Some(discovery::groups(&kinds)),
        ["apis", group] => discovery::group(&kinds, group),
        _ => None,
    };
    let aggregated = form.aggregated
        && found
            .as_ref()
            .is_some_and(|found| found["kind"] == "APIGroupDiscoveryList");
    let mut answer = described(&parts.method, form, found)?;
    if aggregated {
        let kind = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    }
    Ok(answer)
}

/// How clients ask for [`V2_PROTOBUF`]: not quite by its name.
const V2_ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// The kinds described for clients, in the forms that they know.
fn openapi(core: &Core, headers: &HeaderMap, path: &[&str]) -> Result<Answer, Refusal> {
    let documents = core.registry.documents();
    let accepts_protobuf = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| [V2_PROTOBUF, V2_ASKED].contains(&value.trim()));
    match path {
        ["v3"] => Ok(answer::value(
            StatusCode::OK,
            Format::Json,
            &documents.index(),
        )),
        ["v2"] if accepts_protobuf => {
            let mut answer = Response::new(ApiBody::from(documents.v2_protobuf().clone()));
            answer.headers_mut().insert(
                header::CONTENT_TYPE,
                header::HeaderValue::from_static(V2_PROTOBUF),
            );
            Ok(answer)
        }
        _ => {
            let document = match path {
                ["v2"] => Some(documents.v2()),
                ["v3", root @ ..] => documents.v3(&root.join("/")),
                _ => None,
            };
            let document = document.ok_or_else(Refusal::no_such_path)?;
            let mut answer = answer::text(StatusCode::OK, Format::Json, document.json.clone());
            if let Ok(tag) = header::HeaderValue::from_str(&format!("\"{}\"", document.hash)) {
                answer.headers_mut().insert(header::ETAG, tag);
            }
            Ok(answer)
        }
    }
}

fn described(method: &Method, form: Form, found: Option<Value>) -> Result<Answer, Refusal> {
    let found = found.ok_or_else(Refusal::no_such_path)?;
    if *method != Method::GET && *method != Method::HEAD {
        return Err(Refusal::no_such_method());
    }
    Ok(answer::value(StatusCode::OK, form.format, &found))
}

/// Whoever reaches this API may do everything.
fn review(parts: &Parts, form: Form, body: &Bytes) -> Result<Answer, Refusal> {
    if parts.method != Method::POST {
        return Err(Refusal::no_such_path());
    }
    let mut review = negotiate::read(negotiate::content_type(&parts.headers), body)?;
    if !review.is_object() || !review["spec"].is_object() {
        return Err(Refusal::bad_request(
            "the object provided is unrecognized (must be of type SelfSubjectAccessReview)",
        ));
    }
    if review["metadata"].is_null() {
        review["metadata"] = serde_json::json!({});
    }
    review["status"] = serde_json::json!({ "allowed": true });
    Ok(answer::value(StatusCode::CREATED, form.format, &review))
}
