//! What is there from the start: the namespace `default` and the definitions that were given.

use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{Api, OpenError, store::DEFAULT_NAMESPACE};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// The namespace `default`, if it is not there yet.
pub(crate) async fn namespace(api: &Api) -> Result<(), OpenError> {
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": DEFAULT_NAMESPACE } });
    match send(api, Method::POST, "/api/v1/namespaces", &namespace).await {
        (StatusCode::CREATED | StatusCode::CONFLICT, _) => Ok(()),
        (_, answer) => Err(refused("the namespace default", &answer)),
    }
}

/// A definition, new or over what is there under its name.
pub(crate) async fn definition(
    api: &Api,
    definition: &CustomResourceDefinition,
) -> Result<(), OpenError> {
    let name = definition.metadata.name.clone().unwrap_or_default();
    let what = format!("the definition {name}");
    let mut object = serde_json::to_value(definition).map_err(|error| OpenError::Install {
        what: what.clone(),
        message: error.to_string(),
    })?;
    let (code, answer) = send(api, Method::POST, DEFINITIONS, &object).await;
    let done = if code == StatusCode::CONFLICT {
        let path = format!("{DEFINITIONS}/{name}");
        let (_, stored) = send(api, Method::GET, &path, &Value::Null).await;
        for field in ["resourceVersion", "finalizers"] {
            object["metadata"][field] = stored["metadata"][field].clone();
        }
        send(api, Method::PUT, &path, &object).await
    } else {
        (code, answer)
    };
    match done {
        (code, _) if code.is_success() => Ok(()),
        (_, answer) => Err(refused(&what, &answer)),
    }
}

fn refused(what: &str, answer: &Value) -> OpenError {
    OpenError::Install {
        what: what.to_owned(),
        message: answer["message"].as_str().unwrap_or_default().to_owned(),
    }
}

async fn send(api: &Api, method: Method, path: &str, object: &Value) -> (StatusCode, Value) {
    let body = if object.is_null() {
        String::new()
    } else {
        object.to_string()
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(body));
    let Ok(request) = request else {
        return (StatusCode::BAD_REQUEST, Value::Null);
    };
    let Ok(answer) = api.service().oneshot(request).await;
    let code = answer.status();
    let Ok(body) = answer.into_body().collect().await;
    (
        code,
        serde_json::from_slice(&body.to_bytes()).unwrap_or_default(),
    )
}
