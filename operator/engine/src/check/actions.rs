//! Actions around the groups of a plan (PL-4).

use drover_api::common::{Direction, RunKind};
use drover_api::value::MachineName;
use drover_api::{Action, DnsAction, HttpAction};

use super::codes::{
    ACTION_NEVER_RUNS, AMBIGUOUS_MACHINE, DNS_IN_DRILL, EXACTLY_ONE_OF, FIELD_NOT_APPLICABLE,
    FIELD_REQUIRED, RECORD_NEVER_MOVES, RECORD_OUTSIDE_ZONE, UNKNOWN_MACHINE,
};
use super::context::{Context, Plan, in_plan};
use super::finder::{Finder, Meaning};
use super::words::all_of;
use crate::outside::is_within;
use crate::problem::{FieldPath, Problem};

pub(super) fn check(context: &Context<'_>, problems: &mut Vec<Problem>) {
    for plan in &context.plans {
        let names = actions(plan).filter_map(|(_, action)| machine_of(action));
        let finder = Finder::new(context, plan, names);
        for (path, action) in actions(plan) {
            let mut at = At {
                object: plan.object,
                path: path.make(),
                problems,
            };
            at.action(action);
            if context.jobs {
                at.job(action);
            }
            if let (Some(http), Some(name)) = (&action.http, machine_of(action)) {
                at.machine(context, &finder, http, name);
            }
        }
    }
}

/// Where an action is; its path is made only when it is needed.
#[derive(Clone, Copy)]
struct Place {
    group: usize,
    field: &'static str,
    position: usize,
}

impl Place {
    fn make(self) -> FieldPath {
        in_plan(self.group).field(self.field).index(self.position)
    }
}

fn actions<'a>(plan: &Plan<'a>) -> impl Iterator<Item = (Place, &'a Action)> {
    plan.spec.groups.iter().enumerate().flat_map(|(at, group)| {
        let lists = [("before", &group.before), ("after", &group.after)];
        lists.into_iter().flat_map(move |(field, actions)| {
            let actions = actions.iter().enumerate();
            actions.map(move |(position, action)| {
                let place = Place {
                    group: at,
                    field,
                    position,
                };
                (place, action)
            })
        })
    })
}

fn machine_of(action: &Action) -> Option<&MachineName> {
    action.http.as_ref()?.machine.as_ref()
}

/// One action, and where its problems go.
struct At<'p> {
    object: usize,
    path: FieldPath,
    problems: &'p mut Vec<Problem>,
}

