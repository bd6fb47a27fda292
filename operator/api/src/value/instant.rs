//! The written form of instants: RFC 3339, as an API server reads it.
//!
//! The type is `jiff`'s, which reads more than that: minutes without seconds, other offsets. What an
//! API server would refuse is refused here too.

use super::ValueError;

/// Checks the form alone; that there is such a day is for the type to say.
pub(super) fn check(text: &str) -> Result<(), ValueError> {
    if has_form(text) {
        return Ok(());
    }
    Err(ValueError::new(
        text,
        "an instant",
        "write it as 2026-11-20T12:00:00Z, or with an offset as in 2026-11-20T21:00:00+09:00",
    ))
}

/// `0` stands for any digit.
fn is_like(text: &str, form: &str) -> bool {
    let fits = |(own, form): (u8, u8)| match form {
        b'0' => own.is_ascii_digit(),
        _ => own == form,
    };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

fn has_form(text: &str) -> bool {
    const SECONDS: &str = "0000-00-00T00:00:00";
    let Some((seconds, rest)) = text.split_at_checked(SECONDS.len()) else {
        return false;
    };
    let zone = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|each: char| each.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
    };
    is_like(seconds, SECONDS) && (zone == "Z" || is_like(zone, "+00:00") || is_like(zone, "-00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_as_an_api_server_reads_it() {
        // SPEC: BI-1
        for good in [
            "2026-11-20T12:00:00Z",
            "2026-11-20T12:00:00.25Z",
            "2026-11-20T21:00:00+09:00",
        ] {
            assert_eq!(check(good), Ok(()));
        }
        for bad in [
            "",
            "2026-11-20",
            "2026-11-20T12:00Z",
            "2026-11-20T12:00:00",
            "2026-11-20T12:00:00.Z",
            "2026-11-20 12:00:00Z",
            "2026-11-20T12:00:00+09",
            "2026-11-20T12:00:0가Z",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
