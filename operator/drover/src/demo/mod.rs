//! `drover demo`: the whole life of a shop.
//!
//! Everything is real but, unless somebody asks for real ones, the sites and the time: the API, the operator
//! and the engine are those of `drover up`. [`script`] is what happens, [`stage`] is what a person does and
//! sees there, [`scenery`] is what sites are made of: [`simulated`] ones on virtual time, which [`pace`] lets
//! a person follow, or two libvirt sites with real guests. [`ending`] is what is shown at the end.
//!
//! What may not enter but by a scenery: anything that waits for the world outside. On virtual time such a
//! wait would let hours go by.

mod ending;
#[cfg(feature = "mover")]
mod guests;
mod pace;
mod scenery;
mod script;
mod simulated;
mod stage;

use crate::cli::{Demo, DemoFabric};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::up::home::Home;
use crate::up::screen::Screen;
use ending::Ending;
use scenery::Scenery;
use script::Ledger;
use stage::Stage;

/// Plays the demonstration.
///
/// # Errors
/// When something does not come to be so, or cannot be written.
pub fn run(arguments: &Demo, output: &mut Output) -> Result<Exit, Failure> {
    match arguments.fabric {
        DemoFabric::Simulator => simulated::run(arguments, output),
        DemoFabric::Libvirt => on_libvirt(arguments, output),
    }
}

fn on_libvirt(arguments: &Demo, output: &mut Output) -> Result<Exit, Failure> {
    if arguments.fast || arguments.pace.is_some() {
        return Err(Failure::Refused {
            what: "time is real at libvirt sites, and goes as fast as it goes".to_owned(),
            hint: "--pace and --fast are for `--fabric simulator`".to_owned(),
        });
    }
    #[cfg(feature = "mover")]
    return guests::run(output);
    #[cfg(not(feature = "mover"))]
    {
        let _ = output;
        Err(Failure::Refused {
            what: "this drover was built without its mover, which runs at libvirt sites".to_owned(),
            hint:
                "build it with the feature `mover`, which is there by default and needs libvirt-dev"
                    .to_owned(),
        })
    }
}

/// Plays all of it in a scenery, and shows the end.
async fn play(
    mut home: Home,
    scenery: Box<dyn Scenery>,
    screen: Screen,
    output: &mut Output,
) -> Result<Exit, Failure> {
    home.start();
    let mut stage = Stage::new(home, scenery, screen, output);
    let mut ledger = Ledger::default();
    let played = script::play(&mut stage, &mut ledger).await;
    stage.screen.clear();
    played?;
    conclude(stage, ledger).await
}

async fn conclude(stage: Stage<'_>, mut ledger: Ledger) -> Result<Exit, Failure> {
    let ends = script::ends_as_declared(&stage).await?;
    ledger.checks.push(script::Check {
        what: "the plan ends where it is declared to be, and no run goes on".to_owned(),
        holds: ends,
    });
    let end = stage.elapsed();
    let ending = Ending {
        ledger,
        runs: stage.runs().await?,
        machines: stage.machine_runs().await?,
        broken: stage.scenery.broken(),
        time: stage.scenery.props().time,
        end,
    };
    let style = stage.output.data_style();
    stage.output.data(&ending.render(style))?;
    stage.output.talk(&stage.scenery.farewell(end));
    let fine = ending.wrong().is_empty();
    stage.home.close().await?;
    Ok(if fine { Exit::Fine } else { Exit::Wrong })
}