impl At<'_> {
    fn below(&self, kind: &'static str, field: &'static str) -> FieldPath {
        self.path.clone().field(kind).field(field)
    }

    fn error(&mut self, code: &'static str, path: FieldPath, message: &str, hint: &str) {
        let problem = Problem::error(code, self.object, path, message);
        self.problems.push(problem.hint(hint));
    }

    fn warning(&mut self, code: &'static str, path: FieldPath, message: &str, hint: &str) {
        let problem = Problem::warning(code, self.object, path, message);
        self.problems.push(problem.hint(hint));
    }

    fn action(&mut self, action: &Action) {
        if let Err(set) = action.kind() {
            let number = if set == 0 { "none" } else { "several" };
            self.error(
                EXACTLY_ONE_OF,
                self.path.clone(),
                &format!("action `{}` says {number} of what it does", action.name),
                "set exactly one of `script`, `http`, `wait`, `manual` and `dns`",
            );
        }
        if let Some(http) = &action.http {
            self.http(http);
        }
        if let Some(dns) = &action.dns {
            self.dns(dns);
        }
        self.when(action);
    }

    fn job(&mut self, action: &Action) {
        if let Some(script) = &action.script
            && script.image.is_none()
        {
            self.error(
                FIELD_REQUIRED,
                self.below("script", "image"),
                "in a cluster a script runs as a Job, and a Job needs an image",
                "set the container image that has the command",
            );
        }
    }

    fn http(&mut self, http: &HttpAction) {
        if http.machine.is_some() == http.url.is_some() {
            self.error(
                EXACTLY_ONE_OF,
                self.path.clone().field("http"),
                "set exactly one of `machine` and `url`",
                "`machine` follows the machine to its address at the target; `url` is fixed",
            );
        }
        if http.machine.is_some() {
            return;
        }
        let fields = [
            ("port", http.port.is_some()),
            ("path", http.path.is_some()),
            ("protectionGroup", http.protection_group.is_some()),
        ];
        for (field, _) in fields.into_iter().filter(|(_, set)| *set) {
            self.error(
                FIELD_NOT_APPLICABLE,
                self.below("http", field),
                &format!("`{field}` belongs to `machine`, and there is none"),
                "write it into the `url`, or set `machine`",
            );
        }
    }

    fn machine(
        &mut self,
        context: &Context<'_>,
        finder: &Finder<'_, '_>,
        http: &HttpAction,
        name: &MachineName,
    ) {
        let group = http.protection_group.as_ref();
        match finder.find(name, group) {
            Meaning::One(_) | Meaning::Unknown => {}
            Meaning::Nobody => {
                let hint = match context.meant(name.as_str(), finder.names()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "name a machine of the plan, or use `url` for anything else".to_owned(),
                };
                let message = format!("`{name}` is not a machine of this plan");
                self.error(
                    UNKNOWN_MACHINE,
                    self.below("http", "machine"),
                    &message,
                    &hint,
                );
            }
            Meaning::Several(groups) => {
                let hint = several(context, &groups);
                let message = format!("several machines of this plan are called `{name}`");
                self.error(
                    AMBIGUOUS_MACHINE,
                    self.below("http", "machine"),
                    &message,
                    &hint,
                );
            }
            Meaning::NoSuchGroup => {
                let group = group.map(ToString::to_string).unwrap_or_default();
                let message = format!("this plan has nothing of ProtectionGroup `{group}`");
                let path = self.below("http", "protectionGroup");
                self.error(
                    UNKNOWN_MACHINE,
                    path,
                    &message,
                    "name a protection group of the plan",
                );
            }
        }
    }

    fn dns(&mut self, dns: &DnsAction) {
        if dns.rfc2136.is_some() == dns.dns_endpoint.is_some() {
            self.error(
                EXACTLY_ONE_OF,
                self.path.clone().field("dns"),
                "set exactly one of `rfc2136` and `dnsEndpoint`",
                "`rfc2136` writes to a name server, `dnsEndpoint` to an ExternalDNS",
            );
        }
        if let Some(server) = &dns.rfc2136
            && !is_within(&dns.record, &server.zone)
        {
            self.error(
                RECORD_OUTSIDE_ZONE,
                self.below("dns", "record"),
                &format!("record `{}` is not in zone `{}`", dns.record, server.zone),
                "write the record as a full name that ends with the zone",
            );
        }
        if same_addresses(dns) {
            self.warning(
                RECORD_NEVER_MOVES,
                self.below("dns", "secondary"),
                &format!(
                    "record `{}` has the same addresses at both sites",
                    dns.record
                ),
                "give the addresses that clients reach at the secondary site, or remove the action",
            );
        }
    }

    fn when(&mut self, action: &Action) {
        let Some(when) = &action.when else {
            return;
        };
        let kinds = [
            RunKind::PlannedFailover,
            RunKind::UnplannedFailover,
            RunKind::TestFailover,
            RunKind::Reprotect,
        ];
        let directions = [Direction::ToSecondary, Direction::ToPrimary];
        let takes_part = |kind| directions.iter().any(|way| action.takes_part(kind, *way));
        if !kinds.into_iter().any(takes_part) {
            self.warning(
                ACTION_NEVER_RUNS,
                self.path.clone().field("when"),
                &format!("action `{}` takes part in no run", action.name),
                "change `when`, or remove the action",
            );
        } else if action.dns.is_some() && when.runs.contains(&RunKind::TestFailover) {
            self.warning(
                DNS_IN_DRILL,
                self.below("when", "runs"),
                "a DNS change never takes part in a drill, because it would move real clients",
                "remove `TestFailover`",
            );
        }
    }
}

/// What to do about a name that several members have.
pub(super) fn several(context: &Context<'_>, groups: &[usize]) -> String {
    let names: Vec<&str> = groups
        .iter()
        .map(|group| context.groups[*group].name)
        .collect();
    format!("set `protectionGroup` to one of {}", all_of(&names))
}

