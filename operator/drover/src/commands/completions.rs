//! `drover completions`: what a shell needs to complete command lines.

use clap::CommandFactory as _;

use crate::cli::{Cli, Completions};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Prints completions.
///
/// # Errors
/// When they cannot be written.
pub fn run(arguments: &Completions, output: &mut Output) -> Result<Exit, Failure> {
    // Into memory first: the generator panics on a writer that fails.
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "drover", &mut text);
    output.data(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Fine)
}
