//! Plans as a comment on a pull request: short first, details folded, never longer than a forge takes.
//!
//! The first line is a comment that nobody sees. By it a tool finds the comment that it wrote before
//! and updates it, instead of adding one at every push.

use std::fmt::Write as _;

use drover_engine::plan::{CriticalStep, GroupReport};
use drover_manifest::Diagnostic;

use super::limits::{Limits, shown};
use super::survey::{Laid, Row, Standing};
use super::words;
use crate::text::{count, elided, thousands};

/// GitHub refuses a comment of 65,536 characters. Bytes are at least as many as characters, and the
/// rest is room for a line that a tool adds.
pub const MOST_BYTES: usize = 65_000;

/// Begins the comment.
const MARKER: &str = "<!-- drover plan -->\n";

/// Rows of the table of plans.
const ROWS: usize = 50;
/// Problems that are listed.
const PROBLEMS: usize = 50;
/// The longest cell. Names of 253 characters are allowed, tables of them are not read.
const CELL: usize = 160;

/// The comment for plans. `details` may be fewer than the rows; they are left out from the end where
/// there is no room.
pub fn comment(rows: &[Row], details: &[Laid], warnings: usize) -> String {
    let mut text = format!("{MARKER}### Drover: {}\n\n", words::tally(rows));
    table(&mut text, rows);
    if warnings > 0 {
        let warnings = count(warnings, "warning");
        let _ = writeln!(text, "\n{warnings}: `drover validate` shows them.");
    }
    let foot = foot(rows);
    let mut left_out = rows.len() - details.len().min(rows.len());
    for laid in details {
        let block = block(laid);
        // A line that says how many were left out is far below 200 bytes.
        if text.len() + block.len() + foot.len() + 200 > MOST_BYTES {
            left_out += 1;
        } else {
            text.push_str(&block);
        }
    }
    if left_out > 0 {
        let plans = count(left_out, "plan");
        let _ = writeln!(
            text,
            "\n{plans} without details: `drover plan --plan NAMESPACE/NAME` shows them."
        );
    }
    text.push_str(&foot);
    text
}

/// The comment for manifests that are wrong.
pub fn refusal(problems: &[Diagnostic], summary: &str) -> String {
    let mut text = format!(
        "{MARKER}### Drover: the manifests are wrong\n\n{}\n\n",
        escaped(summary)
    );
    let errors = problems.iter().filter(|each| each.is_error());
    let total = errors.clone().count();
    let mut listed = 0;
    for problem in errors.take(PROBLEMS) {
        let line = problem_line(problem);
        if text.len() + line.len() + 200 > MOST_BYTES {
            break;
        }
        text.push_str(&line);
        listed += 1;
    }
    if total > listed {
        let _ = writeln!(
            text,
            "\n{} more: `drover validate` shows all.",
            thousands(total - listed)
        );
    }
    text
}

fn problem_line(problem: &Diagnostic) -> String {
    let place = problem.place.as_ref().map(|place| {
        let start = place.start;
        format!(
            "{}: ",
            code(&format!("{}:{}:{}", place.file, start.line, start.column))
        )
    });
    let place = place.unwrap_or_default();
    let hint = problem
        .hint
        .as_ref()
        .map(|hint| format!(". Hint: {}", prose(hint)));
    let hint = hint.unwrap_or_default();
    format!("- {place}{}{hint}\n", prose(&problem.message))
}

