//! What is wrong with the declarations: everything at once, each with its place and a way out.
//!
//! Each file is one subject; [`check`] is the list of them. A check reads the [`context`], where all
//! references are followed once, and adds problems; it never stops at the first one, and says nothing
//! that follows from what another file has said already. What the definitions say in CEL is said here
//! too, so that one function serves a review, the admission webhook and the controllers. That a field
//! cannot be changed is not checked: there is no former object here.

mod actions;
mod addresses;
mod claims;
mod codes;
mod context;
mod drills;
mod failback;
mod fields;
mod finder;
mod graph;
mod hosts;
mod mappings;
mod membership;
mod names;
mod networks;
mod objectives;
mod overrides;
mod ownership;
mod pairs;
mod references;
mod selectors;
mod subnets;
mod tenants;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod windows;
mod words;

use jiff::Timestamp;

pub use codes::{CODES, Code};
use context::Context;
use ownership::Owners;

use crate::declared::Declared;
use crate::members::Inventories;
use crate::problem::Problem;

/// What a check knows besides the declarations.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The time, for what expires. Without it nothing is said to have expired.
    pub now: Option<Timestamp>,
    /// Whether scripts run as Jobs, which need an image: only an operator in a cluster knows.
    pub jobs: bool,
}

/// Everything that is wrong with the declarations, in the order of the objects, in each by field.
///
/// `inventories` are the machines of the sites that are known; where a site is missing, what depends
/// on its machines is not checked. The answer is the same for the same input, and takes time in
/// proportion to its size.
pub fn check(
    declared: &Declared<'_>,
    inventories: &Inventories,
    options: &Options,
) -> Vec<Problem> {
    let context = Context::new(declared, inventories, options);
    let mut problems = Vec::new();

    // Each object by itself.
    fields::check(&context, &mut problems);
    names::check(&context, &mut problems);
    selectors::check(&context, &mut problems);
    graph::check(&context, &mut problems);
    mappings::check(&context, &mut problems);
    windows::check(&context, &mut problems);
    objectives::check(&context, &mut problems);

    // What objects say of each other.
    references::check(&context, &mut problems);
    hosts::check(&context, &mut problems);
    tenants::check(&context, &mut problems);
    actions::check(&context, &mut problems);
    networks::check(&context, &mut problems);
    addresses::check(&context, &mut problems);
    pairs::check(&context, &mut problems);
    failback::check(&context, &mut problems);
    drills::check(&context, &mut problems);

    // Who has which machine.
    claims::check(&context, &mut problems);
    membership::check(&context, &mut problems);
    let owners = Owners::new(&context, &mut problems);
    let overrides = overrides::resolve(&context, &mut problems);
    subnets::check(&context, &owners, &overrides, &mut problems);

    sort(&mut problems);
    problems
}

fn sort(problems: &mut [Problem]) {
    let key = |problem: &Problem| (problem.object, problem.code);
    problems.sort_by(|one, other| {
        (one.object, &one.path)
            .cmp(&(other.object, &other.path))
            .then_with(|| key(one).cmp(&key(other)))
            .then_with(|| one.message.cmp(&other.message))
    });
}
