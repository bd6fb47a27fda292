//! Sentences and rows about plans, without any decoration.

use drover_api::EstimateSource;
use drover_api::common::{Direction, FailoverType, SourceStop};
use drover_api::value::Duration;
use drover_engine::plan::{
    ActionReport, Against, Authority, CriticalStep, GroupReport, LossForecast, Measured, Note,
    Outlook, Phase, PlanReport, RtoForecast, Scope, Stays, StepReport, Verdict, WaitedFor,
};

use super::survey::{Laid, Row, Standing};
use crate::text::{count, elided, thousands};

/// `planned failover`, `unplanned failback`.
pub fn what(row: &Row) -> String {
    let kind = match row.failover {
        FailoverType::Planned => "planned",
        FailoverType::Unplanned => "unplanned",
    };
    let way = match row.direction {
        Direction::ToSecondary => "failover",
        Direction::ToPrimary => "failback",
    };
    format!("{kind} {way}")
}

/// `Planned`, `Unplanned`, as manifests write it.
pub fn kind(row: &Row) -> &'static str {
    match row.failover {
        FailoverType::Planned => "Planned",
        FailoverType::Unplanned => "Unplanned",
    }
}

/// `a planned failover`, `an unplanned failback`.
pub fn a_what(row: &Row) -> String {
    let article = match row.failover {
        FailoverType::Planned => "a",
        FailoverType::Unplanned => "an",
    };
    format!("{article} {}", what(row))
}

/// `seoul → busan`.
pub fn way(row: &Row) -> String {
    format!("{} → {}", row.source(), row.target())
}

/// `a planned failover, seoul → busan`.
pub fn run(row: &Row) -> String {
    format!("{}, {}", a_what(row), way(row))
}

/// `12 machines, expected RTO 3m40s, expected loss 0s`.
pub fn figures(row: &Row) -> String {
    let machines = count(row.machines, "machine");
    let plus = if row.open { " or more" } else { "" };
    let rto = &row.forecast.rto.expected.value;
    let loss = match &row.forecast.rpo.expected {
        Some(loss) => format!("expected loss {}", loss.value),
        None => "a loss that depends on the point".to_owned(),
    };
    format!("{machines}{plus}, expected RTO {rto}, {loss}")
}

/// Whether something starts, in a few words.
pub fn standing(row: &Row) -> String {
    match (row.standing(), row.preview) {
        (Standing::Starts, false) => format!("{} would start, {}", a_what(row), way(row)),
        (Standing::Starts, true) => "a run would start".to_owned(),
        (Standing::Held, _) => "held, nothing would start".to_owned(),
        (Standing::Stays, _) => "nothing would start".to_owned(),
    }
}

/// Why that is so, a sentence each.
pub fn why(row: &Row) -> Vec<String> {
    match &row.outlook.verdict {
        Verdict::Run { intent, by, .. } => vec![
            format!("{}.", disagreement(row, intent.scope)),
            format!("{}.", authority(by, intent.failover.kind())),
        ],
        Verdict::Stays {
            reason: Stays::AlreadyThere,
        } => vec![format!(
            "activeSite is {} and the machines are there, at {}.",
            row.outlook.actual.as_str(),
            place(row, &row.outlook),
        )],
        Verdict::Stays { .. } => row
            .outlook
            .why_not()
            .iter()
            .map(|why| sentence(why))
            .collect(),
        Verdict::Held { reasons } => {
            let head = format!("{}, but:", disagreement(row, Scope::Plan));
            let reasons = reasons.iter().map(ToString::to_string);
            [head].into_iter().chain(reasons).collect()
        }
    }
}

fn disagreement(row: &Row, scope: Scope) -> String {
    let (outlook, there) = (&row.outlook, place(row, &row.outlook));
    let other = outlook.actual.other();
    match scope {
        Scope::Plan | Scope::Present => format!(
            "activeSite is {}, {}, and the machines are at {there}",
            other.as_str(),
            row.site(other),
        ),
        Scope::Overrides => format!(
            "overrides send machines to {} while the plan stays at {there}",
            row.site(other),
        ),
    }
}

/// Where the machines are, and whether that is only assumed.
fn place(row: &Row, outlook: &Outlook) -> String {
    let site = row.site(outlook.actual);
    if outlook.assumed {
        format!("{site} (assumed)")
    } else {
        site.to_string()
    }
}

