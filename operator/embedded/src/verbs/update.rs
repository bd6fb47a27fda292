//! A whole object, or its whole status, in place of what is there.

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::create;
use crate::{
    admission,
    answer::{self, Answer},
    call::Call,
    error::Refusal,
    negotiate,
    object::Entry,
};

/// Writes that others may slip in between before an unconditional one gives up.
const ATTEMPTS: usize = 16;

pub(crate) async fn update(call: &Call) -> Result<Answer, Refusal> {
    let mut object = read(call)?;
    admission::identify(call, &mut object)?;
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            call.name()
        )));
    }
    if name != call.name() {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.name()
        )));
    }
    if call.resource.traits.create_on_update
        && call.core.store.get(&call.resource, &call.key()).is_none()
    {
        return create::create(call).await;
    }
    repeatedly(call, |_| Ok(object.clone())).await
}

/// What a write of status looks at. Everything else is skipped over, not parsed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusWrite {
    api_version: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    metadata: StatusMetadata,
    status: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct StatusMetadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
}

fn read(call: &Call) -> Result<Value, Refusal> {
    let content_type = negotiate::content_type(&call.headers);
    if !call.status || content_type != "application/json" {
        return negotiate::read(content_type, &call.body);
    }
    let write: StatusWrite = serde_json::from_slice(&call.body).map_err(|error| {
        Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type Object): {error}"
        ))
    })?;
    let StatusMetadata {
        name,
        namespace,
        uid,
        resource_version,
    } = write.metadata;
    let mut object = json!({
        "apiVersion": write.api_version,
        "kind": write.kind,
        "metadata": { "name": name, "namespace": namespace, "uid": uid, "resourceVersion": resource_version },
    });
    if let Some(status) = write.status {
        object["status"] = status;
    }
    Ok(object)
}

/// Makes a new object from the stored one and stores it; again, if somebody else was faster and the
/// caller did not say from which version it comes.
pub(super) async fn repeatedly(
    call: &Call,
    make: impl Fn(&Arc<Entry>) -> Result<Value, Refusal>,
) -> Result<Answer, Refusal> {
    for attempt in 1.. {
        let stored = call
            .core
            .store
            .get(&call.resource, &call.key())
            .ok_or_else(|| call.not_found())?;
        let object = make(&stored)?;
        let admitted = admission::replace(call, &stored, object)?;
        if admitted.draft.same_as(&stored) {
            let mut answer = answer::object(call, StatusCode::OK, &stored);
            answer::warn(&mut answer, &admitted.warnings);
            return Ok(answer);
        }
        match create::store(call, admitted, Some(stored.version), StatusCode::OK).await {
            // With a version in the object, `replace` refuses at the next attempt.
            Err(refusal) if refusal.reason == "Conflict" && attempt < ATTEMPTS => {}
            done => return done,
        }
    }
    Err(Refusal::internal("the object changes too often"))
}
