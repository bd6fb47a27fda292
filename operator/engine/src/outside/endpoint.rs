//! A record as a `DNSEndpoint`, which `ExternalDNS` carries out (NM-6).
//!
//! The object says that Drover made it, and for which plan; one that says otherwise is left alone (SA-7).

use std::net::IpAddr;

use drover_api::common::SiteRole;
use drover_api::{DnsAction, DnsEndpoint};
use serde_json::{Value, json};

use super::dns::ttl;
use super::job::MANAGED_BY;

/// Group and version of `DNSEndpoint`.
pub const GROUP: &str = "externaldns.k8s.io";
/// Its version.
pub const VERSION: &str = "v1alpha1";
/// Its kind.
pub const KIND: &str = "DNSEndpoint";
/// Its name in URLs.
pub const PLURAL: &str = "dnsendpoints";
/// The annotation that names the plan.
pub const PLAN: &str = "drover.dev/plan";

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// It stands as wanted.
    Nothing,
    /// The object is made.
    Create(Value),
    /// The object is replaced, at the version that was seen.
    Replace(Value),
    /// What stands there is another's, in words.
    Refuse(String),
}

/// The name of the object of a record: the record itself, as far as objects can be called so.
pub fn name(dns: &DnsAction) -> String {
    let record = dns.record.trim_end_matches('.').to_ascii_lowercase();
    // A wildcard and an underscore are no letters of a name.
    record.replace('*', "any").replace('_', "-")
}

/// What is to be done so that the record points at the site in this role, given the object that stands there.
pub fn step(
    dns: &DnsAction,
    endpoint: &DnsEndpoint,
    role: SiteRole,
    plan: &str,
    standing: Option<&Value>,
) -> Step {
    let wanted = json!({"endpoints": endpoints(dns, role)});
    let Some(standing) = standing else {
        return Step::Create(json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": KIND,
            "metadata": {
                "name": name(dns),
                "labels": labels(endpoint),
                "annotations": {PLAN: plan},
            },
            "spec": wanted,
        }));
    };
    let metadata = &standing["metadata"];
    let (label, drover) = MANAGED_BY;
    if metadata["labels"][label] != drover {
        return Step::Refuse(format!(
            "DNSEndpoint {} was not made by Drover; nothing was changed: remove it, or take the record out of \
             the plan",
            name(dns)
        ));
    }
    let owner = metadata["annotations"][PLAN].as_str().unwrap_or("another");
    if owner != plan {
        return Step::Refuse(format!(
            "DNSEndpoint {} belongs to plan {owner}; nothing was changed: one plan alone can move a record",
            name(dns)
        ));
    }
    let mut next = standing.clone();
    for (name, value) in labels(endpoint).as_object().into_iter().flatten() {
        next["metadata"]["labels"][name] = value.clone();
    }
    next["spec"] = wanted;
    if next == *standing {
        Step::Nothing
    } else {
        Step::Replace(next)
    }
}

fn labels(endpoint: &DnsEndpoint) -> Value {
    let mut labels = json!(endpoint.labels);
    // Whatever a plan says: by this one it is known.
    labels[MANAGED_BY.0] = MANAGED_BY.1.into();
    labels
}

/// One for each family that the site has addresses of.
fn endpoints(dns: &DnsAction, role: SiteRole) -> Vec<Value> {
    let addresses: Vec<IpAddr> = dns.at(role).iter().map(|each| each.ip()).collect();
    let of = |rtype: &str, fits: fn(&IpAddr) -> bool| {
        let targets: Vec<String> = addresses
            .iter()
            .filter(|it| fits(it))
            .map(ToString::to_string)
            .collect();
        (!targets.is_empty()).then(|| {
            json!({
                "dnsName": dns.record.trim_end_matches('.'),
                "recordType": rtype,
                "recordTTL": ttl(dns),
                "targets": targets,
            })
        })
    };
    [of("A", IpAddr::is_ipv4), of("AAAA", IpAddr::is_ipv6)]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> DnsAction {
        serde_json::from_value(json!({
            "record": "Shop.example.com.",
            "ttl": "30s",
            "primary": ["203.0.113.10", "2001:db8::10"],
            "secondary": ["198.51.100.10"],
            "dnsEndpoint": {"labels": {"zone": "public"}},
        }))
        .unwrap()
    }

    fn at(role: SiteRole, plan: &str, standing: Option<&Value>) -> Step {
        let dns = shop();
        let endpoint = dns.dns_endpoint.clone().unwrap();
        step(&dns, &endpoint, role, plan, standing)
    }

    fn made() -> Value {
        let Step::Create(object) = at(SiteRole::Primary, "shop", None) else {
            panic!("there is none");
        };
        object
    }

    #[test]
    fn an_object_says_who_made_it_and_for_which_plan() {
        // SPEC: NM-6, SA-7
        let object = made();
        assert_eq!(object["metadata"]["name"], "shop.example.com");
        let labels = json!({"zone": "public", "app.kubernetes.io/managed-by": "drover"});
        assert_eq!(object["metadata"]["labels"], labels);
        assert_eq!(object["metadata"]["annotations"], json!({PLAN: "shop"}));
        let endpoints = object["spec"]["endpoints"].as_array().unwrap();
        assert_eq!(endpoints[0]["targets"], json!(["203.0.113.10"]));
        assert_eq!(endpoints[1]["recordType"], "AAAA");
        assert_eq!(endpoints[1]["recordTTL"], 30);
    }

    #[test]
    fn it_is_replaced_at_the_version_that_was_seen_and_then_rests() {
        // SPEC: NM-6, SA-4
        let mut standing = made();
        standing["metadata"]["resourceVersion"] = json!("7");
        standing["metadata"]["labels"]["team"] = json!("web");
        assert_eq!(
            at(SiteRole::Primary, "shop", Some(&standing)),
            Step::Nothing
        );
        let Step::Replace(next) = at(SiteRole::Secondary, "shop", Some(&standing)) else {
            panic!("it must move");
        };
        assert_eq!(next["metadata"]["resourceVersion"], "7");
        // What others put on it stays.
        assert_eq!(next["metadata"]["labels"]["team"], "web");
        let endpoints = next["spec"]["endpoints"].as_array().unwrap();
        assert_eq!(endpoints.len(), 1);
        assert_eq!(endpoints[0]["targets"], json!(["198.51.100.10"]));
        assert_eq!(at(SiteRole::Secondary, "shop", Some(&next)), Step::Nothing);
    }

    #[test]
    fn an_object_of_somebody_else_is_left_alone() {
        // SPEC: SA-7
        let mut foreign = made();
        foreign["metadata"]["labels"] = json!({});
        let Step::Refuse(why) = at(SiteRole::Secondary, "shop", Some(&foreign)) else {
            panic!("it is not ours");
        };
        assert!(why.contains("was not made by Drover"), "{why}");
        let Step::Refuse(why) = at(SiteRole::Secondary, "bank", Some(&made())) else {
            panic!("it is another plan's");
        };
        assert!(why.contains("belongs to plan shop"), "{why}");
    }
}
