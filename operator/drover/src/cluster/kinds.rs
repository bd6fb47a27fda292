//! What people call kinds and objects.

use std::fmt;
use std::str::FromStr;

use drover_api::{API_VERSION, GROUP, KINDS, KindInfo, VERSION};
use drover_engine::problem::did_you_mean;
use kube::api::{ApiResource, GroupVersionKind};

/// Names beside those that can be made from the kind and its plural: the short names of the
/// definitions, and the words that people use.
const ALIASES: &[(&str, &[&str])] = &[
    ("Site", &[]),
    ("ReplicationPolicy", &["rpol", "policy", "policies"]),
    ("NetworkMapping", &["nmap", "mapping", "mappings"]),
    ("FailbackPolicy", &["fbp"]),
    ("ProtectionGroup", &["pg", "group", "groups"]),
    ("RecoveryPlan", &["rp", "plan", "plans"]),
    ("RecoveryDrill", &["drill", "drills"]),
    ("RunDecision", &["rd", "decision", "decisions"]),
    ("ProtectedMachine", &["pm", "machine", "machines"]),
    ("RecoveryRun", &["rr", "run", "runs"]),
    ("MachineRun", &["mr"]),
];

/// The kind that is called so.
pub fn find(name: &str) -> Option<&'static KindInfo> {
    let short = name.strip_suffix(".drover.dev").unwrap_or(name);
    let called = |aliases: &[&str]| {
        aliases
            .iter()
            .any(|alias| alias.eq_ignore_ascii_case(short))
    };
    KINDS.iter().find(|info| {
        info.kind.eq_ignore_ascii_case(short)
            || info.plural.eq_ignore_ascii_case(short)
            || ALIASES
                .iter()
                .any(|(kind, aliases)| *kind == info.kind && called(aliases))
    })
}

/// The kind that is called so, for the parser of the command line.
///
/// # Errors
/// When there is none, with what may have been meant.
pub fn known(name: &str) -> Result<&'static KindInfo, String> {
    find(name).ok_or_else(|| {
        let words = KINDS.iter().flat_map(|info| [info.kind, info.plural]);
        let aliases = ALIASES
            .iter()
            .flat_map(|(_, aliases)| aliases.iter().copied());
        if let Some(meant) = did_you_mean(&name.to_lowercase(), words.chain(aliases)) {
            return format!("there is no such kind; did you mean {meant}?");
        }
        let kinds: Vec<&str> = KINDS.iter().map(|info| info.kind).collect();
        format!("there is no such kind; the kinds are {}", kinds.join(", "))
    })
}

/// What an API client needs to know of a kind.
pub fn resource(info: &KindInfo) -> ApiResource {
    let kind = GroupVersionKind::gvk(GROUP, VERSION, info.kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, info.plural);
    debug_assert_eq!(resource.api_version, API_VERSION);
    resource
}

/// `KIND/NAME`, as people write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The kind.
    pub kind: &'static str,
    /// The name.
    pub name: String,
}

impl Named {
    /// What is known of its kind.
    pub fn info(&self) -> &'static KindInfo {
        // Only `from_str` makes one, from the table.
        KindInfo::named(self.kind).unwrap_or(&KINDS[0])
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.to_lowercase(), self.name)
    }
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text
            .split_once('/')
            .filter(|(_, name)| !name.is_empty() && !name.contains('/'))
            .ok_or("write it as KIND/NAME, such as plan/shop")?;
        Ok(Self {
            kind: known(kind)?.kind,
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_all_its_names() {
        // SPEC: KU-1
        for info in KINDS {
            let names = (info.crd)().spec.names;
            let mut words = names.short_names.unwrap_or_default();
            words.extend([
                names.kind,
                names.plural.clone(),
                format!("{}.drover.dev", names.plural),
            ]);
            words.extend(names.singular);
            for word in words {
                assert_eq!(
                    find(&word).map(|found| found.kind),
                    Some(info.kind),
                    "{word}"
                );
            }
        }
    }

    #[test]
    fn no_name_is_of_two_kinds() {
        let mut all: Vec<&str> = ALIASES
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        all.extend(KINDS.iter().map(|info| info.plural));
        all.sort_unstable();
        let number = all.len();
        all.dedup();
        assert_eq!(all.len(), number);
        assert_eq!(ALIASES.len(), KINDS.len());
    }

    #[test]
    fn who_mistypes_a_kind_is_told() {
        // SPEC: BI-1
        assert!(known("recoveryplam").unwrap_err().contains("did you mean"));
        assert!(known("pod").unwrap_err().contains("the kinds are Site"));
        assert_eq!(
            "plan/shop".parse::<Named>().unwrap().to_string(),
            "recoveryplan/shop"
        );
        assert!("plan".parse::<Named>().is_err());
        assert!("plan/".parse::<Named>().is_err());
        assert!("plan/a/b".parse::<Named>().is_err());
    }
}
