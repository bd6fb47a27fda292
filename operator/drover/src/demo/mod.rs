//! `drover demo`: the whole life of a shop of twelve machines in about twenty seconds.
//!
//! Everything is real but the sites and the time: the API, the operator and the engine are those of
//! `drover up`; the sites are simulated, and time is virtual. [`script`] is what happens, [`stage`] is
//! where, [`pace`] lets a person follow, and [`ending`] is what is shown at the end.
//!
//! What may not enter: anything that waits for the world outside. On virtual time such a wait would let
//! hours go by.

mod ending;
mod pace;
mod script;
mod stage;

use drover_api::value::Duration as Length;
use drover_fabric::Clock;
use drover_simulator::Latency;
use jiff::Timestamp;
use tokio::runtime::Builder;

use crate::cli::Demo;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::reports::moments::rough;
use crate::up::home::{Home, Plan, cannot};
use crate::up::screen::Screen;
use ending::Ending;
use pace::Pace;
use script::Ledger;
use stage::Stage;

/// When it plays: the same in every run, so that every run is the same.
const BEGIN: Timestamp = Timestamp::constant(1_772_442_000, 0);

/// So many simulated seconds in a second make about twenty seconds of it.
const USUAL_PACE: u32 = 30;

/// Plays the demonstration.
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
    let mut home = Home::open(Plan {
        data: None,
        latency: Latency::Realistic,
        clock: Clock::starting_at(BEGIN),
        seed: Some(1),
    })
    .await?;
    home.start();
    let mut stage = Stage::new(home, pace, screen, output);
    let mut ledger = Ledger::default();
    let played = script::play(&mut stage, &mut ledger).await;
    stage.screen.clear();
    played?;
    conclude(stage, ledger, pace).await
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

async fn conclude(stage: Stage<'_>, mut ledger: Ledger, pace: Pace) -> Result<Exit, Failure> {
    let ends = script::ends_as_declared(&stage).await?;
    ledger.checks.push(script::Check {
        what: "the plan ends where it is declared to be, and no run goes on".to_owned(),
        holds: ends,
    });
    let end = stage.elapsed();
    let ending = Ending {
        ledger,
        plan: stage.plan().await?,
        runs: stage.runs().await?,
        machines: stage.machine_runs().await?,
        violations: stage.home.world.violations(),
        end,
    };
    let style = stage.output.data_style();
    stage.output.data(&ending.render(style))?;
    let wall = pace.wall().as_secs_f64();
    let factor = end.as_secs_f64() / wall.max(0.001);
    stage.output.talk(&format!(
        "{} of simulated time took {wall:.1} s: {factor:.0} times as fast. \
         `drover up` does the same in real time, for manifests of your own.",
        rough(&Length::from_secs(end.as_secs()))
    ));
    let fine = ending.wrong().is_empty();
    stage.home.close().await?;
    Ok(if fine { Exit::Fine } else { Exit::Wrong })
}
