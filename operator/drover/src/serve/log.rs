//! Logs: what the operator says to whoever runs it, on standard error.

use std::fmt::{self, Write as _};
use std::io::IsTerminal as _;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::{Log, LogFormat};
use crate::failure::Failure;

/// Begins to log. `RUST_LOG`, where it is set, goes before what the command line says.
///
/// # Errors
/// When the filter makes no sense.
pub fn begin(arguments: &Log) -> Result<(), Failure> {
    let filter = filter(&arguments.log_level)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Another one may be there already, in tests: then that one is as good.
    match arguments.log_format {
        LogFormat::Text => {
            let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            drop(subscriber.with_ansi(color).try_init());
        }
        LogFormat::Json => drop(subscriber.event_format(Json).try_init()),
    }
    Ok(())
}

/// What is logged.
///
/// # Errors
/// When the text makes no sense.
pub fn filter(text: &str) -> Result<EnvFilter, Failure> {
    let variable = std::env::var(EnvFilter::DEFAULT_ENV).ok();
    let variable = variable.filter(|text| !text.is_empty());
    let text = variable.as_deref().unwrap_or(text);
    EnvFilter::try_new(text).map_err(|error| Failure::Refused {
        what: format!("`{text}` is no filter for logs: {error}"),
        hint: "write a level such as info, or drover_control=debug,warn".to_owned(),
    })
}

/// An object on each line: `time`, `level`, `target`, `message`, and what the event names.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut line = fields.0;
        let metadata = event.metadata();
        line.insert("time".to_owned(), Timestamp::now().to_string().into());
        line.insert("level".to_owned(), metadata.level().as_str().into());
        line.insert("target".to_owned(), metadata.target().into());
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// What an event names.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing into memory does not fail.
        let _ = write!(text, "{value:?}");
        self.put(field, text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}
