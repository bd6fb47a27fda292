//! Selectors of lists and watches: by labels and by fields.

use crate::{
    error::Refusal,
    metadata,
    object::{Entry, Meta},
    registry::Resource,
};

/// Terms longer than this in number are refused: each is looked at for each object.
const MOST_TERMS: usize = 256;

/// Which objects a list or a watch is about. All terms must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<LabelTerm>,
    fields: Vec<FieldTerm>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct LabelTerm {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    More(i64),
    Less(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldTerm {
    field: Field,
    value: String,
    equal: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
    /// Index among the selectable fields of the kind.
    Own(usize),
}

impl Selector {
    /// Reads `labelSelector` and `fieldSelector`.
    ///
    /// # Errors
    ///
    /// A syntax error, or a field that the kind cannot be selected by.
    pub fn parse(
        labels: Option<&str>,
        fields: Option<&str>,
        resource: &Resource,
        api_version: &str,
    ) -> Result<Self, Refusal> {
        let labels = match labels {
            Some(text) => parse_labels(text).ok_or_else(|| {
                Refusal::bad_request(format!(
                    "unable to parse requirement: found '{text}', expected: a label selector"
                ))
            })?,
            None => Vec::new(),
        };
        let fields = match fields {
            Some(text) => parse_fields(text, resource, api_version)?,
            None => Vec::new(),
        };
        if labels.len() + fields.len() > MOST_TERMS {
            return Err(Refusal::bad_request(format!(
                "a selector has at most {MOST_TERMS} terms"
            )));
        }
        Ok(Self { labels, fields })
    }

    /// Whether everything matches.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub fn matches(&self, entry: &Entry) -> bool {
        self.labels.iter().all(|term| term.matches(&entry.meta))
            && self.fields.iter().all(|term| term.matches(&entry.meta))
    }
}

impl LabelTerm {
    fn matches(&self, meta: &Meta) -> bool {
        let value = meta.labels.get(self.key.as_str()).map(|value| &**value);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.iter().any(|each| each == value)),
            Test::NotIn(values) => {
                value.is_none_or(|value| values.iter().all(|each| each != value))
            }
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::More(than) => number().is_some_and(|number| number > *than),
            Test::Less(than) => number().is_some_and(|number| number < *than),
        }
    }
}

impl FieldTerm {
    fn matches(&self, meta: &Meta) -> bool {
        let value = match self.field {
            Field::Name => &meta.key.name,
            Field::Namespace => &meta.key.namespace,
            Field::Own(index) => match meta.fields.get(index) {
                Some(value) => value,
                None => return !self.equal,
            },
        };
        (**value == *self.value) == self.equal
    }
}

fn parse_fields(
    text: &str,
    resource: &Resource,
    api_version: &str,
) -> Result<Vec<FieldTerm>, Refusal> {
    let mut terms = Vec::new();
    for term in split_unescaped(text) {
        let (name, value, equal) = if let Some((name, value)) = term.split_once("!=") {
            (name, value, false)
        } else if let Some((name, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
            (name, value, true)
        } else {
            return Err(Refusal::bad_request(format!(
                "invalid selector: '{text}'; can't understand '{term}'"
            )));
        };
        let field = match name {
            "metadata.name" => Field::Name,
            "metadata.namespace" => Field::Namespace,
            _ => {
                let name = resource.selects_as(name);
                let index = resource
                    .selectable
                    .iter()
                    .position(|field| field.name == name);
                Field::Own(index.ok_or_else(|| {
                    Refusal::bad_request(format!(
                        "Unable to find \"{}, Resource={}\" that match label selector \"\", field selector \"{text}\": \
                         field label not supported: {name}",
                        group_version_words(api_version),
                        resource.plural
                    ))
                })?)
            }
        };
        terms.push(FieldTerm {
            field,
            value: unescape(value)?,
            equal,
        });
    }
    Ok(terms)
}

/// Terms between commas that no backslash stands before.
fn split_unescaped(text: &str) -> Vec<&str> {
    let (mut terms, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        if letter == ',' && !escaped {
            terms.push(&text[start..at]);
            start = at + 1;
        }
        escaped = letter == '\\' && !escaped;
    }
    terms.push(&text[start..]);
    terms.retain(|term| !term.is_empty());
    terms
}

fn unescape(value: &str) -> Result<String, Refusal> {
    let mut letters = value.chars();
    let mut plain = String::with_capacity(value.len());
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some(escaped @ ('\\' | ',' | '=')) => plain.push(escaped),
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(Refusal::bad_request(format!(
                    "invalid field selector: invalid escape sequence: \\{other}"
                )));
            }
        }
    }
    Ok(plain)
}

