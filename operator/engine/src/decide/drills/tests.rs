use drover_api::Maintenance;

use super::*;

const SITE: &str = r#"{"fabric": {"simulator": {}}}"#;

/// A plan `shop` with a drill at three in the morning in Seoul, that is followed since the first of March.
struct Shop {
    plan: PlanName,
    drills: Drills,
    followed: Option<FollowedSchedule>,
    created: Option<Timestamp>,
    last: Option<Timestamp>,
    names: [SiteName; 2],
    sites: [SiteSpec; 2],
    actual: ActualSite,
    protected: usize,
    run: Option<&'static str>,
    drill: Option<&'static str>,
    suspended: bool,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(cron: &str) -> Drills {
    let drills = serde_json::json!({
        "schedule": { "cron": cron, "timeZone": "Asia/Seoul" },
        "ttl": "2h",
    });
    serde_json::from_value(drills).unwrap()
}

impl Shop {
    fn new() -> Self {
        let drills = schedule("0 3 * * *");
        let followed = FollowedSchedule {
            schedule: drills.schedule.clone(),
            since: at("2026-03-01T00:00:00+09:00"),
        };
        let site = || serde_json::from_str(SITE).unwrap();
        Self {
            plan: "shop".parse().unwrap(),
            drills,
            followed: Some(followed),
            created: None,
            last: None,
            names: ["seoul", "busan"].map(|name| name.parse().unwrap()),
            sites: [site(), site()],
            actual: ActualSite::Primary,
            protected: 3,
            run: None,
            drill: None,
            suspended: false,
        }
    }

    fn view(&self, now: &str) -> DrillsView<'_> {
        DrillsView {
            plan: &self.plan,
            drills: Some(&self.drills),
            followed: self.followed.as_ref(),
            created: self.created,
            last: self.last,
            sites: [
                (&self.names[0], Some(&self.sites[0])),
                (&self.names[1], Some(&self.sites[1])),
            ],
            actual: self.actual,
            protected: (self.protected, 3),
            run: self.run,
            drill: self.drill,
            suspended: self.suspended,
            now: at(now),
        }
    }

    /// What the schedule means at this time of the fifth of March in Seoul, in short.
    fn on_the_fifth(&self, time: &str) -> String {
        match drill_due(&self.view(&format!("2026-03-05T{time}+09:00"))) {
            DrillDue::Due { name, .. } => format!("due {name}"),
            DrillDue::NextAt { at, missed } => {
                let missed = missed.map(|missed| format!(", missed {}", missed.datetime()));
                format!("next {}{}", at.datetime(), missed.unwrap_or_default())
            }
            DrillDue::Held { why, until, .. } => format!("held until {}: {why}", until.time()),
            other => other.to_string(),
        }
    }
}

#[test]
fn an_instant_of_the_schedule_makes_one_drill() {
    // SPEC: FO-1, RD-1
    let mut shop = Shop::new();
    shop.last = Some(at("2026-03-04T03:00:00+09:00"));
    assert_eq!(shop.on_the_fifth("02:59:59"), "next 2026-03-05T03:00:00");
    // In its time zone, and named by the instant.
    assert_eq!(shop.on_the_fifth("03:00:00"), "due shop-20260304-1800");
    let due = drill_due(&shop.view("2026-03-05T03:00:00+09:00"));
    let DrillDue::Due {
        at: instant, spec, ..
    } = due
    else {
        panic!("{due:?}");
    };
    assert_eq!(spec.ttl, "2h".parse().unwrap());
    shop.last = Some(instant);
    assert_eq!(shop.on_the_fifth("03:00:00"), "next 2026-03-06T03:00:00");
}

#[test]
fn what_was_missed_is_made_up_for_once_and_not_too_late() {
    // SPEC: FO-7, SA-10
    let mut shop = Shop::new();
    // Four days went by without an operator.
    assert_eq!(shop.on_the_fifth("03:40:00"), "due shop-20260304-1800");
    assert_eq!(
        shop.on_the_fifth("04:00:01"),
        "next 2026-03-06T03:00:00, missed 2026-03-05T03:00:00"
    );
    shop.drills.starting_deadline = "6h".parse().unwrap();
    assert_eq!(shop.on_the_fifth("04:00:01"), "due shop-20260304-1800");
}

