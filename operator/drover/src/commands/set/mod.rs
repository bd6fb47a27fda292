//! `drover set`: one line of a plan's manifest is changed where it stands.
//!
//! The diff is the data of this command. What was changed, what it would do and what comes next is
//! talk. A file is written when the result was read and checked again: it must be the plan with that
//! one field set, next to the same objects as before, and without problems that were not there before.

mod committed;
mod wish;

use drover_api::common::SiteRole;
use drover_api::{Object, RecoveryPlanSpec};
use drover_engine::declared::Declared;
use drover_engine::members::declared_inventories;
use drover_engine::plan::{Authority, Places, Planner, Records, Verdict};
use drover_manifest::{Diagnostic, Edited, Origin, code, set};
use drover_world::PlanId;
use jiff::Timestamp;

use super::{read, shown};
use crate::atomically;
use crate::cli::{Field, Set, Where};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::File;
use crate::manifests::{Findings, Manifests};
use crate::output::Output;
use crate::plans::select::select;
use crate::plans::survey::{self, Question, Row, Standing};
use crate::plans::words;
use crate::text::unified;
use wish::{Reviewed, Wish, wish};

/// The plan that is meant, and what is known before anything is changed.
struct Found {
    id: PlanId,
    origin: Origin,
    /// Which of the objects it is.
    index: usize,
    objects: Vec<Object>,
    spec: RecoveryPlanSpec,
    errors: Vec<Diagnostic>,
}

/// Changes a line of a manifest.
///
/// # Errors
/// When there is no such plan, it cannot be changed in its text, or a file cannot be read or written.
pub fn run(arguments: &Set, output: &mut Output) -> Result<Exit, Failure> {
    let place = place(&arguments.field);
    let (paths, now) = (place.paths(), place.now());
    if paths.iter().any(|path| path.as_os_str() == "-") {
        return Err(Failure::Refused {
            what: "standard input cannot be changed where it stands".to_owned(),
            hint: "name the file with -f".to_owned(),
        });
    }
    let mut files = read(&paths, output)?;
    let Some(found) = find(&files, &place.plan, now, output)? else {
        return Ok(Exit::Wrong);
    };
    let wish = wish(&arguments.field, &found.id, &found.spec, now)?;
    let number = found.origin.source as usize;
    let name = files[number].name.clone();
    let edited = edit(&files[number], &found, &wish)?;
    if edited.text == files[number].text {
        // That it is written is not that it is right: a reviewed run may be another by now.
        if wish.reviewed.is_some() && judge(&files, &found, &wish, now, output)?.is_none() {
            return Ok(Exit::Wrong);
        }
        let id = &found.id;
        output.talk(&format!("{name}: {} of {id} is so already", wish.field));
        return Ok(Exit::Fine);
    }
    let old = std::mem::replace(&mut files[number].text, edited.text);
    let Some(then) = judge(&files, &found, &wish, now, output)? else {
        return Ok(Exit::Wrong);
    };
    let new = &files[number].text;
    let (old_text, new_text) = (String::from_utf8_lossy(&old), String::from_utf8_lossy(new));
    let style = output.data_style();
    output.data(&unified(&name, Some(&old_text), Some(&new_text), style))?;
    if !place.dry_run {
        atomically::replace(name.as_ref(), &old, new)?;
    }
    tell(&name, &found, &wish, &then, place.dry_run, output);
    Ok(Exit::Fine)
}

fn place(field: &Field) -> &Where {
    match field {
        Field::ActiveSite(wanted) => &wanted.place,
        Field::FailoverType(wanted) => &wanted.place,
        Field::RecoveryPoint(wanted) => &wanted.place,
        Field::PlanDigest(wanted) => &wanted.place,
    }
}

/// The plan of this name; nothing where texts that cannot be read may hold it, which was said.
fn find(
    files: &[File],
    name: &str,
    now: Timestamp,
    output: &mut Output,
) -> Result<Option<Found>, Failure> {
    let manifests = Manifests::load(files)?;
    several(&manifests, name)?;
    let declared = Declared::new(&manifests.objects);
    let id = match select(&declared, &[name.to_owned()]) {
        Ok(mut ids) => ids.remove(0),
        Err(failure) => match manifests.unreadable() {
            None => return Err(failure),
            Some(findings) => {
                output.failure(&failure);
                output.talk(&shown(&findings, &manifests, output.talk_style()));
                return Ok(None);
            }
        },
    };
    let findings = manifests.check(&declared, &declared_inventories(&declared), now);
    declared_once(&findings, &id)?;
    let is = |object: &Object| matches!(object, Object::RecoveryPlan(_)) && names(object, &id);
    let index = manifests.objects.iter().position(is);
    let found = index.and_then(|index| Some((index, manifests.origin(index)?)));
    let (Some((index, origin)), Some(entry)) = (
        found,
        declared
            .plans
            .get(&(id.namespace.as_str(), id.name.as_str())),
    ) else {
        return Err(Failure::NoSuchPlan {
            name: name.to_owned(),
            hint: String::new(),
        });
    };
    let spec = entry.object.spec.clone();
    let errors = errors(&findings);
    Ok(Some(Found {
        id,
        origin,
        index,
        spec,
        errors,
        objects: manifests.objects,
    }))
}

