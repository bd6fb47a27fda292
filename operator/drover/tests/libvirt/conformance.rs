//! The promises of the contract, kept by libvirt.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use drover_api::common::SiteRole;
use drover_fabric::Subject;
use drover_fabric::conformance::{Abilities, CASES, Drivers, Failure, Lab, Token};
use drover_lab::{Guest, Side, Site};
use sha2::{Digest as _, Sha256};

use crate::lab::{Movers, output};

struct Libvirts {
    movers: Movers,
    machines: Mutex<Vec<String>>,
}

fn side(role: SiteRole) -> Side {
    match role {
        SiteRole::Primary => Side::Primary,
        SiteRole::Secondary => Side::Secondary,
    }
}

impl Libvirts {
    fn site(&self, role: SiteRole) -> &Site {
        self.movers.site(side(role))
    }

    /// Machines of former cases would take the processors from this one.
    fn put_away(&self, name: &str) {
        let set = |name: &str| name.starts_with("conformance-set");
        let mut machines = self.machines.lock().unwrap();
        for former in machines.iter().filter(|former| !(set(former) && set(name))) {
            for site in Side::ALL.map(|side| self.movers.site(side)) {
                let _ = site.virsh(&["destroy", former]);
            }
        }
        machines.retain(|former| set(former) && set(name));
        machines.push(name.to_owned());
    }

    /// What a machine's disks are, by libvirt; else the newest files of its copy.
    fn disks(&self, machine: &Subject, at: SiteRole, drill: bool) -> Vec<PathBuf> {
        let name = machine.at(at).as_str();
        let domain = if drill {
            format!("{name}-drill")
        } else {
            name.to_owned()
        };
        let site = self.site(at);
        if let Ok(listed) = site.virsh(&["domblklist", &domain]) {
            let paths = listed
                .lines()
                .filter_map(|line| line.split_whitespace().nth(1));
            return paths.map(PathBuf::from).collect();
        }
        let folder = site.pool_folder().join("drover").join(name);
        let mut newest: BTreeMap<String, PathBuf> = BTreeMap::new();
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        for file in files
            .into_iter()
            .filter(|file| file.extension().is_some_and(|end| end == "qcow2"))
        {
            let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
            let (_, what) = stem.split_once('-').unwrap();
            let of_drill = what.starts_with("drill-");
            if of_drill == drill {
                newest.insert(what.rsplit('-').next().unwrap().to_owned(), file);
            }
        }
        newest.into_values().collect()
    }
}

#[async_trait]
impl Lab for Libvirts {
    fn abilities(&self) -> Abilities {
        Abilities {
            cut_off: Ok(()),
            power_cycle: Ok(()),
            slow_copies: Err(
                "a copy is written beside the disk, and takes its place when it is whole",
            ),
            days: Err("time is real here"),
        }
    }

    async fn drivers(&self) -> Drivers {
        self.movers.drivers().await
    }

    async fn machine(&self, name: &str) -> Subject {
        self.put_away(name);
        let site = self.site(SiteRole::Primary);
        tokio::task::block_in_place(|| {
            site.define(&Guest::new(name)).unwrap();
            site.virsh(&["start", name]).unwrap();
            site.wait_for(name, |console| console.heartbeat() > Some(2))
                .unwrap();
        });
        Subject {
            primary: name.parse().unwrap(),
            secondary: name.parse().unwrap(),
            consistency: None,
            excluded_disks: Vec::new(),
        }
    }

    async fn stranger(&self, machine: &Subject, at: SiteRole) {
        let guest = Guest::new(machine.at(at).as_str());
        tokio::task::block_in_place(|| self.site(at).define(&guest).unwrap());
    }

    async fn write(&self, machine: &Subject, at: SiteRole) {
        let name = machine.at(at).as_str();
        let site = self.site(at);
        tokio::task::block_in_place(|| {
            let before = site.console(name).unwrap().heartbeat();
            site.wait_for(name, |console| console.heartbeat() > before)
                .unwrap();
        });
    }

    async fn content(&self, machine: &Subject, at: SiteRole, drill: bool) -> Option<Token> {
        let disks = self.disks(machine, at, drill);
        let sums = disks.iter().map(|disk| {
            let mut convert = Command::new("qemu-img");
            let raw = tempfile::NamedTempFile::new().unwrap();
            convert
                .args(["convert", "-U", "-O", "raw"])
                .arg(disk)
                .arg(raw.path());
            output(&mut convert);
            format!("{:x?}", Sha256::digest(std::fs::read(raw.path()).unwrap()))
        });
        let all: Vec<String> = tokio::task::block_in_place(|| sums.collect());
        (!all.is_empty()).then(|| Token(all.join(" ")))
    }

    async fn switch(&self, machine: &Subject, at: SiteRole, on: bool) {
        let name = machine.at(at).as_str();
        let site = self.site(at);
        tokio::task::block_in_place(|| {
            if on {
                site.virsh(&["start", name]).unwrap();
            } else {
                site.virsh(&["destroy", name]).unwrap();
            }
        });
    }

    async fn pass(&self, time: Duration) {
        // Copies are made every two seconds here, and what takes minutes elsewhere is over in seconds.
        let real = match time.as_secs() {
            0..=1 => Duration::from_millis(200),
            _ => Duration::from_secs(12),
        };
        tokio::time::sleep(real).await;
    }

    async fn cut_off(&self, at: SiteRole, cut: bool) {
        let signal = if cut { "STOP" } else { "CONT" };
        self.movers.signal(side(at), signal);
    }

    async fn power_cycle(&self, at: SiteRole) {
        tokio::task::block_in_place(|| {
            self.site(at).kill_everything();
            self.site(at).restore().unwrap();
            self.movers.begin(side(at));
        });
    }

    async fn slow_copies(&self, _: SiteRole, _: bool) {}
}

/// What is not applicable, and must be for no other case.
const NOT_HERE: [&str; 2] = [
    "a_half_written_disk_is_never_booted",
    "points_go_by_retention_or_commit",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libvirt_keeps_the_promises() {
    // SPEC: BI-2, FB-1, FB-5, FO-1, FO-2, FO-5, FO-6, FO-7, FO-8, PR-5, PR-6, PR-7, PR-12, SA-1, SA-2, SA-3, SA-7
    let lab = Libvirts {
        movers: Movers::start(),
        machines: Mutex::default(),
    };
    let only = std::env::var("DROVER_CASE").ok();
    let mut broken = Vec::new();
    for case in CASES {
        if only
            .as_ref()
            .is_some_and(|only| !case.name.contains(only.as_str()))
        {
            continue;
        }
        let result = case.run(&lab).await;
        println!("{result}");
        let fine = match &result.verdict {
            Ok(()) => !NOT_HERE.contains(&case.name),
            Err(Failure::NotApplicable(_)) => NOT_HERE.contains(&case.name),
            Err(Failure::Broken(_)) => false,
        };
        if !fine {
            broken.push(result.to_string());
            for side in Side::ALL {
                let log = lab.movers.log(side);
                let lines: Vec<&str> = log.lines().collect();
                let last = &lines[lines.len().saturating_sub(25)..];
                println!("--- {} ---\n{}", side.name(), last.join("\n"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
