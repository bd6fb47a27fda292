//! What a first copy begins with.

use std::process::Command;

use drover_api::common::SiteRole::{Primary, Secondary};
use drover_fabric::{LinkGoal, SiteGoal};
use drover_lab::{Guest, Side};
use drover_world::ErrorClass;
use serde_json::json;

use crate::movers::{Movers, output};
use crate::protected::{Protected, backing, identical};

/// It fails over, and counts on.
async fn goes_over(mut machine: Protected) {
    machine.next_run();
    let counted = machine.counts_on(Primary);
    machine.power(Primary, SiteGoal::Stopped).await;
    machine
        .link(LinkGoal::FinalSync { towards: Secondary })
        .await;
    machine.enter(Secondary, None).await;
    for (left, made) in machine.disks(Primary).iter().zip(&machine.disks(Secondary)) {
        identical(left, &backing(made));
    }
    machine.counts_on(Secondary);
    let console = machine.console(Secondary);
    assert!(console.boot().unwrap().last >= counted, "{console:?}");
    machine.put_away(Secondary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_begins_with_what_is_there_already() {
    // SPEC: PR-2, SA-7
    let movers = Movers::get();

    // A machine that stands there.
    let guest = Guest::new("adopted");
    movers
        .site(Side::Secondary)
        .define(&Guest::new("adopted-there"))
        .unwrap();
    let online = Protected::new(&guest, &json!({})).await;
    let towards = Secondary;
    let error = online.ask(LinkGoal::Related { towards }).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Terminal);
    assert!(error.hint.unwrap().contains("ExistingCopy"));
    online.put_away(Primary);
    let home = movers.site(Side::Primary);
    home.virsh(&["undefine", "adopted"]).unwrap();
    let policy = json!({"initialReplication": "ExistingCopy", "interval": "1h"});
    let machine = Protected::new(&guest, &policy).await;
    machine.protect().await;
    assert_eq!(machine.rungs(Secondary), ["comparison"]);
    goes_over(machine).await;

    // Files that were brought.
    let guest = Guest::new("seeded");
    let policy = json!({"initialReplication": "OfflineSeed", "interval": "1h"});
    let machine = Protected::new(&guest, &policy).await;
    machine.link(LinkGoal::Related { towards }).await;
    let error = loop {
        if let Err(error) = machine.ask(LinkGoal::Seeded { towards }).await {
            break error;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    };
    assert_eq!(error.class, ErrorClass::Retryable);
    assert!(error.message.contains("seed/vda.qcow2"), "{error:?}");
    let folder = machine.copies(Secondary).join("seed");
    std::fs::create_dir_all(&folder).unwrap();
    let mut convert = Command::new("qemu-img");
    convert.args(["convert", "-U", "-O", "qcow2"]);
    output(
        convert
            .arg(&machine.disks(Primary)[0])
            .arg(folder.join("part")),
    );
    std::fs::rename(folder.join("part"), folder.join("vda.qcow2")).unwrap();
    machine.protect().await;
    assert_eq!(machine.rungs(Secondary), ["comparison"]);
    goes_over(machine).await;
}