/// Refuses a name that fits several plans, and says where they are.
fn several(manifests: &Manifests<'_>, name: &str) -> Result<(), Failure> {
    let fits = |object: &Object| {
        let whole = format!(
            "{}/{}",
            object.namespace().unwrap_or_default(),
            object.name()
        );
        object.kind() == "RecoveryPlan" && (object.name() == name || whole == name)
    };
    let plans = manifests
        .objects
        .iter()
        .enumerate()
        .filter(|(_, object)| fits(object));
    let places: Vec<String> = plans
        .filter_map(|(index, object)| {
            let origin = manifests.origin(index)?;
            let file = manifests.sources.get(origin.source as usize)?.name;
            let namespace = object.namespace().unwrap_or_default();
            Some(format!(
                "{namespace}/{} in {file}, line {}",
                object.name(),
                origin.line
            ))
        })
        .collect();
    if places.len() < 2 {
        return Ok(());
    }
    Err(Failure::Refused {
        what: format!(
            "there are {} recovery plans {name}: {}",
            places.len(),
            places.join("; ")
        ),
        hint: "name one of them with its namespace: NAMESPACE/NAME".to_owned(),
    })
}

/// Refuses a plan that is declared twice: which of them is applied, nobody can tell.
fn declared_once(findings: &Findings, id: &PlanId) -> Result<(), Failure> {
    let name = format!("RecoveryPlan {id}");
    let twice = |problem: &&Diagnostic| {
        problem.code == code::DUPLICATE_OBJECT && problem.object.as_ref() == Some(&name)
    };
    let Some(twice) = findings.problems.iter().find(twice) else {
        return Ok(());
    };
    let places = twice
        .place
        .iter()
        .chain(twice.notes.iter().map(|note| &note.place));
    let places: Vec<String> = places
        .map(|place| format!("{}, line {}", place.file, place.start.line))
        .collect();
    Err(Failure::Refused {
        what: format!("{id} is declared twice: in {}", places.join("; in ")),
        hint: "keep one of the two".to_owned(),
    })
}

fn names(object: &Object, id: &PlanId) -> bool {
    object.name() == id.name.as_str() && object.namespace() == Some(id.namespace.as_str())
}

fn errors(findings: &Findings) -> Vec<Diagnostic> {
    let problems = findings.problems.iter();
    problems.filter(|each| each.is_error()).cloned().collect()
}

fn edit(file: &File, found: &Found, wish: &Wish) -> Result<Edited, Failure> {
    set(&file.text, found.origin, &wish.settings, wish::before).map_err(|why| {
        let template = file.text.windows(2).any(|two| two == b"{{");
        let hint = if template {
            "this file looks like a template: change the values it is made from"
        } else {
            why.hint
        };
        Failure::Refused {
            what: format!("cannot change {} in {}: {why}", wish.field, file.name),
            hint: hint.to_owned(),
        }
    })
}

/// What the plan would do then; `Err` where the result is not what was wanted, nothing where it is
/// wrong, which was said.
fn judge(
    files: &[File],
    found: &Found,
    wish: &Wish,
    now: Timestamp,
    output: &mut Output,
) -> Result<Option<Then>, Failure> {
    let manifests = Manifests::load(files)?;
    let declared = Declared::new(&manifests.objects);
    let inventories = declared_inventories(&declared);
    let mut findings = manifests.check(&declared, &inventories, now);
    let was_wrong = |problem: &Diagnostic| {
        let mut old = found.errors.iter();
        let same = |old: &Diagnostic| {
            (&old.code, &old.message, &old.field, &old.object)
                == (
                    &problem.code,
                    &problem.message,
                    &problem.field,
                    &problem.object,
                )
        };
        old.any(same)
    };
    let was_checked = findings.summary.checked;
    findings
        .problems
        .retain(|problem| problem.is_error() && !was_wrong(problem));
    if !findings.problems.is_empty() {
        output.talk(&shown(&findings, &manifests, output.talk_style()));
        output.talk("the manifests would be wrong: nothing was changed");
        return Ok(None);
    }
    only_the_plan_differs(&manifests.objects, found, wish)?;
    if !was_checked || !found.errors.is_empty() {
        return match wish.reviewed {
            Some(_) => Err(not_to_be_told(&found.id)),
            None => Ok(Some(Then::Unknown)),
        };
    }
    let planner = Planner {
        declared: &declared,
        inventories: &inventories,
        records: &Records::NONE,
        places: &Places::NONE,
        now: Some(now),
    };
    if let Some(reviewed) = &wish.reviewed {
        still_leads_to(&planner, reviewed)?;
    }
    let file = files[found.origin.source as usize].name.as_ref();
    let question = Question {
        actual: committed::active_site(file, &found.id).or(found.spec.active_site),
        ..Question::default()
    };
    let row = survey::row(&planner, &found.id, question)?;
    Ok(Some(Then::Known(Box::new(row))))
}

