//! Simulated sites, on simulated time.

use std::sync::Arc;
use std::time::Duration;

use drover_api::value::Duration as Length;
use drover_api::value::{MachineName, SiteName};
use drover_fabric::Clock;
use drover_simulator::{Latency, Simulation, Violation};
use drover_world::Power;
use jiff::Timestamp;
use serde_json::json;
use tokio::runtime::Builder;

use super::pace::Pace;
use super::scenery::{Props, Scenery, Seen};
use crate::cli::Demo;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::reports::moments::rough;
use crate::up::home::{Home, Plan, cannot};
use crate::up::screen::Screen;

/// When it plays: the same in every run, so that every run is the same.
const BEGIN: Timestamp = Timestamp::constant(1_772_442_000, 0);

/// So many simulated seconds in a second make about twenty seconds of it.
const USUAL_PACE: u32 = 30;

fn props() -> Props {
    Props {
        machines: (1..=2)
            .map(|number| format!("db-{number}"))
            .chain((1..=10).map(|number| format!("web-{number}")))
            .collect(),
        manifests: include_str!("shop.yaml").to_owned(),
        request: json!({ "sourceStop": "Attempt" }),
        look: Duration::from_secs(1),
        patience: Duration::from_hours(2),
        business: Duration::from_secs(45),
        time: ", in simulated time",
    }
}

/// Plays the demonstration here.
///
/// # Errors
/// When something does not come to be so, or cannot be written.
pub fn run(arguments: &Demo, output: &mut Output) -> Result<Exit, Failure> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| cannot("begin", &error))?;
    runtime.block_on(play(arguments, output))
}

async fn play(arguments: &Demo, output: &mut Output) -> Result<Exit, Failure> {
    let screen = Screen::new(output);
    let usual = screen.is_terminal().then_some(USUAL_PACE);
    let factor = if arguments.fast {
        None
    } else {
        arguments.pace.or(usual)
    };
    let pace = Pace::new(factor);
    screen.talk(output, &introduction(pace));
    let home = Home::open(Plan {
        data: None,
        latency: Latency::Realistic,
        clock: Clock::starting_at(BEGIN),
        seed: Some(1),
    })
    .await?;
    let scenery = Simulated {
        world: Arc::clone(&home.world),
        pace,
        props: props(),
    };
    super::play(home, Box::new(scenery), screen, output).await
}

fn introduction(pace: Pace) -> String {
    let fast = match pace.factor() {
        Some(factor) => format!("{factor} times as fast as yours"),
        None => "as fast as this machine can".to_owned(),
    };
    format!(
        "A shop of twelve machines at two simulated sites, seoul and busan. Nothing outside this process \
         is touched.\nTime is simulated and goes {fast}; all times below are simulated, mm:ss."
    )
}

struct Simulated {
    world: Arc<Simulation>,
    pace: Pace,
    props: Props,
}

impl Simulated {
    fn names(&self) -> impl Iterator<Item = MachineName> {
        self.props
            .machines
            .iter()
            .filter_map(|name| name.parse().ok())
    }
}

impl Scenery for Simulated {
    fn props(&self) -> &Props {
        &self.props
    }

    fn hold(&self, elapsed: Duration) {
        self.pace.hold(elapsed);
    }

    fn seen(&mut self, site: &SiteName) -> Result<Seen, Failure> {
        let mut seen = Seen::default();
        for name in self.names() {
            if let Some(machine) = self.world.machine(site, &name) {
                let serves = machine.instance.may_serve();
                seen.serving += usize::from(serves);
                let absent = machine.instance.power == Power::Absent;
                seen.held += usize::from(!serves && !absent);
            }
            let drill = self.world.drill(site, &name);
            let drills = drill.is_some_and(|drill| drill.instance.may_serve());
            seen.drilling += usize::from(drills);
        }
        Ok(seen)
    }

    fn lose(&mut self, site: &SiteName) -> Result<(), Failure> {
        self.world.lose_site(site);
        Ok(())
    }

    fn restore(&mut self, site: &SiteName) -> Result<(), Failure> {
        self.world.return_site(site);
        Ok(())
    }

    /// The business of a shop is longer than the interval of its policy.
    fn has_common_point(&self, _: &SiteName, _: Timestamp) -> Result<bool, Failure> {
        Ok(true)
    }

    fn broken(&self) -> Vec<String> {
        self.world.violations().iter().map(sentence).collect()
    }

    fn farewell(&self, elapsed: Duration) -> String {
        let wall = self.pace.wall().as_secs_f64();
        let factor = elapsed.as_secs_f64() / wall.max(0.001);
        format!(
            "{} of simulated time took {wall:.1} s: {factor:.0} times as fast. \
             `drover up` does the same in real time, for manifests of your own.",
            rough(&Length::from_secs(elapsed.as_secs()))
        )
    }
}

fn sentence(violation: &Violation) -> String {
    format!(
        "{} broke: {} at {}: {}",
        violation.invariant, violation.machine, violation.site, violation.message
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_invariant_is_a_sentence() {
        let violation = Violation {
            invariant: "single_active".to_owned(),
            site: "seoul".parse().unwrap(),
            machine: "db-1".parse().unwrap(),
            message: "it may serve at both sites".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            accepted: false,
        };
        assert_eq!(
            sentence(&violation),
            "single_active broke: db-1 at seoul: it may serve at both sites"
        );
    }
}
