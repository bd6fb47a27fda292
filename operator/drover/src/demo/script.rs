//! What happens in the demonstration, act by act, and what must be so at the end of each.

use std::time::Duration;

use drover_api::common::RunKind;
use drover_api::value::{Duration as Length, SiteName};
use drover_api::{
    ActualSite, DecisionAction, DrillPhase, DrillResult, MachinePhase, ReachabilityState,
    RecoveryRun, RunPhase, Site,
};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::scenery::Crossing;
use super::stage::{SHOP, Stage};
use crate::cluster::reading;
use crate::failure::{Failure, Why};
use crate::text::count;
use crate::up::story::Mood;

/// Something that had to be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub what: String,
    /// Whether it was.
    pub holds: bool,
}

/// What happened, for the end.
#[derive(Debug, Default)]
pub struct Ledger {
    /// When each act began, and what it is called.
    pub acts: Vec<(Duration, &'static str)>,
    /// What had to be so.
    pub checks: Vec<Check>,
    /// What guests say of having gone over, and in which run.
    pub crossings: Vec<(String, Crossing)>,
}

const DRILL: &str = "rehearsal";

/// Plays all of it.
pub async fn play(stage: &mut Stage<'_>, ledger: &mut Ledger) -> Result<(), Failure> {
    let sites = (site("seoul")?, site("busan")?);
    let mut play = Play {
        stage,
        ledger,
        seoul: sites.0,
        busan: sites.1,
    };
    play.protect().await?;
    play.rehearse().await?;
    play.there().await?;
    play.back().await?;
    let run = play.disaster().await?;
    play.aftermath(&run).await
}

fn site(name: &str) -> Result<SiteName, Failure> {
    name.parse()
        .map_err(|error: drover_api::value::ValueError| Failure::Cluster {
            doing: format!("name the site {name}"),
            why: Why(error.to_string()),
            hint: None,
        })
}

struct Play<'s, 'o> {
    stage: &'s mut Stage<'o>,
    ledger: &'s mut Ledger,
    seoul: SiteName,
    busan: SiteName,
}

impl Play<'_, '_> {
    fn act(&mut self, title: &'static str) {
        self.ledger.acts.push((self.stage.elapsed(), title));
        let number = self.ledger.acts.len();
        self.stage
            .say(Mood::Notable, format!("=== {number}. {title}"));
    }

    fn check(&mut self, what: &str, holds: bool) {
        let (mood, word) = if holds {
            (Mood::Good, "ok")
        } else {
            (Mood::Bad, "NOT SO")
        };
        self.stage.say(mood, format!("check: {what}: {word}"));
        let what = what.to_owned();
        self.ledger.checks.push(Check { what, holds });
    }

    /// Why machines did not start, where some did not.
    async fn say_why(&mut self) -> Result<(), Failure> {
        for part in self.stage.machine_runs().await? {
            let entered = part.status.as_ref().map(|status| &status.enter);
            if let Some(why) = entered.and_then(|step| step.error.as_ref()) {
                let text = format!("{} did not start: {why}", part.spec.machine.name);
                self.stage.say(Mood::Bad, text);
            }
        }
        Ok(())
    }

    /// All machines serve at one site, and none at the other.
    fn check_serving(&mut self, at: &SiteName, not_at: &SiteName) -> Result<(), Failure> {
        let here = self.stage.scenery.seen(at)?.serving;
        let there = self.stage.scenery.seen(not_at)?.serving;
        let size = self.stage.size();
        let what = format!("{here} of {size} machines serve at {at}, {there} at {not_at}");
        self.check(&what, here == size && there == 0);
        Ok(())
    }

    /// What the guests themselves say: they know what they wrote, whatever Drover says.
    fn ask_guests(
        &mut self,
        run: &RecoveryRun,
        from: &SiteName,
        to: &SiteName,
    ) -> Result<(), Failure> {
        let reported = run.status.as_ref().and_then(|status| status.rpo.clone());
        let reported = reported.unwrap_or(Length::ZERO);
        for crossing in self.stage.scenery.crossings(from, to)? {
            let holds = if reported == Length::ZERO {
                crossing.is_whole()
            } else {
                crossing.gaps == 0 && crossing.lost <= reported.as_std()
            };
            self.check(&told(&crossing, &reported, from, to), holds);
            self.ledger.crossings.push((run.name_any(), crossing));
        }
        Ok(())
    }

