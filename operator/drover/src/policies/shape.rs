//! What an expression of a policy can name: the fields of each view, with their types.
//!
//! This is the one table: expressions are checked against it, views are made to fit it, and a test
//! compares `docs/policies.md` with it.

use drover_embedded::schema::{SchemaError, Shape};
use serde_json::{Map, Value, json};

/// What a rule can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Each machine that the inventory of a site lists, or that a protection group names.
    Machine,
    /// Each protection group.
    Group,
    /// Each recovery plan.
    Plan,
    /// Each site.
    Site,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A length of time, to be compared with `duration('15m')`.
    Duration,
    /// An instant.
    Time,
    /// A list of texts.
    Texts,
    /// A map from text to text.
    Labels,
    /// A map with fields of its own.
    Map(Fields),
    /// A list of such maps.
    List(Fields),
}

/// Fields with their types, in the order in which documentation lists them. Those that may be missing
/// end with `?`.
pub type Fields = &'static [(&'static str, Type)];

const MACHINE: Fields = &[
    ("name", Type::Text),
    ("site", Type::Text),
    ("labels", Type::Labels),
    ("protected", Type::Bool),
    ("inNamespace?", Type::Text),
    ("group?", Type::Text),
    ("groupLabels", Type::Labels),
    ("policy?", Type::Text),
    ("rpo?", Type::Duration),
    ("interval?", Type::Duration),
    ("retention?", Type::Duration),
    ("encrypted", Type::Bool),
    ("consistencyGroup", Type::Bool),
    ("plans", Type::Texts),
];

const GROUP: Fields = &[
    ("name", Type::Text),
    ("inNamespace", Type::Text),
    ("labels", Type::Labels),
    ("primary", Type::Text),
    ("secondary", Type::Text),
    ("machines", Type::Texts),
    ("open", Type::Bool),
    ("policy", Type::Text),
    ("rpo?", Type::Duration),
    ("interval?", Type::Duration),
    ("retention?", Type::Duration),
    ("encrypted", Type::Bool),
    ("consistencyGroup", Type::Bool),
    ("purpose", Type::Text),
    ("deletionPolicy", Type::Text),
    ("networkMapping?", Type::Text),
    ("plans", Type::Texts),
];

const ACTION: Fields = &[
    ("name", Type::Text),
    ("kind", Type::Text),
    ("onFailure", Type::Text),
];

const PLAN_GROUP: Fields = &[
    ("name", Type::Text),
    ("machines", Type::Int),
    ("before", Type::List(ACTION)),
    ("after", Type::List(ACTION)),
];

const PLAN: Fields = &[
    ("name", Type::Text),
    ("inNamespace", Type::Text),
    ("labels", Type::Labels),
    ("primary", Type::Text),
    ("secondary", Type::Text),
    ("activeSite?", Type::Text),
    ("commit", Type::Text),
    ("soak?", Type::Duration),
    ("approvals", Type::Int),
    ("drillNotOlderThan?", Type::Duration),
    ("drillsScheduled", Type::Bool),
    ("toSecondary", Type::Text),
    ("toPrimary", Type::Text),
    ("rto?", Type::Duration),
    ("rpo?", Type::Duration),
    (
        "request?",
        Type::Map(&[
            ("id", Type::Text),
            ("type", Type::Text),
            ("expires", Type::Time),
            ("unfenced", Type::Text),
        ]),
    ),
    ("machines", Type::Int),
    ("groups", Type::List(PLAN_GROUP)),
    (
        "forecast",
        Type::Map(&[
            ("direction", Type::Text),
            ("rto", Type::Duration),
            ("loss?", Type::Duration),
            ("worstLoss?", Type::Duration),
            ("waves", Type::Int),
        ]),
    ),
];

const SITE: Fields = &[
    ("name", Type::Text),
    ("labels", Type::Labels),
    ("fabric", Type::Text),
    ("timeZone", Type::Text),
    ("tenants", Type::Int),
];

impl Subject {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Machine, Self::Group, Self::Plan, Self::Site];

    /// As policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Machine => "Machine",
            Self::Group => "Group",
            Self::Plan => "Plan",
            Self::Site => "Site",
        }
    }

    /// The subject of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subject| subject.name() == name)
    }

    /// What an expression about it can name, below `self`.
    pub fn fields(self) -> Fields {
        match self {
            Self::Machine => MACHINE,
            Self::Group => GROUP,
            Self::Plan => PLAN,
            Self::Site => SITE,
        }
    }

    /// The same for the engine of expressions.
    ///
    /// # Errors
    /// Never for what stands here.
    pub fn shape(self) -> Result<Shape, SchemaError> {
        let schema = serde_json::from_value(schema(Type::Map(self.fields()))).unwrap_or_default();
        Shape::of(&schema)
    }
}

impl Type {
    /// As documentation calls it.
    #[cfg(test)]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bool => "true or false",
            Self::Int => "number",
            Self::Duration => "duration",
            Self::Time => "instant",
            Self::Texts => "list of text",
            Self::Labels => "map of text",
            Self::Map(_) => "map",
            Self::List(_) => "list",
        }
    }
}

fn schema(of: Type) -> Value {
    match of {
        Type::Text => json!({ "type": "string" }),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Int => json!({ "type": "integer" }),
        Type::Duration => json!({ "type": "string", "format": "duration" }),
        Type::Time => json!({ "type": "string", "format": "date-time" }),
        Type::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Type::Labels => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        Type::Map(fields) => {
            let fields = fields.iter();
            let properties: Map<String, Value> = fields
                .map(|(name, of)| (name.trim_end_matches('?').to_owned(), schema(*of)))
                .collect();
            json!({ "type": "object", "properties": properties })
        }
        Type::List(fields) => {
            json!({ "type": "array", "items": schema(Type::Map(fields)) })
        }
    }
}