fn authority(by: &Authority, kind: FailoverType) -> String {
    match by {
        Authority::Request { id } => format!("It goes as the request {id} says"),
        Authority::StandingRule => {
            "It goes as the standing rule for this direction says".to_owned()
        }
        Authority::Default => match kind {
            FailoverType::Planned => "It is planned, because nothing says otherwise".to_owned(),
            FailoverType::Unplanned => "It is unplanned".to_owned(),
        },
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    let first: String = first.collect();
    format!("{first}{}.", chars.as_str())
}

/// What a value is, whether it is as it should be, and if somebody should look at it.
#[derive(Clone, Debug)]
pub struct Fact {
    /// What it is about.
    pub name: &'static str,
    /// What is said.
    pub text: String,
    /// Whether it is as it should be, where that can be said.
    pub good: Option<bool>,
}

/// The facts of a run, the most important first.
pub fn facts(laid: &Laid) -> Vec<Fact> {
    let (row, report) = (&laid.row, &laid.report);
    let mut facts = Vec::new();
    let mut fact = |name, text, good| facts.push(Fact { name, text, good });
    for refusal in &row.refusals {
        fact("refused", refusal.to_string(), Some(false));
    }
    for wait in waits(report) {
        fact("waits for", wait, None);
    }
    let rto = &report.forecast.rto;
    let good = against(&rto.expected);
    fact("RTO", measured(&rto.expected, rto.objective.as_ref()), good);
    let (text, good) = loss(&report.forecast.rpo);
    fact("RPO", text, good);
    if let Some(held) = held_by_loss(report) {
        fact("maxDataLoss", held, Some(false));
    }
    fact("machines", machines(report), None);
    fact("times", times(row, report), None);
    fact("estimates", estimates(rto), None);
    facts
}

fn waits(report: &PlanReport) -> Vec<String> {
    let waits = report.notes.iter().filter_map(|note| match note {
        Note::WaitsFor { wait } => Some(wait.to_string()),
        _ => None,
    });
    waits.collect()
}

fn against(measured: &Measured) -> Option<bool> {
    measured.against.as_ref().map(|_| !measured.misses())
}

fn measured(measured: &Measured, limit: Option<&Duration>) -> String {
    let value = &measured.value;
    match (&measured.against, limit) {
        (Some(Against::Meets { by }), Some(limit)) => format!("{value}, meets {limit} by {by}"),
        (Some(Against::Misses { by }), Some(limit)) => format!("{value}, misses {limit} by {by}"),
        _ => format!("{value}, no objective"),
    }
}

/// Expected and worst loss; the verdict is that on the worst, because replication may be so late
/// without anybody being told.
fn loss(forecast: &LossForecast) -> (String, Option<bool>) {
    let limit = forecast.limit.as_ref();
    let (Some(expected), Some(worst)) = (&forecast.expected, &forecast.worst) else {
        return (
            "depends on the recovery point that is named".to_owned(),
            None,
        );
    };
    if expected.value == worst.value {
        return (measured(expected, limit), against(expected));
    }
    let text = format!(
        "{}; at worst {}",
        measured(expected, limit),
        measured(worst, limit).trim_end_matches(", no objective"),
    );
    (text, against(expected).map(|good| good && !worst.misses()))
}

/// That a run may be held because it would lose more than it may (FO-4).
fn held_by_loss(report: &PlanReport) -> Option<String> {
    let maximum = report.forecast.max_data_loss.as_ref()?;
    let (limit, worst) = (maximum.limit.as_ref()?, maximum.worst.as_ref()?);
    let how = if maximum.expected.as_ref()?.misses() {
        "so it is held"
    } else if worst.misses() {
        "and then it is held"
    } else {
        return None;
    };
    Some(format!(
        "{limit}; at worst it would lose {}, {how}",
        worst.value
    ))
}

fn machines(report: &PlanReport) -> String {
    let plus = if is_open(report) { " or more" } else { "" };
    let machines = thousands(report.machines);
    format!(
        "{machines}{plus} in {} and {}; {} may stop at once, {} start",
        count(report.groups.len(), "group"),
        count(report.waves.len(), "wave"),
        report.limits.stops,
        report.limits.starts,
    )
}

fn is_open(report: &PlanReport) -> bool {
    report.groups.iter().any(|group| !group.open.is_empty())
}

fn times(row: &Row, report: &PlanReport) -> String {
    let mut parts = Vec::new();
    for phase in &report.phases {
        let (start, end) = (&phase.span.start, &phase.span.end);
        parts.push(match phase.phase {
            Phase::Leave => format!("leaves {} {start} to {end}", row.source()),
            Phase::Enter => format!("enters {} {start} to {end}", row.target()),
        });
    }
    if row.failover == FailoverType::Unplanned {
        parts.push(match report.source_stop {
            SourceStop::Required => "the source must stop".to_owned(),
            SourceStop::Attempt => "stopping the source is tried".to_owned(),
            SourceStop::Skip => "the source is not stopped".to_owned(),
        });
    }
    parts.join(", ")
}

/// What a forecast is made of.
pub fn estimates(rto: &RtoForecast) -> String {
    match rto.source {
        Some(EstimateSource::Fabric) => "the fabric's figures, no run is recorded".to_owned(),
        Some(EstimateSource::Recorded) => "recorded runs".to_owned(),
        Some(EstimateSource::Mixed) => format!(
            "recorded runs of {}, the fabric's figures for {} more",
            count(rto.recorded, "machine"),
            thousands(rto.fabric),
        ),
        None => "none, no machine is known".to_owned(),
    }
}

/// The digest of the run, or why there is none.
pub fn digest(laid: &Laid) -> String {
    match (&laid.digest, &laid.no_digest) {
        (Some(digest), _) => digest.clone(),
        (None, Some(why)) => format!("none yet: {why}"),
        (None, None) => "none".to_owned(),
    }
}

/// `12`, or `12+` where there may be more.
pub fn machines_of(group: &GroupReport) -> String {
    let plus = if group.open.is_empty() { "" } else { "+" };
    format!("{}{plus}", group.machines.len())
}

/// Names of the groups that a group waits for.
pub fn waits_for(group: &GroupReport) -> String {
    if group.depends_on.is_empty() {
        return "-".to_owned();
    }
    elided(&group.depends_on, 4)
}

/// `after database-answers`.
pub fn actions(group: &GroupReport) -> String {
    let names = |when: &str, actions: &[ActionReport]| {
        let names: Vec<String> = actions
            .iter()
            .map(|action| action.name.to_string())
            .collect();
        (!names.is_empty()).then(|| format!("{when} {}", names.join(", ")))
    };
    let parts = [names("before", &group.before), names("after", &group.after)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return "-".to_owned();
    }
    parts.join("; ")
}

/// The steps of the critical path that take time.
pub fn critical(report: &PlanReport) -> Vec<&CriticalStep> {
    let steps = report.critical_path.iter();
    steps.filter(|step| !step.length.is_zero()).collect()
}

/// `start db-1 of data`.
pub fn step(step: &CriticalStep) -> String {
    let text = match &step.step {
        StepReport::Stop { group, machine } => format!("stop {machine} of {group}"),
        StepReport::FinalSync { group, machine } => {
            format!("send the last changes of {machine} of {group}")
        }
        StepReport::AllLeft => "every machine has left".to_owned(),
        StepReport::Before { group, action } => format!("{action}, before {group}"),
        StepReport::Start { group, machine } => format!("start {machine} of {group}"),
        StepReport::After { group, action } => format!("{action}, after {group}"),
    };
    match step.waited_for {
        WaitedFor::Place => format!("{text} (had to wait for a free place)"),
        WaitedFor::Nothing | WaitedFor::Order => text,
    }
}

/// What was left out or assumed; what the run waits for is among the facts.
pub fn notes(report: &PlanReport) -> Vec<String> {
    let notes = report.notes.iter();
    notes
        .filter(|note| !matches!(note, Note::WaitsFor { .. }))
        .map(ToString::to_string)
        .collect()
}

/// `2m of 15m`, `20m of 15m, missed`.
pub fn of_objective(measured: &Measured, limit: Option<&Duration>) -> String {
    let value = &measured.value;
    match limit {
        Some(limit) if measured.misses() => format!("{value} of {limit}, missed"),
        Some(limit) => format!("{value} of {limit}"),
        None => value.to_string(),
    }
}

/// `3 plans: 1 would start a run, 1 is held`.
pub fn tally(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "there is no recovery plan in these manifests".to_owned();
    }
    let number = |standing| rows.iter().filter(|row| row.standing() == standing).count();
    let starts = match number(Standing::Starts) {
        0 => "no run would start".to_owned(),
        1 if rows.len() == 1 => "a run would start".to_owned(),
        number => format!("{} would start a run", thousands(number)),
    };
    let held = match number(Standing::Held) {
        0 => String::new(),
        number => format!(", {} held", thousands(number)),
    };
    format!("{}: {starts}{held}", count(rows.len(), "plan"))
}
