//! `drover completions`: what a shell needs to complete command lines.

use std::ffi::OsString;

use clap::CommandFactory as _;

use crate::cli::{Cli, Completions};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// What `kubectl` asks of a plugin to complete its command line: the candidates, a line each with what they
/// are, and then what the shell should do besides. The last argument is the word that is being typed.
///
/// # Errors
/// When they cannot be written.
pub fn for_kubectl(
    arguments: impl Iterator<Item = OsString>,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let words: Vec<OsString> = std::iter::once("drover".into()).chain(arguments).collect();
    let last = words.len() - 1;
    let mut command = Cli::command();
    let here = std::env::current_dir().ok();
    let found = clap_complete::engine::complete(&mut command, words, last, here.as_deref());
    for candidate in found.unwrap_or_default() {
        let value = candidate.get_value().to_string_lossy();
        let help = candidate.get_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let about = help.lines().next().unwrap_or_default();
        output.data(&format!("{value}\t{about}\n"))?;
    }
    output.data(&format!(":{NO_FILES}\n"))?;
    Ok(Exit::Fine)
}

/// The candidates are all there is: files are among them where a file may stand.
const NO_FILES: u8 = 4;

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