#[test]
fn a_schedule_is_followed_from_when_it_was_seen() {
    // SPEC: SA-11
    let mut shop = Shop::new();
    // Another one than before: its instant of an hour ago is nobody's wish.
    shop.drills = schedule("30 2 * * *");
    assert_eq!(shop.on_the_fifth("03:00:00"), "next 2026-03-06T02:30:00");
    let seen = followed_schedule(&shop.view("2026-03-05T03:00:00+09:00"));
    assert_eq!(seen.unwrap().since, at("2026-03-05T03:00:00+09:00"));
    // A plan that nothing was recorded of: from its creation on.
    shop.followed = None;
    shop.created = Some(at("2026-03-05T02:10:00+09:00"));
    assert_eq!(shop.on_the_fifth("03:00:00"), "due shop-20260304-1730");
    shop.created = Some(at("2026-03-05T02:40:00+09:00"));
    assert_eq!(shop.on_the_fifth("03:00:00"), "next 2026-03-06T02:30:00");
}

#[test]
fn a_drill_waits_for_what_is_in_its_way_and_says_so() {
    // SPEC: SA-10, FO-1, RD-1
    type Change = fn(&mut Shop);
    let cases: [(Change, &str); 6] = [
        (|shop| shop.run = Some("shop-3"), "run shop-3 is under way"),
        (
            |shop| shop.drill = Some("practice"),
            "drill practice is not cleaned up yet",
        ),
        (
            |shop| {
                shop.sites[1].maintenance = Some(Maintenance {
                    reason: "new switches".into(),
                    until: None,
                });
            },
            "site busan is under maintenance: new switches",
        ),
        (
            |shop| shop.actual = ActualSite::Unknown,
            "it is not known at which one site the plan's machines are",
        ),
        (|shop| shop.protected = 2, "2 of 3 machines are protected"),
        (
            |shop| shop.plan = "a".repeat(250).parse().unwrap(),
            "the name of the plan is too long for that of a drill",
        ),
    ];
    for (change, why) in cases {
        let mut shop = Shop::new();
        change(&mut shop);
        let held = format!("held until 04:00:00: {why}");
        assert_eq!(shop.on_the_fifth("03:10:00"), held);
    }
}

#[test]
fn it_is_looked_at_again_when_time_changes_something() {
    let mut shop = Shop::new();
    let wakes = |shop: &Shop, now| drill_due(&shop.view(now)).wakes();
    let before = wakes(&shop, "2026-03-05T01:00:00+09:00");
    // What was missed a day before does not hide the next one.
    assert_eq!(before, Some(at("2026-03-05T03:00:00+09:00")));
    shop.sites[0].maintenance = Some(Maintenance {
        reason: "new switches".into(),
        until: Some(at("2026-03-05T03:20:00+09:00")),
    });
    let during = wakes(&shop, "2026-03-05T03:10:00+09:00");
    assert_eq!(during, Some(at("2026-03-05T03:20:00+09:00")));
    shop.run = Some("shop-3");
    let in_a_run = wakes(&shop, "2026-03-05T03:10:00+09:00");
    assert_eq!(in_a_run, Some(at("2026-03-05T04:00:01+09:00")));
}

#[test]
fn a_maintenance_that_is_over_holds_nothing() {
    // SPEC: SA-10
    let mut shop = Shop::new();
    shop.sites[0].maintenance = Some(Maintenance {
        reason: "new switches".into(),
        until: Some(at("2026-03-05T03:10:00+09:00")),
    });
    assert_eq!(shop.on_the_fifth("03:10:00"), "due shop-20260304-1800");
}

#[test]
fn a_schedule_can_rest() {
    let mut shop = Shop::new();
    shop.drills.suspend = true;
    let due = drill_due(&shop.view("2026-03-05T03:00:00+09:00"));
    assert_eq!(due, DrillDue::Suspended);
    // What fell due meanwhile is not made up for.
    shop.followed = followed_schedule(&shop.view("2026-03-05T03:00:00+09:00"));
    assert_eq!(shop.followed, None);
    shop.drills.suspend = false;
    assert_eq!(shop.on_the_fifth("03:10:00"), "next 2026-03-06T03:00:00");
}

#[test]
fn the_last_instant_is_found_however_often_a_schedule_fires() {
    let zone = TimeZone::UTC;
    let now = at("2026-03-05T03:00:30Z");
    for (cron, expected) in [
        ("* * * * *", "2026-03-05T03:00:00Z"),
        ("0 3 1 * *", "2026-03-01T03:00:00Z"),
        ("0 0 29 2 *", "2024-02-29T00:00:00Z"),
        ("* 2 * * *", "2026-03-05T02:59:00Z"),
    ] {
        let found = latest(
            &cron.parse().unwrap(),
            &zone,
            at("2000-01-01T00:00:00Z"),
            now,
        );
        assert_eq!(found, Some(at(expected)), "{cron}");
    }
    let none = latest(
        &"0 3 1 * *".parse().unwrap(),
        &zone,
        at("2026-03-01T03:00:00Z"),
        now,
    );
    assert_eq!(none, None);
}
