//! Ways to say no.

use drover_libvirt::call::chain;
use drover_libvirt::protocol::Asker;
use drover_world::{ErrorClass, FabricError};

use crate::domain::DomainError;
use crate::host::HostError;
use crate::image::ImageError;
use crate::nbd::{Errno, NbdError};
use crate::store::StoreError;
use crate::transfer::{Side, TransferError};

fn error(class: ErrorClass, message: String, hint: &str) -> FabricError {
    FabricError {
        class,
        message,
        hint: (!hint.is_empty()).then(|| hint.to_owned()),
        epoch_seen: None,
    }
}

/// It may work later.
pub(super) fn retryable(message: impl Into<String>, hint: &str) -> FabricError {
    error(ErrorClass::Retryable, message.into(), hint)
}

/// A person must do something first.
pub(super) fn terminal(message: impl Into<String>, hint: &str) -> FabricError {
    error(ErrorClass::Terminal, message.into(), hint)
}

/// Whoever asks with an older epoch than the one on record is late (SA-3).
pub(super) fn not_late(recorded: u64, asker: &Asker) -> Result<(), FabricError> {
    if asker.epoch >= recorded {
        return Ok(());
    }
    let message = format!(
        "{} asks with epoch {}, and {recorded} is on record",
        asker.run, asker.epoch
    );
    Err(FabricError {
        epoch_seen: Some(recorded),
        ..terminal(message, "whoever asks is late; the newer one goes on")
    })
}

macro_rules! may_work_later {
    ($($error:ty: $hint:literal,)*) => {$(
        impl From<$error> for FabricError {
            fn from(error: $error) -> Self {
                retryable(chain(&error), $hint)
            }
        }
    )*};
}

may_work_later! {
    StoreError: "look at the storage of the site",
    ImageError: "look at the storage of the site",
    NbdError: "look at the link between the sites",
    DomainError: "look at the machine's description",
}

impl From<TransferError> for FabricError {
    fn from(error: TransferError) -> Self {
        let full = matches!(
            &error,
            TransferError::Nbd { side: Side::Target, source }
                if source.errno() == Some(Errno::NoSpace)
        );
        if full {
            return retryable(
                "there is no space left for the copy",
                "make room in the storage pool; the copy goes on by itself",
            );
        }
        let hint = "look at the link between the sites, and at the storage";
        retryable(chain(&error), hint)
    }
}

impl From<HostError> for FabricError {
    fn from(error: HostError) -> Self {
        let words = error.to_string();
        match error {
            HostError::NoSuchDomain { .. } => terminal(words, "look whether it was removed"),
            HostError::Refused { .. } => terminal(words, "look at the mover's rights on the host"),
            _ => retryable(words, "look at libvirt on the host"),
        }
    }
}