fn group_version_words(api_version: &str) -> String {
    format!("/{}", api_version.replace('/', ", Version="))
}

/// `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`
fn parse_labels(text: &str) -> Option<Vec<LabelTerm>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    split_outside_parentheses(text)?
        .into_iter()
        .map(str::trim)
        .map(parse_label)
        .collect()
}

fn split_outside_parentheses(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' if !inside => inside = true,
            ')' if inside => inside = false,
            '(' | ')' => return None,
            ',' if !inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!inside).then_some(parts)
}

fn parse_label(term: &str) -> Option<LabelTerm> {
    let made = |key: &str, test: Test| {
        let key = key.trim();
        (is_key(key)).then(|| LabelTerm {
            key: key.to_owned(),
            test,
        })
    };
    if let Some(key) = term.strip_prefix('!') {
        return made(key, Test::Absent);
    }
    if let Some(open) = term.find('(') {
        let values: Vec<String> = term[open + 1..]
            .strip_suffix(')')?
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        if !values.iter().all(|value| is_value(value)) {
            return None;
        }
        let mut words = term[..open].split_whitespace();
        let (key, operator) = (words.next()?, words.next()?);
        return match (operator, words.next()) {
            ("in", None) => made(key, Test::In(values)),
            ("notin", None) => made(key, Test::NotIn(values)),
            _ => None,
        };
    }
    for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((key, value)) = term.split_once(operator) {
            let value = value.trim();
            if !is_value(value) {
                return None;
            }
            let values = vec![value.to_owned()];
            return made(
                key,
                if equal {
                    Test::In(values)
                } else {
                    Test::NotIn(values)
                },
            );
        }
    }
    if let Some((key, value)) = term.split_once('>') {
        return made(key, Test::More(value.trim().parse().ok()?));
    }
    if let Some((key, value)) = term.split_once('<') {
        return made(key, Test::Less(value.trim().parse().ok()?));
    }
    made(term, Test::Exists)
}

fn is_value(text: &str) -> bool {
    text.is_empty() || metadata::is_name_part(text)
}

fn is_key(text: &str) -> bool {
    metadata::wrong_key(text).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(labels: &[(&str, &str)]) -> Meta {
        Meta {
            labels: labels
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect(),
            ..Meta::default()
        }
    }

    #[test]
    fn labels_select_as_kubectl_writes_them() {
        // SPEC: KU-4
        let object = meta(&[("tier", "web"), ("size", "3")]);
        for (text, expected) in [
            ("tier=web", true),
            ("tier==web,size=3", true),
            ("tier!=web", false),
            ("other!=web", true),
            ("tier in (db, web)", true),
            ("tier notin (db,web)", false),
            ("absent notin (x)", true),
            ("tier", true),
            ("!tier", false),
            ("size>2,size<4", true),
            ("size > 3", false),
        ] {
            let terms = parse_labels(text).unwrap();
            assert_eq!(
                terms.iter().all(|term| term.matches(&object)),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        // SPEC: BI-1
        for text in [
            "a in (b",
            "a in b)",
            "a within (b)",
            "=x",
            "a=b c",
            "a>b",
            "(",
            "a(b)",
        ] {
            assert_eq!(parse_labels(text), None, "{text}");
        }
    }
}
