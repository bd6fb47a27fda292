//! What can be asked of a resource.

mod create;
mod delete;
mod get;
mod list;
mod patch;
mod update;
mod watch;

use http::Method;

use crate::{
    answer::Answer, call::Call, error::Refusal, negotiate::Shape, registry::NAMESPACES, request,
    table::Include,
};

/// Does what one request asks for.
pub(crate) async fn perform(call: Call, method: &Method) -> Result<Answer, Refusal> {
    let named = call.name.is_some();
    let watches = call.query.flag("watch");
    let is_defined = call.resource.definition.is_some();
    let include = call.query.text("includeObject").unwrap_or_default();
    if call.form.shape == Shape::Table && Include::named(include).is_none() {
        return Err(Refusal::bad_request(format!(
            "Unable to convert to Table as requested: includeObject: Invalid value: \"{include}\": must be 'Metadata', \
             'Object', 'None', or empty"
        )));
    }
    match (method, named) {
        (&Method::GET, false) if watches => watch::watch(call),
        (&Method::GET, true) => get::get(&call),
        (&Method::GET, false) => list::list(&call),
        // Definitions' kinds take the name from the body, whatever the path says.
        (&Method::POST, named) if !named || is_defined && !call.status => {
            create::create(&call).await
        }
        (&Method::PUT, true) => update::update(&call).await,
        (&Method::PATCH, true) => patch::patch(&call).await,
        (&Method::DELETE, true) if !call.status => delete::delete(&call).await,
        // Nobody deletes all namespaces at once.
        (&Method::DELETE, false) if &*call.resource.id != NAMESPACES => {
            delete::collection(&call).await
        }
        (&Method::PUT | &Method::PATCH, false) if is_defined => {
            Err(Refusal::bad_request("name must be provided"))
        }
        _ if call.resource.traits.bare_items => Err(Refusal::no_such_method()),
        _ => {
            let verb = request::verb(method, named, watches);
            Err(Refusal::method_not_allowed(
                call.resource.subject(call.name()),
                verb,
            ))
        }
    }
}
