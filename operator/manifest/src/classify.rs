//! Whose document is it: ours, somebody else's, or meant to be ours.

use crate::code;
use crate::node::{Node, Value, quoted};
use crate::position::Span;
use crate::problem::Problem;
use crate::registry::{Known, Registry, group_of};
use crate::suggest;

/// What to do with a document.
pub(crate) enum Class<'r, 'n, O> {
    /// Check and decode it.
    Ours(&'r Known<O>),
    /// Look at each item.
    List(&'n [Node]),
    /// Meant to be ours, and wrong.
    Wrong(Problem),
    /// Not ours, with a doubt.
    Doubtful(Problem),
    /// Not an object of any kind. Wrong in a file of ours, fine in a file of something else.
    Stray(Problem),
    /// Somebody else's.
    Foreign,
}

/// Looks at `apiVersion` and `kind` and at nothing else.
pub(crate) fn classify<'r, 'n, O>(registry: &'r Registry<O>, root: &'n Node) -> Class<'r, 'n, O> {
    if !root.is_map() {
        // Not its text: who knows what it is.
        let found = match root.value {
            Value::Seq(_) => "a list",
            _ => "text",
        };
        let message = format!("expected an object, found {found}");
        let hint = "an object starts with `apiVersion` and `kind`";
        return Class::Stray(Problem::error(code::NOT_AN_OBJECT, root.span, message).hint(hint));
    }
    let api_version = root.get("apiVersion").and_then(Node::as_str);
    let kind = root.get("kind").and_then(Node::as_str);
    match (api_version, kind) {
        (Some(api_version), Some(kind)) => typed(registry, root, api_version, kind),
        (Some(api_version), None) => without_kind(registry, root, api_version),
        (None, Some(kind)) => without_version(registry, root, kind),
        (None, None) => untyped(registry, root),
    }
}

fn typed<'r, 'n, O>(
    registry: &'r Registry<O>,
    root: &'n Node,
    api_version: &str,
    kind: &str,
) -> Class<'r, 'n, O> {
    if let Some(known) = registry.find(api_version, kind) {
        return Class::Ours(known);
    }
    let group = group_of(api_version);
    let versions = registry.versions_of(group);
    let typed_list = kind
        .strip_suffix("List")
        .is_some_and(|each| registry.find(api_version, each).is_some() && !registry.has_kind(kind));
    if (api_version == "v1" && kind == "List") || typed_list {
        return Class::List(root.get("items").map(Node::items).unwrap_or_default());
    }
    if versions.is_empty() {
        return other_group(registry, root, api_version, kind);
    }
    if !versions.contains(&api_version) {
        let message = format!("the version {} does not exist", quoted(api_version));
        let problem = Problem::error(
            code::UNKNOWN_VERSION,
            value_span(root, "apiVersion"),
            message,
        );
        let hint = format!("write {}", suggest::list(versions, "or"));
        return Class::Wrong(problem.hint(hint).field("apiVersion"));
    }
    let message = format!("there is no kind {} in {api_version}", quoted(kind));
    let kinds: Vec<&str> = registry.kinds_of(api_version).collect();
    let hint = match nearest_kind(kind, &kinds) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the kinds are {}", suggest::list(kinds, "and")),
    };
    let problem = Problem::error(code::UNKNOWN_KIND, value_span(root, "kind"), message);
    Class::Wrong(problem.hint(hint).field("kind"))
}

/// People also write the plural, and short forms such as `Plan`.
fn nearest_kind<'k>(kind: &str, kinds: &[&'k str]) -> Option<&'k str> {
    let singular = kind.strip_suffix('s').unwrap_or(kind);
    suggest::nearest(kind, kinds.iter().copied()).or_else(|| {
        let mut part = kinds
            .iter()
            .filter(|each| singular.len() > 3 && each.ends_with(singular));
        let only = part.next()?;
        part.next().is_none().then_some(*only)
    })
}

