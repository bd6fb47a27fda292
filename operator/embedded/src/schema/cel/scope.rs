//! What an expression may name, and which fields of an object it reads.
//!
//! The real server knows the types of all expressions. This looks at names only: variables,
//! functions, and fields as far as a chain of them starts at `self`. It catches what is misspelt.

use std::collections::BTreeMap;

use kube_cel::cel::{
    IdedExpr,
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr},
};

use super::names;
use crate::schema::node::{Kind, Node, Others};

/// Fields of an object that an expression reads.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// It uses the object as a whole, not only fields of it.
    pub whole: bool,
    /// By the name as it is escaped: whether the value matters, or only that there is one.
    pub fields: BTreeMap<String, bool>,
}

impl Reads {
    pub fn is_nothing(&self) -> bool {
        !self.whole && self.fields.is_empty()
    }

    fn field(&mut self, name: &str, value_matters: bool) {
        let known = self.fields.entry(name.to_owned()).or_default();
        *known |= value_matters;
    }
}

/// What is known about the value of an expression.
#[derive(Clone, Copy)]
enum Shape<'n> {
    Node(&'n Node),
    Unknown,
}

/// What the expression reads of `self`, and of `oldSelf`.
///
/// # Errors
///
/// If it names what is not there.
pub(super) fn reads(expression: &IdedExpr, node: &Node) -> Result<(Reads, Reads), String> {
    let mut scope = Scope {
        node,
        bound: Vec::new(),
        new: Reads::default(),
        old: Reads::default(),
    };
    scope.visit(expression)?;
    Ok((scope.new, scope.old))
}

struct Scope<'n> {
    node: &'n Node,
    /// Variables of comprehensions, innermost last.
    bound: Vec<(String, Shape<'n>)>,
    new: Reads,
    old: Reads,
}

impl<'n> Scope<'n> {
    fn visit(&mut self, expression: &IdedExpr) -> Result<Shape<'n>, String> {
        match &expression.expr {
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => {
                for element in &list.elements {
                    self.visit(element)?;
                }
                Ok(Shape::Unknown)
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.visit(&entry.key)?;
                        self.visit(&entry.value)?;
                    }
                }
                Ok(Shape::Unknown)
            }
            Expr::Literal(_) => Ok(Shape::Unknown),
            Expr::Struct(_) | Expr::Unspecified => {
                Err("objects cannot be made in rules".to_owned())
            }
        }
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|(bound, _)| bound == name)
    }

    fn variable(&mut self, name: &str) -> Result<Shape<'n>, String> {
        if let Some((_, shape)) = self.bound.iter().rev().find(|(bound, _)| bound == name) {
            return Ok(*shape);
        }
        match name {
            "self" => self.new.whole = true,
            "oldSelf" => self.old.whole = true,
            _ => return Err(format!("undeclared reference to '{name}'")),
        }
        Ok(Shape::Node(self.node))
    }

    fn select(&mut self, select: &SelectExpr) -> Result<Shape<'n>, String> {
        let operand = match &select.operand.expr {
            // Not the whole is read then, but one field.
            Expr::Ident(name) if !self.is_bound(name) && name == "self" => {
                self.new.field(&select.field, !select.test);
                Shape::Node(self.node)
            }
            Expr::Ident(name) if !self.is_bound(name) && name == "oldSelf" => {
                self.old.field(&select.field, !select.test);
                Shape::Node(self.node)
            }
            _ => self.visit(&select.operand)?,
        };
        field_of(operand, &select.field)
    }

    fn call(&mut self, call: &CallExpr) -> Result<Shape<'n>, String> {
        let mut is_known = names::is_function(&call.func_name);
        match call.target.as_deref() {
            Some(IdedExpr {
                expr: Expr::Ident(space),
                ..
            }) if names::is_qualified(space, &call.func_name) => {
                is_known = true;
            }
            Some(target) => {
                self.visit(target)?;
            }
            None => {
                let parts = call.func_name.split_once('.');
                is_known |= parts.is_some_and(|(space, name)| names::is_qualified(space, name));
            }
        }
        if !is_known {
            return Err(format!("undeclared reference to '{}'", call.func_name));
        }
        let mut shapes = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            shapes.push(self.visit(arg)?);
        }
        match (&*call.func_name, shapes.as_slice()) {
            ("_[_]", [list, _]) => Ok(element_of(*list)),
            _ => Ok(Shape::Unknown),
        }
    }

    fn comprehension(&mut self, all: &ComprehensionExpr) -> Result<Shape<'n>, String> {
        let range = self.visit(&all.iter_range)?;
        self.visit(&all.accu_init)?;
        let depth = self.bound.len();
        let is_list = matches!(range, Shape::Node(node) if node.kind == Kind::Array);
        let element = element_of(range);
        if let Some(second) = &all.iter_var2 {
            self.bound.push((all.iter_var.clone(), Shape::Unknown));
            self.bound.push((second.clone(), element));
        } else {
            // Over a map the variable is the key.
            let shape = if is_list { element } else { Shape::Unknown };
            self.bound.push((all.iter_var.clone(), shape));
        }
        self.bound.push((all.accu_var.clone(), Shape::Unknown));
        for part in [&all.loop_cond, &all.loop_step, &all.result] {
            self.visit(part)?;
        }
        self.bound.truncate(depth);
        Ok(Shape::Unknown)
    }
}

