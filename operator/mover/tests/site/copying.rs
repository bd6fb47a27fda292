//! What travels, after what happened to both sides.

use std::path::Path;
use std::process::Command;

use drover_api::common::SiteRole::{Primary, Secondary};
use drover_fabric::{LinkGoal, SiteGoal};
use drover_lab::Guest;
use drover_world::{ErrorClass, Outcome};
use serde_json::{Value, json};

use crate::movers::{Movers, output};
use crate::protected::{Protected, backing, identical, images, info, until};

/// After the first copy nothing travels by itself.
fn seldom() -> Value {
    json!({"interval": "1h", "compression": true})
}

/// A machine that was lost with changes that no point has, and that runs at the other site for good.
async fn left_behind(name: &str, end: impl AsyncFn(&Protected)) -> Protected {
    let guest = Guest::new(name).with_disks(2).with_load(256);
    let mut machine = Protected::new(&guest, &seldom()).await;
    machine.protect().await;
    assert_eq!(machine.rungs(Secondary), ["full copy", "full copy"]);
    let point = machine.newest().await;
    machine.counts_on(Primary);
    machine.next_run();
    end(&machine).await;
    machine.enter(Secondary, point).await;
    machine.counts_on(Secondary);
    machine.link(LinkGoal::Committed { left: Primary }).await;
    machine.next_run();
    machine.link(LinkGoal::Reversed { towards: Primary }).await;
    machine
}

