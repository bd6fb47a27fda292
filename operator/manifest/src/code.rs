//! The codes of diagnostics. They are stable: pipelines filter by them, documentation explains them.

/// One kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Its stable name, as [`Diagnostic::code`](crate::Diagnostic::code) has it.
    pub code: &'static str,
    /// What it says, in one line.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal: $meaning:literal;)+) => {
        $(#[doc = $meaning] pub const $name: &str = $code;)+

        /// All codes, for documentation.
        pub const ALL: &[Code] = &[$(Code { code: $code, meaning: $meaning }),+];
    };
}

codes! {
    SYNTAX = "syntax": "the text is not YAML";
    ENCODING = "encoding": "the bytes are not UTF-8, or hold characters that YAML forbids";
    TOO_LARGE = "too-large": "a bound of `limits` is passed";
    TAG = "unsupported-tag": "a YAML tag that manifests do not have";
    ALIAS = "alias": "an alias or merge key that cannot be followed";
    KEY = "invalid-key": "a key that is no text";
    DUPLICATE_KEY = "duplicate-key": "a key that stands twice in one map";
    NOT_AN_OBJECT = "not-an-object": "a document of no use among documents of ours";
    MISSING_TYPE = "missing-type": "`apiVersion` or `kind` is not there";
    UNKNOWN_VERSION = "unknown-version": "the version of our group does not exist";
    UNKNOWN_KIND = "unknown-kind": "the kind does not exist in our group";
    MISSPELT_GROUP = "misspelt-group": "a kind of ours in a group that looks like ours misspelt";
    UNKNOWN_FIELD = "unknown-field": "a field that the kind does not have";
    MISSING_FIELD = "missing-field": "a field that must be there is not";
    EMPTY_FIELD = "empty-field": "a field without a value: it counts as not written";
    WRONG_TYPE = "wrong-type": "a value of another type";
    UNKNOWN_VALUE = "unknown-value": "a word that is none of the allowed ones";
    INVALID_VALUE = "invalid-value": "a value that breaks a rule of its field";
    DUPLICATE_ITEM = "duplicate-item": "two items of a list have the same name";
    INVALID_NAME = "invalid-name": "a name that Kubernetes would refuse";
    UNEXPECTED_NAMESPACE = "unexpected-namespace": "a namespace on an object that has none";
    DUPLICATE_OBJECT = "duplicate-object": "the same object is declared twice";
    MORE_PROBLEMS = "more-problems": "more problems than are shown";
}
