//! The annotations that people set, so that each is spelt once. What is declared stays in the spec; these say
//! when to look, and when to leave alone.

use std::collections::BTreeMap;

/// On a plan: nothing begins. On a group: no member is taken up or let go of.
pub const SUSPEND: &str = "drover.dev/suspend";
/// On a site, a group or a plan: look now. A value that was not there before asks once; the status says
/// which one was answered last.
pub const RECONCILE_NOW: &str = "drover.dev/reconcile-now";
/// On a protected machine: resynchronise now, outside of its policy's window.
pub const RESYNC_NOW: &str = "drover.dev/resync-now";
/// On a plan: the revision of the manifests that declare it, for the record of its runs. A commit, as a rule.
pub const REVISION: &str = "drover.dev/revision";
/// On a run, by Drover: the drill that it carries out.
pub const DRILL: &str = "drover.dev/drill";
/// On a run, by Drover: the uid of that drill. One of the same name made later is another.
pub const DRILL_UID: &str = "drover.dev/drill-uid";

/// On a protected machine: what it is made of now is as it should be. A value that was not there before is
/// answered once.
pub const ACCEPT_DRIFT: &str = "drover.dev/accept-drift";

/// Annotations as objects have them.
pub type Annotations = BTreeMap<String, String>;

/// Whether nothing is to begin: any value but `false` says so.
pub fn is_suspended(annotations: &Annotations) -> bool {
    annotations
        .get(SUSPEND)
        .is_some_and(|value| value != "false")
}

/// What was asked for by [`RECONCILE_NOW`] and is not the request that was answered last.
pub fn asked_now(annotations: &Annotations, answered: Option<&str>) -> Option<String> {
    asked_by(RECONCILE_NOW, annotations, answered)
}

/// The value of [`ACCEPT_DRIFT`], where it is not the one that was answered last.
pub fn accepts_drift(annotations: &Annotations, answered: Option<&str>) -> Option<String> {
    asked_by(ACCEPT_DRIFT, annotations, answered)
}

fn asked_by(annotation: &str, annotations: &Annotations, answered: Option<&str>) -> Option<String> {
    let asked = annotations.get(annotation)?;
    // A status holds no more of it.
    let asked: String = asked.chars().take(256).collect();
    (Some(asked.as_str()) != answered).then_some(asked)
}

/// The revision of the manifests that an object was declared with, where that is known.
pub fn revision(annotations: &Annotations) -> Option<String> {
    let revision = annotations.get(REVISION)?.trim();
    // A run holds no more of it.
    let revision: String = revision.chars().take(256).collect();
    (!revision.is_empty()).then_some(revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str, value: &str) -> Annotations {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn what_is_suspended_says_so() {
        // SPEC: KU-2
        assert!(is_suspended(&of(SUSPEND, "true")));
        assert!(is_suspended(&of(SUSPEND, "until the audit is over")));
        assert!(!is_suspended(&of(SUSPEND, "false")));
        assert!(!is_suspended(&Annotations::new()));
    }

    #[test]
    fn a_revision_is_what_is_written_and_fits_into_a_run() {
        // SPEC: RD-5
        assert_eq!(revision(&Annotations::new()), None);
        assert_eq!(revision(&of(REVISION, " ")), None);
        assert_eq!(
            revision(&of(REVISION, "4f1d2c\n")).as_deref(),
            Some("4f1d2c")
        );
        let long = revision(&of(REVISION, &"é".repeat(1000))).unwrap();
        assert_eq!(long.chars().count(), 256);
    }

    #[test]
    fn each_value_asks_once() {
        // SPEC: KU-2
        let asks = of(RECONCILE_NOW, "10:15");
        assert_eq!(asked_now(&asks, None).as_deref(), Some("10:15"));
        assert_eq!(asked_now(&asks, Some("10:00")).as_deref(), Some("10:15"));
        assert_eq!(asked_now(&asks, Some("10:15")), None);
        assert_eq!(asked_now(&Annotations::new(), Some("10:15")), None);
        let long = of(RECONCILE_NOW, &"x".repeat(1000));
        let answered = asked_now(&long, None).unwrap();
        assert_eq!(asked_now(&long, Some(&answered)), None);
    }
}
