//! What travels of machines that are off, by how they came to be so.

use std::process::Command;
use std::time::Duration;

use drover_api::common::SiteRole::{Primary, Secondary};
use drover_fabric::{LinkGoal, SiteGoal};
use drover_lab::Guest;
use drover_world::{ErrorClass, Outcome};
use serde_json::json;

use crate::movers::{Movers, output};
use crate::protected::{Protected, backing, identical, images, until};

const SOON: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_just_before_a_failover_hides_nothing() {
    // SPEC: PR-4, FO-2
    let guest = Guest::new("snapped").with_load(128);
    let mut machine = Protected::new(&guest, &json!({"interval": "1h"})).await;
    machine.protect().await;
    machine.counts_on(Primary);
    let home = machine.site(Primary);
    home.virsh(&[
        "snapshot-create-as",
        "snapped",
        "before",
        "--disk-only",
        "--atomic",
    ])
    .unwrap();
    let counted = machine.counts_on(Primary);
    machine.next_run();
    machine.power(Primary, SiteGoal::Stopped).await;
    let towards = Secondary;
    machine.link(LinkGoal::FinalSync { towards }).await;
    // What the image below remembers is not in the one that is written to.
    assert_eq!(machine.rungs(Secondary), ["full copy", "comparison"]);
    let left = machine.disks(Primary).remove(0);
    machine.enter(Secondary, None).await;
    identical(&left, &backing(&machine.disks(Secondary).remove(0)));
    machine.counts_on(Secondary);
    let console = machine.console(Secondary);
    let boot = console.boot().unwrap();
    assert!(boot.last >= counted && boot.gaps == 0, "{boot:?} {counted}");
    machine.put_away(Secondary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_stays_off_sends_nothing_and_its_points_go_on() {
    // SPEC: PR-3, PR-7
    let machine = Protected::new(&Guest::new("rests"), &json!({"interval": "1s"})).await;
    machine.protect().await;
    machine.counts_on(Primary);
    let home = machine.site(Primary);
    home.virsh(&["shutdown", "--mode", "acpi", "rests"])
        .unwrap();
    home.wait_for_state("rests", "shut off").unwrap();
    let nothing = || {
        let rungs = machine.rungs(Secondary).into_iter();
        rungs.filter(|rung| rung == "nothing").count()
    };
    until("nothing travels", || nothing() >= 3).await;
    assert!(!machine.rungs(Secondary).contains(&"comparison".to_owned()));
    // Its guest shut down, so that its applications are as they left themselves.
    let points = machine.seen().await.points;
    assert!(points.last().unwrap().app_consistent, "{points:?}");

    // Somebody writes to its disk: that is found, once.
    let before = nothing();
    let mut write = Command::new("qemu-io");
    let disk = machine.disks(Primary).remove(0);
    output(
        write
            .args(["-f", "qcow2", "-c", "write -P 7 1M 64k"])
            .arg(&disk),
    );
    until("nothing travels any more", || nothing() >= before + 2).await;
    let files = images(&machine.copies(Secondary));
    identical(&disk, files.last().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_whose_memory_was_saved_is_not_shut_down() {
    // SPEC: FO-2, FB-5
    let mut machine = Protected::new(&Guest::new("saved"), &json!({"interval": "1h"})).await;
    machine.protect().await;
    let home = machine.site(Primary);
    home.virsh(&["managedsave", "saved"]).unwrap();
    machine.next_run();
    machine.power(Primary, SiteGoal::Stopped).await;
    let towards = Secondary;
    let error = loop {
        match machine.ask(LinkGoal::FinalSync { towards }).await {
            Ok(Outcome::Reached) => panic!("{}", Movers::last_words()),
            Err(error) if error.class == ErrorClass::Terminal => break error,
            _ => tokio::time::sleep(SOON).await,
        }
    };
    assert!(error.message.contains("its memory was saved"), "{error:?}");
    assert!(error.hint.unwrap().contains("managedsave-remove"));

    // From a point it can be had all the same; and home again it boots from what came back, and is not what was
    // saved.
    machine.next_run();
    let point = machine.newest().await;
    machine.enter(Secondary, point).await;
    let counted = machine.counts_on(Secondary);
    machine.link(LinkGoal::Committed { left: Primary }).await;
    machine.next_run();
    machine.link(LinkGoal::Reversed { towards: Primary }).await;
    machine.next_run();
    let boots = machine.console(Primary).boots.len();
    machine.power(Secondary, SiteGoal::Stopped).await;
    machine.link(LinkGoal::FinalSync { towards: Primary }).await;
    machine.enter(Primary, None).await;
    until("it boots", || machine.console(Primary).boots.len() > boots).await;
    machine.counts_on(Primary);
    let console = machine.console(Primary);
    let boot = console.boot().unwrap();
    assert!(boot.last >= counted && boot.gaps == 0, "{boot:?} {counted}");
    machine.put_away(Primary);
}
