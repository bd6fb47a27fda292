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
    let asked = annotations.get(RECONCILE_NOW)?;
    // A status holds no more of it.
    let asked: String = asked.chars().take(256).collect();
    (Some(asked.as_str()) != answered).then_some(asked)
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
