//! A deadline for every call.

use std::time::Duration;

use drover_world::{ErrorClass, FabricError};

/// Awaits a call to a driver for so long. A driver that does not answer in time counts as unreachable;
/// its future is dropped, which every driver must survive without leaving anything half asked.
///
/// # Errors
/// The driver's own, or a recoverable one when the limit passed.
pub async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, FabricError>>,
) -> Result<T, FabricError> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer,
        Err(_) => Err(FabricError {
            class: ErrorClass::Retryable,
            message: format!("no answer within {} seconds", limit.as_secs()),
            hint: Some("look whether the site's management can be reached from here".into()),
            epoch_seen: None,
        }),
    }
}
