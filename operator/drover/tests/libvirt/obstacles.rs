//! What stands in the way at one of the sites: no room, a guest that does not listen, one that is left frozen.

use std::path::Path;

use drover_lab::{Guest, Side};
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::lab::output;
use crate::manifests::planned;
use crate::operator::Operator;

const NO_ROOM: &str = "no-room";
const DEAF: &str = "deaf";
const FROZEN: &str = "frozen";
const DISKS: u8 = 2;

#[test]
fn what_stands_in_the_way_is_said_and_work_goes_on_when_it_is_gone() {
    let mut fleet = Fleet::begin_before(
        &[NO_ROOM, DEAF, FROZEN],
        json!({
            "interval": "2s",
            "recoveryPoints": {"appConsistentEvery": "2s"},
        }),
        |name| {
            let guest = Guest::new(name).with_disks(DISKS);
            if name == DEAF { guest.deaf() } else { guest }
        },
        // Room for the records, and not for the disks.
        |movers| {
            let folder = movers.copies(Side::Secondary, NO_ROOM);
            let mut sh = movers.site(Side::Secondary).command("sh").unwrap();
            let mount = r#"mkdir -p "$1" && mount -t tmpfs -o size=1m pool "$1""#;
            output(sh.args(["-c", mount, "sh"]).arg(folder));
        },
    );
    a_full_pool_is_said_and_the_copy_goes_on_when_there_is_room(&mut fleet);
    a_guest_is_never_left_frozen(&fleet);
    a_guest_that_does_not_shut_down_stays_where_it_is(&mut fleet);
    a_guest_that_does_not_shut_down_is_fenced_where_that_is_declared(&mut fleet);
}

fn a_full_pool_is_said_and_the_copy_goes_on_when_there_is_room(fleet: &mut Fleet) {
    // SPEC: PR-5, BI-2
    until_said_to_be_full(fleet);
    // The others do not suffer from it.
    let protected = |name: &str| phase(fleet, name) == "Protected";
    Operator::until("the others are protected", || {
        protected(DEAF) && protected(FROZEN)
    });
    assert_ne!(phase(fleet, NO_ROOM), "Protected");
    // What did not fit does not stay and take room.
    Operator::until("nothing half is left between attempts", || {
        listed(fleet, NO_ROOM)
            .iter()
            .filter(|file| Path::new(file).extension().is_some_and(|end| end == "part"))
            .count()
            <= 1
    });

    give_room(fleet, "256m");
    fleet.until_protected();
    until_nothing_is_said(fleet);

    // What was copied once does not come any further either, and goes on from where it was.
    give_room(fleet, &format!("{}k", used(fleet) + 64));
    until_said_to_be_full(fleet);
    let known = newest_point(fleet);
    give_room(fleet, "256m");
    Operator::until("there is another point", || newest_point(fleet) != known);
    until_nothing_is_said(fleet);
    fleet.watcher.is_content();
}

fn until_said_to_be_full(fleet: &Fleet) {
    Operator::until("the pool is said to be full", || {
        let said = failing(fleet, NO_ROOM).unwrap_or_default().to_lowercase();
        said.contains("no space left")
    });
}

fn until_nothing_is_said(fleet: &Fleet) {
    Operator::until("changes arrive again", || failing(fleet, NO_ROOM).is_none());
}

/// Why changes of a machine do not arrive.
fn failing(fleet: &Fleet, name: &str) -> Option<String> {
    let machine = machine(fleet, name)?;
    let conditions = machine["status"]["conditions"].as_array()?;
    let failing = |one: &&Value| one["type"] == "ReplicationFailing";
    let message = conditions.iter().find(failing)?["message"].as_str()?;
    Some(message.to_owned())
}

fn give_room(fleet: &Fleet, size: &str) {
    let mut mount = fleet.site(Side::Secondary).command("mount").unwrap();
    let folder = fleet.movers().copies(Side::Secondary, NO_ROOM);
    let options = format!("remount,size={size}");
    output(mount.args(["-o", &options]).arg(folder));
}

