//! Names: of Drover's own resources, of Kubernetes objects, and of what a fabric has.
//!
//! A type each, so that the name of a plan cannot land where the name of a site belongs.

use super::ValueError;
use super::form::{Form, text_value};

/// A kind of name: its form, and the rule its pattern states.
struct Rule {
    form: Form,
    accepts: fn(&str) -> bool,
}

macro_rules! label {
    () => {
        "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    };
}

/// The name of most Kubernetes objects: a DNS-1123 subdomain, whose parts may be of any length.
const SUBDOMAIN: Rule = Rule {
    form: Form {
        noun: "a name",
        how: "write it in lower-case letters, digits, - and ., such as shop-1",
        format: None,
        pattern: concat!("^", label!(), r"(\.", label!(), ")*$"),
        min_length: 1,
        max_length: 253,
        description: "A name",
    },
    accepts: |text| text.split('.').all(is_label),
};

/// A DNS-1123 label.
const LABEL: Rule = Rule {
    form: Form {
        noun: "a name",
        how: "write it in lower-case letters, digits and -, such as shop-1",
        format: None,
        pattern: concat!("^", label!(), "$"),
        min_length: 1,
        max_length: 63,
        description: "A name",
    },
    accepts: is_label,
};

/// What a fabric calls its own things: any text that a person can see whole on one line.
const NATIVE: Rule = Rule {
    form: Form {
        noun: "a name",
        how: "write it as the site shows it, without spaces around it or control characters",
        format: None,
        // Spaces other than U+0020 pass here and not in `is_native`: the engines disagree on them.
        pattern: r"^[^\x00-\x20\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\x9f])?$",
        min_length: 1,
        max_length: 253,
        description: "A name",
    },
    accepts: is_native,
};

impl Rule {
    const fn of(self, noun: &'static str, description: &'static str) -> Self {
        let form = Form {
            noun,
            description,
            ..self.form
        };
        Self { form, ..self }
    }

    fn check(&self, text: &str) -> Result<Box<str>, ValueError> {
        self.form.check_length(text)?;
        if (self.accepts)(text) {
            return Ok(text.into());
        }
        // What a person calls "Shop Web" or shop_web.
        let as_dns = text.trim().to_lowercase().replace([' ', '_'], "-");
        let meant = [text.trim(), &as_dns]
            .into_iter()
            .find(|meant| (self.accepts)(meant));
        Err(self.form.refuse(text).suggest(meant))
    }
}

fn is_label(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_native(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control)
}

macro_rules! name_type {
    ($($type:ident: $rule:ident, $noun:literal, $what:literal, $example:literal;)*) => {$(
        #[doc = concat!($what, ", such as `", $example, "`.")]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Box<str>);

        impl $type {
            const RULE: Rule = $rule.of($noun, concat!($what, ". Example: ", $example));

            /// The name as text.
            pub const fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                Self::RULE.check(text).map(Self)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        text_value!($type, $type::RULE.form);
    )*};
}

name_type! {
    SiteName: SUBDOMAIN, "a site name", "The name of a `Site`", "seoul";
    PolicyName: SUBDOMAIN, "a policy name", "The name of a `ReplicationPolicy`", "gold";
    MappingName: SUBDOMAIN, "a mapping name", "The name of a `NetworkMapping`", "seoul-busan";
    GroupName: SUBDOMAIN, "a group name", "The name of a `ProtectionGroup`", "shop-data";
    PlanName: SUBDOMAIN, "a plan name", "The name of a `RecoveryPlan`", "shop";
    FailbackPolicyName: SUBDOMAIN, "a failback policy name", "The name of a `FailbackPolicy`",
        "home-again";
    RunName: SUBDOMAIN, "a run name", "The name of a `RecoveryRun`", "shop-7";
    DrillName: SUBDOMAIN, "a drill name", "The name of a `RecoveryDrill`", "shop-november";
    SecretName: SUBDOMAIN, "a secret name", "The name of a Kubernetes `Secret`", "dns-key";
    ConfigMapName: SUBDOMAIN, "a config map name", "The name of a Kubernetes `ConfigMap`",
        "hook-env";
    StepName: LABEL, "a step name", "The name of a group or an action in a plan", "move-traffic";
    NamespaceName: LABEL, "a namespace name", "The name of a Kubernetes namespace", "shop";
    NetworkAlias: LABEL, "a network alias", "The name of a pair of networks in a `NetworkMapping`",
        "web";
    MachineName: NATIVE, "a machine name", "The name of a machine, as its site has it", "db-1";
    NetworkName: NATIVE, "a network name", "The name of a network, as its site has it", "vlan20";
    HostName: NATIVE, "a host name", "The name of a host, as its site has it", "kvm-7";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> ValueError {
        text.parse::<SiteName>().unwrap_err()
    }

    #[test]
    fn an_object_has_a_dns_name() {
        for text in ["seoul", "a", "0", "shop-7", "a.b-c.d", &"a".repeat(253)] {
            assert!(text.parse::<SiteName>().is_ok(), "{text}");
        }
        for text in [
            "",
            "Seoul",
            "a_b",
            "-a",
            "a-",
            "a..b",
            ".a",
            "서울",
            " a",
            &"a".repeat(254),
        ] {
            assert!(text.parse::<SiteName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_step_has_one_part_of_at_most_63_characters() {
        assert!("move-traffic".parse::<StepName>().is_ok());
        assert!("a".repeat(63).parse::<StepName>().is_ok());
        assert!("a".repeat(64).parse::<StepName>().is_err());
        assert!("a.b".parse::<StepName>().is_err());
    }

    #[test]
    fn a_machine_keeps_the_name_its_site_gave_it() {
        for text in ["db-1", "Web Server (old)", "결제-1", "a", &"가".repeat(253)] {
            assert_eq!(text.parse::<MachineName>().unwrap().as_str(), text);
        }
        for text in [
            "",
            " db",
            "db\u{3000}",
            "a\nb",
            "a\u{85}b",
            &"가".repeat(254),
        ] {
            assert!(text.parse::<MachineName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn says_what_was_probably_meant() {
        let error = refusal("Seoul DC_1");
        assert_eq!(
            error.to_string(),
            "\"Seoul DC_1\" is not a site name: write it in lower-case letters, digits, - and ., \
             such as shop-1"
        );
        assert_eq!(error.hint(), Some("did you mean seoul-dc-1?"));
        let machine = " db-1 ".parse::<MachineName>().unwrap_err();
        assert_eq!(machine.hint(), Some("did you mean db-1?"));
        assert_eq!(refusal("서울").hint(), None);
    }

    #[test]
    fn a_set_of_names_is_searched_by_text() {
        let names: BTreeSet<SiteName> = ["seoul", "busan"].map(|s| s.parse().unwrap()).into();
        assert!(names.contains("seoul"));
    }

    proptest! {
        #[test]
        fn what_the_pattern_allows_is_read(text in SUBDOMAIN.form.unanchored()) {
            prop_assume!(text.len() <= 253);
            prop_assert_eq!(text.parse::<SiteName>().unwrap().to_string(), text);
        }
    }
}
