//! Where a person looks on: lines, and on a terminal a small status below them that is drawn anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::story::{Line, Mood, Story};
use crate::output::Output;
use crate::text::{Style, wrapped};

/// Plans that have a row of their own: the rest of a screen is for lines.
const MOST_ROWS: usize = 8;

/// Lines, and a status below them.
#[derive(Debug)]
pub struct Screen {
    bars: Option<MultiProgress>,
    rows: BTreeMap<String, ProgressBar>,
    style: Style,
}

impl Screen {
    /// For whoever reads standard error.
    pub fn new(output: &Output) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let bars = (io::stderr().is_terminal() && !dumb).then(MultiProgress::new);
        Self {
            bars,
            rows: BTreeMap::new(),
            style: output.talk_style(),
        }
    }

    /// Whether a person looks on.
    pub fn is_terminal(&self) -> bool {
        self.bars.is_some()
    }

    /// A line with its time before it.
    pub fn say(&self, output: &mut Output, time: &str, line: &Line) {
        let line = self.fitted(time, line);
        let text = painted(self.style, &line);
        let text = format!("{} {text}", self.style.faint(time));
        self.over(|| output.talk(&text));
    }

    /// A line as wide as a terminal, below itself where it is longer; elsewhere lines stay whole.
    fn fitted(&self, time: &str, line: &Line) -> Line {
        if !self.is_terminal() {
            return line.clone();
        }
        let indent = " ".repeat(time.len() + 1);
        let text = wrapped(&line.text, self.style.width(), &indent, &indent);
        Line::new(line.mood, text.trim())
    }

    /// Text as it is.
    pub fn talk(&self, output: &mut Output, text: &str) {
        self.over(|| output.talk(text));
    }

    fn over(&self, write: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    /// Draws the plans as they stand.
    pub fn show(&mut self, story: &Story) {
        let Some(bars) = &self.bars else { return };
        self.rows.retain(|name, row| {
            let stays = story.plans().contains_key(name);
            if !stays {
                row.finish_and_clear();
            }
            stays
        });
        for (name, plan) in story.plans().iter().take(MOST_ROWS) {
            let row = self.rows.entry(name.clone()).or_insert_with(|| {
                let bar = bars.add(ProgressBar::new(1));
                if let Ok(style) = ProgressStyle::with_template("{prefix:.bold}  {wide_msg}") {
                    bar.set_style(style);
                }
                bar.set_prefix(name.clone());
                bar
            });
            let mut words = format!("at {}", plan.actual);
            if let Some(run) = &plan.run {
                let cells = bar(plan.done, plan.total);
                let _ = write!(words, "  {cells} {}/{}  {run}", plan.done, plan.total);
            }
            row.set_message(words);
        }
    }

    /// Takes the status away.
    pub fn clear(&mut self) {
        for row in std::mem::take(&mut self.rows).into_values() {
            row.finish_and_clear();
        }
    }

    /// Where logs go, so that they do not tear the status apart.
    pub fn log(&self) -> LogWriter {
        LogWriter {
            bars: self.bars.clone(),
        }
    }
}

/// A line in the colour of its mood.
pub fn painted(style: Style, line: &Line) -> String {
    match line.mood {
        Mood::Plain => line.text.clone(),
        Mood::Good => style.good(&line.text),
        Mood::Notable => style.notable(&line.text),
        Mood::Bad => style.bad(&line.text),
    }
}

/// Cells of a bar: what is left of a narrow line is for words.
const CELLS: u64 = 12;

fn bar(done: u64, total: u64) -> String {
    let full = done.saturating_mul(CELLS).checked_div(total).unwrap_or(0);
    (0..CELLS)
        .map(|cell| if cell < full { '█' } else { '░' })
        .collect()
}

/// Standard error, with the status out of the way.
#[derive(Clone, Debug)]
pub struct LogWriter {
    bars: Option<MultiProgress>,
}

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.bars {
            Some(bars) => bars.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done() {
        assert_eq!(bar(0, 12), "░".repeat(12));
        assert_eq!(bar(6, 12), "██████░░░░░░");
        assert_eq!(bar(12, 12), "█".repeat(12));
        assert_eq!(bar(0, 0), "░".repeat(12));
    }
}