    async fn until_at(&mut self, actual: ActualSite) -> Result<(), Failure> {
        let what = format!("the plan to be at {actual:?}");
        self.stage
            .until(&what, async |stage| {
                let status = stage.plan().await?.status;
                Ok(status.and_then(|status| status.active_site) == Some(actual))
            })
            .await
    }

    async fn until_all(&mut self, phase: MachinePhase) -> Result<(), Failure> {
        let what = format!("all machines to be {phase:?}");
        self.stage
            .until(&what, async |stage| stage.all_are(phase).await)
            .await
    }

    async fn protect(&mut self) -> Result<(), Failure> {
        self.act("Protect");
        let number = self.stage.declare().await?;
        self.stage.say(
            Mood::Plain,
            format!("$ drover apply shop/    ({number} objects)"),
        );
        self.until_all(MachinePhase::Protected).await?;
        self.until_at(ActualSite::Primary).await?;
        self.check("all machines are protected", true);
        let copies = self.busan.clone();
        self.stage.business(&copies).await
    }

    async fn rehearse(&mut self) -> Result<(), Failure> {
        self.act("Drill: a test failover, while production goes on");
        self.stage.say(
            Mood::Plain,
            format!("$ kubectl create RecoveryDrill {DRILL}"),
        );
        self.stage.scenery.mark();
        self.stage.begin_drill(DRILL).await?;
        self.stage
            .until("the drill to stand", async |stage| {
                let status = stage.drill(DRILL).await?.and_then(|drill| drill.status);
                Ok(status.is_some_and(|status| status.phase == DrillPhase::Standing))
            })
            .await?;
        let status = self
            .stage
            .drill(DRILL)
            .await?
            .and_then(|drill| drill.status);
        let result = status.and_then(|status| status.result);
        self.check("the drill passed", result == Some(DrillResult::Passed));
        self.say_why().await?;
        let standing = self.stage.scenery.seen(&self.busan)?.drilling;
        self.check(
            &format!(
                "{standing} copies stand on the test networks of {}",
                self.busan
            ),
            standing == self.stage.size(),
        );
        let (seoul, busan) = (self.seoul.clone(), self.busan.clone());
        self.check_serving(&seoul, &busan)?;
        self.stage.say(
            Mood::Plain,
            format!("$ kubectl delete RecoveryDrill {DRILL}"),
        );
        self.stage.delete_drill(DRILL).await?;
        self.stage
            .until("the drill to be gone", async |stage| {
                Ok(stage.drill(DRILL).await?.is_none())
            })
            .await?;
        let left = self.stage.scenery.seen(&busan)?.drilling;
        self.check("nothing is left of the drill", left == 0);
        self.stage.business(&busan).await
    }

    /// A planned failover, its commit, and the reprotect that follows by itself.
    async fn planned(&mut self, to: &str, from: &SiteName, at: &SiteName) -> Result<(), Failure> {
        let before = self.stage.newest().await?;
        self.stage
            .say(Mood::Plain, format!("$ git commit: activeSite: {to}"));
        self.stage.scenery.mark();
        self.stage.patch_plan(json!({ "activeSite": to })).await?;
        let run = self
            .stage
            .until_run(before, RunKind::PlannedFailover, RunPhase::CommitPending)
            .await?;
        self.check_serving(at, from)?;
        let lost = run.status.as_ref().and_then(|status| status.rpo.clone());
        let nothing = lost.is_none_or(|lost| lost.as_std().is_zero());
        self.check("nothing is lost", nothing);
        self.ask_guests(&run, from, at)?;
        self.stage.decide(&run, DecisionAction::Commit).await?;
        self.stage
            .until_run(before, RunKind::PlannedFailover, RunPhase::Committed)
            .await?;
        self.stage
            .until_run(before, RunKind::Reprotect, RunPhase::Protected)
            .await?;
        self.until_all(MachinePhase::Protected).await?;
        self.check("all machines are protected in the other direction", true);
        self.stage.business(from).await
    }

    async fn there(&mut self) -> Result<(), Failure> {
        self.act("Planned failover, commit, reprotect");
        let (seoul, busan) = (self.seoul.clone(), self.busan.clone());
        self.planned("secondary", &seoul, &busan).await
    }

    async fn back(&mut self) -> Result<(), Failure> {
        self.act("Failback, commit, reprotect");
        let (seoul, busan) = (self.seoul.clone(), self.busan.clone());
        self.planned("primary", &busan, &seoul).await
    }

