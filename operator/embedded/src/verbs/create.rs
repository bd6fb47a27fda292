//! A new object.

use http::StatusCode;

use crate::{
    admission::{self, Admitted},
    answer::{self, Answer},
    call::Call,
    error::Refusal,
    negotiate,
    object::Key,
    registry::{NAMESPACES, Resource},
    store::{Write, WriteError, Written},
};

/// Generated names that may be taken before the caller hears of it.
const NAME_ATTEMPTS: usize = 8;

pub(crate) async fn create(call: &Call) -> Result<Answer, Refusal> {
    let mut object = negotiate::read(negotiate::content_type(&call.headers), &call.body)?;
    admission::identify(call, &mut object)?;
    if call.resource.namespaced && !namespace_exists(call) {
        return Err(call.no_namespace());
    }
    let is_generated = object["metadata"]["name"]
        .as_str()
        .is_none_or(str::is_empty);
    for attempt in 1.. {
        let admitted = admission::create(call, object.clone())?;
        match store(call, admitted, None, StatusCode::CREATED).await {
            Err(refusal)
                if is_generated && refusal.reason == "AlreadyExists" && attempt < NAME_ATTEMPTS => {
            }
            done => return done,
        }
    }
    Err(Refusal::internal("no name was free"))
}

fn namespace_exists(call: &Call) -> bool {
    let namespaces = call.core.registry.of_table(NAMESPACES);
    let key = Key::new("", &call.namespace);
    namespaces.is_some_and(|namespaces: std::sync::Arc<Resource>| {
        call.core.store.get(&namespaces, &key).is_some()
    })
}

/// Stores what was admitted, unless this is a rehearsal, and shows it.
pub(super) async fn store(
    call: &Call,
    admitted: Admitted,
    expected: Option<u64>,
    code: StatusCode,
) -> Result<Answer, Refusal> {
    let Admitted { draft, warnings } = admitted;
    let key = draft.meta.key.clone();
    let entry = if call.query.dry_run("CreateOptions")? {
        if expected.is_none() && call.core.store.get(&call.resource, &key).is_some() {
            return Err(call.refuse(WriteError::Exists, &key.name));
        }
        let sealed = draft.seal(call.resource.stored_head(), expected.unwrap_or_default());
        // What is there keeps its version, what is not there has none.
        std::sync::Arc::new(if expected.is_some() {
            sealed
        } else {
            sealed.unversioned()
        })
    } else {
        let write = Write::Put {
            resource: std::sync::Arc::clone(&call.resource),
            draft,
            expected,
        };
        let (Written::Stands(entry) | Written::Gone(entry)) = call
            .core
            .store
            .write(write)
            .await
            .map_err(|error| call.refuse(error, &key.name))?;
        entry
    };
    let mut answer = answer::object(call, code, &entry);
    answer::warn(&mut answer, &warnings);
    Ok(answer)
}
