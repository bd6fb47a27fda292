//! Amounts of data for people to read; nothing here is ever read back.

const UNITS: [(&str, u64); 5] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
];

/// Bytes for a person to read: rounded to a tenth, in powers of 1024.
///
/// For tables and messages only; a [`Quantity`](super::Quantity) is exact.
///
/// ```
/// use drover_api::value::humanize;
///
/// assert_eq!(humanize(512), "512 B");
/// assert_eq!(humanize(1_610_612_736), "1.5 GiB");
/// ```
pub fn humanize(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let tenths_of = |size: u64| {
        let size = u128::from(size);
        (u128::from(bytes) * 10 + size / 2) / size
    };
    // The first unit that needs no more than three digits, after rounding: 1.0 MiB, not 1024.0 KiB.
    let (unit, tenths) = UNITS
        .iter()
        .map(|(unit, size)| (*unit, tenths_of(*size)))
        .find(|(_, tenths)| *tenths < 10_240)
        .unwrap_or(("EiB", tenths_of(1 << 60)));
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_people_a_rounded_amount() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(humanize(bytes), shown);
        }
    }
}
