//! The five fields of a cron expression, and what may be written in each.
//!
//! croner computes the times; it also takes much that is surely a slip (`1,,2`, a weekday's name
//! among the hours), so the fields are checked here first, with an error that names the field.

/// One field: its name for people, its range, and what only it allows.
pub(super) struct Field {
    name: &'static str,
    min: u8,
    max: u8,
    /// Names in place of numbers; the first stands for `min`.
    names: &'static [&'static str],
    special: fn(&Field, &str) -> bool,
}

pub(super) const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        min: 0,
        max: 59,
        names: &[],
        special: |_, _| false,
    },
    Field {
        name: "hour",
        min: 0,
        max: 23,
        names: &[],
        special: |_, _| false,
    },
    Field {
        name: "day of month",
        min: 1,
        max: 31,
        names: &[],
        special: Field::is_last_or_nearest_weekday,
    },
    Field {
        name: "month",
        min: 1,
        max: 12,
        names: &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
        special: |_, _| false,
    },
    Field {
        name: "day of week",
        min: 0,
        max: 7,
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        special: Field::is_nth_or_last_of_month,
    },
];

impl Field {
    /// Checks what is written in this field; the error is the end of a sentence about it.
    pub(super) fn check(&self, written: &str) -> Result<(), String> {
        if written == "*" {
            return Ok(());
        }
        written
            .split(',')
            .try_for_each(|item| self.check_item(item))
    }

    fn check_item(&self, item: &str) -> Result<(), String> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let ends = range.split_once('-');
        let is_sound = match (ends, step) {
            (Some((from, to)), step) => self.is_range(from, to) && self.is_step(step),
            (None, Some(step)) => range == "*" && self.is_step(Some(step)),
            (None, None) => self.value(item).is_some() || (self.special)(self, item),
        };
        if is_sound {
            return Ok(());
        }
        let Self { name, min, max, .. } = self;
        Err(format!("its {name} {item:?} is not within {min}-{max}"))
    }

    fn is_range(&self, from: &str, to: &str) -> bool {
        match (self.value(from), self.value_at_end(to)) {
            (Some(from), Some(to)) => from <= to,
            _ => false,
        }
    }

    fn is_step(&self, step: Option<&str>) -> bool {
        step.is_none_or(|step| number(step).is_some_and(|n| (1..=self.max).contains(&n)))
    }

    fn value(&self, text: &str) -> Option<u8> {
        let is_text = |name: &&str| name.eq_ignore_ascii_case(text);
        if let Some(place) = self.names.iter().position(is_text) {
            return u8::try_from(place).ok().map(|place| self.min + place);
        }
        number(text).filter(|n| (self.min..=self.max).contains(n))
    }

    /// A week that starts on some day may end on Sunday: `SAT-SUN`.
    fn value_at_end(&self, text: &str) -> Option<u8> {
        let ends_on_sunday = !self.names.is_empty() && text.eq_ignore_ascii_case("SUN");
        if ends_on_sunday {
            self.value("7")
        } else {
            self.value(text)
        }
    }

    /// `L`, `LW`, `15W`.
    fn is_last_or_nearest_weekday(&self, item: &str) -> bool {
        let item = item.to_ascii_uppercase();
        let nearest_to = item.strip_suffix('W').and_then(|day| self.value(day));
        item == "L" || item == "LW" || nearest_to.is_some()
    }

    /// `6#1`, `SAT#1`, `6L`.
    fn is_nth_or_last_of_month(&self, item: &str) -> bool {
        let item = item.to_ascii_uppercase();
        if let Some((day, nth)) = item.split_once('#') {
            return self.value(day).is_some() && number(nth).is_some_and(|n| (1..=5).contains(&n));
        }
        item.strip_suffix('L')
            .is_some_and(|day| self.value(day).is_some())
    }
}

/// One or two digits.
fn number(text: &str) -> Option<u8> {
    let is_digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str) -> &'static Field {
        const { &FIELDS }
            .iter()
            .find(|field| field.name == name)
            .unwrap()
    }

    #[test]
    fn takes_what_cron_takes() {
        for (name, written) in [
            ("minute", "*"),
            ("minute", "*/15"),
            ("minute", "0-30/5,45"),
            ("hour", "09,17"),
            ("day of month", "1-7"),
            ("day of month", "L"),
            ("day of month", "lw,15W"),
            ("month", "JAN-mar,12"),
            ("day of week", "MON-FRI"),
            ("day of week", "SAT-SUN"),
            ("day of week", "SUN-TUE"),
            ("day of week", "7,6#1,friL"),
        ] {
            assert_eq!(field(name).check(written), Ok(()), "{name} {written}");
        }
    }

    #[test]
    fn names_the_field_that_is_wrong() {
        assert_eq!(
            field("minute").check("0,61"),
            Err(r#"its minute "61" is not within 0-59"#.to_owned())
        );
    }

    #[test]
    fn refuses_slips() {
        for (name, written) in [
            ("minute", "60"),
            ("minute", ""),
            ("minute", "1,,2"),
            ("minute", "5/15"),
            ("minute", "*/0"),
            ("minute", "*,5"),
            ("minute", "L"),
            ("hour", "MON"),
            ("hour", "22-5"),
            ("day of month", "0"),
            ("day of month", "?"),
            ("day of month", "32W"),
            ("month", "13"),
            ("month", "JAN#1"),
            ("day of week", "+1"),
            ("day of week", "1#6"),
            ("day of week", "MONTUE"),
            ("day of week", "1-2-3"),
        ] {
            assert!(field(name).check(written).is_err(), "{name} {written}");
        }
    }
}
