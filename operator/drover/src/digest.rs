//! Digests as people read and compare them.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::canonical;

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The field that holds the digest of the facts around it.
pub const FACTS_DIGEST: &str = "factsDigest";
/// What is said of a print and not of what is reported.
const OF_THE_PRINT: [&str; 2] = ["asOf", FACTS_DIGEST];

/// The digest of what a report says, whenever it is printed: that of its JSON in canonical form without
/// the moment and without the digest itself.
pub fn of_facts(report: &impl Serialize) -> String {
    // Reports of this program serialise; where one did not, its digest would be that of nothing.
    of_facts_in(&serde_json::to_value(report).unwrap_or_default())
}

/// The same of a report that was read.
pub fn of_facts_in(report: &Value) -> String {
    let mut facts = report.clone();
    if let Some(fields) = facts.as_object_mut() {
        for field in OF_THE_PRINT {
            fields.remove(field);
        }
    }
    let hash = Sha256::digest(canonical::plain(&facts));
    format!("sha256:{}", hex(&hash))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_digest_is_of_the_facts_and_not_of_the_print() {
        // SPEC: RD-5
        let one = json!({ "asOf": "2026-11-20T14:00:00Z", "b": 1, "a": [{ "y": 2, "x": null }] });
        let other = json!({ "a": [{ "x": null, "y": 2 }], "b": 1, "factsDigest": "sha256:0" });
        assert_eq!(of_facts(&one), of_facts_in(&other));
        // printf '{"a":[{"x":null,"y":2}],"b":1}' | sha256sum
        assert_eq!(
            of_facts_in(&one),
            "sha256:5ef3f7645ab2b5ff26e16012b2d2245e6e57c8035b9c925b96486ac6e5a29b71"
        );
        assert_ne!(of_facts_in(&one), of_facts_in(&json!({ "b": 2 })));
    }
}
