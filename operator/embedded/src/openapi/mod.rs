//! The kinds described for clients (`OpenAPI`): `kubectl explain` reads it, `kubectl apply` finds in
//! it that the server checks fields itself, editors complete from it.
//!
//! Version 3 is one document for each group and version, and an index of them. Version 2 is one
//! document of everything; `kubectl` still asks for it, in protobuf, to check what comes as a
//! `List`. Both are made from the same schemas whenever the kinds change, and only looked up after.

mod builtin;
mod components;
mod paths;
mod protobuf;
mod v2;

use std::{collections::BTreeMap, fmt::Write};

use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// What the `Accept` header asks for to have version 2 in protobuf.
pub const V2_PROTOBUF_ACCEPT: &[&str] = &[
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
];

/// The type that it is answered with: clients cannot read one with an `@` in it.
pub const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// One version of one kind, as it is published.
#[derive(Debug, Clone)]
pub struct Published {
    /// Empty for the core group.
    pub group: String,
    /// Such as `v1alpha1`.
    pub version: String,
    /// Such as `RecoveryPlan`.
    pub kind: String,
    /// Such as `RecoveryPlanList`.
    pub list_kind: String,
    /// Such as `recoveryplans`.
    pub plural: String,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// Whether status is a subresource.
    pub status: bool,
    /// `openAPIV3Schema` of a definition; none for a built-in kind, which is known here.
    pub schema: Option<Value>,
}

impl Published {
    /// `api/v1` or `apis/drover.dev/v1alpha1`
    fn root(&self) -> String {
        if self.group.is_empty() {
            format!("api/{}", self.version)
        } else {
            format!("apis/{}/{}", self.group, self.version)
        }
    }

    fn gvk(&self, kind: &str) -> Value {
        json!({ "group": self.group, "version": self.version, "kind": kind })
    }
}

/// One document, ready to be sent.
#[derive(Debug, Clone)]
pub struct Document {
    /// JSON.
    pub json: Bytes,
    /// Changes with what it says: part of its address, and its `ETag`.
    pub hash: String,
}

impl Document {
    fn of(value: &Value) -> Self {
        let json = Bytes::from(value.to_string());
        let mut hash = String::new();
        for byte in Sha256::digest(&json) {
            // Writing to a text cannot fail.
            let _ = write!(hash, "{byte:02X}");
        }
        Self { json, hash }
    }
}

/// All documents about a set of kinds.
#[derive(Debug)]
pub struct Documents {
    /// By group and version, as `apis/drover.dev/v1alpha1`.
    v3: BTreeMap<String, Document>,
    v2: Document,
    v2_protobuf: Bytes,
}

impl Documents {
    /// Describes these kinds.
    pub fn of(kinds: &[Published]) -> Self {
        let mut roots: BTreeMap<String, Vec<&Published>> = BTreeMap::new();
        for kind in kinds {
            roots.entry(kind.root()).or_default().push(kind);
        }
        let mut v3 = BTreeMap::new();
        let mut all = Map::new();
        for (root, kinds) in roots {
            let schemas = components::of(&kinds);
            all.extend(schemas.clone());
            let document = json!({
                "openapi": "3.0.0",
                "info": info(),
                "paths": paths::of(&root, &kinds),
                "components": { "schemas": schemas },
            });
            v3.insert(root, Document::of(&document));
        }
        let definitions = v2::definitions(&all);
        Self {
            v3,
            v2: Document::of(&v2::document(&info(), &definitions)),
            v2_protobuf: protobuf::document(&definitions).into(),
        }
    }

    /// `/openapi/v3`: where the documents are.
    pub fn index(&self) -> Value {
        let paths: Map<String, Value> = self
            .v3
            .iter()
            .map(|(root, document)| {
                let url = format!("/openapi/v3/{root}?hash={}", document.hash);
                (root.clone(), json!({ "serverRelativeURL": url }))
            })
            .collect();
        json!({ "paths": paths })
    }

    /// `/openapi/v3/` and this: the kinds of one group and version, as `apis/drover.dev/v1alpha1`.
    pub fn v3(&self, root: &str) -> Option<&Document> {
        self.v3.get(root)
    }

    /// `/openapi/v2`
    pub fn v2(&self) -> &Document {
        &self.v2
    }

    /// `/openapi/v2` as [`V2_PROTOBUF`].
    pub fn v2_protobuf(&self) -> &Bytes {
        &self.v2_protobuf
    }
}

fn info() -> Value {
    json!({ "title": "Drover", "version": env!("CARGO_PKG_VERSION") })
}

#[cfg(test)]
mod tests;
