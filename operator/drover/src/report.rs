//! What all reports for programs begin with. Their fields are a contract: they are added to and never
//! renamed within a version.

use serde::Serialize;

/// A report of some kind.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report<B> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    body: B,
}

impl<B> Report<B> {
    /// A report of this kind.
    pub fn new(kind: &'static str, body: B) -> Self {
        Self {
            api_version: drover_api::API_VERSION,
            kind,
            body,
        }
    }
}