fn field_of<'n>(shape: Shape<'n>, name: &str) -> Result<Shape<'n>, String> {
    let Shape::Node(node) = shape else {
        return Ok(Shape::Unknown);
    };
    let named = node.properties.iter().find(|(known, _)| {
        known == name || names::escaped(known).is_some_and(|escaped| escaped == name)
    });
    if let Some((known, property)) = named {
        // Of metadata a definition says nothing.
        let is_metadata = known == "metadata" && property.properties.is_empty();
        return Ok(if is_metadata {
            Shape::Unknown
        } else {
            Shape::Node(property)
        });
    }
    match (&node.others, node.kind) {
        (Others::Entries(entry), _) => Ok(Shape::Node(entry)),
        _ if node.preserves_unknown || node.embedded => Ok(Shape::Unknown),
        (Others::Any, _) | (_, Kind::Any | Kind::IntOrString) => Ok(Shape::Unknown),
        (_, Kind::Object) => Err(format!("undefined field '{name}'")),
        (_, kind) => Err(format!("type '{}' has no field '{name}'", kind.name())),
    }
}

fn element_of(shape: Shape<'_>) -> Shape<'_> {
    let Shape::Node(node) = shape else {
        return Shape::Unknown;
    };
    match (&node.items, &node.others) {
        (Some(items), _) => Shape::Node(items),
        (None, Others::Entries(entry)) => Shape::Node(entry),
        (None, Others::Unknown | Others::Any | Others::Forbidden) => Shape::Unknown,
    }
}

/// Whether an expression can come out as yes or no at all.
pub(super) fn may_be_bool(expression: &IdedExpr) -> bool {
    match &expression.expr {
        Expr::Literal(literal) => matches!(literal, LiteralValue::Boolean(_)),
        Expr::Call(call) => {
            let makes_values = [
                "_+_", "_-_", "_*_", "_/_", "_%_", "-_", "size", "string", "int",
            ];
            !makes_values.contains(&call.func_name.as_str())
        }
        Expr::List(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => false,
        Expr::Ident(_) | Expr::Select(_) | Expr::Comprehension(_) => true,
    }
}

/// `.a.b['c']`, as the end of a path in an error.
///
/// # Errors
///
/// If there is no such field.
pub(super) fn field_path(path: &str, node: &Node) -> Result<String, String> {
    let wrong = |why: &str| format!("fieldPath {path:?}: {why}");
    let mut node = node;
    let mut out = String::new();
    let mut rest = path.trim();
    while !rest.is_empty() {
        let (name, after) = if let Some(quoted) = rest.strip_prefix("['") {
            quoted
                .split_once("']")
                .ok_or_else(|| wrong("a bracket is not closed"))?
        } else if let Some(plain) = rest.strip_prefix('.') {
            plain.split_at(plain.find(['.', '[']).unwrap_or(plain.len()))
        } else {
            return Err(wrong("expected [ or ."));
        };
        if let Some(property) = node.property(name) {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(name);
            node = property;
        } else if let Some(entry) = node.field(name) {
            out.extend(["[", name, "]"]);
            node = entry;
        } else {
            return Err(wrong("does not refer to a valid field"));
        }
        rest = after;
    }
    Ok(out)
}
