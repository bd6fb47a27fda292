//! `drover version`: which version of the program speaks which version of the API.
//!
//! For programs: `{ "apiVersion": "drover.dev/v1alpha1", "kind": "Version", "version": "0.1.0" }`.

use serde::Serialize;

use crate::cli::{Version, VersionFormat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::report::Report;

#[derive(Debug, Serialize)]
struct Body {
    version: &'static str,
}

/// Prints the version.
///
/// # Errors
/// When it cannot be written.
pub fn run(arguments: &Version, output: &mut Output) -> Result<Exit, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    match arguments.format {
        VersionFormat::Text => {
            output.data(&format!("drover {version} ({})\n", drover_api::API_VERSION))?;
        }
        VersionFormat::Json => output.json(&Report::new("Version", Body { version }))?,
    }
    Ok(Exit::Fine)
}
