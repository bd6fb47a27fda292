//! Rules (`x-kubernetes-validations`): compiled once, asked about objects that have the right shape.
//!
//! Expressions are parsed and evaluated by `kube-cel`, which brings the functions that Kubernetes
//! adds to CEL. Around it stands what makes rules cheap and their meaning that of the real server:
//! an expression is refused when it names what is not there ([`scope`]), only the fields that it
//! reads are handed to it ([`value`]), and `self == oldSelf` never reaches the evaluator, because
//! only the schema knows whose order does not count.

mod evaluate;
mod names;
mod scope;
mod standalone;
mod value;
mod walk;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use kube_cel::cel::{Program, common::ast::Expr};

pub(super) use standalone::standalone;
pub(super) use walk::check;

use super::{
    error::{FieldError, FieldReason, SchemaError},
    node::Node,
};
use scope::Reads;

/// One rule of one place.
#[derive(Debug)]
pub(super) struct Rule {
    test: Test,
    /// How it is named where it has no words of its own, and in errors.
    words: String,
    has_message: bool,
    message: Option<Expression>,
    reason: FieldReason,
    /// The field below that is to blame, as the end of a path.
    to_blame: String,
    /// It is about a change.
    compares: bool,
    /// It is asked about new objects too, and takes the old one as something that may be there.
    optional_old: bool,
}

#[derive(Debug)]
enum Test {
    /// `self == oldSelf`
    Unchanged,
    Expression(Expression),
}

/// A compiled expression, with what it reads.
#[derive(Debug)]
pub(super) struct Expression {
    program: Program,
    of_self: Reads,
    of_old: Reads,
}

/// Compiles the rules of a node, whose fields are already known.
pub(super) fn compile(
    rules: &[ValidationRule],
    node: &Node,
    at: &str,
) -> Result<Vec<Rule>, SchemaError> {
    let compiled = rules
        .iter()
        .filter(|rule| !rule.rule.trim().is_empty())
        .map(|rule| {
            compile_one(rule, node).map_err(|why| SchemaError::Rule {
                at: if at.is_empty() {
                    "the schema".to_owned()
                } else {
                    at.to_owned()
                },
                rule: rule.rule.clone(),
                why,
            })
        });
    compiled.collect()
}

fn compile_one(rule: &ValidationRule, node: &Node) -> Result<Rule, String> {
    let expression = expression(&rule.rule, node)?;
    if !scope::may_be_bool(expression.program.expression()) {
        return Err("it is no condition".to_owned());
    }
    let message = match rule.message_expression.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(text) => {
            let compiled = self::expression(text, node);
            Some(compiled.map_err(|why| format!("messageExpression: {why}"))?)
        }
    };
    let compares = !expression.of_old.is_nothing();
    let optional_old = rule.optional_old_self == Some(true);
    if optional_old && !compares {
        return Err("optionalOldSelf needs oldSelf".to_owned());
    }
    let given = rule
        .message
        .as_deref()
        .map(str::trim)
        .filter(|words| !words.is_empty());
    let words = given.unwrap_or(rule.rule.trim());
    let is_unchanged = !optional_old && asks_for_no_change(expression.program.expression());
    Ok(Rule {
        test: if is_unchanged {
            Test::Unchanged
        } else {
            Test::Expression(expression)
        },
        words: words.to_owned(),
        has_message: given.is_some(),
        message,
        reason: reason(rule.reason.as_deref())?,
        to_blame: match &rule.field_path {
            Some(path) => scope::field_path(path, node)?,
            None => String::new(),
        },
        compares,
        optional_old,
    })
}

fn expression(text: &str, node: &Node) -> Result<Expression, String> {
    let program = Program::compile(text).map_err(|error| error.to_string())?;
    let (of_self, of_old) = scope::reads(program.expression(), node)?;
    Ok(Expression {
        program,
        of_self,
        of_old,
    })
}

fn reason(reason: Option<&str>) -> Result<FieldReason, String> {
    Ok(match reason {
        None | Some("FieldValueInvalid") => FieldReason::Invalid,
        Some("FieldValueForbidden") => FieldReason::Forbidden,
        Some("FieldValueRequired") => FieldReason::Required,
        Some("FieldValueDuplicate") => FieldReason::Duplicate,
        Some(other) => return Err(format!("there is no reason {other:?}")),
    })
}

fn asks_for_no_change(expression: &kube_cel::cel::IdedExpr) -> bool {
    let Expr::Call(call) = &expression.expr else {
        return false;
    };
    let is = |index: usize, name: &str| matches!(call.args.get(index).map(|arg| &arg.expr), Some(Expr::Ident(ident)) if ident == name);
    call.func_name == "_==_"
        && (is(0, "self") && is(1, "oldSelf") || is(0, "oldSelf") && is(1, "self"))
}

impl Rule {
    /// What whoever breaks the rule is told, when no expression says it.
    fn complaint(&self) -> String {
        if self.has_message {
            self.words.clone()
        } else {
            format!("failed rule: {}", self.words)
        }
    }
}

/// The error of a rule that does not hold.
fn broken(rule: &Rule, mut field: String, shown: Option<&str>, detail: &str) -> FieldError {
    if !rule.to_blame.is_empty() {
        if !field.is_empty() && !rule.to_blame.starts_with('[') {
            field.push('.');
        }
        field.push_str(&rule.to_blame);
    }
    match rule.reason {
        FieldReason::Forbidden | FieldReason::Required => {
            FieldError::shown(field, rule.reason, None, detail)
        }
        // A duplicate is shown and not explained.
        FieldReason::Duplicate => FieldError::shown(field, rule.reason, shown, ""),
        _ => FieldError::shown(field, FieldReason::Invalid, shown, detail),
    }
}
