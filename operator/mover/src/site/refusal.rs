//! Ways to say no.

use std::time::Duration;

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

/// So often libvirt may say that something cannot be, and so much later it is asked again: what is in the way
/// may be gone then, such as another process that has a disk open.
const REFUSALS: u32 = 5;
const AGAIN: Duration = Duration::from_secs(2);

/// Does what libvirt may refuse for what the machine is, as long as it is still wanted. What is refused again and
/// again only a person mends.
pub(super) async fn insist<F>(
    act: impl Fn() -> F,
    still_wanted: impl Fn() -> Result<(), FabricError>,
) -> Result<(), FabricError>
where
    F: Future<Output = Result<(), HostError>>,
{
    for _ in 1..REFUSALS {
        still_wanted()?;
        match act().await {
            Err(HostError::Failed { .. }) => tokio::time::sleep(AGAIN).await,
            other => return Ok(other?),
        }
    }
    still_wanted()?;
    act().await.map_err(|error| match error {
        HostError::Failed { .. } => terminal(
            error.to_string(),
            "look at the machine's description and at its host, then ask again",
        ),
        other => other.into(),
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::host::Task;

    fn task() -> Task {
        Task {
            host: "host-1".into(),
            doing: "start db-1".into(),
        }
    }

    async fn told(answers: &[fn() -> Result<(), HostError>]) -> (Result<(), FabricError>, usize) {
        let asked = Cell::new(0);
        let act = async || {
            let at = asked.get();
            asked.set(at + 1);
            answers[at.min(answers.len() - 1)]()
        };
        (insist(act, || Ok(())).await, asked.get())
    }

    #[tokio::test(start_paused = true)]
    async fn what_libvirt_refuses_again_and_again_is_a_persons() {
        // SPEC: FO-3
        let refused = || {
            let why = "unsupported configuration".to_owned();
            Err(HostError::Failed { task: task(), why })
        };
        let silent = || {
            let why = "closed".to_owned();
            Err(HostError::Unreachable { task: task(), why })
        };
        let (ended, asked) = told(&[refused]).await;
        let error = ended.unwrap_err();
        assert_eq!((error.class, asked), (ErrorClass::Terminal, 5));
        assert!(
            error.message.contains("unsupported configuration"),
            "{error}"
        );
        // What was in the way for a moment was not.
        assert_eq!(told(&[refused, || Ok(())]).await, (Ok(()), 2));
        // What is not wanted any more is not done.
        let asked = Cell::new(0);
        let act = async || {
            asked.set(asked.get() + 1);
            refused()
        };
        let wanted = || match asked.get() {
            0 | 1 => Ok(()),
            _ => Err(retryable("it was stopped", "")),
        };
        let ended = insist(act, wanted).await.unwrap_err();
        assert_eq!((ended.message.as_str(), asked.get()), ("it was stopped", 2));
        // A host that does not answer is asked by whoever asks next.
        let (ended, asked) = told(&[refused, silent]).await;
        assert_eq!(
            (ended.unwrap_err().class, asked),
            (ErrorClass::Retryable, 2)
        );
    }
}
