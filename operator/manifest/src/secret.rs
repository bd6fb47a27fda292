//! What must not be repeated in a message or a source line (BI-3).
//!
//! Manifests of Drover only refer to secrets, but repositories hold other documents too, and people
//! write a password where a reference belongs.

/// Whether a document may hold secrets: it has a PEM block, or one of its lines says `kind: Secret`
/// or some other kind with that word in it (`SealedSecret`, `SecretList`).
pub fn may_hold_secrets(document: &[u8]) -> bool {
    if document.windows(PEM.len()).any(|window| window == PEM) {
        return true;
    }
    document
        .split(|byte| matches!(byte, b'\n' | b'\r' | b',' | b'{' | b'['))
        .any(|piece| {
            let piece = String::from_utf8_lossy(&piece[..piece.len().min(200)]);
            let piece = piece.trim_start_matches([' ', '\t', '-', '"', '\'', '?', '\u{FEFF}']);
            piece.strip_prefix("kind").is_some_and(|rest| {
                let rest = rest.trim_start_matches([' ', '\t', '"', '\'', ':']);
                let word: &str = rest
                    .split([' ', '\t', '"', '\'', '#', '}'])
                    .next()
                    .unwrap_or_default();
                word.to_ascii_lowercase().contains("secret")
            })
        })
}

/// What keys and certificates begin with.
const PEM: &[u8] = b"-----BEGIN";

/// Words in the name of a field whose value is a secret.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "sharedkey",
];

/// Endings of names that refer to a secret, and do not hold it.
const REFERENCE_ENDINGS: &[&str] = &[
    "ref",
    "refs",
    "name",
    "names",
    "namespace",
    "selector",
    "kind",
];

/// Whether the value of a field of this name is a secret.
pub(crate) fn names_secret(field: &str) -> bool {
    let name: String = field
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|each| each.to_ascii_lowercase())
        .collect();
    SECRET_WORDS.iter().any(|word| name.contains(word))
        && !REFERENCE_ENDINGS
            .iter()
            .any(|ending| name.ends_with(ending))
}

/// The source line with the value of every field that [`names_secret`] replaced by `*`, one for
/// each character, so that a caret stays where it was.
pub fn mask(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(colon) = rest.find(':') {
        let (before, value) = rest.split_at(colon + 1);
        masked.push_str(before);
        rest = value;
        if names_secret(last_word(&before[..colon])) && !opens_block(value) {
            masked.extend(
                value
                    .chars()
                    .map(|each| if each.is_whitespace() { each } else { '*' }),
            );
            return masked;
        }
    }
    masked.push_str(rest);
    masked
}

fn last_word(text: &str) -> &str {
    let text = text.trim_end_matches(['"', '\'', ' ', '\t']);
    let start = text
        .rfind([' ', '\t', '{', ',', '"', '\'', '['])
        .map_or(0, |at| at + 1);
    text.get(start..).unwrap_or_default()
}

/// Whether a map or list follows, as in `passwordRef: { name: x }`: its own fields decide.
fn opens_block(value: &str) -> bool {
    matches!(
        value.trim_start().chars().next(),
        None | Some('{' | '[' | '#')
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_other_people_are_recognised() {
        assert!(may_hold_secrets(b"apiVersion: v1\nkind: Secret\ndata: {"));
        assert!(may_hold_secrets(b"- kind: \"SealedSecret\""));
        assert!(may_hold_secrets(br#"{"apiVersion":"v1","kind":"Secret"}"#));
        assert!(!may_hold_secrets(
            b"kind: Site\nspec: { secretRef: { name: a } }"
        ));
    }

    #[test]
    fn values_of_secret_fields_are_masked() {
        assert_eq!(mask("  password: hunter2 x"), "  password: ******* *");
        assert_eq!(
            mask(r#"{ "apiKey": "abc", a: 1 }"#),
            r#"{ "apiKey": ****** ** * *"#
        );
        assert_eq!(
            mask("  passwordRef: { name: dns-key }"),
            "  passwordRef: { name: dns-key }"
        );
        assert_eq!(
            mask("  keySecretRef: { name: dns-key }"),
            "  keySecretRef: { name: dns-key }"
        );
        assert_eq!(mask("  secret: { token: abc }"), "  secret: { token: *** *");
        assert_eq!(mask("name: a"), "name: a");
    }
}
