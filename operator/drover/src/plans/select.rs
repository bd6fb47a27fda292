//! Which plans are meant.

use drover_engine::declared::Declared;
use drover_engine::problem::did_you_mean;
use drover_world::PlanId;

use crate::failure::Failure;

/// The plans of these names, or all of them where none is named; in the order of their names.
///
/// A name without a namespace is enough where only one namespace has it.
///
/// # Errors
/// When there is no such plan, or several.
pub fn select(declared: &Declared<'_>, names: &[String]) -> Result<Vec<PlanId>, Failure> {
    let all = declared.plans.keys().filter_map(|(namespace, name)| {
        // Who they are was checked when they were read.
        Some(PlanId {
            namespace: namespace.parse().ok()?,
            name: name.parse().ok()?,
        })
    });
    among(all.collect(), names)
}

/// The plans of these names among those that there are, or all of them where none is named.
///
/// # Errors
/// As [`select`].
pub fn among(all: Vec<PlanId>, names: &[String]) -> Result<Vec<PlanId>, Failure> {
    if names.is_empty() {
        return Ok(all);
    }
    let mut chosen = Vec::new();
    for name in names {
        chosen.push(one(&all, name)?.clone());
    }
    chosen.sort();
    chosen.dedup();
    Ok(chosen)
}

fn one<'a>(all: &'a [PlanId], wanted: &str) -> Result<&'a PlanId, Failure> {
    let is = |plan: &&PlanId| match wanted.split_once('/') {
        Some((namespace, name)) => {
            plan.namespace.as_str() == namespace && plan.name.as_str() == name
        }
        None => plan.name.as_str() == wanted,
    };
    let found: Vec<&PlanId> = all.iter().filter(is).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(unknown(all, wanted)),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(Failure::NoSuchPlan {
                name: format!("{wanted}, or rather several"),
                hint: format!("name one of them: {}", names.join(", ")),
            })
        }
    }
}

fn unknown(all: &[PlanId], wanted: &str) -> Failure {
    let whole: Vec<String> = all.iter().map(ToString::to_string).collect();
    let short = all.iter().map(|plan| plan.name.as_str());
    let meant = did_you_mean(wanted, whole.iter().map(String::as_str).chain(short));
    let hint = match (meant, whole.as_slice()) {
        (Some(meant), _) => format!("did you mean {meant}?"),
        (None, []) => "no recovery plan is declared in these manifests".to_owned(),
        (None, _) => format!("there are {}", crate::text::elided(&whole, 5)),
    };
    Failure::NoSuchPlan {
        name: wanted.to_owned(),
        hint,
    }
}
