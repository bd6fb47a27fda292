//! A failure of a fabric, as it travels.

use drover_world::{ErrorClass, FabricError};
use http::StatusCode;
use serde::{Deserialize, Serialize};

/// A failure of a fabric, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What kind it is.
    pub class: ErrorClass,
    /// What went wrong, without secrets.
    pub message: String,
    /// What a person can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The epoch that was recorded, where the request came with an older one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch_seen: Option<u64>,
}

impl Failure {
    /// The status of the answer that carries it.
    pub fn status(&self) -> StatusCode {
        match self.class {
            ErrorClass::Terminal => StatusCode::CONFLICT,
            ErrorClass::Retryable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorClass::Unsupported => StatusCode::NOT_IMPLEMENTED,
        }
    }
}

impl From<FabricError> for Failure {
    fn from(error: FabricError) -> Self {
        let FabricError {
            class,
            message,
            hint,
            epoch_seen,
        } = error;
        Self {
            class,
            message,
            hint,
            epoch_seen,
        }
    }
}

impl From<Failure> for FabricError {
    fn from(failure: Failure) -> Self {
        let Failure {
            class,
            message,
            hint,
            epoch_seen,
        } = failure;
        Self {
            class,
            message,
            hint,
            epoch_seen,
        }
    }
}
