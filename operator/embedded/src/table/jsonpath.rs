//! The paths that columns use: fields, indices, all items, and items that meet a condition. It is
//! what Kubernetes calls simple `JSONPath`; all else is refused when a path is compiled.

use serde_json::Value;

/// A path that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unrecognized column definition {path:?}: {why}")]
pub struct PathError {
    /// The path.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}

/// A compiled path.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    /// Counted from the end where it is negative.
    Index(i64),
    All,
    Where(Condition),
}

/// `?(@.type=="Ready")`
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    path: JsonPath,
    /// None: the field is there.
    test: Option<(Comparison, Value)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The longer ones first: `<` begins `<=`.
const COMPARISONS: &[(&str, Comparison)] = &[
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl JsonPath {
    /// # Errors
    ///
    /// If the path is not understood.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        let error = |why: String| PathError {
            path: path.to_owned(),
            why,
        };
        if path.is_empty() {
            return Err(error("it is empty".to_owned()));
        }
        parse(path).map_err(error)
    }

    /// The first value at the path.
    pub fn first<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let mut found = vec![value];
        for step in &self.steps {
            found = found
                .into_iter()
                .flat_map(|value| step.take(value))
                .collect();
        }
        found.first().copied()
    }
}

impl Step {
    fn take<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Self::Field(name), Value::Object(fields)) => fields.get(name).into_iter().collect(),
            (Self::Index(index), Value::Array(items)) => {
                let from_start = usize::try_from(*index).ok();
                let from_end = || usize::try_from(index.unsigned_abs()).ok();
                let index = from_start.or_else(|| items.len().checked_sub(from_end()?));
                index
                    .and_then(|index| items.get(index))
                    .into_iter()
                    .collect()
            }
            (Self::All, Value::Array(items)) => items.iter().collect(),
            (Self::All, Value::Object(fields)) => fields.values().collect(),
            (Self::Where(condition), Value::Array(items)) => {
                items.iter().filter(|item| condition.holds(item)).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Condition {
    fn holds(&self, item: &Value) -> bool {
        let Some(value) = self.path.first(item) else {
            return false;
        };
        let Some((comparison, wanted)) = &self.test else {
            return true;
        };
        let order = match (value, wanted) {
            (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
            (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
            (a, b) if a == b => Some(std::cmp::Ordering::Equal),
            // Of two that are no numbers nor texts, the only question is whether they are the same.
            _ => return *comparison == Comparison::NotEqual,
        };
        order.is_some_and(|order| match comparison {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        })
    }
}

fn parse(path: &str) -> Result<JsonPath, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            '.' if after.starts_with('.') => {
                return Err("recursive descent is not supported".to_owned());
            }
            '.' if after.starts_with('[') || after.is_empty() => after,
            '.' => {
                let (name, after) = field(after)?;
                steps.push(if name == "*" {
                    Step::All
                } else {
                    Step::Field(name)
                });
                after
            }
            '[' => {
                let (inside, after) = bracketed(after)?;
                steps.push(subscript(inside)?);
                after
            }
            // The first field may stand without its point.
            _ if steps.is_empty() && !matches!(first, '@' | '$') => {
                let (name, after) = field(rest)?;
                steps.push(Step::Field(name));
                after
            }
            '@' | '$' if steps.is_empty() => after,
            other => return Err(format!("{other:?} is not expected")),
        };
    }
    Ok(JsonPath { steps })
}

/// A name up to the next step. A backslash takes the meaning from what follows it.
fn field(text: &str) -> Result<(String, &str), String> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '.' | '[' if !name.is_empty() => return Ok((name, &text[at..])),
            '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
            '{' | '}' | '(' | ')' | ']' | ' ' | '"' | '\'' => {
                return Err(format!("{character:?} is not expected"));
            }
            plain => name.push(plain),
        }
    }
    if name.is_empty() {
        Err("a field has no name".to_owned())
    } else {
        Ok((name, ""))
    }
}

