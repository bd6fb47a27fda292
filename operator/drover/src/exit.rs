//! How a command ends.

use std::process::ExitCode;

/// How a command ends; the same for all of them, so that a pipeline needs to learn it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine,
    /// It could not be done, or what was read is wrong.
    Wrong,
    /// It was done, and there is something to see.
    Seen,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Wrong => 1,
            Exit::Seen => 2,
        })
    }
}
