//! Which kinds there are: the built-in ones and those that definitions define.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use crate::{
    builtin, definition,
    error::Subject,
    object::{Head, Selectable},
    openapi::{Documents, Published},
    rules::Rules,
    table::Columns,
};

/// Tables that other rooms know by name.
pub(crate) const NAMESPACES: &str = "namespaces";
pub(crate) const EVENTS: &str = "events";
pub(crate) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// Which optional behaviours a kind has. They are many small facts of the real API server's
/// strategies, each of which some client relies on.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traits {
    /// `metadata.generation` counts changes of the specification.
    pub generation: bool,
    /// An update may leave out the resource version.
    pub unconditional_update: bool,
    /// An update creates what is not there.
    pub create_on_update: bool,
    /// Strategic merge patches are understood.
    pub strategic_merge: bool,
    /// Lists leave out kind and version of their items.
    pub bare_items: bool,
    /// A finalizer has a domain in front, unless it is one of the standard ones.
    pub standard_finalizers: bool,
}

/// One kind, in all its versions.
#[derive(Debug)]
pub(crate) struct Resource {
    /// Names its table, `sites.drover.dev`.
    pub id: Arc<str>,
    pub group: String,
    pub plural: String,
    pub singular: String,
    pub kind: String,
    pub list_kind: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    /// Highest first.
    pub versions: Vec<Version>,
    /// Index of the version that objects are stored in.
    pub stored: usize,
    pub selectable: Vec<Selectable>,
    pub traits: Traits,
    /// Where objects of another resource are shown in another shape: `events.k8s.io`.
    pub is_view: bool,
    /// The definition it comes from.
    pub definition: Option<Arc<CustomResourceDefinition>>,
}

/// One version of a kind.
#[derive(Debug)]
pub(crate) struct Version {
    pub name: String,
    pub served: bool,
    pub head: Head,
    pub rules: Rules,
    /// Status is a subresource of its own.
    pub status: bool,
    /// What tables show.
    pub columns: Columns,
}

impl Resource {
    pub fn stored_head(&self) -> &Head {
        &self.versions[self.stored].head
    }

    pub fn subject<'a>(&'a self, name: &'a str) -> Subject<'a> {
        Subject {
            group: &self.group,
            plural: &self.plural,
            kind: &self.kind,
            name,
        }
    }

    pub fn api_version(&self, version: usize) -> String {
        group_version(&self.group, &self.versions[version].name)
    }
}

/// `drover.dev/v1alpha1`, or `v1` in the core group.
pub(crate) fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// All kinds at one moment, by group and plural.
pub(crate) type Kinds = BTreeMap<(String, String), Arc<Resource>>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Registry {
    kinds: RwLock<Arc<Kinds>>,
    /// Made when somebody asks, for the kinds of that moment.
    documents: Mutex<Option<(Arc<Kinds>, Arc<Documents>)>>,
}

impl Registry {
    pub fn new() -> Self {
        let kinds = builtin::resources()
            .into_iter()
            .map(|resource| (place(&resource), Arc::new(resource)))
            .collect();
        Self {
            kinds: RwLock::new(Arc::new(kinds)),
            documents: Mutex::new(None),
        }
    }

    pub fn kinds(&self) -> Arc<Kinds> {
        Arc::clone(&self.kinds.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn find(&self, group: &str, plural: &str) -> Option<Arc<Resource>> {
        // Looked up for each request: the key is cheap beside it.
        self.kinds()
            .get(&(group.to_owned(), plural.to_owned()))
            .cloned()
    }

    /// The resource that a table holds.
    pub fn of_table(&self, table: &str) -> Option<Arc<Resource>> {
        let (plural, group) = table.split_once('.').unwrap_or((table, ""));
        self.find(group, plural)
    }

    /// The kinds described for clients.
    pub fn documents(&self) -> Arc<Documents> {
        let mut documents = self
            .documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let kinds = self.kinds();
        if let Some((of, documents)) = &*documents
            && Arc::ptr_eq(of, &kinds)
        {
            return Arc::clone(documents);
        }
        let published: Vec<Published> = kinds
            .values()
            .flat_map(|resource| resource.published())
            .collect();
        let made = Arc::new(Documents::of(&published));
        *documents = Some((kinds, Arc::clone(&made)));
        made
    }

    /// Serves what a definition defines, from now on.
    pub fn define(&self, definition: &Value) {
        match definition::resource(definition) {
            Ok(resource) => self.change(|kinds| {
                kinds.insert(place(&resource), Arc::new(resource));
            }),
            // Definitions are checked before they are stored.
            Err(causes) => tracing::error!(?causes, "a stored definition cannot be served"),
        }
    }

    /// No longer serves what the definition of this name defined.
    pub fn undefine(&self, name: &str) {
        self.change(|kinds| {
            kinds.retain(|_, resource| &*resource.id != name || resource.definition.is_none());
        });
    }

    fn change(&self, change: impl FnOnce(&mut Kinds)) {
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = (**kinds).clone();
        change(&mut changed);
        *kinds = Arc::new(changed);
    }
}

fn place(resource: &Resource) -> (String, String) {
    (resource.group.clone(), resource.plural.clone())
}

impl Resource {
    fn published(&self) -> impl Iterator<Item = Published> + use<'_> {
        self.versions
            .iter()
            .filter(|version| version.served)
            .map(|version| {
                let defined = self.definition.as_ref().and_then(|definition| {
                    let all = &definition.spec.versions;
                    all.iter()
                        .find(|each| each.name == version.name)?
                        .schema
                        .as_ref()?
                        .open_api_v3_schema
                        .as_ref()
                });
                Published {
                    group: self.group.clone(),
                    version: version.name.clone(),
                    kind: self.kind.clone(),
                    list_kind: self.list_kind.clone(),
                    plural: self.plural.clone(),
                    namespaced: self.namespaced,
                    status: version.status,
                    schema: defined.and_then(|schema| serde_json::to_value(schema).ok()),
                }
            })
    }

    /// The name of a selectable field in the shape that objects are stored in.
    pub fn selects_as<'a>(&self, name: &'a str) -> &'a str {
        match name {
            _ if !self.is_view => name,
            "reportingController" => "reportingComponent",
            "regarding.kind" => "involvedObject.kind",
            "regarding.namespace" => "involvedObject.namespace",
            "regarding.name" => "involvedObject.name",
            "regarding.uid" => "involvedObject.uid",
            "regarding.apiVersion" => "involvedObject.apiVersion",
            "regarding.resourceVersion" => "involvedObject.resourceVersion",
            "regarding.fieldPath" => "involvedObject.fieldPath",
            other => other,
        }
    }
}
