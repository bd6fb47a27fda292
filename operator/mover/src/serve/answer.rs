//! Failures as answers.

use axum::Json;
use axum::response::{IntoResponse, Response};
use drover_libvirt::call::Failure;
use drover_world::{ErrorClass, FabricError};

/// A failure as a handler's answer; who called gets it as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(pub FabricError);

impl Failed {
    pub(super) fn new(class: ErrorClass, message: String, hint: Option<&str>) -> Self {
        Self(FabricError {
            class,
            message,
            hint: hint.map(str::to_owned),
            epoch_seen: None,
        })
    }
}

impl From<FabricError> for Failed {
    fn from(error: FabricError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let failure = Failure::from(self.0);
        (failure.status(), Json(failure)).into_response()
    }
}
