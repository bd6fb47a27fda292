//! IP addresses of machines and records.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::ValueError;
use super::form::{Form, text_value};

/// One number of an IPv4 address.
macro_rules! octet {
    () => {
        "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
    };
}
pub(super) use octet;

macro_rules! ipv4 {
    () => {
        concat!(octet!(), r"(\.", octet!(), "){3}")
    };
}
pub(super) use ipv4;

/// The letters of an IPv6 address and its shortest and longest shape; more is beyond a pattern.
macro_rules! ipv6 {
    () => {
        "[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}"
    };
}
pub(super) use ipv6;

pub(super) const FORM: Form = Form {
    noun: "an IP address",
    how: "write it as 10.20.0.11 or 2001:db8::11",
    format: Some("drover-address"),
    pattern: concat!("^(", ipv4!(), "|", ipv6!(), ")$"),
    min_length: 2,
    max_length: 39,
    description: "An IPv4 address, or an IPv6 address in its short form. Example: 10.20.0.11",
};

/// An IP address, such as `10.20.0.11` or `2001:db8::11`.
///
/// Each address has one spelling (RFC 5952), so that lists of addresses cannot hold one twice.
/// An IPv4 address inside an IPv6 one (`::ffff:10.20.0.11`) is refused for the same reason.
///
/// ```
/// use drover_api::value::Address;
///
/// let address: Address = "10.20.0.11".parse()?;
/// assert!(address.ip().is_ipv4());
///
/// let error = "2001:DB8:0::11".parse::<Address>().unwrap_err();
/// assert_eq!(error.hint(), Some("did you mean 2001:db8::11?"));
/// # Ok::<(), drover_api::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(IpAddr);

impl Address {
    /// As the standard library has it.
    pub const fn ip(self) -> IpAddr {
        self.0
    }
}

impl From<IpAddr> for Address {
    /// An IPv4 address inside an IPv6 one comes out as the IPv4 address.
    fn from(ip: IpAddr) -> Self {
        Self(ip.to_canonical())
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl FromStr for Address {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        FORM.check_length(text)?;
        let ip: IpAddr = text.parse().map_err(|_| {
            // `10.20.0.11/24` is the usual slip where a subnet stands next to it.
            let host = text.split_once('/').map(|(host, _)| host);
            let host = host.and_then(|host| host.parse::<IpAddr>().ok());
            FORM.refuse(text).suggest(host)
        })?;
        let address = Self::from(ip);
        if address.to_string() == text {
            Ok(address)
        } else {
            let reason = format!("its one spelling is {address}");
            Err(FORM.refuse_because(text, reason).suggest(Some(address)))
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_value!(Address, FORM);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> ValueError {
        text.parse::<Address>().unwrap_err()
    }

    #[test]
    fn reads_both_families() {
        for text in [
            "0.0.0.0",
            "10.20.0.11",
            "::",
            "::1",
            "2001:db8::11",
            "fe80::1",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in [
            "",
            "10.20.0",
            "10.20.0.256",
            "10.20.0.011",
            "10.20.0.11 ",
            "fe80::1%eth0",
            "[::1]",
            "localhost",
            "10.20.0.11:80",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_has_one_spelling() {
        let error = refusal("2001:DB8::1");
        assert_eq!(
            error.to_string(),
            r#""2001:DB8::1" is not an IP address: its one spelling is 2001:db8::1"#
        );
        let mapped = refusal("::ffff:10.20.0.11");
        assert_eq!(mapped.hint(), Some("did you mean 10.20.0.11?"));
        assert_eq!(
            refusal("10.20.0.11/24").hint(),
            Some("did you mean 10.20.0.11?")
        );
    }

    proptest! {
        #[test]
        fn every_address_comes_back(ip: IpAddr) {
            let address = Address::from(ip);
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }

        #[test]
        fn every_ipv4_address_of_the_pattern_is_read(text in ipv4!()) {
            prop_assert!(text.parse::<Address>().is_ok());
        }
    }
}
