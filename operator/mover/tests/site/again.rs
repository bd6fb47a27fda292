//! A machine that was let go of, and is protected again.

use drover_api::common::SiteRole::{self, Primary, Secondary};
use drover_fabric::{LinkGoal, SiteGoal};
use drover_lab::Guest;
use serde_json::json;

use crate::protected::Protected;

fn starts_with_its_host(machine: &Protected, role: SiteRole) -> bool {
    let info = ["dominfo", machine.name(role)];
    let info = machine.site(role).virsh(&info).unwrap();
    let line = info.lines().find(|line| line.starts_with("Autostart:"));
    line.unwrap().ends_with("enable")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_let_go_of_starts_where_it_serves_and_can_be_protected_again() {
    // SPEC: FB-1, FO-7, PR-2
    let mut machine = Protected::new(&Guest::new("again"), &json!({"interval": "1h"})).await;
    let home = machine.site(Primary);
    home.virsh(&["autostart", "again"]).unwrap();
    machine.protect().await;
    assert!(!starts_with_its_host(&machine, Primary));

    // Given a failover that is for good, and a machine that nobody protects any more.
    machine.next_run();
    machine.power(Primary, SiteGoal::Stopped).await;
    let towards = Secondary;
    machine.link(LinkGoal::FinalSync { towards }).await;
    machine.enter(Secondary, None).await;
    machine.link(LinkGoal::Committed { left: Primary }).await;
    let remove_replica = false;
    machine.link(LinkGoal::Unrelated { remove_replica }).await;
    // Then the copy that was left does not start beside the one that serves.
    assert!(!starts_with_its_host(&machine, Primary));
    assert!(starts_with_its_host(&machine, Secondary));

    // When a person takes it home by hand
    machine.put_away(Secondary);
    machine.site(Primary).virsh(&["start", "again"]).unwrap();
    let counted = machine.counts_on(Primary);
    // Then it can be protected anew, and fails over as ever.
    machine.next_run();
    machine.protect().await;
    machine.next_run();
    machine.power(Primary, SiteGoal::Stopped).await;
    machine.link(LinkGoal::FinalSync { towards }).await;
    machine.enter(Secondary, None).await;
    machine.counts_on(Secondary);
    let console = machine.console(Secondary);
    let boot = console.boot().unwrap();
    assert!(boot.last >= counted && boot.gaps == 0, "{boot:?} {counted}");
    machine.put_away(Secondary);
}
