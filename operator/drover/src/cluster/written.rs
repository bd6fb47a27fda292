//! Objects as they were written: without the defaults that types would add.

use drover_api::{API_VERSION, KINDS, KindInfo, Object};
use drover_manifest::{KindEntry, Options, Registry, Source, from_node, load};
use serde_json::{Value, json};

/// An object as it was written, and who it is.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its kind.
    pub info: &'static KindInfo,
    /// Its namespace; nothing for kinds that live in none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// What was written, with its namespace filled in.
    pub value: Value,
}

impl Written {
    /// `RecoveryPlan shop/mail`.
    pub fn shown(&self) -> String {
        super::reading::shown(self.info, self.namespace.as_deref(), &self.name)
    }

    /// Who it is, in the order in which objects are best applied.
    pub fn key(&self) -> Key {
        Key::new(self.info, self.namespace.clone(), self.name.clone())
    }

    /// The object that it stands for.
    ///
    /// # Errors
    /// What the deserializer says.
    pub fn object(&self) -> Result<Object, serde_json::Error> {
        use serde::de::Error as _;
        Object::deserialize_kind(self.info.kind, &self.value)
            .unwrap_or_else(|| Err(serde_json::Error::custom("the kind cannot be read")))
    }
}

/// Who an object is. They are in the order in which objects are best applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    order: usize,
    namespace: Option<String>,
    name: String,
}

impl Key {
    /// The key of an object.
    pub fn new(info: &KindInfo, namespace: Option<String>, name: String) -> Self {
        let order = KINDS.iter().position(|known| known.kind == info.kind);
        Self {
            order: order.unwrap_or(KINDS.len()),
            namespace,
            name,
        }
    }
}

/// The objects in texts, in the order of the texts. Those with errors are left out: the caller has
/// looked for errors already.
pub fn read(sources: &[Source<'_>], namespace: &str) -> Vec<Written> {
    let options = Options {
        default_namespace: namespace.to_owned(),
    };
    let loaded = load(sources, &registry(), &options);
    let written = loaded.objects.into_iter().filter_map(|declared| {
        let info = KindInfo::named(declared.id.kind)?;
        let mut value = declared.object;
        if let Some(namespace) = &declared.id.namespace {
            value["metadata"]["namespace"] = json!(namespace);
        }
        Some(Written {
            info,
            namespace: declared.id.namespace,
            name: declared.id.name,
            value,
        })
    });
    written.collect()
}

/// The kinds of Drover, each object as it was written.
fn registry() -> Registry<Value> {
    let entry = |info: &'static KindInfo| KindEntry {
        api_version: API_VERSION,
        kind: info.kind,
        namespaced: info.namespaced,
        schema: Box::new(info.schema),
        decode: Box::new(|node| from_node(node)),
    };
    Registry::new(KINDS.iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_written_is_not_there() {
        let text = "apiVersion: drover.dev/v1alpha1\nkind: FailbackPolicy\n\
                    metadata: { name: home }\nspec: { dataSync: FullDuringFailover }\n";
        let source = Source {
            name: "home.yaml",
            text: text.as_bytes(),
        };
        let written = read(&[source], "shop");
        assert_eq!(
            written[0].value,
            json!({
                "apiVersion": "drover.dev/v1alpha1", "kind": "FailbackPolicy",
                "metadata": { "name": "home", "namespace": "shop" },
                "spec": { "dataSync": "FullDuringFailover" },
            })
        );
        assert_eq!(written[0].shown(), "FailbackPolicy shop/home");
        assert_eq!(written[0].object().unwrap().namespace(), Some("shop"));
    }

    #[test]
    fn keys_are_in_the_order_of_application() {
        let key =
            |kind, name: &str| Key::new(KindInfo::named(kind).unwrap(), None, name.to_owned());
        assert!(key("Site", "z") < key("RecoveryPlan", "a"));
        assert!(key("RecoveryPlan", "a") < key("RecoveryPlan", "b"));
    }
}
