//! What sites give to whom (PR-11). Labels of namespaces are not among manifests, so only what holds
//! for every namespace is said here.

use drover_api::Tenant;
use drover_api::common::SiteRole;

use super::codes::{MACHINE_NOT_ADMITTED, SITE_ADMITS_NOBODY};
use super::context::{Context, Group};
use super::words::{SHOWN, some_of};
use crate::members::Origin;
use crate::problem::{FieldPath, Problem};

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    for group in &context.groups {
        for role in [SiteRole::Primary, SiteRole::Secondary] {
            let name = group.spec.sites.at(role);
            let Some(site) = context.site(name) else {
                continue;
            };
            let tenants = &site.object.spec.tenants;
            if tenants.is_empty() {
                let path = FieldPath::spec("sites").field(role.as_str());
                let message =
                    format!("site `{name}` has no tenants, so nobody may protect machines there");
                problems.push(
                    Problem::error(SITE_ADMITS_NOBODY, group.object, path, message)
                        .hint(format!(
                            "an administrator gives machines to namespaces with `spec.tenants` of \
                             Site `{name}`"
                        ))
                        .related(site.index, FieldPath::name(), "the site"),
                );
            } else if role == SiteRole::Primary {
                machines(group, site.index, tenants, problems);
            }
        }
    }
}

/// A machine whose labels no tenant selects is given to nobody.
fn machines(group: &Group<'_>, site: usize, tenants: &[Tenant], problems: &mut Vec<Problem>) {
    if tenants
        .iter()
        .any(|tenant| tenant.inventory_selector.is_everything())
    {
        return;
    }
    let mut selected: Vec<usize> = Vec::new();
    for (position, member) in group.members.known.iter().enumerate() {
        let Some(found) = member.found else { continue };
        let mut selectors = tenants.iter().map(|tenant| &tenant.inventory_selector);
        if selectors.any(|selector| selector.matches(&found.labels)) {
            continue;
        }
        if let Origin::Listed(_) = member.origin {
            let name = member.name.as_str();
            problems.push(not_admitted(
                group,
                site,
                group.path_of(position),
                [name],
                1,
            ));
        } else {
            selected.push(position);
        }
    }
    if !selected.is_empty() {
        let total = selected.len();
        let names = selected.iter().take(SHOWN);
        let names = names.map(|position| group.member(*position).name.as_str());
        let path = FieldPath::spec("selector");
        problems.push(not_admitted(group, site, path, names, total));
    }
}

fn not_admitted<'n>(
    group: &Group<'_>,
    site: usize,
    path: FieldPath,
    names: impl IntoIterator<Item = &'n str>,
    total: usize,
) -> Problem {
    let name = &group.spec.sites.primary;
    let message = format!(
        "no tenant of site `{name}` is given {}",
        some_of(names, total)
    );
    Problem::error(MACHINE_NOT_ADMITTED, group.object, path, message)
        .hint("an administrator widens an `inventorySelector` of the site, or labels the machine")
        .related(
            site,
            FieldPath::spec("tenants"),
            "what the site gives to whom",
        )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::testing::World;

    #[test]
    fn a_site_gives_its_machines_to_nobody_by_default() {
        // SPEC: PR-11
        let world = World::example().remove("Site/busan", "/spec/tenants");
        assert_eq!(
            world.found(),
            [
                "error site-admits-nobody ProtectionGroup/shop-data spec.sites.secondary",
                "error site-admits-nobody ProtectionGroup/shop-web spec.sites.secondary",
            ]
        );
    }

    #[test]
    fn a_machine_is_protected_only_where_a_tenant_is_given_it() {
        // SPEC: PR-11
        let selector = json!({ "matchLabels": { "owner": "shop" } });
        let web = json!({ "app": "shop", "tier": "web" });
        let world = World::example()
            .set("Site/seoul", "/spec/tenants/0/inventorySelector", selector)
            .set(
                "Site/seoul",
                "/spec/fabric/simulator/machines",
                json!([
                    { "name": "db-1", "labels": { "owner": "shop" } },
                    { "name": "db-2" },
                    { "name": "web-1", "labels": web },
                    { "name": "web-2", "labels": web },
                ]),
            );
        assert_eq!(
            world.told(),
            [
                "error machine-not-admitted ProtectionGroup/shop-data spec.machines[1].name: no \
                 tenant of site `seoul` is given `db-2` (an administrator widens an \
                 `inventorySelector` of the site, or labels the machine)",
                "error machine-not-admitted ProtectionGroup/shop-web spec.selector: no tenant of \
                 site `seoul` is given `web-1` and `web-2` (an administrator widens an \
                 `inventorySelector` of the site, or labels the machine)",
            ]
        );
    }
}
