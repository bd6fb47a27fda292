//! The TSIG key of a zone, from a secret (RFC 8945). No message says what is in it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::tsig::{Algorithm, Key, KeyName};
use k8s_openapi::ByteString;

/// Unless the secret says another: what every server has.
const ALGORITHM: &str = "hmac-sha256";

/// Reads a key from the entries of a secret: `name`, `secret` in Base64, and maybe `algorithm`.
pub(super) fn read(data: &BTreeMap<String, ByteString>) -> Result<Key, String> {
    let entry = |name: &str| {
        let bytes = data.get(name)?;
        // Files, and so secrets made of them, end with a new line.
        Some(str::from_utf8(&bytes.0).ok()?.trim())
    };
    let name = entry("name").filter(|name| !name.is_empty());
    let name = name.ok_or("it has no entry `name`, the name of the key at the server")?;
    let name: KeyName = name
        .trim_end_matches('.')
        .parse()
        .map_err(|_| "its `name` is no name of a key: write it as the server has it")?;
    let algorithm = entry("algorithm").unwrap_or(ALGORITHM).to_ascii_lowercase();
    let algorithm: Algorithm = algorithm
        .trim_end_matches('.')
        .parse()
        .map_err(|_| {
            "its `algorithm` is not known: it is one of hmac-sha256, hmac-sha384, hmac-sha512 and hmac-sha1"
        })?;
    let secret = entry("secret").filter(|secret| !secret.is_empty());
    let secret = secret.ok_or("it has no entry `secret`, the key in Base64")?;
    let secret = STANDARD
        .decode(secret)
        .map_err(|_| "its `secret` is not Base64: write it as the server's key file has it")?;
    Key::new(algorithm, &secret, name, None, None).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(entries: &[(&str, &str)]) -> BTreeMap<String, ByteString> {
        let entry = |(name, value): &(&str, &str)| {
            let value = ByteString(value.as_bytes().to_vec());
            ((*name).to_owned(), value)
        };
        entries.iter().map(entry).collect()
    }

    #[test]
    fn a_key_is_read_as_servers_write_it() {
        let plain = secret(&[
            ("name", "drover.\n"),
            ("secret", "MDEyMzQ1Njc4OWFiY2RlZg==\n"),
        ]);
        let key = read(&plain).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Sha256);
        assert_eq!(key.name().to_string(), "drover");
        let mut strong = plain;
        strong.extend(secret(&[("algorithm", "HMAC-SHA512.")]));
        assert_eq!(read(&strong).unwrap().algorithm(), Algorithm::Sha512);
    }

    #[test]
    fn a_key_that_cannot_be_read_is_not_repeated() {
        // SPEC: BI-3
        for entries in [
            &[("name", "drover")][..],
            &[("secret", "hunter2=")],
            &[("name", "drover"), ("secret", "hunter2 is no Base64")],
            &[
                ("name", "drover"),
                ("secret", "aHVudGVyMg=="),
                ("algorithm", "hunter2"),
            ],
            &[("name", "hun..ter2"), ("secret", "aHVudGVyMg==")],
        ] {
            let why = read(&secret(entries)).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
            assert!(!why.contains("hun..ter2"), "{why}");
        }
    }
}
