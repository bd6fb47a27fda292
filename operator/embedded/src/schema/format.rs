//! The formats of texts that the real server checks; it passes over those that it does not know.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::civil;

/// A format of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Byte,
    Cidr,
    Date,
    DateTime,
    Duration,
    Ipv4,
    Ipv6,
    LongName,
    Mac,
    Password,
    ShortName,
    /// Any version, or a certain one.
    Uuid(Option<char>),
}

/// Formats that the real server checks and this one does not.
const REFUSED: &[&str] = &[
    "bsonobjectid",
    "creditcard",
    "email",
    "hexcolor",
    "hostname",
    "isbn",
    "isbn10",
    "isbn13",
    "rgbcolor",
    "ssn",
    "uri",
];

/// What longer Kubernetes names may be at most.
const LONG_NAME: usize = 253;
/// What shorter ones may be.
const SHORT_NAME: usize = 63;

impl Format {
    /// The format of a name in a schema, and none for what nobody checks.
    ///
    /// # Errors
    ///
    /// For what the real server would check.
    pub fn named(name: &str) -> Result<Option<Self>, String> {
        let name = name.replace('-', "");
        let found = match &*name {
            "byte" => Self::Byte,
            "cidr" => Self::Cidr,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "duration" => Self::Duration,
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "k8slongname" => Self::LongName,
            "k8sshortname" => Self::ShortName,
            "mac" => Self::Mac,
            "password" => Self::Password,
            "uuid" => Self::Uuid(None),
            "uuid3" => Self::Uuid(Some('3')),
            "uuid4" => Self::Uuid(Some('4')),
            "uuid5" => Self::Uuid(Some('5')),
            refused if REFUSED.contains(&refused) => {
                return Err(format!("the format {name:?} is not supported"));
            }
            _ => return Ok(None),
        };
        Ok(Some(found))
    }

    pub fn takes(self, text: &str) -> bool {
        match self {
            Self::Byte => STANDARD.decode(text).is_ok(),
            Self::Cidr => is_cidr(text),
            Self::Date => is_date(text),
            Self::DateTime => is_date_time(text),
            Self::Duration => duration_nanoseconds(text).is_some() || is_worded_duration(text),
            Self::Ipv4 => matches!(address_of(text), Some(IpAddr::V4(_))),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::LongName => {
                text.len() <= LONG_NAME && text.split('.').all(|part| is_name(part, LONG_NAME))
            }
            Self::Mac => is_mac(text),
            Self::Password => true,
            Self::ShortName => is_name(text, SHORT_NAME),
            Self::Uuid(version) => is_uuid(text, version),
        }
    }
}

fn is_name(text: &str, longest: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (Some(&first), Some(&last)) = (text.as_bytes().first(), text.as_bytes().last()) else {
        return false;
    };
    text.len() <= longest
        && plain(first)
        && plain(last)
        && text.bytes().all(|byte| plain(byte) || byte == b'-')
}

/// `net.ParseCIDR`, as lenient as the real server is with leading zeros.
fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let most = match address_of(address) {
        Some(IpAddr::V4(_)) => 32,
        Some(IpAddr::V6(_)) => 128,
        None => return false,
    };
    !length.is_empty()
        && length.bytes().all(|byte| byte.is_ascii_digit())
        && length.parse::<u32>().is_ok_and(|length| length <= most)
}

fn address_of(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let parts: Vec<&str> = text.split('.').collect();
    let [a, b, c, d] = parts.as_slice() else {
        return None;
    };
    let number = |part: &str| {
        let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        plain
            .then(|| part.trim_start_matches('0'))
            .and_then(|digits| match digits {
                "" => Some(0),
                digits => digits.parse::<u8>().ok(),
            })
    };
    Some(IpAddr::V4(Ipv4Addr::new(
        number(a)?,
        number(b)?,
        number(c)?,
        number(d)?,
    )))
}

/// Two digits at a place of a text.
fn two(text: &[u8], at: usize) -> Option<u8> {
    match text.get(at..at + 2)? {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some((a - b'0') * 10 + (b - b'0')),
        _ => None,
    }
}

/// `2006-01-02`.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let date = || {
        let (century, year) = (two(bytes, 0)?, two(bytes, 2)?);
        let (month, day) = (two(bytes, 5)?, two(bytes, 8)?);
        let year = i16::from(century) * 100 + i16::from(year);
        civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    };
    bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-' && date().is_some()
}

/// A date, a `T`, a time and a zone. As in the real server a zone may be any two pairs of digits.
fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['t', 'T']) else {
        return false;
    };
    let bytes = time.as_bytes();
    let clock = (two(bytes, 0), two(bytes, 3), two(bytes, 6));
    let (Some(hour), Some(minute), Some(second)) = clock else {
        return false;
    };
    if !is_date(date) || bytes[2] != b':' || bytes[5] != b':' {
        return false;
    }
    hour <= 23 && minute <= 59 && second <= 59 && is_zone(after_fraction(&bytes[8..]))
}

fn after_fraction(rest: &[u8]) -> &[u8] {
    let digits = rest
        .iter()
        .skip(1)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    match rest.first() {
        // Any character may stand before the fraction, says the pattern of the real server; only the
        // point is written by anybody.
        Some(b'.') if digits > 0 => &rest[1 + digits..],
        _ => rest,
    }
}

