//! `drover crd`: the definitions of the kinds, the same bytes as the files in `crds/`.

use std::path::Path;

use drover_api::{KINDS, KindInfo, crd};
use drover_engine::problem::did_you_mean;
use serde_json::json;

use crate::cli::{Crd, CrdFormat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::text::count;

/// Prints definitions, or writes them into a folder.
///
/// # Errors
/// When there is no such kind, and when something cannot be written.
pub fn run(arguments: &Crd, output: &mut Output) -> Result<Exit, Failure> {
    let kinds = kinds(&arguments.kinds)?;
    if let Some(folder) = &arguments.out {
        write(&kinds, arguments.format, folder)?;
        let files = count(kinds.len(), "file");
        output.talk(&format!("wrote {files} to {}", folder.display()));
        return Ok(Exit::Fine);
    }
    match arguments.format {
        CrdFormat::Yaml => {
            for (position, kind) in kinds.iter().enumerate() {
                if position > 0 {
                    output.data("---\n")?;
                }
                output.data(&crd::to_yaml(kind)?)?;
            }
        }
        CrdFormat::Json => {
            let items = kinds.iter().map(|kind| crd::definition(kind));
            let items = items.collect::<Result<Vec<_>, _>>()?;
            output.json(&json!({ "apiVersion": "v1", "kind": "List", "items": items }))?;
        }
    }
    Ok(Exit::Fine)
}

/// The kinds of these names, each once and in the order in which they are best applied; all of them
/// where none is named.
fn kinds(names: &[String]) -> Result<Vec<&'static KindInfo>, Failure> {
    let mut wanted = Vec::new();
    for name in names {
        wanted.push(kind(name)?.kind);
    }
    let kinds = KINDS.iter();
    Ok(kinds
        .filter(|info| wanted.is_empty() || wanted.contains(&info.kind))
        .collect())
}

fn kind(name: &str) -> Result<&'static KindInfo, Failure> {
    // `recoveryplans.drover.dev` is what `kubectl get crd` prints.
    let short = name.strip_suffix(".drover.dev").unwrap_or(name);
    let is = |info: &&KindInfo| {
        info.kind.eq_ignore_ascii_case(short) || info.plural.eq_ignore_ascii_case(short)
    };
    KINDS.iter().find(is).ok_or_else(|| {
        let kinds: Vec<&str> = KINDS.iter().map(|info| info.kind).collect();
        let hint = match did_you_mean(short, kinds.iter().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("the kinds are {}", kinds.join(", ")),
        };
        let name = name.to_owned();
        Failure::NoSuchKind { name, hint }
    })
}

fn write(kinds: &[&KindInfo], format: CrdFormat, folder: &Path) -> Result<(), Failure> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Failure::Write { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    for kind in kinds {
        let (extension, text) = match format {
            CrdFormat::Yaml => ("yaml", crd::to_yaml(kind)?),
            CrdFormat::Json => ("json", format!("{:#}\n", crd::definition(kind)?)),
        };
        let path = folder.join(format!("{}.{extension}", kind.plural));
        std::fs::write(&path, text).map_err(failed(&path))?;
    }
    Ok(())
}
