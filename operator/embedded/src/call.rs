//! One request about one resource, with everything that its verb needs.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

use crate::{
    Now,
    error::{Refusal, Subject},
    ids::Ids,
    negotiate::Form,
    object::Key,
    registry::{NAMESPACES, Registry, Resource, Version},
    request::Query,
    store::{Store, WriteError},
};

/// What all requests share.
pub(crate) struct Core {
    pub store: Store,
    pub registry: Arc<Registry>,
    pub now: Now,
    pub ids: Ids,
}

/// See the module.
pub(crate) struct Call {
    pub core: Arc<Core>,
    pub resource: Arc<Resource>,
    /// Index of the version in the path.
    pub version: usize,
    /// Empty for cluster-scoped kinds and for requests across all namespaces.
    pub namespace: String,
    pub name: Option<String>,
    /// The request is about the status alone.
    pub status: bool,
    pub query: Query,
    pub headers: HeaderMap,
    pub form: Form,
    pub body: Bytes,
}

impl Call {
    pub fn version(&self) -> &Version {
        &self.resource.versions[self.version]
    }

    pub fn api_version(&self) -> String {
        self.resource.api_version(self.version)
    }

    /// Objects of this request's version are stored as they are shown.
    pub fn is_stored_form(&self) -> bool {
        self.version == self.resource.stored && !self.resource.is_view
    }

    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The object that the path names.
    pub fn key(&self) -> Key {
        Key::new(&self.namespace, self.name())
    }

    pub fn not_found(&self) -> Refusal {
        Refusal::not_found(self.resource.subject(self.name()))
    }

    /// The refusal for a write of the object called `name` that was not done.
    pub fn refuse(&self, error: WriteError, name: &str) -> Refusal {
        let subject = self.resource.subject(name);
        // Preconditions are about the kind, not about the resource.
        let kind = Subject {
            plural: &self.resource.kind,
            ..subject
        };
        let conflict = |why: &str| {
            let mut refusal = Refusal::conflict(subject, why);
            refusal.details = Refusal::conflict(kind, why).details;
            refusal
        };
        match error {
            WriteError::Exists => Refusal::already_exists(subject),
            WriteError::Missing => Refusal::not_found(subject),
            WriteError::Stale => Refusal::modified(subject),
            WriteError::OtherUid { wanted, found } => conflict(&format!(
                "Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
            )),
            WriteError::OtherVersion { wanted, found } => conflict(&format!(
                "Precondition failed: ResourceVersion in precondition: {wanted}, ResourceVersion in object meta: {found}"
            )),
            WriteError::NoNamespace => self.no_namespace(),
            WriteError::NamespaceEnds => self.namespace_ends(name),
            WriteError::DefinitionEnds => {
                let mut refusal = Refusal::method_not_allowed(subject, "create");
                "create not allowed while custom resource definition is terminating"
                    .clone_into(&mut refusal.message);
                refusal
            }
            WriteError::Kept => Refusal::forbidden(subject, "this namespace may not be deleted"),
            WriteError::Disk(message) => {
                Refusal::internal(format!("the store did not take the write: {message}"))
            }
            WriteError::Closed => Refusal::new(
                http::StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "the API is shutting down",
            ),
        }
    }

    pub fn no_namespace(&self) -> Refusal {
        Refusal::not_found(Subject {
            group: "",
            plural: NAMESPACES,
            kind: "Namespace",
            name: &self.namespace,
        })
    }

    fn namespace_ends(&self, name: &str) -> Refusal {
        let namespace = &self.namespace;
        let mut refusal = Refusal::forbidden(
            self.resource.subject(name),
            &format!(
                "unable to create new content in namespace {namespace} because it is being terminated"
            ),
        );
        if let Some(details) = &mut refusal.details {
            details["causes"] = serde_json::json!([{
                "reason": "NamespaceTerminating",
                "message": format!("namespace {namespace} is being terminated"),
                "field": "metadata.namespace",
            }]);
        }
        refusal
    }
}