fn is_zone(zone: &[u8]) -> bool {
    match zone {
        [b'z' | b'Z'] => true,
        [b'+' | b'-', rest @ ..] => {
            rest.len() == 5 && rest[2] == b':' && two(rest, 0).is_some() && two(rest, 3).is_some()
        }
        _ => false,
    }
}

/// Go's `time.ParseDuration`: `1h30m`, `-1.5s`, `0`.
pub(super) fn duration_nanoseconds(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let (digits, after) = rest.split_at(number);
        let unit = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        total = total.checked_add(nanoseconds(digits, unit)?)?;
        rest = after;
    }
    i64::try_from(total * sign).ok()
}

fn nanoseconds(digits: &str, unit: &str) -> Option<i128> {
    let scale: i128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let mut total = match whole {
        "" => 0,
        // More would be longer than Go can say.
        whole if whole.len() > 19 => return None,
        whole => whole.parse::<i128>().ok()?.checked_mul(scale)?,
    };
    let mut place = scale;
    for digit in fraction.bytes() {
        place /= 10;
        total += i128::from(digit - b'0') * place;
    }
    Some(total)
}

/// `22 days`, the other spelling that the real server takes.
fn is_worded_duration(text: &str) -> bool {
    const UNITS: &[&str] = &[
        "ns", "nano", "us", "µs", "micro", "ms", "milli", "s", "sec", "m", "min", "h", "hr",
        "hour", "d", "day", "w", "wk", "week",
    ];
    let text = text.trim_start_matches('-');
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let unit_name = unit.trim().to_lowercase();
    unit.len() < text.len()
        && UNITS.iter().any(|known| {
            unit_name == *known || (known.len() > 1 && unit_name.strip_suffix('s') == Some(known))
        })
}

fn is_mac(text: &str) -> bool {
    let pairs = |separator: char, width: usize| {
        let parts: Vec<&str> = text.split(separator).collect();
        let digits = parts.len() * width;
        matches!(digits, 12 | 16 | 40)
            && parts.iter().all(|part| {
                part.len() == width && part.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
    };
    pairs(':', 2) || pairs('-', 2) || pairs('.', 4)
}

/// Eight, four, four, four and twelve digits; each dash may be left out.
fn is_uuid(text: &str, version: Option<char>) -> bool {
    let mut digits = Vec::with_capacity(32);
    for character in text.chars() {
        match character {
            '-' if matches!(digits.len(), 8 | 12 | 16 | 20) => {}
            digit if digit.is_ascii_hexdigit() => digits.push(digit.to_ascii_lowercase()),
            _ => return false,
        }
    }
    let variant = |digit: char| matches!(digit, '8' | '9' | 'a' | 'b');
    digits.len() == 32
        && !text.contains("--")
        && version
            .is_none_or(|version| digits[12] == version && (version == '3' || variant(digits[16])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(format: Format, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(format.takes(text), "{format:?} takes {text:?}");
        }
        for text in bad {
            assert!(!format.takes(text), "{format:?} refuses {text:?}");
        }
    }

    #[test]
    fn each_format_takes_what_the_real_server_takes() {
        judged(
            Format::DateTime,
            &[
                "2026-02-28T23:59:59Z",
                "2026-01-02t03:04:05.678+09:00",
                "2024-02-29T00:00:00z",
            ],
            &[
                "2026-02-29T00:00:00Z",
                "2026-01-02",
                "2026-01-02T24:00:00Z",
                "2026-01-02T00:00:00",
                "2026-01-02T00:00:00.Z",
                "",
            ],
        );
        judged(
            Format::Date,
            &["2026-12-31"],
            &["2026-13-01", "26-12-31", "2026/12/31"],
        );
        judged(
            Format::Cidr,
            &["10.0.0.0/8", "10.0.0.1/32", "fd00::/64", "010.0.0.0/8"],
            &[
                "10.0.0.0",
                "10.0.0.0/33",
                "10.0.0/8",
                "10.0.0.0/255.0.0.0",
                "fd00::/129",
                "10.0.0.0/+8",
            ],
        );
        judged(
            Format::Duration,
            &["15m", "1h30m", "1.5s", "0", "-2h", "3 days", "2 weeks"],
            &["", "15", "m", "1h30", "P1D"],
        );
        judged(Format::Byte, &["", "aGk="], &["aGk", "a b="]);
        judged(
            Format::Mac,
            &["00:11:22:33:44:55", "0011.2233.4455"],
            &["00:11:22:33:44", "00-11:22-33-44-55"],
        );
        judged(
            Format::Uuid(Some('4')),
            &[
                "c0ffee00-0000-4000-8000-000000000000",
                "C0FFEE000000400080000000000000ff",
            ],
            &[
                "c0ffee00-0000-3000-8000-000000000000",
                "c0ffee00-0000-4000-c000-000000000000",
                "c0ffee00",
            ],
        );
        judged(Format::ShortName, &["a-1"], &["A", "-a", "a.b", ""]);
        judged(Format::LongName, &["a.b-1"], &["a..b", "a."]);
    }

    #[test]
    fn durations_are_gos() {
        assert_eq!(duration_nanoseconds("1h0m0.5s"), Some(3_600_500_000_000));
        assert_eq!(duration_nanoseconds("-1ms"), Some(-1_000_000));
        assert_eq!(
            duration_nanoseconds("300000h"),
            Some(1_080_000_000_000_000_000)
        );
        assert_eq!(duration_nanoseconds("9999999999h"), None);
    }
}
