//! `drover diff`: what a change of manifests means (RD-3).

use crate::cli::{Diff, DiffFormat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::formats::Finding;
use crate::output::Output;
use crate::reviews::input::{self, Both};
use crate::reviews::judged::{self, Judged, Outcome, Unreadable};
use crate::reviews::markdown::{self, Around};
use crate::reviews::policy::Policy;
use crate::reviews::{findings, plain, report, text, words};
use crate::text::wrapped;

/// Says what a change means.
///
/// # Errors
/// When a side or the policy cannot be read, or there is nothing of Drover's in either side.
pub fn run(arguments: &Diff, output: &mut Output) -> Result<Exit, Failure> {
    let policy = Policy::of(arguments.policy.as_deref(), arguments.fail_on)?;
    let both = input::read(&arguments.base, arguments.head.as_deref(), &arguments.paths)?;
    passed_over(&both, output);
    match judged::judge(&both, arguments.now())? {
        Outcome::Judged(judged) => show(arguments, &both, &judged, &policy, output),
        Outcome::Unreadable(side) => wrong(arguments, &both, &side, output),
    }
}

/// The same file may be passed over on both sides; once is enough.
fn passed_over(both: &Both, output: &mut Output) {
    let style = output.talk_style();
    let head = both.head.passed.iter();
    let base = both
        .base
        .passed
        .iter()
        .filter(|passed| !both.head.passed.contains(passed));
    for passed in head.chain(base) {
        let note = style.strong("note:");
        output.talk(&format!("{note} {passed}, and was not read"));
    }
}

fn show(
    arguments: &Diff,
    both: &Both,
    judged: &Judged,
    policy: &Policy,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let against = policy.against(judged);
    // A forge gets the text as it is; a person at a terminal in colour.
    let style = match arguments.format {
        DiffFormat::Text => output.data_style(),
        _ => output.data_style().plain(),
    };
    let plain = arguments
        .texts
        .then(|| plain::difference(both, &judged.ours, style));
    match arguments.format {
        DiffFormat::Text => {
            output.data(&text::render(judged, output.data_style()))?;
            if let Some(plain) = plain.filter(|plain| !plain.is_empty()) {
                let space = if judged.is_silent() { "" } else { "\n" };
                output.data(&format!("{space}{plain}"))?;
            }
        }
        DiffFormat::Json => {
            output.json(&report::of(both, judged, &against, plain.as_deref()))?;
        }
        DiffFormat::Markdown => {
            let around = Around {
                sides: [&both.base.name, &both.head.name],
                against: &against,
                plain: plain.as_deref(),
            };
            output.data(&markdown::comment(judged, &around))?;
        }
        DiffFormat::Sarif => super::sarif(&findings::of(judged, policy), output)?,
    }
    talk(both, judged, &against, output);
    Ok(exit(judged, &against))
}

fn talk(both: &Both, judged: &Judged, against: &[String], output: &mut Output) {
    for why in against {
        output.say("not allowed:", |style, head| style.bad(head), why);
    }
    let (base, head) = (&both.base.name, &both.head.name);
    let (tally, compared) = (words::tally(judged), words::compared(judged));
    let line = format!("{base} → {head}: {tally} ({compared})");
    output.talk(&wrapped(&line, output.talk_style().width(), "", "  "));
}

fn exit(judged: &Judged, against: &[String]) -> Exit {
    if judged.is_wrong() || !against.is_empty() {
        Exit::Wrong
    } else if judged.is_notable() {
        Exit::Seen
    } else {
        Exit::Fine
    }
}

/// A side that cannot be read is not compared. The problems are the answer, in the form that was asked
/// for; as text they are talk, so that whoever reads standard output gets a review or nothing.
fn wrong(
    arguments: &Diff,
    both: &Both,
    side: &Unreadable<'_>,
    output: &mut Output,
) -> Result<Exit, Failure> {
    match arguments.format {
        DiffFormat::Text => {
            let problems = super::shown(&side.findings, &side.manifests, output.talk_style());
            output.talk(&problems);
        }
        DiffFormat::Json => output.json(&report::unreadable(both, side))?,
        DiffFormat::Markdown => {
            let problems = &side.findings.problems;
            output.data(&markdown::refusal(side.which, side.name, problems))?;
        }
        DiffFormat::Sarif => {
            let problems = side.findings.problems.iter();
            let problems: Vec<Finding> = problems.map(Finding::from).collect();
            super::sarif(&problems, output)?;
        }
    }
    Err(Failure::UnreadableSide {
        which: side.which,
        name: side.name.to_owned(),
        summary: super::summary(&side.findings),
    })
}
