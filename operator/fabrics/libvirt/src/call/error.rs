//! How a call can fail.

use std::error::Error;
use std::time::Duration;

use drover_world::{ErrorClass, FabricError};
use thiserror::Error;

use super::address::Address;
use super::explain::{Explanation, chain};

/// How a call can fail.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// Nobody is there, or nothing came back in time. What was asked for may have happened.
    #[error("the mover at {address} cannot be reached: {why}")]
    Unreachable {
        /// Where it should be.
        address: Address,
        /// What happened.
        why: String,
    },
    /// The two sides do not believe each other.
    #[error("no secure connection to the mover at {address}: {why}")]
    Refused {
        /// Where it is.
        address: Address,
        /// What is wrong.
        why: String,
        /// What a person can do.
        hint: &'static str,
    },
    /// The mover did not do it, and says why.
    #[error(transparent)]
    Answered(FabricError),
    /// There is no sense in the answer.
    #[error("the mover at {address} gave an answer that makes no sense: {why}")]
    Broken {
        /// Where it is.
        address: Address,
        /// What is wrong with it.
        why: String,
    },
}

impl CallError {
    /// What a failed connection means.
    pub(super) fn lost(address: &Address, doing: &str, error: &(dyn Error + 'static)) -> Self {
        let address = address.clone();
        match Explanation::of(error) {
            Some(Explanation { why, hint }) => Self::Refused { address, why, hint },
            None => Self::Unreachable {
                address,
                why: format!("{doing}: {}", chain(error)),
            },
        }
    }

    /// The same of what hyper says, which also sees answers that are no HTTP.
    pub(super) fn of(address: &Address, doing: &str, error: &hyper::Error) -> Self {
        if error.is_parse() {
            return Self::broken(address, format!("it is not HTTP: {}", chain(error)));
        }
        Self::lost(address, doing, error)
    }

    pub(super) fn silent(address: &Address, patience: Duration) -> Self {
        Self::Unreachable {
            address: address.clone(),
            why: format!("no answer within {} s", patience.as_secs_f32()),
        }
    }

    pub(super) fn broken(address: &Address, why: impl Into<String>) -> Self {
        Self::Broken {
            address: address.clone(),
            why: why.into(),
        }
    }
}

impl From<CallError> for FabricError {
    fn from(error: CallError) -> Self {
        let message = error.to_string();
        let (class, hint) = match error {
            CallError::Answered(error) => return error,
            CallError::Unreachable { .. } => (ErrorClass::Retryable, None),
            CallError::Refused { hint, .. } => (ErrorClass::Terminal, Some(hint)),
            CallError::Broken { .. } => {
                let hint = "is it a mover, and of the same version as the rest?";
                (ErrorClass::Terminal, Some(hint))
            }
        };
        Self {
            class,
            message,
            hint: hint.map(str::to_owned),
            epoch_seen: None,
        }
    }
}
