//! What a machine's firmware remembers.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use drover_api::common::SiteRole::{Primary, Secondary};
use drover_fabric::{LinkGoal, SiteGoal};
use drover_lab::Guest;
use serde_json::json;

use crate::protected::Protected;

/// Where firmware writes only when it runs out of room.
const SPARE: u64 = 0x80000;
const MARK: &[u8] = b"this travels with the disks";

fn is_marked(variables: &Path) -> bool {
    let mut found = [0; MARK.len()];
    let file = File::open(variables).unwrap();
    file.read_exact_at(&mut found, SPARE).unwrap();
    found == *MARK
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_firmware_remembers_goes_where_the_disks_go() {
    // SPEC: PR-4, FO-1
    let guest = Guest::new("firm").with_firmware();
    let mut machine = Protected::new(&guest, &json!({"interval": "1h"})).await;
    let there = guest.variables(&machine.site(Primary).pool_folder());
    machine.protect().await;
    let kept = machine.copies(Secondary).join("variables.fd");
    let template = fs::read("/usr/share/OVMF/OVMF_VARS_4M.fd").unwrap();
    assert_ne!(fs::read(&kept).unwrap(), template);

    // What is remembered last comes with the last changes.
    machine.next_run();
    machine.power(Primary, SiteGoal::Stopped).await;
    let file = File::options().write(true).open(&there).unwrap();
    file.write_all_at(MARK, SPARE).unwrap();
    file.sync_all().unwrap();
    let towards = Secondary;
    machine.link(LinkGoal::FinalSync { towards }).await;
    assert_eq!(fs::read(&kept).unwrap(), fs::read(&there).unwrap());

    // The machine that is made of it boots with that, from a file of its own.
    machine.enter(Secondary, None).await;
    machine.counts_on(Secondary);
    let made = machine.copies(Secondary).join("made-variables.fd");
    let dump = ["dumpxml", machine.name(Secondary)];
    let described = machine.site(Secondary).virsh(&dump).unwrap();
    assert!(described.contains(&format!(">{}</nvram>", made.display())));
    assert!(is_marked(&made));
    assert_ne!(fs::read(&made).unwrap(), fs::read(&kept).unwrap());

    // And what that one remembers comes back.
    machine.link(LinkGoal::Committed { left: Primary }).await;
    machine.next_run();
    machine.link(LinkGoal::Reversed { towards: Primary }).await;
    machine.link(LinkGoal::Seeded { towards: Primary }).await;
    assert!(is_marked(&machine.copies(Primary).join("variables.fd")));
    machine.put_away(Secondary);
}