/// What stands up to the closing bracket, and what comes after it.
fn bracketed(text: &str) -> Result<(&str, &str), String> {
    let mut quote = None;
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') if depth > 0 => depth -= 1,
            (None, ']') => return Ok((text[..at].trim(), &text[at + 1..])),
            _ => {}
        }
    }
    Err("a bracket is not closed".to_owned())
}

fn subscript(inside: &str) -> Result<Step, String> {
    if inside == "*" {
        return Ok(Step::All);
    }
    if let Some(condition) = inside
        .strip_prefix("?(")
        .and_then(|rest| rest.strip_suffix(')'))
    {
        return self::condition(condition).map(Step::Where);
    }
    if let Some(name) = quoted(inside) {
        return Ok(Step::Field(name));
    }
    inside
        .parse()
        .map(Step::Index)
        .map_err(|_| format!("[{inside}] is not supported"))
}

fn condition(text: &str) -> Result<Condition, String> {
    let text = text.trim();
    if !text.starts_with('@') {
        return Err(format!("the condition {text:?} does not begin with @"));
    }
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => continue,
            (None, '"' | '\'') => quote = Some(character),
            (None, _) => {}
        }
        let found = COMPARISONS
            .iter()
            .find(|(sign, _)| text[at..].starts_with(sign));
        if let (None, Some((sign, comparison))) = (quote, found) {
            let wanted = literal(text[at + sign.len()..].trim())?;
            return Ok(Condition {
                path: parse(text[..at].trim())?,
                test: Some((*comparison, wanted)),
            });
        }
    }
    Ok(Condition {
        path: parse(text)?,
        test: None,
    })
}

fn literal(text: &str) -> Result<Value, String> {
    if let Some(text) = quoted(text) {
        return Ok(Value::String(text));
    }
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value),
        _ => Err(format!("{text:?} is nothing to compare with")),
    }
}

/// The text between quotes of either kind.
fn quoted(text: &str) -> Option<String> {
    let open = text
        .chars()
        .next()
        .filter(|open| matches!(open, '"' | '\''))?;
    let inside = text.strip_prefix(open)?.strip_suffix(open)?;
    let mut out = String::new();
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            // It ends here and goes on: two texts, not one.
            end if end == open => return None,
            plain => out.push(plain),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_to_its_first_value() {
        let object = json!({
            "metadata": { "labels": { "app.kubernetes.io/name": "shop" } },
            "status": {
                "conditions": [
                    { "type": "Stalled", "status": "False", "n": 1 },
                    { "type": "Ready", "status": "True", "n": 2 },
                ],
            },
        });
        for (path, value) in [
            (
                r#".status.conditions[?(@.type=="Ready")].status"#,
                json!("True"),
            ),
            (
                r".status.conditions[?(@.type == 'Ready')].status",
                json!("True"),
            ),
            (".status.conditions[?(@.n>1)].type", json!("Ready")),
            (".status.conditions[?(@.n)].type", json!("Stalled")),
            (r#".status.conditions[?(@.type!="Stalled")].n"#, json!(2)),
            (".status.conditions[1].type", json!("Ready")),
            (".status.conditions[-1].type", json!("Ready")),
            (".status.conditions[*].type", json!("Stalled")),
            (r".metadata.labels.app\.kubernetes\.io/name", json!("shop")),
            (".metadata.labels['app.kubernetes.io/name']", json!("shop")),
            ("status.conditions[0].n", json!(1)),
        ] {
            assert_eq!(
                JsonPath::parse(path).unwrap().first(&object),
                Some(&value),
                "{path}"
            );
        }
        for path in [
            ".status.phase",
            ".status.conditions[7]",
            ".metadata.labels[0]",
            r#".status.conditions[?(@.type=="X")].n"#,
        ] {
            assert_eq!(
                JsonPath::parse(path).unwrap().first(&object),
                None,
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_no_simple_path_is_refused() {
        for path in [
            "",
            "..name",
            ".a[",
            ".a[b]",
            ".a[?(b==1)]",
            ".a[?(@.b==c)]",
            ".{a}",
            ".a[0:2]",
            ".a b",
        ] {
            assert!(JsonPath::parse(path).is_err(), "{path:?}");
        }
    }
}
