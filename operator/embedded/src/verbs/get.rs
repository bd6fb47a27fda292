//! One object.

use http::StatusCode;

use crate::{
    answer::{self, Answer},
    call::Call,
    error::Refusal,
};

pub(crate) fn get(call: &Call) -> Result<Answer, Refusal> {
    let current = call.core.store.version();
    if let Some(wanted) = call
        .query
        .version_of_one()?
        .filter(|wanted| *wanted > current)
    {
        return Err(Refusal::version_ahead(wanted, current));
    }
    let entry = call
        .core
        .store
        .get(&call.resource, &call.key())
        .ok_or_else(|| call.not_found())?;
    Ok(answer::object(call, StatusCode::OK, &entry))
}
