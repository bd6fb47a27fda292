//! `drover demo`: a self-contained demonstration.

use crate::cli::Demo;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Plays it.
///
/// # Errors
/// When something does not come to be so.
pub fn run(arguments: &Demo, output: &mut Output) -> Result<Exit, Failure> {
    crate::demo::run(arguments, output)
}
