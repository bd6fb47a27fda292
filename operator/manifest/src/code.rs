//! The codes of diagnostics. They are stable: pipelines filter by them, documentation explains them.

/// The text is not YAML.
pub const SYNTAX: &str = "syntax";
/// The bytes are not UTF-8, or hold characters that YAML forbids.
pub const ENCODING: &str = "encoding";
/// A bound of [`limits`](crate::limits) is passed.
pub const TOO_LARGE: &str = "too-large";
/// A YAML tag that manifests do not have.
pub const TAG: &str = "unsupported-tag";
/// An alias or merge key that cannot be followed.
pub const ALIAS: &str = "alias";
/// A key that is no text.
pub const KEY: &str = "invalid-key";
/// A key that stands twice in one map.
pub const DUPLICATE_KEY: &str = "duplicate-key";
/// A document of no use among documents of ours.
pub const NOT_AN_OBJECT: &str = "not-an-object";
/// `apiVersion` or `kind` is not there.
pub const MISSING_TYPE: &str = "missing-type";
/// The version of our group does not exist.
pub const UNKNOWN_VERSION: &str = "unknown-version";
/// The kind does not exist in our group.
pub const UNKNOWN_KIND: &str = "unknown-kind";
/// A kind of ours in a group that looks like ours misspelt.
pub const MISSPELT_GROUP: &str = "misspelt-group";
/// A field that the kind does not have.
pub const UNKNOWN_FIELD: &str = "unknown-field";
/// A field that must be there is not.
pub const MISSING_FIELD: &str = "missing-field";
/// A field without a value: it counts as not written.
pub const EMPTY_FIELD: &str = "empty-field";
/// A value of another type.
pub const WRONG_TYPE: &str = "wrong-type";
/// A word that is none of the allowed ones.
pub const UNKNOWN_VALUE: &str = "unknown-value";
/// A value that breaks a rule of its field.
pub const INVALID_VALUE: &str = "invalid-value";
/// Two items of a list have the same name.
pub const DUPLICATE_ITEM: &str = "duplicate-item";
/// A name that Kubernetes would refuse.
pub const INVALID_NAME: &str = "invalid-name";
/// A namespace on an object that has none.
pub const UNEXPECTED_NAMESPACE: &str = "unexpected-namespace";
/// The same object is declared twice.
pub const DUPLICATE_OBJECT: &str = "duplicate-object";
/// More problems than are shown.
pub const MORE_PROBLEMS: &str = "more-problems";

/// All codes, for documentation.
pub const ALL: &[&str] = &[
    SYNTAX,
    ENCODING,
    TOO_LARGE,
    TAG,
    ALIAS,
    KEY,
    DUPLICATE_KEY,
    NOT_AN_OBJECT,
    MISSING_TYPE,
    UNKNOWN_VERSION,
    UNKNOWN_KIND,
    MISSPELT_GROUP,
    UNKNOWN_FIELD,
    MISSING_FIELD,
    EMPTY_FIELD,
    WRONG_TYPE,
    UNKNOWN_VALUE,
    INVALID_VALUE,
    DUPLICATE_ITEM,
    INVALID_NAME,
    UNEXPECTED_NAMESPACE,
    DUPLICATE_OBJECT,
    MORE_PROBLEMS,
];
