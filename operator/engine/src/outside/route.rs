//! Who answers an action: the world outside, or the simulated one.

use drover_api::{Action, DnsAction, Fabric, SimulatorFabric};

/// Who answers an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The network that this process is in.
    Real,
    /// The simulated world of the target site.
    Simulated,
}

/// Who answers an action whose target site is of this fabric.
///
/// What lives in a simulated site is answered by it: its machines, and the zones that it is said to answer
/// for, which are all unless they are listed. Everything else is real, also around simulated sites: a
/// fixed URL and a program are what they are.
pub fn route(action: &Action, target: &Fabric) -> Route {
    let Fabric::Simulator(simulator) = target else {
        return Route::Real;
    };
    let simulated = match (&action.http, &action.dns) {
        (Some(http), _) => http.machine.is_some(),
        (None, Some(dns)) => answers_for(simulator, dns),
        (None, None) => false,
    };
    if simulated {
        Route::Simulated
    } else {
        Route::Real
    }
}

fn answers_for(simulator: &SimulatorFabric, dns: &DnsAction) -> bool {
    let Some(zones) = &simulator.zones else {
        return true;
    };
    zones.iter().any(|zone| is_within(&dns.record, zone))
}

/// Whether a name is in a zone. DNS names know no case, and a dot at the end changes nothing.
pub(crate) fn is_within(record: &str, zone: &str) -> bool {
    let plain = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let (record, zone) = (plain(record), plain(zone));
    zone.is_empty()
        || record == zone
        || record
            .strip_suffix(&zone)
            .is_some_and(|host| host.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn action(mut kind: Value) -> Action {
        kind["name"] = json!("it");
        serde_json::from_value(kind).unwrap()
    }

    fn dns(record: &str) -> Action {
        action(json!({"dns": {
            "record": record,
            "primary": ["203.0.113.10"],
            "secondary": ["198.51.100.10"],
            "rfc2136": {"server": "192.0.2.53:53", "zone": "example.com"},
        }}))
    }

    fn simulated(zones: Option<&[&str]>) -> Fabric {
        serde_json::from_value(json!({"simulator": {"zones": zones}})).unwrap()
    }

    #[test]
    fn a_simulated_site_answers_for_all_zones_unless_it_lists_them() {
        // SPEC: NM-6
        let shop = dns("shop.example.com");
        assert_eq!(route(&shop, &simulated(None)), Route::Simulated);
        assert_eq!(route(&shop, &simulated(Some(&[]))), Route::Real);
        let listed = simulated(Some(&["example.org", "Example.com."]));
        assert_eq!(route(&shop, &listed), Route::Simulated);
        assert_eq!(route(&dns("shop.example.net"), &listed), Route::Real);
    }

    #[test]
    fn a_real_site_has_nothing_simulated() {
        // SPEC: NM-6
        let azure = json!({"azure": {
            "subscriptionId": "one", "region": "koreacentral", "resourceGroup": "shop",
        }});
        let azure: Fabric = serde_json::from_value(azure).unwrap();
        assert_eq!(route(&dns("shop.example.com"), &azure), Route::Real);
        let machine = action(json!({"http": {"machine": "db-1"}}));
        assert_eq!(route(&machine, &azure), Route::Real);
    }

    #[test]
    fn a_machine_of_a_simulated_site_is_simulated_and_a_url_is_not() {
        // SPEC: PL-4
        let site = simulated(None);
        let machine = action(json!({"http": {"machine": "db-1"}}));
        assert_eq!(route(&machine, &site), Route::Simulated);
        let url = action(json!({"http": {"url": "http://192.0.2.1/"}}));
        assert_eq!(route(&url, &site), Route::Real);
        let script = action(json!({"script": {"command": ["true"]}}));
        assert_eq!(route(&script, &site), Route::Real);
    }
}
