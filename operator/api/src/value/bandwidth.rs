//! Rates of data, as replication may use them.

use std::fmt;
use std::str::FromStr;

use super::ValueError;
use super::form::{Form, compared_by, text_value};
use super::meant;
use super::number::Decimal;

/// A thousand terabits per second: beyond any link, and far from overflow.
const MAX_BITS: u64 = 1_000_000_000_000_000;

/// As `tc` writes them (tc(8), "RATES"): powers of 1000, and bits, not bytes.
const UNITS: [(&str, u64); 4] = [
    ("Tbit", 1_000_000_000_000),
    ("Gbit", 1_000_000_000),
    ("Mbit", 1_000_000),
    ("kbit", 1_000),
];

pub(super) const FORM: Form = Form {
    noun: "a bandwidth",
    how: "write it as 200Mbit, 1.5Gbit or 800kbit",
    format: Some("drover-bandwidth"),
    pattern: r"^([1-9][0-9]{0,18}(\.[0-9]{1,18})?|0\.[0-9]{0,17}[1-9][0-9]{0,17})[kMGT]bit$",
    min_length: 5,
    max_length: 42,
    description: "A rate of data in bits per second: a number with one of the units kbit, Mbit, \
                  Gbit, Tbit (powers of 1000), more than zero. Example: 200Mbit",
};

/// A rate of data, such as `200Mbit`, `1.5Gbit` or `800kbit`: decimal bits per second, above zero.
///
/// It prints as it was read, and compares by its rate:
///
/// ```
/// use drover_api::value::Bandwidth;
///
/// let limit: Bandwidth = "1.5Gbit".parse()?;
/// assert_eq!(limit.bits_per_second(), 1_500_000_000);
/// assert_eq!(limit.bytes_per_second(), 187_500_000);
/// assert_eq!(limit, "1500Mbit".parse()?);
/// # Ok::<(), drover_api::value::ValueError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Bandwidth {
    bits: u64,
    text: Box<str>,
}

impl Bandwidth {
    /// In bits per second, never 0.
    pub const fn bits_per_second(&self) -> u64 {
        self.bits
    }

    /// In bytes per second, rounded down but never 0, because 0 means "no limit" to many a tool.
    pub const fn bytes_per_second(&self) -> u64 {
        let bytes = self.bits / 8;
        if bytes == 0 { 1 } else { bytes }
    }
}

impl FromStr for Bandwidth {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        FORM.check_length(text)?;
        let (number, size) =
            split(text).ok_or_else(|| FORM.refuse(text).suggest(meant::bandwidth(text)))?;
        let bits = number
            .times(size)
            .ok_or_else(|| FORM.refuse_because(text, "it is not a whole number of bits"))?;
        match u64::try_from(bits) {
            Ok(0) => Err(FORM
                .refuse_because(text, "it is no bandwidth at all")
                .with_hint(Some("leave the field out for no limit"))),
            Ok(bits) if bits <= MAX_BITS => Ok(Self {
                bits,
                text: text.into(),
            }),
            _ => Err(FORM.refuse_because(text, "it is more than 1000Tbit")),
        }
    }
}

fn split(text: &str) -> Option<(Decimal, u64)> {
    let (number, unit) = Decimal::split_from(text)?;
    let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some((number, *size))
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

compared_by!(Bandwidth, bits);
text_value!(Bandwidth, FORM);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> ValueError {
        text.parse::<Bandwidth>().unwrap_err()
    }

    #[test]
    fn reads_each_unit() {
        for (text, bits) in [
            ("800kbit", 800_000),
            ("200Mbit", 200_000_000),
            ("1.5Gbit", 1_500_000_000),
            ("0.001kbit", 1),
            ("1000Tbit", MAX_BITS),
        ] {
            let bandwidth: Bandwidth = text.parse().unwrap();
            assert_eq!(bandwidth.bits_per_second(), bits, "{text}");
            assert_eq!(bandwidth.to_string(), text);
        }
    }

    #[test]
    fn the_smallest_rate_is_no_missing_limit() {
        let bandwidth: Bandwidth = "0.001kbit".parse().unwrap();
        assert_eq!(bandwidth.bytes_per_second(), 1);
    }

    #[test]
    fn refuses_every_other_spelling() {
        for text in [
            "",
            "200",
            "Mbit",
            "200M",
            "200mbit",
            "200MB",
            "-1Mbit",
            "200 Mbit",
            "1e3kbit",
            "0Mbit",
            "0.0Gbit",
            "0.0001kbit",
            "1001Tbit",
            "010Mbit",
        ] {
            assert!(text.parse::<Bandwidth>().is_err(), "{text}");
        }
    }

    #[test]
    fn says_what_was_probably_meant() {
        for text in ["200 Mbps", "200Mb/s", "200mbit", "200M"] {
            assert_eq!(
                refusal(text).hint(),
                Some("did you mean 200Mbit?"),
                "{text}"
            );
        }
        // Bytes or bits: a suggestion would be wrong by a factor of eight.
        assert_eq!(refusal("200MB/s").hint(), None);
        assert_eq!(
            refusal("0Mbit").to_string(),
            r#""0Mbit" is not a bandwidth: it is no bandwidth at all"#
        );
    }

    proptest! {
        #[test]
        fn what_is_read_is_printed(text in FORM.unanchored()) {
            if let Ok(bandwidth) = text.parse::<Bandwidth>() {
                prop_assert_eq!(bandwidth.to_string(), text);
            }
        }
    }
}
