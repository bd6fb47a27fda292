//! A review as a comment on a pull request: short first, details folded, never longer than a forge takes.
//!
//! The first line is a comment that nobody sees. By it a tool finds the comment that it wrote before and
//! updates it, instead of adding one at every push.

use std::fmt::Write as _;

use drover_engine::review::Class;
use drover_manifest::Diagnostic;

use super::judged::{Judged, Placed};
use super::words;
use crate::plans::markdown::{MOST_BYTES, code, prose, unmarked};
use crate::text::count;

/// Begins the comment.
pub const MARKER: &str = "<!-- drover diff -->\n";

/// Room for the lines that close what was opened, and say how much was left out.
const ROOM: usize = 600;
/// Meanings of a class that are read before it is folded.
const OPEN: usize = 12;

/// What goes around a review.
pub struct Around<'a> {
    /// What was compared with, and what was looked at.
    pub sides: [&'a str; 2],
    /// What the policy does not allow.
    pub against: &'a [String],
    /// The plain difference, where it was asked for.
    pub plain: Option<&'a str>,
}

/// The comment.
pub fn comment(judged: &Judged, around: &Around<'_>) -> String {
    let foot = foot(judged, around);
    let mut page = Page {
        text: format!("{MARKER}### Drover: {}\n", unmarked(&words::tally(judged))),
        most: MOST_BYTES - foot.len() - ROOM,
        left_out: 0,
    };
    against(&mut page, around.against);
    problems(&mut page, "New problems", &judged.new_problems);
    for class in Class::ALL {
        section(&mut page, judged, class);
    }
    problems(&mut page, "Problems that are gone", &judged.gone_problems);
    let mut text = page.text;
    if page.left_out > 0 {
        let more = count(page.left_out, "more thing");
        let _ = writeln!(
            text,
            "\n**{more} had no room here:** `drover diff` shows all of it."
        );
    }
    if let Some(plain) = around.plain.filter(|plain| !plain.is_empty()) {
        folded_diff(&mut text, plain, MOST_BYTES - foot.len());
    }
    text.push_str(&foot);
    text
}

/// The comment where the texts of a side are wrong.
pub fn refusal(which: &str, name: &str, problems: &[Diagnostic]) -> String {
    let mut page = Page {
        text: format!(
            "{MARKER}### Drover: {which} cannot be read\n\n{} has errors, so it cannot be said what this \
             change means.\n",
            unmarked(name)
        ),
        most: MOST_BYTES - ROOM,
        left_out: 0,
    };
    self::problems(&mut page, "Problems", problems);
    if page.left_out > 0 {
        let more = count(page.left_out, "more problem");
        let _ = writeln!(page.text, "\n{more}: `drover validate` shows all.");
    }
    page.text
}

/// Text that is not longer than it may be.
struct Page {
    text: String,
    most: usize,
    left_out: usize,
}

impl Page {
    /// A piece, where there is room for all of it.
    fn add(&mut self, piece: &str) -> bool {
        let fits = self.text.len() + piece.len() <= self.most;
        if fits {
            self.text.push_str(piece);
        } else {
            self.left_out += 1;
        }
        fits
    }
}

fn against(page: &mut Page, against: &[String]) {
    if against.is_empty() {
        return;
    }
    page.add("\n**The review policy does not allow this:**\n\n");
    for why in against {
        page.add(&format!("- {}\n", unmarked(why)));
    }
}

fn section(page: &mut Page, judged: &Judged, class: Class) {
    let number = judged.count(class);
    if number == 0 {
        return;
    }
    let heading = match class {
        Class::Refused => "The API refuses it",
        Class::WouldRun => "What would happen",
        Class::LosesProtection => "Loses protection",
        Class::WeakensSafety => "Weakens safety",
        Class::WorsensObjectives => "Takes longer or loses more",
        Class::Harmless => "Harmless",
    };
    let folds = class == Class::Harmless || number > OPEN;
    let (open, close) = if folds {
        (
            format!("\n<details><summary>{heading} ({number})</summary>\n\n"),
            "\n</details>\n",
        )
    } else {
        (format!("\n#### {heading}\n\n"), "")
    };
    if !page.add(&open) {
        page.left_out += number - 1;
        return;
    }
    for object in words::by_object(judged.of_class(class)) {
        for placed in object {
            page.add(&meaning(placed));
        }
    }
    page.text.push_str(close);
}

/// One thing that is meant: a line, and what follows from it below.
fn meaning(placed: &Placed) -> String {
    let meaning = &placed.meaning;
    let object = code(&meaning.object.to_string());
    let message = unmarked(&meaning.message);
    let message = if meaning.class == Class::WouldRun {
        format!("**{message}**")
    } else {
        message
    };
    let mut text = format!("- {object}: {message}\n");
    for effect in &meaning.effects {
        let _ = writeln!(text, "  - {}", unmarked(effect));
    }
    text
}

fn problems(page: &mut Page, title: &str, problems: &[Diagnostic]) {
    if problems.is_empty() {
        return;
    }
    page.add(&format!("\n#### {title}\n\n"));
    for problem in problems {
        let place = problem.place.as_ref().map(|place| {
            let start = place.start;
            let place = format!("{}:{}:{}", place.file, start.line, start.column);
            format!("{}: ", code(&place))
        });
        let place = place.unwrap_or_default();
        let hint = problem
            .hint
            .as_ref()
            .map(|hint| format!(". Hint: {}", prose(hint)));
        let hint = hint.unwrap_or_default();
        let severity = problem.severity;
        page.add(&format!(
            "- {place}{severity}: {}{hint}\n",
            prose(&problem.message)
        ));
    }
}

/// The plain difference, as much of it as there is room for.
fn folded_diff(text: &mut String, plain: &str, most: usize) {
    // More backticks than any line of it can begin with.
    let fence = "`".repeat(longest_ticks(plain).max(2) + 1);
    let open = format!("\n<details><summary>The texts</summary>\n\n{fence}diff\n");
    let close = format!("{fence}\n\n</details>\n");
    let cut = "… the rest has no room here\n";
    let room = most.saturating_sub(text.len() + open.len() + close.len() + cut.len());
    text.push_str(&open);
    let mut used = 0;
    for line in plain.split_inclusive('\n') {
        used += line.len();
        if used > room {
            text.push_str(cut);
            break;
        }
        text.push_str(line);
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&close);
}

fn longest_ticks(text: &str) -> usize {
    text.split(|each| each != '`')
        .map(str::len)
        .max()
        .unwrap_or(0)
}

fn foot(judged: &Judged, around: &Around<'_>) -> String {
    let [base, head] = around.sides;
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "\n<sub>{} → {}: {}. What {} declares is taken to be so, no site was asked. drover {version}</sub>\n",
        unmarked(base),
        unmarked(head),
        unmarked(&words::compared(judged)),
        unmarked(base),
    )
}