/// It comes home, and nothing is missing of what it counted at the other site.
async fn comes_home(mut machine: Protected) {
    machine.next_run();
    let counted = machine.counts_on(Secondary);
    machine.power(Secondary, SiteGoal::Stopped).await;
    machine.link(LinkGoal::FinalSync { towards: Primary }).await;
    let left = machine.disks(Secondary);
    machine.enter(Primary, None).await;
    let entered = machine.disks(Primary);
    assert_eq!((left.len(), entered.len()), (2, 2));
    for (left, entered) in left.iter().zip(&entered) {
        identical(left, &backing(entered));
    }
    machine.counts_on(Primary);
    let console = machine.console(Primary);
    let boot = console.boot().unwrap();
    assert_eq!(boot.gaps, 0, "{boot:?}");
    assert!(boot.last >= counted, "{boot:?} {counted}");

    // Once it is protected again it stands on its original disks, and nothing else is left of the way home.
    machine.link(LinkGoal::Committed { left: Secondary }).await;
    machine.next_run();
    let towards = Secondary;
    machine.link(LinkGoal::Reversed { towards }).await;
    let copies = machine.copies(Primary);
    until("its files are one", || images(&copies).len() == 2).await;
    let originals = Guest::new(machine.name(Primary)).with_disks(2);
    let originals = originals.disks(&machine.site(Primary).pool_folder());
    let stands_on: Vec<_> = images(&copies).iter().map(|file| backing(file)).collect();
    assert_eq!(stands_on, originals);
    machine.counts_on(Primary);
    machine.put_away(Primary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_loss_as_little_travels_back_as_both_sides_remember() {
    // SPEC: PR-4, FB-3, FB-6, FO-3
    // It was stopped cleanly: what either side wrote.
    let machine = left_behind("union", async |machine: &Protected| {
        machine.power(Primary, SiteGoal::Stopped).await;
    })
    .await;
    let both = "union of both sides' changes";
    assert_eq!(machine.rungs(Primary), [both, both]);
    comes_home(machine).await;

    // Its QEMU was killed, and with it what it remembered.
    let machine = left_behind("killed", async |machine: &Protected| {
        machine
            .site(Primary)
            .kill_guest(machine.name(Primary))
            .unwrap();
        machine.power(Primary, SiteGoal::Fenced).await;
    })
    .await;
    assert_eq!(machine.rungs(Primary), ["comparison", "comparison"]);
    machine.put_away(Secondary);

    // Somebody wrote to a disk after it was stopped.
    let machine = left_behind("tampered", async |machine: &Protected| {
        machine.power(Primary, SiteGoal::Stopped).await;
        for disk in machine.disks(Primary) {
            scribble(&disk);
        }
    })
    .await;
    assert_eq!(machine.rungs(Primary), ["comparison", "comparison"]);
    machine.put_away(Secondary);
}

/// Writes beside all bitmaps, as a tool would that knows nothing of them.
fn scribble(disk: &Path) {
    let mut write = Command::new("qemu-io");
    output(
        write
            .args(["-f", "qcow2", "-c", "write -P 7 1M 64k"])
            .arg(disk),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_grows_is_followed_and_one_that_shrinks_is_named() {
    // SPEC: PR-3, FO-2
    let guest = Guest::new("grows");
    let mut machine = Protected::new(&guest, &json!({"interval": "2s"})).await;
    machine.protect().await;
    let home = machine.site(Primary);
    let disk = machine.disks(Primary).remove(0);
    let before = info(&disk)["virtual-size"].as_u64().unwrap();

    // While it runs.
    let larger = before + (64 << 20);
    home.virsh(&["blockresize", "grows", "vda", &format!("{larger}B")])
        .unwrap();
    let newest = async |machine: &Protected| {
        let point = machine.newest().await;
        loop {
            machine.counts_on(Primary);
            if machine.newest().await != point {
                return;
            }
        }
    };
    newest(&machine).await;
    newest(&machine).await;

    // While it is off.
    machine.next_run();
    let counted = machine.counts_on(Primary);
    machine.power(Primary, SiteGoal::Stopped).await;
    let largest = larger + (32 << 20);
    let mut resize = Command::new("qemu-img");
    output(resize.arg("resize").arg(&disk).arg(largest.to_string()));
    let towards = Secondary;
    machine.link(LinkGoal::FinalSync { towards }).await;
    machine.enter(Secondary, None).await;
    let made = machine.disks(Secondary).remove(0);
    assert_eq!(info(&made)["virtual-size"], largest);
    identical(&disk, &backing(&made));
    machine.counts_on(Secondary);
    let console = machine.console(Secondary);
    assert!(console.boot().unwrap().last >= counted, "{console:?}");
    machine.put_away(Secondary);

    // A disk that is smaller than its copy.
    let guest = Guest::new("shrinks");
    let machine = Protected::new(&guest, &seldom()).await;
    machine.protect().await;
    let home = machine.site(Primary);
    home.virsh(&["destroy", "shrinks"]).unwrap();
    machine.power(Primary, SiteGoal::Stopped).await;
    let disk = machine.disks(Primary).remove(0);
    std::fs::remove_file(&disk).unwrap();
    let mut create = Command::new("qemu-img");
    output(create.args(["create", "-f", "qcow2"]).arg(&disk).arg("1M"));
    let error = loop {
        match machine.ask(LinkGoal::FinalSync { towards }).await {
            Ok(Outcome::Reached) => panic!("{}", Movers::last_words()),
            Err(error) if error.class == ErrorClass::Terminal => break error,
            _ => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
        }
    };
    assert!(
        error
            .message
            .contains("the disk vda of shrinks-there shrank"),
        "{error:?}"
    );
    assert!(error.hint.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_comes_later_is_copied_from_then_on() {
    // SPEC: PR-3, PR-4, FO-2
    let mut machine = Protected::new(&Guest::new("widens"), &json!({"interval": "2s"})).await;
    machine.protect().await;
    machine.counts_on(Primary);
    let home = machine.site(Primary);
    let spare = Guest::new("spare");
    home.define(&spare).unwrap();
    let spare = spare.disks(&home.pool_folder()).remove(0);
    let disk = spare.display().to_string();
    let attach = ["attach-disk", "widens", &disk, "vdb", "--config"];
    let qcow2 = ["--driver", "qemu", "--subdriver", "qcow2"];
    home.virsh(&[attach.as_slice(), &qcow2].concat()).unwrap();

    // It has it from its next start on; until then nothing is in the way of others.
    let before = machine.newest().await;
    loop {
        machine.counts_on(Primary);
        if machine.newest().await != before {
            break;
        }
    }
    home.virsh(&["shutdown", "--mode", "acpi", "widens"])
        .unwrap();
    home.wait_for_state("widens", "shut off").unwrap();
    home.virsh(&["start", "widens"]).unwrap();
    let of = |what: &str| {
        let rungs = machine.rungs(Secondary).into_iter();
        rungs.filter(|rung| rung == what).count()
    };
    until("both disks are copied", || of("full copy") == 2).await;
    let changes = of("changes");
    until("as they change", || of("changes") >= changes + 4).await;
    // At most the new one, if it was copied while the machine was off.
    assert!(of("comparison") <= 1, "{:?}", machine.rungs(Secondary));

    machine.next_run();
    let counted = machine.counts_on(Primary);
    machine.power(Primary, SiteGoal::Stopped).await;
    let towards = Secondary;
    machine.link(LinkGoal::FinalSync { towards }).await;
    let left = machine.disks(Primary);
    machine.enter(Secondary, None).await;
    let made = machine.disks(Secondary);
    assert_eq!((left.len(), made.len()), (2, 2));
    for (left, made) in left.iter().zip(&made) {
        identical(left, &backing(made));
    }
    machine.counts_on(Secondary);
    let console = machine.console(Secondary);
    let boot = console.boot().unwrap();
    assert!(boot.last >= counted, "{boot:?} {counted}");
    assert_eq!(boot.disks.len(), 2, "{boot:?}");
    machine.put_away(Secondary);
}
