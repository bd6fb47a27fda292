//! What can be asked of a resource.

mod create;
mod delete;
mod get;
mod list;
mod patch;
mod update;
mod watch;

use http::Method;

use crate::{answer::Answer, call::Call, error::Refusal, request};

/// Does what one request asks for.
pub(crate) async fn perform(call: Call, method: &Method) -> Result<Answer, Refusal> {
    let named = call.name.is_some();
    let watches = call.query.flag("watch");
    match (method, named) {
        (&Method::GET, false) if watches => watch::watch(call),
        (&Method::GET, true) => get::get(&call),
        (&Method::GET, false) => list::list(&call),
        (&Method::POST, false) => create::create(&call).await,
        (&Method::PUT, true) => update::update(&call).await,
        (&Method::PATCH, true) => patch::patch(&call).await,
        (&Method::DELETE, true) if !call.status => delete::delete(&call).await,
        (&Method::DELETE, false) => delete::collection(&call).await,
        _ => {
            let verb = request::verb(method, named, watches);
            Err(Refusal::method_not_allowed(call.resource.subject(call.name()), verb))
        }
    }
}
