//! Expressions that belong to no rule.

use kube_cel::cel::{
    IdedExpr, Program, Value as Cel,
    common::ast::{EntryExpr, Expr},
};
use serde_json::Value;

use super::{Expression, evaluate, scope};
use crate::schema::{ExpressionError, node::Node};

/// Compiles one, with the place of what is wrong in it.
///
/// # Errors
///
/// If it is no expression, or names what is not there.
pub fn standalone(text: &str, node: &Node) -> Result<Expression, ExpressionError> {
    let program = Program::compile(text).map_err(|errors| {
        let first = errors.errors.first();
        let place = |at: isize| usize::try_from(at).unwrap_or(1).max(1);
        ExpressionError {
            what: first.map_or_else(|| errors.to_string(), |error| error.msg.clone()),
            at: first.map(|error| (place(error.pos.0), place(error.pos.1))),
        }
    })?;
    let (of_self, of_old) = scope::reads(program.expression(), node).map_err(|what| {
        let at = named(&what).and_then(|name| find(text, name));
        ExpressionError { what, at }
    })?;
    if !of_old.is_nothing() {
        let what = "undeclared reference to 'oldSelf'".to_owned();
        let at = find(text, "oldSelf");
        return Err(ExpressionError { what, at });
    }
    Ok(Expression {
        program,
        of_self,
        of_old,
    })
}

impl Expression {
    pub fn may_be_bool(&self) -> bool {
        scope::may_be_bool(self.program.expression())
    }

    pub fn loops(&self) -> usize {
        loops(self.program.expression())
    }

    pub fn holds(&self, node: &Node, value: &Value) -> Result<bool, String> {
        match evaluate::run(self, node, value, None, false)? {
            Cel::Bool(holds) => Ok(holds),
            _ => Err("it is neither true nor false".to_owned()),
        }
    }

    pub fn words(&self, node: &Node, value: &Value) -> Result<Option<String>, String> {
        evaluate::run(self, node, value, None, false).map(evaluate::said)
    }
}

/// The name that a complaint of [`scope`] is about.
fn named(what: &str) -> Option<&str> {
    what.split('\'').nth_back(1)
}

/// The place of a name in an expression. The parsed expression does not say where its parts stand.
fn find(text: &str, name: &str) -> Option<(usize, usize)> {
    let is_part = |each: char| each.is_alphanumeric() || each == '_';
    let whole = |(at, found): &(usize, &str)| {
        let before = text[..*at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    };
    let (at, _) = text.match_indices(name).find(whole)?;
    let line = text[..at].matches('\n').count() + 1;
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    Some((line, text[start..at].chars().count() + 1))
}

fn loops(expression: &IdedExpr) -> usize {
    let most = |all: &mut dyn Iterator<Item = &IdedExpr>| all.map(loops).max().unwrap_or(0);
    match &expression.expr {
        Expr::Comprehension(all) => {
            let inner = [&all.loop_cond, &all.loop_step, &all.result];
            let inner = most(&mut inner.into_iter());
            (inner + 1)
                .max(loops(&all.iter_range))
                .max(loops(&all.accu_init))
        }
        Expr::Call(call) => most(&mut call.target.as_deref().into_iter().chain(&call.args)),
        Expr::Select(select) => loops(&select.operand),
        Expr::List(list) => most(&mut list.elements.iter()),
        Expr::Map(map) => {
            let entries = map.entries.iter().map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => loops(&entry.key).max(loops(&entry.value)),
                EntryExpr::StructField(field) => loops(&field.value),
            });
            entries.max().unwrap_or(0)
        }
        Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => 0,
    }
}