fn table(text: &mut String, rows: &[Row]) {
    text.push_str("| plan | run | way | type | machines | RTO | RPO |\n");
    text.push_str("| --- | --- | --- | --- | ---: | --- | --- |\n");
    for row in rows.iter().take(ROWS) {
        let run = match row.standing() {
            Standing::Starts => "**starts**",
            Standing::Held => "held",
            Standing::Stays => "-",
        };
        let plus = if row.open { "+" } else { "" };
        let (rto, rpo) = (&row.forecast.rto, &row.forecast.rpo);
        let rto = words::of_objective(&rto.expected, rto.objective.as_ref());
        let rpo = rpo.expected.as_ref().map_or("?".to_owned(), |expected| {
            words::of_objective(expected, rpo.limit.as_ref())
        });
        let cells = [
            code(&row.plan.to_string()),
            run.to_owned(),
            escaped(&words::way(row)),
            words::kind(row).to_owned(),
            format!("{}{plus}", thousands(row.machines)),
            missed(rto),
            missed(rpo),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let more = rows.len().saturating_sub(ROWS);
    if more > 0 {
        let _ = writeln!(text, "\n… and {}.", count(more, "more plan"));
    }
}

fn missed(text: String) -> String {
    if text.ends_with("missed") {
        format!("**{text}**")
    } else {
        text
    }
}

/// One plan, folded.
fn block(laid: &Laid) -> String {
    let (row, limits) = (&laid.row, Limits::USUAL);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\n<details><summary>{}: {}</summary>\n",
        escaped(&row.plan.to_string()),
        escaped(&words::standing(row)),
    );
    for why in words::why(row) {
        // Two spaces end a line.
        let _ = writeln!(text, "{}  ", prose(&why));
    }
    if row.preview {
        let _ = writeln!(
            text,
            "\nPreview of {}, {}:",
            words::a_what(row),
            escaped(&words::way(row)),
        );
    }
    text.push_str("\n| | |\n| --- | --- |\n");
    for fact in words::facts(laid) {
        let _ = writeln!(text, "| {} | {} |", fact.name, escaped(&fact.text));
    }
    let (stop, start) = (&laid.report.stop_order, &laid.report.start_order);
    for (name, order) in [("stop order", stop), ("start order", start)] {
        let order = elided(order, limits.names);
        let order = if order.is_empty() {
            "nothing is stopped".to_owned()
        } else {
            order
        };
        let _ = writeln!(text, "| {name} | {} |", escaped(&order));
    }
    let _ = writeln!(text, "| digest | {} |", escaped(&words::digest(laid)));
    groups(&mut text, laid, limits);
    critical(&mut text, laid, limits);
    for note in words::notes(&laid.report).iter().take(limits.notes) {
        let _ = writeln!(text, "- {}", prose(note));
    }
    text.push_str("\n</details>\n");
    text
}

fn groups(text: &mut String, laid: &Laid, limits: Limits) {
    text.push_str("\n| wave | group | machines | waits for | starts at | healthy at | actions |\n");
    text.push_str("| ---: | --- | ---: | --- | ---: | ---: | --- |\n");
    let mut groups: Vec<_> = laid.report.groups.iter().collect();
    groups.sort_by_key(|group| group.wave);
    let (first, left_out, last) = shown(groups.len(), limits.groups);
    let line = |group: &&GroupReport| {
        format!(
            "| {} | {} | {} | {} | {} | {} | {} |\n",
            group.wave,
            escaped(group.name.as_str()),
            words::machines_of(group),
            escaped(&words::waits_for(group)),
            group.enter.start,
            group.enter.end,
            escaped(&words::actions(group)),
        )
    };
    text.extend(groups[first].iter().map(line));
    if left_out > 0 {
        let _ = writeln!(text, "| | … {} more | | | | | |", thousands(left_out));
    }
    text.extend(groups[last].iter().map(line));
}

fn critical(text: &mut String, laid: &Laid, limits: Limits) {
    text.push_str("\n| at | takes | critical path |\n| ---: | ---: | --- |\n");
    let steps = words::critical(&laid.report);
    let (first, left_out, last) = shown(steps.len(), limits.steps);
    let line = |step: &&CriticalStep| {
        format!(
            "| {} | {} | {} |\n",
            step.at,
            step.length,
            escaped(&words::step(step))
        )
    };
    text.extend(steps[first].iter().map(line));
    if left_out > 0 {
        let _ = writeln!(text, "| | | … {} more steps |", thousands(left_out));
    }
    text.extend(steps[last].iter().map(line));
    text.push('\n');
}

fn foot(rows: &[Row]) -> String {
    let assumed = rows.iter().any(|row| row.outlook.assumed);
    let where_they_are = if assumed {
        " Machines are assumed to be at their primary sites."
    } else {
        ""
    };
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "\n<sub>From the manifests alone, no site was asked.{where_they_are} drover {version}</sub>\n"
    )
}

/// Text that neither ends a cell nor begins markup, and is not longer than a cell should be.
pub fn escaped(text: &str) -> String {
    match text.char_indices().nth(CELL) {
        Some((end, _)) => format!("{}…", unmarked(&text[..end])),
        None => unmarked(text),
    }
}

/// Text that begins no markup.
pub fn unmarked(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for each in text.chars() {
        match each {
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' => {
                escaped.push('\\');
                escaped.push(each);
            }
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // A comment must not call people.
            '@' => escaped.push_str("&#64;"),
            _ if each.is_control() => escaped.push(' '),
            _ => escaped.push(each),
        }
    }
    escaped
}

/// A sentence of Drover's, in which names stand between backticks.
pub fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return escaped(text);
    }
    let part = |(position, part): (usize, &&str)| {
        if position % 2 == 1 {
            code(part)
        } else {
            escaped(part)
        }
    };
    parts.iter().enumerate().map(part).collect()
}

/// Text as code. It cannot be escaped in there, so what would end it is replaced.
pub fn code(text: &str) -> String {
    let inner: String = text
        .chars()
        .map(|each| match each {
            '`' => '\'',
            '|' => '/',
            _ if each.is_control() => ' ',
            _ => each,
        })
        .collect();
    format!("`{inner}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_people_is_no_markup() {
        assert_eq!(
            escaped("a|b <b>*x*</b>\n@all"),
            "a\\|b &lt;b&gt;\\*x\\*&lt;/b&gt; &#64;all"
        );
        assert_eq!(escaped(&"x".repeat(500)).chars().count(), CELL + 1);
        assert_eq!(code("a`b|c"), "`a'b/c`");
        assert_eq!(prose("no `a_b` in <c>"), "no `a_b` in &lt;c&gt;");
        assert_eq!(prose("`a_b"), "\\`a\\_b");
    }
}