/// What cannot be compiled cannot be held against what was reviewed.
fn not_to_be_told(id: &PlanId) -> Failure {
    Failure::Refused {
        what: format!(
            "whether the run of {id} is still the one that was reviewed cannot be told: manifests are wrong \
             elsewhere"
        ),
        hint: "`drover validate` shows where; mend that first".to_owned(),
    }
}

/// A run that is another by now was not reviewed.
fn still_leads_to(planner: &Planner<'_>, reviewed: &Reviewed) -> Result<(), Failure> {
    let id = &reviewed.plan.plan;
    let (_, compiled) = survey::compiled(planner, id, reviewed.question)?;
    let changes = match compiled {
        Ok(now) => reviewed.plan.changes(&now),
        Err(why) => vec![format!("it cannot be compiled any more: {why}")],
    };
    let Some(first) = changes.first() else {
        return Ok(());
    };
    let more = match changes.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Err(Failure::Refused {
        what: format!("the run of {id} is not the one that was reviewed: {first}{more}"),
        hint: "`drover plan --reviewed FILE` says all; review it again and keep that".to_owned(),
    })
}

/// Reads as a machine would what a person will review: one field of one object.
fn only_the_plan_differs(objects: &[Object], found: &Found, wish: &Wish) -> Result<(), Failure> {
    let pairs = objects.iter().zip(&found.objects).enumerate();
    let as_wanted = |(index, (new, old)): (usize, (&Object, &Object))| match (new, old) {
        (Object::RecoveryPlan(new), Object::RecoveryPlan(old)) if index == found.index => {
            new.metadata == old.metadata && new.spec == wish.spec
        }
        (new, old) => new == old,
    };
    if objects.len() == found.objects.len() && pairs.into_iter().all(as_wanted) {
        return Ok(());
    }
    Err(Failure::Refused {
        what: format!("more than {} would change: nothing was changed", wish.field),
        hint: "change it by hand".to_owned(),
    })
}

/// What the plan would do.
enum Then {
    Known(Box<Row>),
    /// The manifests are wrong in another place.
    Unknown,
}

fn tell(name: &str, found: &Found, wish: &Wish, then: &Then, dry_run: bool, output: &mut Output) {
    let id = &found.id;
    let mut say = |head: &str, text: &str| {
        output.say(head, |style, head| style.strong(head), text);
    };
    if dry_run {
        say(
            "would change:",
            &format!(
                "{} of {id} in {name}; --dry-run changes nothing",
                wish.field
            ),
        );
    } else {
        say("changed:", &format!("{} of {id} in {name}", wish.field));
    }
    match then {
        Then::Known(row) => say("then:", &outcome(row)),
        Then::Unknown => {
            let text = "not known: manifests are wrong elsewhere, `drover validate` shows where";
            say("then:", text);
        }
    }
    if let Then::Known(row) = then
        && let Some(hint) = another_way(row, found)
    {
        say("hint:", &hint);
    }
    if !dry_run {
        let next = format!("review the diff and commit {name}: it counts when it is applied");
        say("next:", &next);
    }
}

/// What would follow, in a line.
fn outcome(row: &Row) -> String {
    let why = || words::why(row).join(" ");
    match row.standing() {
        Standing::Starts => format!("{}: {}", words::standing(row), words::figures(row)),
        Standing::Held => format!("{}: {}", words::standing(row), why()),
        Standing::Stays => format!(
            "nothing starts by itself. {} With activeSite {} it would be {}: {}",
            why(),
            row.direction.target().as_str(),
            words::run(row),
            words::figures(row)
        ),
    }
}

/// What a person should know who meant something else.
fn another_way(row: &Row, found: &Found) -> Option<String> {
    match &row.outlook.verdict {
        Verdict::Run {
            by: Authority::Request { id },
            ..
        } => Some(format!(
            "a request counts once: if {id} was served already, nothing starts; `drover set failover-type` \
             with --id NEW asks again"
        )),
        Verdict::Run { intent, .. }
            if intent.failover.kind() == drover_api::common::FailoverType::Planned
                && intent.to == SiteRole::Secondary =>
        {
            Some(format!(
                "if {} is lost, a planned failover cannot go on: drover set failover-type {} Unplanned",
                row.source(),
                found.id
            ))
        }
        Verdict::Held { .. } if found.spec.request.is_some() => Some(
            "an expired request holds every run: remove it, or write a new one with \
             drover set failover-type"
                .to_owned(),
        ),
        _ => None,
    }
}
