//! The table of kinds, and an object of any of them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Serialize};

use super::{
    FailbackPolicy, MachineRun, NetworkMapping, ProtectedMachine, ProtectionGroup, RecoveryDrill,
    RecoveryPlan, RecoveryRun, ReplicationPolicy, RunDecision, Site,
};

/// What is known of a kind without an object of it.
#[derive(Clone, Copy, Debug)]
pub struct KindInfo {
    /// The kind, as manifests write it.
    pub kind: &'static str,
    /// Name in URLs and of the definition.
    pub plural: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether people write it; the others are made by Drover.
    pub written_by_people: bool,
    /// Builds its definition. This costs about a millisecond: call it once.
    pub crd: fn() -> CustomResourceDefinition,
    /// Builds the schema in it alone (`openAPIV3Schema`), in a fraction of that time.
    pub schema: fn() -> serde_json::Value,
}

macro_rules! kinds {
    ($(($kind:ident, $plural:literal, $namespaced:literal, $people:literal)),+ $(,)?) => {
        /// All kinds, in the order in which they are best applied: what is referred to comes first.
        pub const KINDS: &[KindInfo] = &[
            $(KindInfo {
                kind: stringify!($kind),
                plural: $plural,
                namespaced: $namespaced,
                written_by_people: $people,
                crd: crate::crd::derived::<$kind>,
                schema: crate::crd::schema::<$kind>,
            }),+
        ];

        /// An object of any kind.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(untagged)]
        pub enum Object {
            $(
                #[doc = concat!("A `", stringify!($kind), "`.")]
                $kind(Box<$kind>),
            )+
        }

        impl Object {
            /// The kind, as manifests write it.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => stringify!($kind),)+
                }
            }

            /// The object's metadata.
            pub fn metadata(&self) -> &ObjectMeta {
                match self {
                    $(Self::$kind(object) => object.meta(),)+
                }
            }

            /// Reads an object of this kind; nothing where the kind is none of Drover's.
            ///
            /// # Errors
            /// What the deserializer says.
            pub fn deserialize_kind<'de, D>(
                kind: &str,
                deserializer: D,
            ) -> Option<Result<Self, D::Error>>
            where
                D: serde::Deserializer<'de>,
            {
                match kind {
                    $(stringify!($kind) => Some(
                        $kind::deserialize(deserializer).map(|object| Self::$kind(Box::new(object))),
                    ),)+
                    _ => None,
                }
            }
        }

        $(
            impl From<$kind> for Object {
                fn from(object: $kind) -> Self {
                    Self::$kind(Box::new(object))
                }
            }
        )+
    };
}

kinds![
    (Site, "sites", false, true),
    (ReplicationPolicy, "replicationpolicies", true, true),
    (NetworkMapping, "networkmappings", true, true),
    (FailbackPolicy, "failbackpolicies", true, true),
    (ProtectionGroup, "protectiongroups", true, true),
    (RecoveryPlan, "recoveryplans", true, true),
    (RecoveryDrill, "recoverydrills", true, true),
    (RunDecision, "rundecisions", true, true),
    (ProtectedMachine, "protectedmachines", true, false),
    (RecoveryRun, "recoveryruns", true, false),
    (MachineRun, "machineruns", true, false),
];

impl KindInfo {
    /// The kind of this name.
    pub fn named(kind: &str) -> Option<&'static Self> {
        KINDS.iter().find(|info| info.kind == kind)
    }
}

impl Object {
    /// The object's name; empty where it has none.
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// The object's namespace; nothing for a cluster-scoped object or one that does not say.
    pub fn namespace(&self) -> Option<&str> {
        self.metadata().namespace.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_the_definitions() {
        // SPEC: KU-1
        assert_eq!(KINDS.len(), 11);
        for info in KINDS {
            let crd = (info.crd)();
            assert_eq!(crd.spec.names.kind, info.kind);
            assert_eq!(crd.spec.names.plural, info.plural);
            assert_eq!(
                crd.spec.scope == "Namespaced",
                info.namespaced,
                "{}",
                info.kind
            );
            assert_eq!(crd.spec.group, crate::GROUP);
            assert_eq!(crd.spec.versions[0].name, crate::VERSION);
            let schema = crd.spec.versions[0].schema.as_ref().unwrap();
            let schema = schema.open_api_v3_schema.as_ref().unwrap();
            let alone = serde_json::from_value((info.schema)()).unwrap();
            assert_eq!(*schema, alone, "{}", info.kind);
        }
    }
}
