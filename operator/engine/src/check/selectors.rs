//! Selectors whose expressions cannot mean anything.

use drover_api::selector::{Operator, Selector};

use super::codes::SELECTOR_VALUES;
use super::context::Context;
use crate::problem::{FieldPath, Problem};

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    for site in context.declared.sites.values() {
        for (position, tenant) in site.object.spec.tenants.iter().enumerate() {
            let path = FieldPath::spec("tenants").index(position);
            let namespaces = path.clone().field("namespaceSelector");
            expressions(
                site.index,
                &namespaces,
                &tenant.namespace_selector,
                problems,
            );
            let inventory = path.field("inventorySelector");
            expressions(site.index, &inventory, &tenant.inventory_selector, problems);
        }
    }
    for group in &context.groups {
        if let Some(selector) = &group.spec.selector {
            expressions(
                group.object,
                &FieldPath::spec("selector"),
                selector,
                problems,
            );
        }
        for (position, settings) in group.spec.member_settings.iter().enumerate() {
            let path = FieldPath::spec("memberSettings").index(position);
            let path = path.field("selector");
            expressions(group.object, &path, &settings.selector, problems);
        }
    }
}

fn expressions(object: usize, at: &FieldPath, selector: &Selector, problems: &mut Vec<Problem>) {
    for (position, expression) in selector.match_expressions.iter().enumerate() {
        let takes_values = matches!(expression.operator, Operator::In | Operator::NotIn);
        if takes_values != expression.values.is_empty() {
            continue;
        }
        let operator = expression.operator;
        let path = at.clone().field("matchExpressions").index(position);
        let (path, message, hint) = if takes_values {
            (
                path,
                format!("`{operator:?}` needs `values`"),
                "list the values",
            )
        } else {
            (
                path.field("values"),
                format!("`{operator:?}` has no `values`"),
                "remove them, or use `In` or `NotIn`",
            )
        };
        problems.push(Problem::error(SELECTOR_VALUES, object, path, message).hint(hint));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::check::testing::World;

    #[test]
    fn an_expression_has_values_when_its_operator_takes_them() {
        let expressions = |list: Value| json!({ "matchExpressions": list });
        let world = World::example()
            .set(
                "ProtectionGroup/shop-web",
                "/spec/selector",
                expressions(json!([
                    { "key": "a", "operator": "In" },
                    { "key": "a", "operator": "Exists", "values": ["b"] },
                    { "key": "a", "operator": "NotIn", "values": ["b"] },
                    { "key": "a", "operator": "DoesNotExist" },
                ])),
            )
            .set(
                "ProtectionGroup/shop-web",
                "/spec/memberSettings/0/selector",
                expressions(json!([{ "key": "a", "operator": "NotIn" }])),
            )
            .set(
                "Site/seoul",
                "/spec/tenants/0/namespaceSelector",
                expressions(json!([{ "key": "a", "operator": "In", "values": [] }])),
            )
            .set(
                "Site/seoul",
                "/spec/tenants/0/inventorySelector",
                expressions(json!([{ "key": "a", "operator": "In" }])),
            );
        assert_eq!(
            world.found_of("selector-values"),
            [
                "error selector-values Site/seoul spec.tenants[0].inventorySelector.matchExpressions[0]",
                "error selector-values Site/seoul spec.tenants[0].namespaceSelector.matchExpressions[0]",
                "error selector-values ProtectionGroup/shop-web spec.memberSettings[0].selector.matchExpressions[0]",
                "error selector-values ProtectionGroup/shop-web spec.selector.matchExpressions[0]",
                "error selector-values ProtectionGroup/shop-web spec.selector.matchExpressions[1].values",
            ]
        );
    }
}
