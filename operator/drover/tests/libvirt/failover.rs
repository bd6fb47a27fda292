//! A shop fails over and back, and its guests count on.

use drover_lab::Side;

use crate::manifests;
use crate::operator::Operator;
use crate::shop::Shop;

/// So often there and back; more in the long mode.
const CYCLES: usize = 2;
const MANY_CYCLES: usize = 10;

#[test]
fn a_shop_goes_over_and_comes_back_and_misses_no_count() {
    // SPEC: FO-2, FO-5, FO-6, FB-1, FB-3, FB-6, PR-7
    let shop = Shop::open();
    let cycles = match std::env::var_os("DROVER_LONG") {
        Some(_) => MANY_CYCLES,
        None => CYCLES,
    };
    let mut run = 0;
    for _ in 0..cycles {
        for (from, to) in [
            (Side::Primary, Side::Secondary),
            (Side::Secondary, Side::Primary),
        ] {
            shop.declare(to, None);
            run += 1;
            let over = format!("shop-{run}");
            shop.until_phase(&over, "CommitPending");
            let acknowledged = shop.counted(from);
            shop.goes_on(to, &acknowledged);
            shop.identical(from, to);
            shop.operator.decide("commit", &over);
            run += 1;
            shop.until_phase(&format!("shop-{run}"), "Protected");
        }
    }
}

#[test]
fn a_lost_site_is_left_behind_and_never_runs_a_second_copy() {
    // SPEC: SA-1, SA-2, FO-3, FO-8
    let shop = Shop::open();
    let home = shop.site(Side::Primary);
    let acknowledged = shop.counted(Side::Primary);
    home.kill_everything();
    let request = manifests::unplanned("the-site-burns", "Skip", "AcceptSplitBrain");
    shop.declare(Side::Secondary, Some(&request));
    shop.until_phase("shop-1", "CommitPending");
    let consoles = crate::shop::MACHINES.map(|name| {
        let counts = |said: &drover_lab::Console| said.heartbeat().is_some();
        shop.site(Side::Secondary).wait_for(name, counts).unwrap()
    });
    for (console, acknowledged) in consoles.iter().zip(&acknowledged) {
        let boot = console.boot().unwrap();
        // Whole, of one instant, and not older than two intervals and a copy's time on a busy machine.
        assert_eq!(boot.gaps, 0, "{boot:?}");
        assert!(boot.last <= acknowledged + 50, "{boot:?} {acknowledged}");
        assert!(boot.last > 0, "{boot:?}");
    }

    // When power returns nothing runs there, and it is told to stay so.
    home.restore().unwrap();
    shop.operator.movers.begin(Side::Primary);
    Operator::until("what came back is held", || {
        let machines = shop.operator.get("protectedmachines");
        let plan = shop.operator.get("recoveryplans");
        let split = plan.iter().chain(&machines).any(|one| {
            one["status"]
                .to_string()
                .contains("SplitBrain\",\"status\":\"True")
        });
        assert!(!split, "{plan:?}");
        crate::shop::MACHINES.iter().all(|name| {
            home.virsh(&["domstate", name])
                .is_ok_and(|state| state.trim() == "shut off")
        })
    });
    shop.operator.decide("commit", "shop-1");
    shop.until_phase("shop-1", "Committed");
    // After a loss Drover copies nothing back before a person says so.
    shop.operator.decide("reprotect", "shop-1");
    shop.until_phase("shop-2", "Protected");
    let acknowledged = shop.counted(Side::Secondary);
    shop.declare(Side::Primary, None);
    shop.until_phase("shop-3", "CommitPending");
    shop.goes_on(Side::Primary, &acknowledged);
}
