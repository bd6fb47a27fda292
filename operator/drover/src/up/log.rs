//! Logs: what the operator says to whoever runs it, on standard error.

use std::io::IsTerminal as _;

use super::screen::Screen;
use crate::failure::Failure;

/// Begins to log. `RUST_LOG`, where it is set, goes before what the command line says.
///
/// # Errors
/// When the filter makes no sense.
pub fn begin(filter: &str, screen: &Screen) -> Result<(), Failure> {
    let filter = crate::serve::filter(filter)?;
    let writer = screen.log();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && screen.is_terminal())
        .with_writer(move || writer.clone());
    // Another one may be there already, in tests: then that one is as good.
    drop(subscriber.try_init());
    Ok(())
}