/// A kind of ours in a group that is not: misspelt, or somebody else's kind of the same name.
fn other_group<'r, 'n, O>(
    registry: &'r Registry<O>,
    root: &'n Node,
    api_version: &str,
    kind: &str,
) -> Class<'r, 'n, O> {
    let similar = |right: &&'static str| {
        let (group, meant) = (group_of(api_version), group_of(right));
        let first_label = |name: &str| name.split(['.', '/']).next().map(str::to_lowercase);
        suggest::nearest(group, [meant]).is_some()
            || suggest::nearest(api_version, [meant, *right]).is_some()
            || first_label(api_version) == first_label(meant)
    };
    let Some(meant) = registry.versions_of_kind(kind).find(similar) else {
        return Class::Foreign;
    };
    let message = format!(
        "this {kind} is ignored: {} is not a group of Drover",
        quoted(api_version)
    );
    let problem = Problem::warning(
        code::MISSPELT_GROUP,
        value_span(root, "apiVersion"),
        message,
    );
    Class::Doubtful(
        problem
            .hint(format!("did you mean `{meant}`?"))
            .field("apiVersion"),
    )
}

fn without_kind<'r, 'n, O>(
    registry: &'r Registry<O>,
    root: &'n Node,
    api_version: &str,
) -> Class<'r, 'n, O> {
    if registry.versions_of(group_of(api_version)).is_empty() {
        return Class::Foreign;
    }
    let at = value_span(root, "apiVersion");
    let kinds = suggest::list(registry.kinds_of(api_version), "or");
    Class::Wrong(missing(
        root,
        "kind",
        at,
        format!("add `kind:` with one of {kinds}"),
    ))
}

fn without_version<'r, 'n, O>(
    registry: &'r Registry<O>,
    root: &'n Node,
    kind: &str,
) -> Class<'r, 'n, O> {
    let at = value_span(root, "kind");
    let hint = match registry.versions_of_kind(kind).next() {
        Some(version) => format!("add `apiVersion: {version}`"),
        None => "add its `apiVersion`".to_owned(),
    };
    let problem = missing(root, "apiVersion", at, hint);
    // A kind such as `Site` may be anybody's: what looks like an object of ours decides.
    if registry.has_kind(kind) && root.get("spec").is_some() {
        Class::Wrong(problem)
    } else {
        Class::Stray(problem)
    }
}

fn untyped<'r, 'n, O>(registry: &'r Registry<O>, root: &'n Node) -> Class<'r, 'n, O> {
    let first = root
        .entries()
        .first()
        .map_or(root.span, |(key, _)| key.span);
    let message = "this document is no object: it has neither `apiVersion` nor `kind`";
    let problem = Problem::error(code::NOT_AN_OBJECT, first, message);
    // `Kind: Site` is as good as a signature.
    let signed = root.entries().iter().any(|(key, value)| {
        key.text.eq_ignore_ascii_case("kind")
            && value.as_str().is_some_and(|kind| registry.has_kind(kind))
    });
    if signed {
        Class::Wrong(problem.hint("the names of fields are case-sensitive: `apiVersion`, `kind`"))
    } else {
        Class::Stray(problem)
    }
}

/// A type field that is not there, misspelt, or no text.
fn missing(root: &Node, field: &str, at: Span, hint: String) -> Problem {
    if let Some((key, value)) = root.entry(field) {
        let message = format!("expected a string, found {}", value.describe());
        let span = if value.is_blank() {
            key.span
        } else {
            value.span
        };
        return Problem::error(code::MISSING_TYPE, span, message)
            .hint(hint)
            .field(field);
    }
    let near = root
        .entries()
        .iter()
        .find(|(key, _)| suggest::nearest(&key.text, [field]).is_some());
    let problem = Problem::error(code::MISSING_TYPE, at, format!("`{field}` is missing"));
    match near {
        Some((key, _)) => Problem {
            span: key.span,
            ..problem
                .hint(format!("did you mean `{field}`?"))
                .field(field)
        },
        None => problem.hint(hint).field(field),
    }
}

fn value_span(root: &Node, key: &str) -> Span {
    root.get(key).map_or(root.span, |value| value.span)
}
