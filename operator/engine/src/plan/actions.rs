//! How long actions take, as far as that can be known before they run.

use drover_api::value::Duration;
use drover_api::{Action, ActionKind};

/// What one HTTP call is expected to take: a service that is up answers in well under a second, one
/// that has just started needs a few.
pub const HTTP_CALL: Duration = Duration::from_secs(5);

/// What a script is expected to take. Nothing can be known of it; half a minute is what starting a
/// Job and doing something small needs.
pub const SCRIPT: Duration = Duration::from_secs(30);

/// What a DNS change is expected to take until the server has it. That clients keep the old address
/// for the record's TTL is no step of the run; the report says it beside.
pub const DNS_CHANGE: Duration = Duration::from_secs(5);

/// How long an action is expected to take when it succeeds at once; never longer than the timeout of
/// one attempt. Nothing for a manual step: how long a person takes cannot be forecast.
///
/// # Errors
/// The number of kinds that are set, where it is not one.
pub fn expected_length(action: &Action) -> Result<Option<Duration>, usize> {
    let expected = match action.kind()? {
        ActionKind::Manual(_) => return Ok(None),
        // A wait is as long as it says; its timeout bounds an attempt that hangs.
        ActionKind::Wait(wait) => return Ok(Some(wait.duration.clone())),
        ActionKind::Http(_) => HTTP_CALL,
        ActionKind::Script(_) => SCRIPT,
        ActionKind::Dns(_) => DNS_CHANGE,
    };
    let bounded = match &action.timeout {
        Some(timeout) if *timeout < expected => timeout.clone(),
        _ => expected,
    };
    Ok(Some(bounded))
}
