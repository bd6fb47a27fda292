//! Decimal numbers without floating point: `1.5` times 2^30 is a whole number or it is refused.

/// Most digits before the point: 8 EiB in bytes has 19.
const WHOLE_DIGITS: usize = 19;
/// Most digits after the point: more than any suffix can make use of in practice.
const FRACTION_DIGITS: usize = 18;

/// A decimal number of at most 19 digits before the point and 18 after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    whole: u64,
    fraction: u64,
    /// Ten to the number of digits of the fraction.
    scale: u64,
}

impl Decimal {
    /// Reads a number at the start of a text; gives it and the rest. `None`: the text does not
    /// start with a number, or with one written in a way that invites misreading (`05`, `1.`).
    pub(super) fn split_from(text: &str) -> Option<(Self, &str)> {
        let (whole_digits, rest) = split_digits(text);
        let whole = parse_whole(whole_digits, WHOLE_DIGITS)?;
        let Some(after_point) = rest.strip_prefix('.') else {
            let number = Self {
                whole,
                fraction: 0,
                scale: 1,
            };
            return Some((number, rest));
        };
        let (digits, rest) = split_digits(after_point);
        if digits.is_empty() || digits.len() > FRACTION_DIGITS {
            return None;
        }
        let number = Self {
            whole,
            fraction: digits.parse().ok()?,
            scale: 10_u64.pow(u32::try_from(digits.len()).ok()?),
        };
        Some((number, rest))
    }

    /// The product, when it is a whole number. Cannot overflow: 10^19 times 2^64 fits.
    pub(super) fn times(self, unit: u64) -> Option<u128> {
        let part = u128::from(self.fraction) * u128::from(unit);
        let scale = u128::from(self.scale);
        if !part.is_multiple_of(scale) {
            return None;
        }
        Some(u128::from(self.whole) * u128::from(unit) + part / scale)
    }
}

/// The ASCII digits a text starts with, and the rest.
pub(super) fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// A whole number of at most `most` digits, without leading zeros.
pub(super) fn parse_whole(digits: &str, most: usize) -> Option<u64> {
    let padded = digits.len() > 1 && digits.starts_with('0');
    if digits.is_empty() || digits.len() > most || padded {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(text: &str, unit: u64) -> Option<u128> {
        Decimal::split_from(text).and_then(|(number, _)| number.times(unit))
    }

    #[test]
    fn multiplies_exactly_or_not_at_all() {
        assert_eq!(product("1.5", 1 << 30), Some(3 << 29));
        assert_eq!(product("0.1", 10), Some(1));
        assert_eq!(product("0.1", 1 << 30), None);
        assert_eq!(product("1.50", 2), Some(3));
    }

    #[test]
    fn does_not_overflow_at_its_largest() {
        let largest = "9999999999999999999.999999999999999999";
        assert_eq!(product(largest, u64::MAX), None);
        assert!(product("9999999999999999999", u64::MAX).is_some());
    }

    #[test]
    fn refuses_what_invites_misreading() {
        for text in ["", "05", ".5", "5.", "-1", "+1", "12345678901234567890"] {
            assert_eq!(Decimal::split_from(text), None, "{text}");
        }
    }
}
