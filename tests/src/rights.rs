//! Which rights somebody used and which they have, so that a role can be held to what is needed: from the
//! audit log of an API server, and from the roles in manifests.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::manifests::Document;

/// One right: to do this to that, where no narrower one is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The API group; empty for the core.
    pub group: String,
    /// The resource, with its subresource where it has one: `sites/status`.
    pub resource: String,
    /// What is done.
    pub verb: String,
    /// The namespace; none where it is meant for all of them, or for what lives in none.
    pub namespace: Option<String>,
    /// The object; none where it is meant for all of them.
    pub name: Option<String>,
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(namespace) = &self.namespace {
            write!(f, " in {namespace}")?;
        }
        match &self.name {
            Some(name) => write!(f, " named {name}"),
            None => Ok(()),
        }
    }
}

impl Right {
    /// Whether this right, given to somebody, lets them do what `used` is.
    pub fn covers(&self, used: &Self) -> bool {
        let is = |given: &str, used: &str| given == "*" || given == used;
        let within = |given: &Option<String>, used: &Option<String>| {
            given.is_none() || given.as_ref() == used.as_ref()
        };
        is(&self.group, &used.group)
            && is(&self.resource, &used.resource)
            && is(&self.verb, &used.verb)
            && within(&self.namespace, &used.namespace)
            && within(&self.name, &used.name)
    }
}

/// What a user asked of the API server and was not refused for lack of a right, by its audit log.
pub fn used(audit_log: &str, user: &str) -> BTreeSet<Right> {
    requests(audit_log, user)
        .filter(|(_, allowed)| *allowed)
        .map(|(right, _)| right)
        .collect()
}

/// What a user asked of the API server and had no right to.
pub fn missed(audit_log: &str, user: &str) -> BTreeSet<Right> {
    requests(audit_log, user)
        .filter(|(_, allowed)| !*allowed)
        .map(|(right, _)| right)
        .collect()
}

/// Each request for a resource, and whether it was allowed.
fn requests(audit_log: &str, user: &str) -> impl Iterator<Item = (Right, bool)> {
    // The last line may be half written.
    let events = audit_log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter_map(move |event| {
        let asked_by = event["impersonatedUser"]["username"]
            .as_str()
            .or(event["user"]["username"].as_str())?;
        let object = &event["objectRef"];
        let text = |field: &str| object[field].as_str().map(ToOwned::to_owned);
        let mut resource = text("resource")?;
        if let Some(part) = text("subresource") {
            resource = format!("{resource}/{part}");
        }
        let decision = &event["annotations"]["authorization.k8s.io/decision"];
        let verb = event["verb"].as_str()?.to_owned();
        // A name can restrict no request that makes an object: the server does not look at it.
        let name = text("name").filter(|_| verb != "create");
        let right = Right {
            group: text("apiGroup").unwrap_or_default(),
            resource,
            verb,
            namespace: text("namespace"),
            name,
        };
        (asked_by == user).then(|| (right, decision == "allow"))
    })
}

/// The rights that a service account of a namespace has by the roles and bindings in manifests.
pub fn granted(documents: &[Document], namespace: &str, account: &str) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for binding in documents {
        let scope = match binding.kind() {
            "ClusterRoleBinding" => None,
            "RoleBinding" => binding.namespace(),
            _ => continue,
        };
        let subjects = binding.value["subjects"].as_array();
        let ours = |subject: &Value| {
            subject["kind"] == "ServiceAccount"
                && subject["name"] == account
                && subject["namespace"] == namespace
        };
        if !subjects.is_some_and(|subjects| subjects.iter().any(ours)) {
            continue;
        }
        let role = &binding.value["roleRef"];
        let found = documents.iter().filter(|document| {
            document.kind() == role["kind"]
                && document.name() == role["name"]
                && (document.kind() == "ClusterRole" || document.namespace() == scope)
        });
        for rule in found.flat_map(|role| role.value["rules"].as_array().into_iter().flatten()) {
            rights.extend(of_rule(rule, scope));
        }
    }
    rights
}

fn of_rule(rule: &Value, scope: Option<&str>) -> Vec<Right> {
    let texts = |field: &str| -> Vec<String> {
        let list = rule[field].as_array().into_iter().flatten();
        list.filter_map(|text| Some(text.as_str()?.to_owned()))
            .collect()
    };
    let mut names: Vec<Option<String>> = texts("resourceNames").into_iter().map(Some).collect();
    if names.is_empty() {
        names.push(None);
    }
    let mut rights = Vec::new();
    for group in texts("apiGroups") {
        for resource in texts("resources") {
            for verb in texts("verbs") {
                for name in &names {
                    rights.push(Right {
                        group: group.clone(),
                        resource: resource.clone(),
                        verb: verb.clone(),
                        namespace: scope.map(ToOwned::to_owned),
                        name: name.clone(),
                    });
                }
            }
        }
    }
    rights
}

