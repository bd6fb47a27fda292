//! Networks: the subnets that a mapping pairs.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::ValueError;
use super::address::{ipv4, ipv6, octet};
use super::form::{Form, text_value};

pub(super) const FORM: Form = Form {
    noun: "a subnet",
    how: "write it as 10.20.0.0/24 or 2001:db8::/64",
    // One of the few formats that Kubernetes checks by itself; it lets host bits pass.
    format: Some("cidr"),
    pattern: concat!(
        "^(",
        ipv4!(),
        "/(3[0-2]|[12]?[0-9])|",
        ipv6!(),
        "/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))$"
    ),
    min_length: 4,
    max_length: 43,
    description: "A subnet: its first address, a slash and the length of its prefix. \
                  Example: 10.20.0.0/24",
};

/// A subnet in CIDR notation, such as `10.20.0.0/24` or `2001:db8::/64`.
///
/// The host bits must be zero, and the address in its one spelling (see
/// [`Address`](super::Address)), so that a subnet has one spelling too.
///
/// ```
/// use drover_api::value::{Address, Cidr};
///
/// let subnet: Cidr = "10.20.0.0/24".parse()?;
/// let address: Address = "10.20.0.11".parse()?;
/// assert!(subnet.contains(address));
///
/// let error = "10.20.0.11/24".parse::<Cidr>().unwrap_err();
/// assert_eq!(error.hint(), Some("did you mean 10.20.0.0/24?"));
/// # Ok::<(), drover_api::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(IpNet);

impl Cidr {
    /// Whether the address is in this subnet; never for an address of the other family.
    pub fn contains(&self, address: impl Into<IpAddr>) -> bool {
        self.0.contains(&address.into())
    }

    /// Whether some address is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        // Subnets are nested or disjoint.
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }

    /// As the `ipnet` crate has it, for arithmetic.
    pub const fn net(&self) -> IpNet {
        self.0
    }

    /// How many leading bits all its addresses share.
    pub fn prefix_len(&self) -> u8 {
        self.0.prefix_len()
    }
}

impl FromStr for Cidr {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        FORM.check_length(text)?;
        let net: IpNet = text.parse().map_err(|_| {
            let add_prefix = text.parse::<IpAddr>().ok().map(|address| {
                let length = if address.is_ipv4() { 24 } else { 64 };
                format!("add the length of its prefix, for example {text}/{length}")
            });
            FORM.refuse(text).with_hint(add_prefix)
        })?;
        let subnet = net.trunc();
        if matches!(subnet.addr(), IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some()) {
            return Err(FORM.refuse_because(text, "it is an IPv4 subnet inside an IPv6 one"));
        }
        if subnet != net {
            let reason = format!("its host bits are not zero; the subnet is {subnet}");
            return Err(FORM.refuse_because(text, reason).suggest(Some(subnet)));
        }
        if subnet.to_string() != text {
            let reason = format!("its one spelling is {subnet}");
            return Err(FORM.refuse_because(text, reason).suggest(Some(subnet)));
        }
        Ok(Self(subnet))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_value!(Cidr, FORM);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    fn refusal(text: &str) -> ValueError {
        text.parse::<Cidr>().unwrap_err()
    }

    #[test]
    fn reads_both_families() {
        for text in [
            "0.0.0.0/0",
            "10.20.0.0/24",
            "10.20.0.11/32",
            "::/0",
            "2001:db8::/64",
        ] {
            assert_eq!(read(text).to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_subnet() {
        for text in [
            "",
            "10.20.0.0",
            "10.20.0.0/33",
            "10.20.0.0/024",
            "10.20.0/24",
            "::/129",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        let within = refusal("::ffff:10.20.0.0/120").to_string();
        assert!(within.ends_with("it is an IPv4 subnet inside an IPv6 one"));
    }

    #[test]
    fn suggests_the_subnet_that_was_meant() {
        let error = refusal("10.20.0.11/24");
        assert_eq!(
            error.to_string(),
            "\"10.20.0.11/24\" is not a subnet: its host bits are not zero; \
             the subnet is 10.20.0.0/24"
        );
        assert_eq!(error.hint(), Some("did you mean 10.20.0.0/24?"));
        assert_eq!(
            refusal("2001:DB8::/64").hint(),
            Some("did you mean 2001:db8::/64?")
        );
        assert_eq!(
            refusal("10.20.0.0").hint(),
            Some("add the length of its prefix, for example 10.20.0.0/24")
        );
    }

    #[test]
    fn knows_what_it_holds() {
        let subnet = read("10.20.0.0/16");
        assert!(subnet.contains(IpAddr::from([10, 20, 3, 4])));
        assert!(!subnet.contains(IpAddr::from([10, 21, 0, 0])));
        assert!(subnet.overlaps(&read("10.20.5.0/24")));
        assert!(read("10.20.5.0/24").overlaps(&subnet));
        assert!(!subnet.overlaps(&read("10.21.0.0/16")));
        assert!(!read("0.0.0.0/0").overlaps(&read("::/0")));
    }

    proptest! {
        #[test]
        fn every_subnet_comes_back(ip: IpAddr, length in 0..=32_u8) {
            let subnet = IpNet::new(ip.to_canonical(), length).unwrap().trunc();
            prop_assume!(subnet.addr().to_canonical() == subnet.addr());
            prop_assert_eq!(read(&subnet.to_string()).net(), subnet);
        }
    }
}
