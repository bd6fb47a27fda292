//! `drover run`: the operator for a cluster.

use crate::cli::Run;
use crate::exit::Exit;
use crate::failure::Failure;

/// Runs until it is told to end.
///
/// # Errors
/// When it cannot begin.
pub fn run(arguments: &Run) -> Result<Exit, Failure> {
    crate::serve::run(arguments)
}
