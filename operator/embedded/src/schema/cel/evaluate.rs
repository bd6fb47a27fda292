//! One rule, one value.

use std::sync::{Arc, LazyLock};

use kube_cel::{
    KubeCelExt,
    cel::{Context, Value as Cel, objects::OptionalValue},
};
use serde_json::Value;

use super::{Expression, Rule, Test, value};
use crate::schema::{equal::equal, node::Node};

/// All functions. To register them takes longer than to ask a rule.
static FUNCTIONS: LazyLock<Context<'static>> = LazyLock::new(|| Context::default().with_all());

/// What messages may be at most, in bytes.
const LONGEST_MESSAGE: usize = 5 * 1024;

/// What a rule says about a value.
pub(super) enum Verdict {
    Holds,
    /// With what whoever broke it is told.
    Broken(String),
    /// It could not be said, for this reason.
    Failed(String),
}

pub(super) fn ask(rule: &Rule, node: &Node, new: &Value, old: Option<&Value>) -> Verdict {
    let holds = match &rule.test {
        Test::Unchanged => Ok(old.is_none_or(|old| equal(Some(node), new, old))),
        Test::Expression(expression) => match run(expression, node, new, old, rule.optional_old) {
            Ok(Cel::Bool(holds)) => Ok(holds),
            Ok(_) => Err("no such overload".to_owned()),
            Err(why) => Err(why),
        },
    };
    match holds {
        Ok(true) => Verdict::Holds,
        Ok(false) => {
            let said = rule.message.as_ref().and_then(|message| {
                // As in the real server, the old value is not optional here.
                said(run(message, node, new, old, false).ok()?)
            });
            Verdict::Broken(said.unwrap_or_else(|| rule.complaint()))
        }
        Err(why) if why.starts_with("no such overload") => Verdict::Failed(format!(
            "'{why}': call arguments did not match a supported operator, function or macro \
             signature for rule: {}",
            rule.words
        )),
        Err(why) => Verdict::Failed(format!("{why} evaluating rule: {}", rule.words)),
    }
}

pub(super) fn run(
    expression: &Expression,
    node: &Node,
    new: &Value,
    old: Option<&Value>,
    optional_old: bool,
) -> Result<Cel, String> {
    let mut context = FUNCTIONS.new_inner_scope();
    if !expression.of_self.is_nothing() {
        context.add_variable_from_value("self", value::of(new, node, &expression.of_self));
    }
    if !expression.of_old.is_nothing() {
        let old = old.map(|old| value::of(old, node, &expression.of_old));
        if optional_old {
            let old = old.map_or_else(OptionalValue::none, OptionalValue::of);
            context.add_variable_from_value("oldSelf", Cel::Opaque(Arc::new(old)));
        } else if let Some(old) = old {
            context.add_variable_from_value("oldSelf", old);
        }
    }
    expression
        .program
        .execute(&context)
        .map_err(|error| worded(&error.to_string()))
}

/// `No such key: a` begins with a small letter in the real server.
fn worded(error: &str) -> String {
    let mut characters = error.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(characters).collect()
    })
}

/// The words of a message expression, unless they are none.
pub(super) fn said(value: Cel) -> Option<String> {
    let Cel::String(text) = value else {
        return None;
    };
    let text = text.trim();
    let is_fit = !text.is_empty() && !text.contains('\n') && text.len() <= LONGEST_MESSAGE;
    is_fit.then(|| text.to_owned())
}
