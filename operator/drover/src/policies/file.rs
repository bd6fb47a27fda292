//! Policies as people write them.
//!
//! ```yaml
//! apiVersion: policy.drover.dev/v1alpha1
//! kind: Policy
//! metadata: { name: house }
//! spec:
//!   rules:
//!     - name: gold-loses-at-most-15m
//!       for: Machine
//!       match: "'tier' in self.labels && self.labels.tier == 'gold'"
//!       expression: self.protected && self.rpo <= duration('15m')
//!       message: a gold machine is protected with an RPO of 15m or less
//! ```

use std::borrow::Cow;

use drover_embedded::schema::{Expression, Shape};
use drover_manifest::{
    Declared, Diagnostic, FieldPath, KindEntry, Locator, Options, Origin, Place, Registry,
    Severity, Source, Target, from_node, load,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::place;
use super::shape::Subject;

/// The group and version of policies. It is none of the cluster's: policies stay in files.
const API_VERSION: &str = "policy.drover.dev/v1alpha1";
/// The most rules of one policy.
const MOST_RULES: usize = 1_000;

/// The code of an expression that is none.
const EXPRESSION: &str = "policy-expression";

/// All rules of some files.
#[derive(Debug, Default)]
pub struct Policies {
    /// The rules, in the order of the files.
    pub rules: Vec<Rule>,
    /// How many policies they are of.
    pub count: usize,
}

/// A rule, compiled.
#[derive(Debug)]
pub struct Rule {
    /// Its policy.
    pub policy: String,
    /// Its name.
    pub name: String,
    /// The code of what breaks it.
    pub code: Cow<'static, str>,
    /// What it is about.
    pub subject: Subject,
    /// Which of these it is about; all where there is none.
    pub matches: Option<Expression>,
    /// What must hold.
    pub expression: Expression,
    /// What is said where it does not.
    pub message: String,
    /// The same, with what the object says.
    pub message_expression: Option<Expression>,
    /// Why, for people.
    pub description: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is written.
    pub place: Place,
}

impl Rule {
    /// How many loops of it stand inside each other.
    pub fn loops(&self) -> u32 {
        let all = [
            Some(&self.expression),
            self.matches.as_ref(),
            self.message_expression.as_ref(),
        ];
        let loops = all.into_iter().flatten().map(Expression::loops).max();
        u32::try_from(loops.unwrap_or(0)).unwrap_or(u32::MAX)
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Policy {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Clone, Debug, Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Spec {
    rules: Vec<Written>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    name: String,
    description: Option<String>,
    #[serde(rename = "for")]
    subject: String,
    #[serde(rename = "match")]
    matches: Option<String>,
    expression: String,
    message: String,
    message_expression: Option<String>,
    #[serde(default)]
    severity: Grade,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum Grade {
    #[default]
    Error,
    Warning,
}

/// Reads policies. `first` is how many sources stand before these in the list that places count in.
pub fn read(sources: &[Source<'_>], first: usize) -> (Policies, Vec<Diagnostic>) {
    let registry = Registry::new(vec![KindEntry::<Policy> {
        api_version: API_VERSION,
        kind: "Policy",
        namespaced: false,
        schema: Box::new(schema),
        decode: Box::new(|node| from_node(node)),
    }]);
    let loaded = load(sources, &registry, &Options::default());
    let mut reader = Reader {
        sources,
        locator: Locator::new(sources),
        policies: Policies::default(),
        problems: loaded.diagnostics,
    };
    for declared in &loaded.objects {
        reader.policy(declared);
    }
    let Reader {
        mut policies,
        mut problems,
        ..
    } = reader;
    let shift = u32::try_from(first).unwrap_or(u32::MAX);
    for problem in &mut problems {
        let notes = problem.notes.iter_mut().map(|note| &mut note.place);
        for place in problem.place.iter_mut().chain(notes) {
            place.source += shift;
        }
    }
    for rule in &mut policies.rules {
        rule.place.source += shift;
    }
    (policies, problems)
}

struct Reader<'a> {
    sources: &'a [Source<'a>],
    locator: Locator<'a>,
    policies: Policies,
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn policy(&mut self, declared: &Declared<Policy>) {
        self.policies.count += 1;
        let policy = &declared.object;
        for (position, written) in policy.spec.rules.iter().enumerate() {
            let path = FieldPath::default()
                .key("spec")
                .key("rules")
                .index(position);
            if let Some(rule) = self.rule(&policy.metadata.name, written, declared.origin, &path) {
                self.policies.rules.push(rule);
            }
        }
    }

    fn rule(
        &mut self,
        policy: &str,
        written: &Written,
        origin: Origin,
        path: &FieldPath,
    ) -> Option<Rule> {
        let subject = Subject::named(&written.subject)?;
        let shape = subject.shape().ok()?;
        let place = self
            .locator
            .locate(origin, &path.clone().key("name"), Target::Value)?;
        let mut compile = |field: &str, text: &str, condition: bool| {
            let at = path.clone().key(field);
            self.compile(&shape, origin, &at, text, condition)
        };
        let mut optional = |field: &str, text: &Option<String>, condition: bool| match text {
            Some(text) => compile(field, text, condition).map(Some),
            None => Some(None),
        };
        let matches = optional("match", &written.matches, true);
        let message_expression = optional("messageExpression", &written.message_expression, false);
        let expression = compile("expression", &written.expression, true);
        Some(Rule {
            policy: policy.to_owned(),
            name: written.name.clone(),
            code: Cow::Owned(format!("policy/{}", written.name)),
            subject,
            matches: matches?,
            expression: expression?,
            message: written.message.clone(),
            message_expression: message_expression?,
            description: written.description.clone(),
            severity: match written.severity {
                Grade::Error => Severity::Error,
                Grade::Warning => Severity::Warning,
            },
            place,
        })
    }

    fn compile(
        &mut self,
        shape: &Shape,
        origin: Origin,
        path: &FieldPath,
        text: &str,
        condition: bool,
    ) -> Option<Expression> {
        let (what, at) = match shape.expression(text) {
            Ok(expression) if !condition || expression.may_be_condition() => {
                return Some(expression);
            }
            Ok(_) => (
                "this is no condition: it can be neither true nor false".to_owned(),
                None,
            ),
            Err(error) => (error.what, error.at),
        };
        let mut problem = Diagnostic::new(Severity::Error, EXPRESSION, what);
        let whole = self.locator.locate(origin, path, Target::Value);
        problem.place = whole.map(|whole| match at {
            Some(at) => {
                let source = self.sources.get(whole.source as usize);
                place::within(
                    source.map_or(&[][..], |source| source.text),
                    &whole,
                    text,
                    at,
                )
            }
            None => whole,
        });
        problem.field = Some(path.to_string());
        let hint = "what an expression can name is in docs/policies.md";
        self.problems.push(problem.with_hint(hint));
        None
    }
}

fn schema() -> Value {
    let text = |most: usize| json!({ "type": "string", "minLength": 1, "maxLength": most });
    let subjects: Vec<&str> = Subject::ALL.into_iter().map(Subject::name).collect();
    let rule = json!({
        "type": "object",
        "required": ["name", "for", "expression", "message"],
        "properties": {
            "name": { "type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" },
            "description": text(4096),
            "for": { "type": "string", "enum": subjects },
            "match": text(16 * 1024),
            "expression": text(16 * 1024),
            "message": text(1024),
            "messageExpression": text(16 * 1024),
            "severity": { "type": "string", "enum": ["Error", "Warning"] },
        },
    });
    json!({
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "required": ["rules"],
                "properties": {
                    "rules": {
                        "type": "array", "minItems": 1, "maxItems": MOST_RULES, "items": rule,
                        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    },
                },
            },
        },
    })
}
