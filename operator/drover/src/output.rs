//! Where everything that is said goes through: data to standard output, talk to standard error.
//!
//! Whoever reads may stop reading, as `head` does. That is no error and nothing is said about it; the
//! rest of the command is done and its exit code is the true one, because a pipeline may look at it.

use std::io::{self, BufWriter, IsTerminal, Stderr, StdoutLock, Write};

use crate::failure::Failure;
use crate::text::{Style, wrapped};

/// When colour is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless the environment variable `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Columns where nothing says how many there are.
const USUAL_WIDTH: usize = 80;

/// Standard output, held for the whole command, and standard error.
#[derive(Debug)]
pub struct Output {
    data: BufWriter<UntilClosed<StdoutLock<'static>>>,
    // Not locked: other threads write logs there while a command goes on.
    talk: Stderr,
    data_style: Style,
    talk_style: Style,
}

impl Output {
    /// Takes hold of them.
    pub fn new(color: Color) -> Self {
        let (stdout, stderr) = (io::stdout().lock(), io::stderr());
        let (width, talk_width) = (width(&stdout), width(&stderr));
        Self {
            data_style: Style::new(is_colored(color, &stdout), width),
            talk_style: Style::new(is_colored(color, &stderr), talk_width),
            data: BufWriter::with_capacity(64 * 1024, UntilClosed::new(stdout)),
            talk: stderr,
        }
    }

    /// How data is to look.
    pub fn data_style(&self) -> Style {
        self.data_style
    }

    /// How talk is to look.
    pub fn talk_style(&self) -> Style {
        self.talk_style
    }

    /// Data, as it is.
    pub fn data(&mut self, text: &str) -> Result<(), Failure> {
        self.data
            .write_all(text.as_bytes())
            .map_err(Failure::Output)
    }

    /// A report for programs.
    pub fn json(&mut self, report: &impl serde::Serialize) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.data, report)
            .map_err(io::Error::from)
            .and_then(|()| self.data.write_all(b"\n"))
            .map_err(Failure::Output)
    }

    /// The same as YAML.
    pub fn yaml(&mut self, report: &impl serde::Serialize) -> Result<(), Failure> {
        self.data(&to_yaml(report)?)
    }

    /// Whether whoever read data went away: then there is no reason to go on watching.
    pub fn is_closed(&self) -> bool {
        self.data.get_ref().closed
    }

    /// A line of talk. When even that cannot be written there is nobody to tell.
    pub fn talk(&mut self, line: &str) {
        // On a terminal both are one page: what came first stays first.
        let _ = self.data.flush();
        let _ = writeln!(self.talk, "{line}");
    }

    /// Talk behind a word that is painted, folded to the width of the terminal.
    pub fn say(&mut self, head: &str, paint: impl Fn(Style, &str) -> String, text: &str) {
        let style = self.talk_style;
        let folded = wrapped(&format!("{head} {text}"), style.width(), "", "  ");
        let rest = folded.strip_prefix(head).unwrap_or(&folded);
        self.talk(&format!("{}{rest}", paint(style, head)));
    }

    /// Why the command could not be done.
    pub fn failure(&mut self, failure: &Failure) {
        let style = self.talk_style;
        self.talk(&format!("{} {failure}", style.bad("error:")));
        for cause in failure.causes() {
            self.talk(&format!("{} {cause}", style.strong("cause:")));
        }
        if let Some(hint) = failure.hint() {
            self.talk(&format!("{} {hint}", style.strong("hint:")));
        }
    }

    /// Leaves nothing in the buffer.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.data.flush().map_err(Failure::Output)
    }
}

/// A value as YAML that ends with a newline.
pub fn to_yaml(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_yaml::to_string(value).map_err(|error| Failure::Output(io::Error::other(error)))
}

fn is_colored(color: Color, stream: &impl IsTerminal) -> bool {
    let refused = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => stream.is_terminal() && !refused() && !dumb(),
    }
}

/// The columns of a terminal; elsewhere those that `COLUMNS` asks for, or the usual number.
fn width(stream: &impl IsTerminal) -> usize {
    if stream.is_terminal()
        && let Some((terminal_size::Width(columns), _)) = terminal_size::terminal_size()
        && columns > 0
    {
        return columns.into();
    }
    std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
        .filter(|columns| *columns > 0)
        .unwrap_or(USUAL_WIDTH)
}

/// A writer whose reader may go away.
#[derive(Debug)]
struct UntilClosed<W> {
    inner: W,
    closed: bool,
}

impl<W: Write> UntilClosed<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            closed: false,
        }
    }

    fn unless_closed<T>(&mut self, result: io::Result<T>, instead: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(instead)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for UntilClosed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closed {
            return Ok(bytes.len());
        }
        let result = self.inner.write(bytes);
        self.unless_closed(result, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let result = self.inner.flush();
        self.unless_closed(result, ())
    }
}
