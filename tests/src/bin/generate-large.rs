//! Writes the manifests of an estate into a folder: `generate-large FOLDER PLANS GROUPS MACHINES`.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use drover_tests::large::manifests;

const USAGE: &str = "usage: generate-large FOLDER PLANS GROUPS_PER_PLAN MACHINES_PER_GROUP";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // When even this cannot be written, the exit code is what is left to say.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [folder, plans, groups, machines] = arguments else {
        return Err(USAGE.into());
    };
    let number = |text: &String| text.parse::<usize>().map_err(|_| USAGE);
    let files = manifests(number(plans)?, number(groups)?, number(machines)?)?;
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder)?;
    for (name, text) in &files {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}
