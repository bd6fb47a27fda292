//! The kinds of `drover.dev`: the one place where this crate meets the API.

use drover_api::{API_VERSION, KINDS, KindInfo, Object};
use serde::de::Error;

use crate::de::{DecodeError, from_node_with};
use crate::registry::{FormatError, KindEntry, Registry};

/// All kinds of Drover.
///
/// ```
/// use drover_manifest::{Options, Source, drover_kinds, load};
///
/// let text = "apiVersion: drover.dev/v1alpha1\nkind: Site\nmetadata: { name: seoul }\n\
///             spec:\n  fabric:\n    simulater: {}\n";
/// let source = Source { name: "site.yaml", text: text.as_bytes() };
/// let loaded = load(&[source], &drover_kinds(), &Options::default());
/// assert_eq!(loaded.diagnostics[0].hint.as_deref(), Some("did you mean `simulator`?"));
/// ```
pub fn drover_kinds() -> Registry<Object> {
    Registry::new(KINDS.iter().map(entry).collect()).with_format_check(check_format)
}

fn entry(info: &'static KindInfo) -> KindEntry<Object> {
    KindEntry {
        api_version: API_VERSION,
        kind: info.kind,
        namespaced: info.namespaced,
        schema: Box::new(info.schema),
        decode: Box::new(|node| {
            from_node_with(node, |input| {
                Object::deserialize_kind(info.kind, input)
                    .unwrap_or_else(|| Err(DecodeError::custom("the kind cannot be read")))
            })
        }),
    }
}

fn check_format(format: &str, text: &str) -> Result<(), FormatError> {
    drover_api::value::check_format(format, text).map_err(|error| FormatError {
        message: error.to_string(),
        hint: error.hint().map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Kind, Schema};

    #[test]
    fn every_kind_has_a_schema_that_compiles() {
        for info in KINDS {
            let schema = Schema::compile(&(info.schema)());
            assert_eq!(schema.kind, Kind::Object, "{}", info.kind);
            assert!(schema.property("spec").is_some(), "{}", info.kind);
        }
    }

    #[test]
    fn the_formats_of_the_values_are_checked() {
        let wrong = check_format("drover-duration", "15 min").unwrap_err();
        assert!(wrong.hint.is_some(), "{wrong:?}");
        assert_eq!(check_format("drover-duration", "15m"), Ok(()));
    }
}
