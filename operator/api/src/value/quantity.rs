//! Amounts of data: disk sizes, memory, free space.

use std::fmt;
use std::str::FromStr;

use super::ValueError;
use super::form::{Form, compared_by, text_value};
use super::meant;
use super::number::Decimal;

/// 8 EiB: as much as a signed 64-bit file offset can address, and one byte more.
const MAX_BYTES: u64 = 1 << 63;

/// Those of a Kubernetes quantity; its `m`, `u` and `n` and its exponents are no bytes.
const SUFFIXES: [(&str, u64); 13] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
    ("", 1),
];

pub(super) const FORM: Form = Form {
    noun: "an amount of data",
    how: "write it as 20Gi, 500M or 1.5Ti",
    format: Some("drover-quantity"),
    pattern: r"^(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?(Ki|Mi|Gi|Ti|Pi|Ei|k|M|G|T|P|E)?$",
    min_length: 1,
    max_length: 40,
    description: "An amount of data in bytes: a number with one of the suffixes Ki, Mi, Gi, Ti, \
                  Pi, Ei (powers of 1024) or k, M, G, T, P, E (powers of 1000), or none; at most \
                  8Ei. Example: 20Gi",
};

/// An amount of data, such as `20Gi`, `500M`, `1.5Ti` or `0`: whole bytes, at most 8 EiB.
///
/// It prints as it was read, and compares by its bytes:
///
/// ```
/// use drover_api::value::Quantity;
///
/// let memory: Quantity = "1.5Gi".parse()?;
/// assert_eq!(memory.bytes(), 1_610_612_736);
/// assert_eq!(memory, "1536Mi".parse()?);
/// assert_eq!(memory.to_string(), "1.5Gi");
/// # Ok::<(), drover_api::value::ValueError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Quantity {
    bytes: u64,
    /// As it was read; `None` for a computed one, which prints with its largest exact suffix.
    text: Option<Box<str>>,
}

impl Quantity {
    /// The largest amount there is, 8 EiB.
    pub const MAX: Self = Self {
        bytes: MAX_BYTES,
        text: None,
    };

    /// So many bytes; [`MAX`](Self::MAX) when that is more.
    pub const fn from_bytes(bytes: u64) -> Self {
        if bytes < MAX_BYTES {
            Self { bytes, text: None }
        } else {
            Self::MAX
        }
    }

    /// In bytes.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl FromStr for Quantity {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        FORM.check_length(text)?;
        let (number, size) = split(text)
            .ok_or_else(|| FORM.refuse(text).suggest(meant::quantity(text, &SUFFIXES)))?;
        let bytes = number
            .times(size)
            .ok_or_else(|| FORM.refuse_because(text, "it is not a whole number of bytes"))?;
        match u64::try_from(bytes) {
            Ok(bytes) if bytes <= MAX_BYTES => Ok(Self {
                bytes,
                text: Some(text.into()),
            }),
            _ => Err(FORM.refuse_because(text, "it is more than 8Ei")),
        }
    }
}

fn split(text: &str) -> Option<(Decimal, u64)> {
    let (number, unit) = Decimal::split_from(text)?;
    let (_, size) = SUFFIXES.iter().find(|(suffix, _)| *suffix == unit)?;
    Some((number, *size))
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return f.write_str(text);
        }
        let largest_exact = SUFFIXES
            .iter()
            .filter(|(_, size)| self.bytes >= *size && self.bytes.is_multiple_of(*size))
            .max_by_key(|(_, size)| *size);
        match largest_exact {
            Some((suffix, size)) => write!(f, "{}{suffix}", self.bytes / size),
            None => f.write_str("0"),
        }
    }
}

compared_by!(Quantity, bytes);
text_value!(Quantity, FORM);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    #[test]
    fn reads_each_suffix() {
        for (text, bytes) in [
            ("0", 0),
            ("20Gi", 20 << 30),
            ("500M", 500_000_000),
            ("1.5Gi", 3 << 29),
            ("0.5Ki", 512),
            ("1.0", 1),
            ("8Ei", 1 << 63),
            ("9223372036854775808", 1 << 63),
            ("1E", 1_000_000_000_000_000_000),
        ] {
            assert_eq!(read(text).bytes(), bytes, "{text}");
            assert_eq!(read(text).to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_whole_number_of_bytes_or_too_much() {
        for text in [
            "",
            "Gi",
            "-1Gi",
            "+1Gi",
            "1e3",
            "20GB",
            "20g",
            "1m",
            "1.5",
            "0.3Ki",
            "1.Gi",
            ".5Gi",
            "05Gi",
            "8.1Ei",
            "9223372036854775809",
            "20 Gi",
            "1,5Gi",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[test]
    fn says_what_was_probably_meant() {
        for (text, meant) in [
            ("20 GiB", "20Gi"),
            ("20GB", "20G"),
            ("20gi", "20Gi"),
            ("8K", "8k"),
        ] {
            let error = text.parse::<Quantity>().unwrap_err();
            assert_eq!(
                error.hint(),
                Some(&*format!("did you mean {meant}?")),
                "{text}"
            );
        }
        let error = "0.3Ki".parse::<Quantity>().unwrap_err();
        let expected = r#""0.3Ki" is not an amount of data: it is not a whole number of bytes"#;
        assert_eq!(error.to_string(), expected);
    }

    proptest! {
        #[test]
        fn computed_ones_come_back(bytes in 0..=MAX_BYTES) {
            let quantity = Quantity::from_bytes(bytes);
            prop_assert_eq!(read(&quantity.to_string()), quantity);
        }

        #[test]
        fn what_the_pattern_allows_is_of_the_right_form(text in FORM.unanchored()) {
            match text.parse::<Quantity>() {
                Ok(quantity) => prop_assert_eq!(quantity.to_string(), text),
                Err(error) => prop_assert!(!error.to_string().contains(FORM.how)),
            }
        }
    }
}
