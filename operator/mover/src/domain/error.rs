//! Why a description is of no use.

use thiserror::Error;

/// Why a description is of no use.
#[derive(Debug, Error)]
pub enum DomainError {
    /// It is no XML.
    #[error("the description of the machine cannot be read at byte {at}: {why}")]
    Xml {
        /// Where.
        at: u64,
        /// What is wrong.
        why: String,
    },
    /// It describes something else.
    #[error("this describes a <{0}>, not a <domain>")]
    NotADomain(String),
    /// The machine has no such disk.
    #[error("the machine has no disk {target}")]
    NoDisk {
        /// What the guest knows it by.
        target: String,
    },
}