/// How rights that are given differ from those that were used.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Used, and not given.
    pub missing: Vec<Right>,
    /// Given, and never used.
    pub idle: Vec<Right>,
}

/// Compares what is given with what was used.
pub fn compare(granted: &BTreeSet<Right>, used: &BTreeSet<Right>) -> Difference {
    let given = |used: &&Right| granted.iter().any(|right| right.covers(used));
    let needed = |right: &&Right| used.iter().any(|used| right.covers(used));
    Difference {
        missing: used.iter().filter(|used| !given(used)).cloned().collect(),
        idle: granted
            .iter()
            .filter(|right| !needed(right))
            .cloned()
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::documents;

    const ROLES: &str = r#"
kind: ClusterRole
metadata: { name: drover }
rules:
  - { apiGroups: [drover.dev], resources: [sites], verbs: [get, list] }
---
kind: ClusterRoleBinding
roleRef: { kind: ClusterRole, name: drover }
subjects: [{ kind: ServiceAccount, name: drover, namespace: here }]
---
kind: Role
metadata: { name: drover, namespace: here }
rules:
  - { apiGroups: [""], resources: [secrets], resourceNames: [a], verbs: [get] }
---
kind: Role
metadata: { name: drover, namespace: elsewhere }
rules:
  - { apiGroups: [""], resources: [secrets], verbs: [delete] }
---
kind: RoleBinding
metadata: { namespace: here }
roleRef: { kind: Role, name: drover }
subjects: [{ kind: ServiceAccount, name: drover, namespace: here }]
---
kind: ClusterRoleBinding
roleRef: { kind: ClusterRole, name: drover }
subjects: [{ kind: ServiceAccount, name: somebody-else, namespace: here }]
"#;

    fn lines(rights: &[Right]) -> Vec<String> {
        rights.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn roles_are_read_through_their_bindings() {
        let granted = granted(&documents(ROLES).unwrap(), "here", "drover");
        let granted: Vec<Right> = granted.into_iter().collect();
        assert_eq!(
            lines(&granted),
            [
                "get secrets in here named a",
                "get sites.drover.dev",
                "list sites.drover.dev"
            ]
        );
    }

    #[test]
    fn an_audit_log_says_who_used_what() {
        let event = |user: &str, verb: &str, resource: &str, decision: &str| {
            serde_json::json!({
                "verb": verb,
                "user": { "username": "admin" },
                "impersonatedUser": { "username": user },
                "objectRef": { "apiGroup": "drover.dev", "resource": resource, "name": "a" },
                "annotations": { "authorization.k8s.io/decision": decision },
            })
            .to_string()
        };
        let log = [
            event("me", "get", "sites", "allow"),
            event("me", "get", "sites", "allow"),
            event("me", "create", "sites", "allow"),
            event("me", "delete", "sites", "forbid"),
            event("you", "list", "sites", "allow"),
            "{ half a line".to_owned(),
        ]
        .join("\n");
        let used: Vec<Right> = used(&log, "me").into_iter().collect();
        assert_eq!(
            lines(&used),
            ["create sites.drover.dev", "get sites.drover.dev named a"]
        );
        let missed: Vec<Right> = missed(&log, "me").into_iter().collect();
        assert_eq!(lines(&missed), ["delete sites.drover.dev named a"]);
    }

    #[test]
    fn what_is_given_is_compared_with_what_is_used() {
        let right = |verb: &str, name: Option<&str>| Right {
            group: "drover.dev".to_owned(),
            resource: "sites".to_owned(),
            verb: verb.to_owned(),
            namespace: None,
            name: name.map(ToOwned::to_owned),
        };
        let granted = BTreeSet::from([
            right("get", None),
            right("delete", Some("a")),
            right("list", None),
        ]);
        let used = BTreeSet::from([right("get", Some("a")), right("delete", Some("b"))]);
        let difference = compare(&granted, &used);
        assert_eq!(difference.missing, [right("delete", Some("b"))]);
        assert_eq!(
            difference.idle,
            [right("delete", Some("a")), right("list", None)]
        );
    }
}