    async fn disaster(&mut self) -> Result<RecoveryRun, Failure> {
        self.act("Disaster: the primary site loses its power; an unplanned failover");
        let (seoul, busan) = (self.seoul.clone(), self.busan.clone());
        let before = self.stage.newest().await?;
        self.stage
            .say(Mood::Bad, format!("!!! the power of {seoul} goes"));
        self.stage.scenery.mark();
        self.stage.scenery.lose(&seoul)?;
        self.until_reachable(&seoul, false).await?;
        let runs = self.stage.newest().await?;
        self.check("an unknown site starts nothing by itself", runs == before);
        let expires = self.stage.in_an_hour();
        let mut request = self.stage.scenery.props().request.clone();
        let risk = request.get("unfenced").and_then(Value::as_str);
        let risk = risk.map(|word| format!(", unfenced: {word}"));
        self.stage.say(
            Mood::Plain,
            format!(
                "$ git commit: activeSite: secondary, request {{ id: outage-1, type: Unplanned{} }}",
                risk.unwrap_or_default()
            ),
        );
        request["id"] = json!("outage-1");
        request["expires"] = json!(expires);
        request["type"] = json!("Unplanned");
        let spec = json!({ "activeSite": "secondary", "request": request });
        self.stage.patch_plan(spec).await?;
        let run = self
            .stage
            .until_run(before, RunKind::UnplannedFailover, RunPhase::CommitPending)
            .await?;
        self.check_serving(&busan, &seoul)?;
        self.ask_guests(&run, &seoul, &busan)?;
        Ok(run)
    }

    async fn aftermath(&mut self, run: &RecoveryRun) -> Result<(), Failure> {
        self.act("The lost site comes back: stale copies are held; commit, reprotect");
        let (seoul, busan) = (self.seoul.clone(), self.busan.clone());
        self.stage
            .say(Mood::Notable, format!("!!! the power of {seoul} is back"));
        self.stage.scenery.restore(&seoul)?;
        self.until_reachable(&seoul, true).await?;
        self.stage.pass().await?;
        let held = self.stage.scenery.seen(&seoul)?.held;
        self.check(
            &format!("{held} stale copies at {seoul} are stopped and held"),
            held == self.stage.size(),
        );
        self.check_serving(&busan, &seoul)?;
        let before = run.spec.number;
        self.stage.decide(run, DecisionAction::Commit).await?;
        self.stage
            .until_run(before - 1, RunKind::UnplannedFailover, RunPhase::Committed)
            .await?;
        self.until_all(MachinePhase::NotProtected).await?;
        self.check("that nothing protects the machines is said", true);
        self.stage.decide(run, DecisionAction::Reprotect).await?;
        self.stage
            .until_run(before, RunKind::Reprotect, RunPhase::Protected)
            .await?;
        self.until_all(MachinePhase::Protected).await?;
        self.check("all machines are protected again", true);
        Ok(())
    }

    async fn until_reachable(&mut self, site: &SiteName, so: bool) -> Result<(), Failure> {
        let client = self.stage.home.client();
        let what = format!("{site} to be {}", if so { "reached" } else { "missed" });
        self.stage
            .until(&what, async |_| {
                let site: Site = reading::one(&client, None, site.as_str()).await?;
                let seen = site.status.and_then(|status| status.reachability);
                let reachable = seen.map(|seen| seen.state) == Some(ReachabilityState::Reachable);
                Ok(reachable == so)
            })
            .await
    }
}

/// What a guest says of having gone over, beside what Drover reports.
fn told(crossing: &Crossing, reported: &Length, from: &SiteName, to: &SiteName) -> String {
    let Crossing {
        machine,
        left,
        entered,
        gaps,
        ..
    } = crossing;
    let lost = crossing.lost_counts();
    let missing = match (lost, gaps) {
        (0, 0) => "nothing missing".to_owned(),
        (_, 0) => format!(
            "{} of {:.1} s lost, Drover reports {:.1} s",
            count(usize::try_from(lost).unwrap_or(usize::MAX), "count"),
            crossing.lost.as_secs_f64(),
            reported.as_std().as_secs_f64()
        ),
        (_, gaps) => format!("{gaps} missing before"),
    };
    format!("{machine} counted to {left} at {from}, went on from {entered} at {to}, {missing}")
}

/// Whether the plan ends where it was declared to.
pub async fn ends_as_declared(stage: &Stage<'_>) -> Result<bool, Failure> {
    let plan = stage.plan().await?;
    debug_assert_eq!(plan.metadata.name.as_deref(), Some(SHOP));
    let status = plan.status.unwrap_or_default();
    Ok(status.active_site == Some(ActualSite::Secondary) && status.current_run.is_none())
}
