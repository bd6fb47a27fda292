//! Where a plan's machines are meant to be by what was committed last.
//!
//! Whoever changes a manifest twice before committing it is still where the last commit left them: what the
//! first change asked for did not happen.

use std::path::{Path, PathBuf};

use drover_api::Object;
use drover_api::common::SiteRole;
use drover_world::PlanId;

use super::names;
use crate::manifests::Manifests;
use crate::reviews::git::Repository;

/// The `activeSite` of a plan in this file of the last commit. Nothing where there is no repository or no such
/// commit, or the plan is not in it: then the file itself is all there is to go by.
pub fn active_site(file: &Path, plan: &PlanId) -> Option<SiteRole> {
    let repository = Repository::discover().ok()??;
    let head = repository.revision("HEAD").ok()?;
    let tree = repository.read(&head, &[from_here(file)]).ok()?;
    let manifests = Manifests::load(&tree.files).ok()?;
    let mut plans = manifests.objects.iter().filter_map(|object| match object {
        Object::RecoveryPlan(found) if names(object, plan) => Some(found),
        _ => None,
    });
    plans.next()?.spec.active_site
}

/// Revisions are read from the current folder.
fn from_here(file: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    file.strip_prefix(here).unwrap_or(file).to_owned()
}
