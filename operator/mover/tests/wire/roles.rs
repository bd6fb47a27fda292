//! Who may ask a mover what, by the names in certificates.

use drover_libvirt::call::CallError;
use drover_libvirt::protocol::{Half, Named, Nothing, Seen, path};
use drover_mover::site::{Options, Roles, Site as Mover, router};
use drover_world::{ErrorClass, FabricError};
use tempfile::TempDir;

use crate::mover::Site;

const DROVER: &str = "drover.example.com";
const BUSAN: &str = "mover-busan.example.com";

/// A mover without hosts, which knows of no machine.
async fn mover() -> (Site, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mover = Mover::open(Options {
        hosts: Vec::new(),
        folder: folder.path().to_owned(),
        run: folder.path().join("run"),
        tls: None,
    });
    let roles = Roles {
        operators: vec![DROVER.to_owned()],
        peers: vec![BUSAN.to_owned()],
    };
    (Site::new(router(mover.unwrap(), roles)).await, folder)
}

async fn observe(site: &Site, name: &str) -> Result<Seen, CallError> {
    let caller = site.mover.caller(&site.authority.issue(name));
    caller.call(path::OBSERVE, &Nothing {}).await
}

/// That nothing is known of a machine is an answer, too.
async fn ask_as_a_mover(site: &Site, name: &str) -> FabricError {
    let caller = site.mover.caller(&site.authority.issue(name));
    let machine = Named {
        machine: "db-1".parse().unwrap(),
    };
    let half: Result<Half, _> = caller.call(path::HALF, &machine).await;
    half.unwrap_err().into()
}

// SPEC: PR-8
#[tokio::test]
async fn drover_may_ask_for_everything() {
    let (site, _folder) = mover().await;
    assert_eq!(observe(&site, DROVER).await.unwrap().instances, []);
    let answered = ask_as_a_mover(&site, DROVER).await;
    assert!(answered.message.contains("do not know of"), "{answered}");
}

// SPEC: PR-8
#[tokio::test]
async fn a_mover_may_ask_for_what_movers_ask_each_other() {
    let (site, _folder) = mover().await;
    let answered = ask_as_a_mover(&site, BUSAN).await;
    assert!(answered.message.contains("do not know of"), "{answered}");

    let refused = FabricError::from(observe(&site, BUSAN).await.unwrap_err());
    assert_eq!(refused.class, ErrorClass::Terminal);
    let said = &refused.message;
    assert!(
        said.starts_with(&format!("{BUSAN} at 127.0.0.1:")),
        "{said}"
    );
    assert!(said.contains(&format!("only {DROVER} may")), "{said}");
    assert!(refused.hint.unwrap().contains("--operator"));
}

// SPEC: PR-8
#[tokio::test]
async fn whoever_else_the_authority_signed_for_may_ask_for_nothing() {
    let (site, _folder) = mover().await;
    let refused = ask_as_a_mover(&site, "web.example.com").await;
    assert_eq!(refused.class, ErrorClass::Terminal);
    assert!(
        refused.message.contains(&format!("{DROVER} or {BUSAN}")),
        "{refused}"
    );
    assert!(observe(&site, "web.example.com").await.is_err());
}
