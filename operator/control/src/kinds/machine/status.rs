//! What the status of a protected machine says.

use std::sync::Arc;
use std::time::Duration;

use drover_api::conditions::{CRASH_CONSISTENT_ONLY, PROTECTED, REPLICATION_FAILING, RPO_EXCEEDED};
use drover_api::value::Duration as ApiDuration;
use drover_api::{InstanceSeen, MachinePhase, ProtectedMachineStatus, ReplicationSeen};
use drover_engine::decide::{WaitReason, app_consistency_due};
use drover_world::{Instance, LinkState, Observed, Power};
use jiff::Timestamp;

use super::{Case, ROLES, side};
use crate::conditions::{Conditions, Status};
use crate::context::Context;
use crate::events::Tone;

impl Case<'_> {
    /// Tells what a person should hear of: not every step of a life, of thousands.
    pub(super) fn tell(&self, context: &Arc<Context>, phase: MachinePhase) {
        let before = self.machine.status.as_ref().map(|status| status.phase);
        if before == Some(phase) {
            return;
        }
        let (tone, reason, note) = match phase {
            MachinePhase::Failed => (
                Tone::Warning,
                "ReplicationFailed",
                "a person must mend its replication",
            ),
            MachinePhase::NotProtected => {
                (Tone::Warning, "NotProtected", "nothing replicates any more")
            }
            MachinePhase::ResyncRequired => {
                (Tone::Warning, "ResyncRequired", "change tracking was lost")
            }
            MachinePhase::Inconsistent => (
                Tone::Warning,
                "Inconsistent",
                "its old disk is half-written",
            ),
            _ => return,
        };
        context.tell(&**self.machine, tone, reason, note);
    }

    /// What is seen, in the words of the status.
    pub(super) fn describe(&self, status: &mut ProtectedMachineStatus, wait: Option<&WaitReason>) {
        use MachinePhase as P;
        status.instances = self.instances();
        status.replication = self.replication();
        let phase = status.phase;
        let reason = format!("{phase:?}");
        let waits = wait.map(ToString::to_string).unwrap_or_default();
        let rpo = status
            .replication
            .as_ref()
            .and_then(|seen| seen.rpo.clone());
        let rest_due = self.rest_due(status).filter(|due| *due <= self.now);
        let mut conditions = Conditions::of(
            &mut status.conditions,
            self.machine.metadata.generation,
            self.now,
        );
        match phase {
            P::Protected => conditions.ready(&reason, "replicates, and can be recovered"),
            P::CommitPending => {
                conditions.ready(&reason, "runs at the target; its run awaits a commit");
            }
            P::Migrated => conditions.ready(&reason, "moved for good"),
            // That is a wait for a person (KU-1); the condition `Protected` is what is loud about it.
            P::NotProtected => conditions.ready(
                &reason,
                "it runs, and nothing replicates: its plan says who decides about that",
            ),
            P::Failed | P::Inconsistent => conditions.stalled(&reason, &waits),
            _ => conditions.reconciling(&reason, &waits),
        }
        if self.split() {
            conditions.stalled("SplitBrain", "the machine runs at both sites");
        }
        // What was said last stands while nobody tells (SA-1).
        match self.link.seen().map(|link| link.trouble.as_deref()) {
            Some(Some(why)) => conditions.set(REPLICATION_FAILING, Status::True, "NotArrived", why),
            Some(None) => conditions.clear(REPLICATION_FAILING),
            None => {}
        }
        let protected = phase.is_protected();
        conditions.set(PROTECTED, Status::of(protected), &reason, "");
        let late = rpo.is_some_and(|rpo| rpo > self.policy.rpo_threshold);
        if late && protected {
            let message = "the newest recovery point is older than rpoThreshold";
            conditions.set(RPO_EXCEEDED, Status::True, "BehindThreshold", message);
        } else {
            conditions.clear(RPO_EXCEEDED);
        }
        if rest_due.is_some() && protected {
            let every = &self.policy.recovery_points.app_consistent_every;
            let message = format!(
                "no application-consistent recovery point came, and the policy asks for one every {every}: \
                 does the guest's agent answer?"
            );
            conditions.set(CRASH_CONSISTENT_ONLY, Status::True, "NoneCame", &message);
        } else if self.link.seen().is_some() {
            conditions.clear(CRASH_CONSISTENT_ONLY);
        }
    }

    /// Until when its applications should have been brought to rest for a point.
    pub(super) fn rest_due(&self, status: &ProtectedMachineStatus) -> Option<Timestamp> {
        let link = self.link.seen()?;
        let mut conditions = status.conditions.iter();
        let protected = conditions.find(|one| one.type_ == PROTECTED && one.status == "True");
        let since = protected.map(|condition| condition.last_transition_time.0);
        app_consistency_due(&link.points, since, &self.policy)
    }

    fn instances(&self) -> Vec<InstanceSeen> {
        let of = |at: &[Observed<Instance>; 2], drill: bool| {
            ROLES.map(|role| (role, at[side(role)], drill))
        };
        let all = of(&self.at, false).into_iter().chain(of(&self.drill, true));
        let former = self.machine.status.as_ref();
        all.filter_map(|(site, seen, drill)| {
            let state = match seen {
                Observed::Seen { value, .. } if value.power == Power::Absent => return None,
                Observed::Seen { value, .. } => format!("{:?}", value.power),
                Observed::Unknown { .. } if drill => return None,
                Observed::Unknown { .. } => "Unknown".to_owned(),
            };
            let same = former
                .into_iter()
                .flat_map(|status| &status.instances)
                .find(|seen| seen.site == site && seen.drill == drill && seen.state == state);
            // When it came to be so: a time that changes at each look would be written at each look.
            let at = same.map_or(self.now, |same| same.at);
            Some(InstanceSeen {
                site,
                state,
                drill,
                at,
            })
        })
        .collect()
    }

    fn replication(&self) -> Option<ReplicationSeen> {
        let link = self.link.seen()?;
        if link.state == LinkState::None {
            return None;
        }
        let newest = link.points.last().map(|point| point.at);
        let rpo = newest.map(|newest| {
            let age = Duration::try_from(self.now.duration_since(newest)).unwrap_or_default();
            ApiDuration::from_secs(age.as_secs())
        });
        Some(ReplicationSeen {
            towards: link.towards,
            rpo,
            pending_bytes: link.pending_bytes,
            progress: None,
            recovery_points: u32::try_from(link.points.len()).unwrap_or(u32::MAX),
            newest_point: newest,
        })
    }
}
