//! The whole check: a sound world, a stable order, every code proven, and its cost.

use serde_json::{Value, json};

use super::codes::CODES;
use super::testing::{World, site};

#[test]
fn nothing_is_wrong_with_the_example() {
    assert_eq!(World::example().told(), Vec::<String>::new());
}

#[test]
fn everything_is_told_at_once_and_in_the_order_of_objects_and_fields() {
    // SPEC: BI-1
    let world = World::example()
        .set(
            "RecoveryPlan/shop",
            "/spec/commit",
            json!({ "policy": "Automatic" }),
        )
        .set(
            "RecoveryPlan/shop",
            "/spec/groups/1/dependsOn",
            json!(["x"]),
        )
        .set(
            "ProtectionGroup/shop-web",
            "/spec/policyRef/name",
            json!("gld"),
        )
        .set(
            "NetworkMapping/seoul-busan",
            "/spec/networks/0/test/primary",
            json!("vlan20"),
        );
    assert_eq!(
        world.found(),
        [
            "error test-network-is-production NetworkMapping/seoul-busan spec.networks[0].test.primary",
            "error unknown-reference ProtectionGroup/shop-web spec.policyRef.name",
            "error field-required RecoveryPlan/shop spec.commit",
            "error unknown-plan-group RecoveryPlan/shop spec.groups[1].dependsOn[0]",
        ]
    );
    assert_eq!(world.problems(), world.problems());
}

#[test]
fn codes_are_stable_names_with_a_meaning() {
    for pair in CODES {
        let kebab = pair
            .code
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(kebab, "{}", pair.code);
        assert!(!pair.meaning.ends_with('.'), "{}", pair.code);
        let same = CODES.iter().filter(|other| other.code == pair.code);
        assert_eq!(same.count(), 1, "{}", pair.code);
    }
}

/// That every code that is used is in the table follows from the table, which makes the constants;
/// this is the other half: every code of the table is proven by a test.
#[test]
fn every_code_is_proven_by_a_test() {
    let sources = [
        include_str!("actions.rs"),
        include_str!("addresses.rs"),
        include_str!("claims.rs"),
        include_str!("drills.rs"),
        include_str!("failback.rs"),
        include_str!("fields/tests.rs"),
        include_str!("graph.rs"),
        include_str!("hosts.rs"),
        include_str!("mappings.rs"),
        include_str!("membership.rs"),
        include_str!("names.rs"),
        include_str!("networks.rs"),
        include_str!("objectives.rs"),
        include_str!("overrides.rs"),
        include_str!("ownership.rs"),
        include_str!("pairs.rs"),
        include_str!("references.rs"),
        include_str!("selectors.rs"),
        include_str!("subnets.rs"),
        include_str!("tenants.rs"),
        include_str!("windows.rs"),
    ]
    .concat();
    for code in CODES {
        assert!(sources.contains(code.code), "no test has {}", code.code);
    }
}

/// So many plans, groups for each, and machines for each group, in one mapping with addresses.
fn large(plans: usize, groups: usize, machines: usize) -> World {
    let mut world = World::example().with(site("jeju")).with(site("daegu"));
    let pair = json!({ "primary": "jeju", "secondary": "daegu" });
    let network = |network: &str, subnet: &str| json!({ "network": network, "subnet": subnet });
    let networks = json!([{
        "name": "all",
        "primary": network("vlan1", "10.0.0.0/8"),
        "secondary": network("vlan2", "11.0.0.0/8"),
        "test": { "primary": "t1", "secondary": "t2" },
        "addresses": "Assign",
    }]);
    world = world.with_shop(
        "NetworkMapping",
        "large",
        &json!({ "sites": pair, "networks": networks }),
    );
    let mut number = 0;
    for plan in 0..plans {
        let mut of_plan = Vec::new();
        for group in 0..groups {
            let name = format!("g-{plan}-{group}");
            let members: Vec<Value> = (0..machines)
                .map(|_| {
                    number += 1;
                    let host = format!("{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
                    json!({
                        "name": format!("machine-{number}"),
                        "nics": [{ "network": "all", "addresses": {
                            "primary": [format!("10.{host}")],
                            "secondary": [format!("11.{host}")],
                        } }],
                    })
                })
                .collect();
            let spec = json!({
                "sites": pair,
                "policyRef": { "name": "gold" },
                "networkMappingRef": { "name": "large" },
                "machines": members,
            });
            world = world.with_shop("ProtectionGroup", &name, &spec);
            of_plan.push(json!({ "name": name, "protectionGroups": [name] }));
        }
        let spec = json!({
            "sites": pair,
            "activeSite": "primary",
            "groups": of_plan,
            "drills": { "schedule": { "cron": "0 3 1 * *" } },
        });
        world = world.with_shop("RecoveryPlan", &format!("plan-{plan}"), &spec);
    }
    world
}

#[test]
fn a_large_sound_world_is_checked_without_a_word() {
    assert_eq!(large(20, 5, 10).told(), Vec::<String>::new());
}

#[test]
fn ten_thousand_groups_in_one_chain_do_not_run_out_of_stack() {
    let groups: Vec<Value> = (0..10_000)
        .map(|number| {
            let mut group =
                json!({ "name": format!("g{number}"), "protectionGroups": ["shop-web"] });
            if number < 9_999 {
                group["dependsOn"] = json!([format!("g{}", number + 1)]);
            } else {
                group["dependsOn"] = json!([]);
            }
            group
        })
        .collect();
    let world = World::example().set("RecoveryPlan/shop", "/spec/groups", json!(groups));
    assert_eq!(world.found_of("machine-in-two-groups").len(), 9_999);
    assert!(world.found_of("dependency-cycle").is_empty());
}