/// The mover's record lies where only the site sees it.
fn newest_point(fleet: &Fleet) -> Value {
    let mut cat = fleet.site(Side::Secondary).command("cat").unwrap();
    let folder = fleet.movers().copies(Side::Secondary, NO_ROOM);
    let told = output(cat.arg(folder.join("machine.json")));
    let record: Value = serde_json::from_slice(&told).unwrap();
    let points = record["half"]["points"].as_array().unwrap();
    points.last().unwrap()["at"].clone()
}

/// Kibibytes of the pool that are in use.
fn used(fleet: &Fleet) -> u64 {
    let mut df = fleet.site(Side::Secondary).command("df").unwrap();
    let folder = fleet.movers().copies(Side::Secondary, NO_ROOM);
    let told = output(df.args(["--block-size=1K", "--output=used"]).arg(folder));
    let told = String::from_utf8(told).unwrap();
    told.split_whitespace().last().unwrap().parse().unwrap()
}

/// The mover that froze it dies before it thaws it.
fn a_guest_is_never_left_frozen(fleet: &Fleet) {
    // SPEC: BI-2
    let frozen = || fleet.movers().record(Side::Primary, FROZEN)["frozen"] == true;
    let mut in_vain = 0;
    loop {
        Operator::until_soon("it is frozen", frozen);
        fleet.movers().signal(Side::Primary, "KILL");
        let left_frozen = frozen();
        fleet.movers().begin(Side::Primary);
        if left_frozen {
            break;
        }
        in_vain += 1;
        assert!(in_vain < 50, "it was thawed before its mover died");
    }
    let site = fleet.site(Side::Primary);
    let before = site.console(FROZEN).unwrap().heartbeat();
    site.wait_for(FROZEN, |said| {
        said.heartbeat() > before.map(|count| count + 5)
    })
    .unwrap();
    Operator::until("that is on record", || !frozen());
}

fn a_guest_that_does_not_shut_down_stays_where_it_is(fleet: &mut Fleet) {
    // SPEC: FO-2, FO-6
    fleet.set_fencing(json!({"stopTimeout": "10s"}));
    let run = fleet.go(DEAF, Side::Secondary, None);
    fleet
        .operator
        .until_phase(std::slice::from_ref(&run), "Halted");
    let journal = fleet.journal(&run);
    assert!(
        journal.to_string().contains("did not shut down in time"),
        "{journal}"
    );
    let before = fleet.site(Side::Primary).console(DEAF).unwrap().heartbeat();
    fleet
        .site(Side::Primary)
        .wait_for(DEAF, |said| said.heartbeat() > before)
        .unwrap();
    fleet.watcher.is_content();
    fleet.operator.decide("cancel", &run);
    fleet.operator.until_phase(&[run], "Cancelled");
    fleet.stay(DEAF, Side::Primary);
}

/// Its power is cut, and what it acknowledged is on its disks.
fn a_guest_that_does_not_shut_down_is_fenced_where_that_is_declared(fleet: &mut Fleet) {
    // SPEC: FO-2, PL-8, SA-2
    fleet.set_fencing(json!({"stopTimeout": "10s", "onStopTimeout": "Fence"}));
    // What a cancelled run was for is not begun again without a word.
    let run = fleet.go(DEAF, Side::Secondary, Some(planned("this-time")));
    fleet
        .operator
        .until_phase(std::slice::from_ref(&run), "CommitPending");
    assert_eq!(fleet.journal(&run)["left"], "Synced");
    fleet.arrived(DEAF, Side::Primary, Side::Secondary, DISKS.into());
    fleet.watcher.is_content();
}

fn machine(fleet: &Fleet, name: &str) -> Option<Value> {
    let all = fleet.operator.get("protectedmachines");
    let of = |one: &Value| one["spec"]["machine"] == name;
    all.into_iter().find(of)
}

fn phase(fleet: &Fleet, name: &str) -> String {
    let machine = machine(fleet, name).unwrap_or_default();
    machine["status"]["phase"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The files of a machine's copy, as the site sees them.
fn listed(fleet: &Fleet, name: &str) -> Vec<String> {
    let mut ls = fleet.site(Side::Secondary).command("ls").unwrap();
    let told = output(ls.arg(fleet.movers().copies(Side::Secondary, name)));
    String::from_utf8(told)
        .unwrap()
        .lines()
        .map(ToOwned::to_owned)
        .collect()
}
