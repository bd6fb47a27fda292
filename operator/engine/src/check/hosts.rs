//! Hosts that are named for machines: a site that lists its hosts has no others.

use std::collections::{BTreeMap, BTreeSet};

use drover_api::common::SiteRole;
use drover_api::value::{HostName, SiteName};
use drover_api::{Fabric, SiteTargetSettings};

use super::codes::UNKNOWN_HOST;
use super::context::{Context, Group};
use crate::problem::{FieldPath, Problem};

/// The hosts of the sites that list them.
type Hosts<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    let hosts = hosts(context);
    if hosts.is_empty() {
        return;
    }
    for group in &context.groups {
        of_group(context, &hosts, group, problems);
    }
    let mut told: BTreeSet<(usize, &SiteName)> = BTreeSet::new();
    for plan in &context.plans {
        let reference = plan.spec.failback_policy_ref.as_ref();
        let policy = reference.and_then(|reference| {
            let key = (plan.namespace, reference.name.as_str());
            context.declared.failback_policies.get(&key)
        });
        let Some(policy) = policy else { continue };
        let site = &plan.spec.sites.primary;
        if let Some(host) = &policy.object.spec.location.host
            && told.insert((policy.index, site))
        {
            let path = FieldPath::spec("location").field("host");
            problems.extend(unknown(context, &hosts, policy.index, path, site, host));
        }
    }
}

fn hosts<'a>(context: &Context<'a>) -> Hosts<'a> {
    let sites = context.declared.sites.iter();
    sites
        .filter_map(|(name, site)| {
            let hosts = match &site.object.spec.fabric {
                Fabric::Libvirt(libvirt) => libvirt
                    .hosts
                    .iter()
                    .map(|host| host.name.as_str())
                    .collect(),
                Fabric::Hyperv(hyperv) => hyperv
                    .hosts
                    .as_ref()?
                    .iter()
                    .map(HostName::as_str)
                    .collect(),
                _ => return None,
            };
            Some((*name, hosts))
        })
        .collect()
}

fn of_group(
    context: &Context<'_>,
    hosts: &Hosts<'_>,
    group: &Group<'_>,
    problems: &mut Vec<Problem>,
) {
    let spec = group.spec;
    let mut settings = |holder: FieldPath, settings: Option<&SiteTargetSettings>| {
        let Some(settings) = settings else { return };
        let sides = [
            (SiteRole::Primary, &settings.primary),
            (SiteRole::Secondary, &settings.secondary),
        ];
        for (role, target) in sides {
            let Some(host) = target.as_ref().and_then(|target| target.host.as_ref()) else {
                continue;
            };
            let path = holder
                .clone()
                .field("targetSettings")
                .field(role.as_str())
                .field("host");
            let site = spec.sites.at(role);
            problems.extend(unknown(context, hosts, group.object, path, site, host));
        }
    };
    settings(
        FieldPath::default().field("spec"),
        spec.target_settings.as_ref(),
    );
    for (position, machine) in spec.machines.iter().enumerate() {
        if machine.target_settings.is_some() {
            let holder = FieldPath::spec("machines").index(position);
            settings(holder, machine.target_settings.as_deref());
        }
    }
    for (position, member) in spec.member_settings.iter().enumerate() {
        let holder = FieldPath::spec("memberSettings").index(position);
        settings(holder, member.target_settings.as_deref());
    }
}

fn unknown(
    context: &Context<'_>,
    hosts: &Hosts<'_>,
    object: usize,
    path: FieldPath,
    site: &SiteName,
    host: &HostName,
) -> Option<Problem> {
    let known = hosts.get(site.as_str())?;
    if known.contains(host.as_str()) {
        return None;
    }
    let message = format!("site `{site}` has no host `{host}`");
    let problem = Problem::error(UNKNOWN_HOST, object, path, message);
    let hint = match context.meant(host.as_str(), known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "add it to the site, or name a host that the site lists".to_owned(),
    };
    let problem = problem.hint(hint);
    let declared = context.site(site)?;
    Some(problem.related(
        declared.index,
        FieldPath::spec("fabric"),
        "the hosts of the site",
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::testing::World;

    #[test]
    fn a_named_host_is_one_of_the_site() {
        // SPEC: FB-4
        let host = |name: &str| json!({ "name": name, "uri": "qemu:///system" });
        let fabric = json!({ "libvirt": { "hosts": [host("kvm-7"), host("kvm-8")] } });
        let there = json!({ "primary": { "host": "kvm-77" }, "secondary": { "host": "kvm-8" } });
        let world = World::example()
            .set("Site/seoul", "/spec/fabric", fabric.clone())
            .set("Site/busan", "/spec/fabric", fabric)
            .set(
                "ReplicationPolicy/gold",
                "/spec/replicator",
                json!({ "qemuBitmap": {} }),
            )
            .remove("FailbackPolicy/home-again", "/spec/dataSync")
            .remove("FailbackPolicy/home-again", "/spec/betweenPhases")
            .set(
                "ProtectionGroup/shop-data",
                "/spec/targetSettings",
                there.clone(),
            )
            .set(
                "ProtectionGroup/shop-data",
                "/spec/machines/0/targetSettings",
                there.clone(),
            )
            .set(
                "ProtectionGroup/shop-web",
                "/spec/memberSettings/0/targetSettings",
                there,
            )
            .set(
                "FailbackPolicy/home-again",
                "/spec/location",
                json!({ "type": "Alternate", "host": "other" }),
            );
        let data = "error unknown-host ProtectionGroup/shop-data spec";
        let web = "error unknown-host ProtectionGroup/shop-web spec";
        let end = "targetSettings.primary.host: site `seoul` has no host `kvm-77` (did you mean \
                   `kvm-7`?)";
        assert_eq!(
            world.told(),
            [
                format!("{data}.machines[0].{end}"),
                format!("{data}.{end}"),
                format!("{web}.memberSettings[0].{end}"),
                "error unknown-host FailbackPolicy/home-again spec.location.host: site `seoul` has \
                 no host `other` (add it to the site, or name a host that the site lists)"
                    .to_owned(),
            ]
        );
    }
}
