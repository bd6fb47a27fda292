//! `drover up`: an API, an operator and a live view in one process, fed from a folder.
//!
//! [`home`] is what runs, [`folder`] notices that manifests changed, [`keeper`] applies them and
//! [`applied`] remembers which, [`following`] hears what happens, [`story`] puts it into words and
//! [`screen`] shows them.
//!
//! The view runs on the main thread; operator and API have threads of their own, so that a terminal that
//! is slow to be written to holds nobody up. Whenever the process ends, by a signal or by a power cut,
//! the next start carries on: nothing that matters is in memory only.

mod applied;
mod folder;
mod following;
pub mod home;
mod keeper;
mod log;
pub mod screen;
pub mod story;

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drover_embedded::{ServeOptions, Server};
use drover_fabric::Clock;
use drover_simulator::Latency;
use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::runtime::Builder;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cli::{SimulatorLatency, Up};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::reports::moments;
use crate::signals::Signals;
use applied::Applied;
use folder::Watched;
use home::{Home, Plan, cannot};
use keeper::{Keeper, Said};
use screen::Screen;
use story::{Line, Mood, Story};

/// How often the folders are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// After which what could not be applied is tried again although no manifest changed.
const AGAIN: Duration = Duration::from_secs(30);
/// Threads for operator and API: even on one core they must not wait for each other's disk.
const LEAST_THREADS: usize = 2;
const MOST_THREADS: usize = 8;

/// Runs until it is told to end.
///
/// # Errors
/// When it cannot begin, or cannot keep what it must.
pub fn run(arguments: &Up, output: &mut Output) -> Result<Exit, Failure> {
    let cores = std::thread::available_parallelism().map_or(LEAST_THREADS, usize::from);
    let runtime = Builder::new_multi_thread()
        .worker_threads(cores.clamp(LEAST_THREADS, MOST_THREADS))
        .enable_all()
        .build()
        .map_err(|error| cannot("begin", &error))?;
    let result = runtime.block_on(live(arguments, output));
    // What still waits, such as a script of a plan, is nothing that an end may wait for.
    runtime.shutdown_background();
    result
}

async fn live(arguments: &Up, output: &mut Output) -> Result<Exit, Failure> {
    let watched = Watched::new(&arguments.paths)?;
    let mut signals = Signals::new()?;
    let screen = Screen::new(output);
    log::begin(&arguments.log, &screen)?;
    let data = folder_of(&arguments.data)?;
    let mut home = Home::open(Plan {
        data: Some(data.clone()),
        latency: match arguments.simulator_latency {
            SimulatorLatency::Realistic => Latency::Realistic,
            SimulatorLatency::Zero => Latency::Zero,
        },
        clock: Clock::system(),
        seed: None,
    })
    .await?;
    let applied = Applied::open(&data)?;
    let server = serve(&home, arguments, &data).await?;
    screen.talk(output, &introduction(&server, &data));
    home.start();
    let keeper = Keeper::new(home.client(), applied, arguments.prune, output.talk_style());
    let mut view = View {
        watched,
        keeper,
        screen,
        story: Story::default(),
        again: None,
        said: Vec::new(),
        output,
    };
    let lived = view.live(&home, &mut signals).await;
    view.screen.clear();
    let View { keeper, output, .. } = view;
    output.talk("stopping; the next start carries on");
    // Its client must not outlive the API.
    drop(keeper);
    server.shutdown().await;
    let closed = home.close().await;
    lived.and(closed).map(|()| Exit::Fine)
}

/// The data folder, made where it is missing, by its whole path.
fn folder_of(data: &Path) -> Result<PathBuf, Failure> {
    let failed = |source| Failure::Write {
        path: data.to_owned(),
        source,
    };
    let mut builder = fs::DirBuilder::new();
    // It holds a token that opens everything.
    let made = builder.recursive(true).mode(0o700).create(data);
    made.map_err(failed)?;
    fs::canonicalize(data).map_err(failed)
}

async fn serve(home: &Home, arguments: &Up, data: &Path) -> Result<Server, Failure> {
    let options = ServeOptions {
        listen: arguments.listen,
        ..ServeOptions::default()
    };
    let server = home.api.serve(options).await;
    let server = server.map_err(|error| match cannot("serve the API", &error) {
        Failure::Cluster { doing, why, .. } => Failure::Cluster {
            doing,
            why,
            hint: Some("is another one up? --listen 0 takes any port that is free".to_owned()),
        },
        other => other,
    })?;
    let path = data.join("kubeconfig");
    applied::write(&path, server.kubeconfig().as_bytes())
        .map_err(|source| Failure::Write { path, source })?;
    Ok(server)
}

fn introduction(server: &Server, data: &Path) -> String {
    format!(
        "Drover is up: {}, everything is kept in {}\n\
         \x20 export KUBECONFIG={}\n\
         \x20 kubectl get recoveryplans -A        or: drover get plans -A\n\
         Sites are simulated. Ctrl-C ends it, and the next start carries on.",
        server.url(),
        data.display(),
        quoted(&data.join("kubeconfig")),
    )
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |each: char| each.is_ascii_alphanumeric() || "/._-+".contains(each);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// What a person sees, and the folder that is followed meanwhile.
struct View<'o> {
    watched: Watched,
    keeper: Keeper,
    screen: Screen,
    story: Story,
    /// When what could not be applied is tried again.
    again: Option<Instant>,
    /// What the last pass said: the same is not said twice in a row.
    said: Vec<Line>,
    output: &'o mut Output,
}

impl View<'_> {
    async fn live(&mut self, home: &Home, signals: &mut Signals) -> Result<(), Failure> {
        let mut following = following::everything(&home.client());
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = signals.any() => return Ok(()),
                _ = looks.tick() => self.look().await?,
                Some(seen) = following.next() => match seen {
                    Ok(seen) => {
                        let lines = seen(&mut self.story);
                        self.say(&lines);
                    }
                    Err(failure) => self.say(&[Line::new(Mood::Bad, failure.in_one_line())]),
                },
            }
            self.screen.show(&self.story);
        }
    }

    /// Applies the manifests when they changed.
    async fn look(&mut self) -> Result<(), Failure> {
        if self.watched.paths().is_empty() {
            return Ok(());
        }
        let again = self.again.is_some_and(|again| again <= Instant::now());
        if !self.watched.is_due() && !again {
            return Ok(());
        }
        let Said {
            problems,
            lines,
            again,
        } = self.keeper.pass(self.watched.paths()).await?;
        self.again = again.then(|| Instant::now() + AGAIN);
        if lines != self.said {
            if let Some(problems) = problems {
                self.screen.talk(self.output, problems.trim_end());
            }
            self.say(&lines);
        }
        self.said = lines;
        Ok(())
    }

    fn say(&mut self, lines: &[Line]) {
        let time = moments::clock(Timestamp::now());
        for line in lines {
            self.screen.say(self.output, &time, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_pasted_into_a_shell() {
        assert_eq!(quoted(Path::new("/data/.drover")), "/data/.drover");
        assert_eq!(quoted(Path::new("/my data/it's")), r"'/my data/it'\''s'");
    }
}
