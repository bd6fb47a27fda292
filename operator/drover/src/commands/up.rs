//! `drover up`: everything in one process.

use crate::cli::Up;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Runs until it is told to end.
///
/// # Errors
/// When it cannot begin, or cannot keep what it must.
pub fn run(arguments: &Up, output: &mut Output) -> Result<Exit, Failure> {
    crate::up::run(arguments, output)
}
