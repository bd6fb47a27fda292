//! What decisions are called.

use drover_api::DecisionAction;

/// `shop-7-complete-sync-k3x9q1`. The run's name gives way where the whole would be too long.
pub fn name_of(run: &str, action: DecisionAction, seed: u64) -> String {
    const MOST: usize = 253;
    let action = match action {
        DecisionAction::Approve => "approve",
        DecisionAction::Commit => "commit",
        DecisionAction::Cancel => "cancel",
        DecisionAction::Resume => "resume",
        DecisionAction::CompleteSync => "complete-sync",
        DecisionAction::ChangePoint => "change-point",
        DecisionAction::AcceptDataLoss => "accept-data-loss",
        DecisionAction::AcceptDiscard => "accept-discard",
        DecisionAction::AcceptSplitBrain => "accept-split-brain",
        DecisionAction::Reprotect => "reprotect",
    };
    let end = format!("-{action}-{}", suffix(seed));
    let room = MOST.saturating_sub(end.len()).min(run.len());
    format!("{}{end}", run[..room].trim_end_matches(['-', '.']))
}

/// Six letters and digits that differ from one microsecond to the next.
fn suffix(seed: u64) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = seed;
    let mut suffix = String::with_capacity(6);
    for _ in 0..6 {
        let digit = usize::try_from(rest % 36).unwrap_or_default();
        suffix.push(char::from(DIGITS[digit]));
        rest /= 36;
    }
    suffix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_named_after_its_run() {
        let name = name_of("shop-7", DecisionAction::CompleteSync, 36 * 36 + 35);
        assert_eq!(name, "shop-7-complete-sync-z01000");
        assert_ne!(suffix(1), suffix(2));
        let long = name_of(&"a".repeat(253), DecisionAction::AcceptSplitBrain, 7);
        assert_eq!(long.len(), 253);
    }
}