fn same_addresses(dns: &DnsAction) -> bool {
    let sorted = |addresses: &[drover_api::value::Address]| {
        let mut addresses = addresses.to_vec();
        addresses.sort_unstable();
        addresses
    };
    sorted(&dns.primary) == sorted(&dns.secondary)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::check::testing::World;

    const PLAN: &str = "RecoveryPlan/shop";

    /// The example with another action after its first group.
    fn action(mut action: Value) -> World {
        action["name"] = json!("it");
        World::example().set(PLAN, "/spec/groups/0/after/0", action)
    }

    fn at(code: &str, path: &str) -> Vec<String> {
        vec![format!("{code} {PLAN} spec.groups[0].after[0]{path}")]
    }

    #[test]
    fn an_action_is_of_one_kind() {
        // SPEC: PL-4
        let one_of = |path| at("error exactly-one-of", path);
        assert_eq!(action(json!({})).found(), one_of(""));
        let both = json!({ "wait": { "for": "1s" }, "manual": { "message": "go" } });
        assert_eq!(action(both).found(), one_of(""));
        assert_eq!(action(json!({ "http": {} })).found(), one_of(".http"));
        let both = json!({ "http": { "machine": "db-1", "url": "http://a" } });
        assert_eq!(action(both).found(), one_of(".http"));
        let neither =
            json!({ "dns": { "record": "a", "primary": ["10.0.0.1"], "secondary": ["10.0.0.2"] } });
        assert_eq!(action(neither).found(), one_of(".dns"));
    }

    #[test]
    fn a_script_needs_an_image_where_it_is_a_job_and_nowhere_else() {
        // SPEC: PL-4
        let bare = action(json!({ "script": { "command": ["true"] } }));
        assert_eq!(bare.found(), Vec::<String>::new());
        let codes = |world: &World| {
            let problems = world.problems_with_jobs().into_iter();
            problems.map(|it| it.code.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(codes(&bare), ["field-required"]);
        let whole = action(json!({ "script": { "command": ["true"], "image": "busybox" } }));
        assert_eq!(codes(&whole), Vec::<String>::new());
    }

    #[test]
    fn a_url_has_its_port_and_path_in_it() {
        let world = action(json!({ "http": { "url": "http://a", "port": 80, "path": "/" } }));
        let mut expected = at("error field-not-applicable", ".http.path");
        expected.extend(at("error field-not-applicable", ".http.port"));
        assert_eq!(world.found(), expected);
    }

    #[test]
    fn the_machine_of_a_call_is_one_of_the_plan() {
        // All members must be known for that, so the other group lists its own.
        let world = action(json!({ "http": { "machine": "db-11" } }))
            .remove("ProtectionGroup/shop-web", "/spec/selector")
            .remove("ProtectionGroup/shop-web", "/spec/memberSettings")
            .set(
                "ProtectionGroup/shop-web",
                "/spec/machines",
                json!([{ "name": "web-1" }]),
            );
        let told = world.told();
        assert_eq!(world.found(), at("error unknown-machine", ".http.machine"));
        assert!(told[0].ends_with("(did you mean `db-1`?)"), "{told:?}");
    }

    #[test]
    fn a_name_that_two_machines_have_needs_their_group() {
        let twin = World::example()
            .remove("ProtectionGroup/shop-web", "/spec/selector")
            .remove("ProtectionGroup/shop-web", "/spec/memberSettings")
            .set(
                "ProtectionGroup/shop-web",
                "/spec/machines",
                json!([{ "name": "db-1" }]),
            );
        let told = twin.told_of("ambiguous-machine");
        assert_eq!(told.len(), 1);
        assert!(
            told[0].ends_with("(set `protectionGroup` to one of `shop-data` and `shop-web`)"),
            "{told:?}"
        );
        let named = |group: &str| {
            let pointer = "/spec/groups/0/after/0/http/protectionGroup";
            twin.clone().set(PLAN, pointer, json!(group))
        };
        assert!(named("shop-web").found_of("ambiguous-machine").is_empty());
        assert_eq!(
            named("other").found_of("unknown-machine"),
            at("error unknown-machine", ".http.protectionGroup")
        );
    }

    #[test]
    fn a_record_is_in_its_zone_and_moves() {
        // SPEC: NM-6
        let record = |record: &str, secondary: &str| {
            action(json!({ "dns": {
                "record": record,
                "primary": ["203.0.113.10"],
                "secondary": [secondary],
                "rfc2136": { "server": "127.0.0.1:53", "zone": "Example.com." },
            } }))
            .found()
        };
        let none = Vec::<String>::new();
        assert_eq!(record("shop.example.com", "198.51.100.10"), none);
        assert_eq!(record("example.com.", "198.51.100.10"), none);
        assert_eq!(
            record("shop.badexample.com", "198.51.100.10"),
            at("error record-outside-zone", ".dns.record")
        );
        assert_eq!(
            record("shop.example.com", "203.0.113.10"),
            at("warning record-never-moves", ".dns.secondary")
        );
    }

    #[test]
    fn an_action_takes_part_in_some_run() {
        // SPEC: NM-6
        let dns = |runs: Value| {
            let base = "/spec/groups/1/after/0/when";
            World::example()
                .set(PLAN, base, json!({ "runs": runs }))
                .found()
        };
        let expected = |code: &str, path: &str| {
            vec![format!(
                "warning {code} {PLAN} spec.groups[1].after[0].{path}"
            )]
        };
        assert_eq!(
            dns(json!(["TestFailover"])),
            expected("action-never-runs", "when")
        );
        assert_eq!(
            dns(json!(["TestFailover", "PlannedFailover"])),
            expected("dns-in-drill", "when.runs")
        );
    }

    #[test]
    fn a_manual_step_may_be_rehearsed() {
        let world = action(json!({
            "manual": { "message": "go" },
            "when": { "runs": ["TestFailover"] },
        }));
        assert_eq!(world.found(), Vec::<String>::new());
    }
}
