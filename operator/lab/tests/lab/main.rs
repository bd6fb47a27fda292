//! The lab of real guests works: a site is a site, the WAN fails as it is told to, nothing stays behind.
#![cfg(test)]

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use drover_lab::{Console, Error, Guest, Lab, Side, Site};

mod left;

use left::{folder, left, spaces};

/// Set in the process that starts a lab in order to be killed.
const VICTIM: &str = "DROVER_TEST_VICTIM";

/// The kernel ends processes in milliseconds; a busy machine takes longer.
const GONE_TIMEOUT: Duration = Duration::from_mins(1);

/// Some counts, so that there is something to lose.
const SOME: u64 = 5;

#[test]
fn each_site_has_guests_of_its_own() {
    // Given a lab with a guest at the primary site
    let lab = Lab::start().unwrap();
    let [primary, secondary] = Side::ALL.map(|side| lab.site(side));
    primary.define(&Guest::new("db-1")).unwrap();

    // When both are asked for their guests, then each knows its own, and they are different hosts.
    let names = |site: &Site| site.virsh(&["list", "--all", "--name"]).unwrap();
    assert_eq!(names(primary).trim(), "db-1");
    assert_eq!(names(secondary).trim(), "");
    let uuid = |site: &Site| {
        let capabilities = site.virsh(&["capabilities"]).unwrap();
        capabilities
            .lines()
            .find(|line| line.contains("<uuid>"))
            .unwrap()
            .to_owned()
    };
    assert_ne!(uuid(primary), uuid(secondary));

    // And what a site refuses is an error with its words.
    let error = secondary.virsh(&["start", "db-1"]).unwrap_err();
    assert!(
        format!("{error:?}").contains("failed to get domain 'db-1'"),
        "{error:?}"
    );
}

#[test]
fn a_guest_counts_on_over_shutdowns_and_kills() {
    // Given a guest with two disks and an address that counts
    let lab = Lab::start().unwrap();
    let site = lab.site(Side::Primary);
    let guest = Guest::new("db-1")
        .with_disks(2)
        .with_address(11)
        .with_load(16);
    site.define(&guest).unwrap();
    assert_eq!(guest.disks(&site.pool_folder()).len(), 2);
    let console = start(site, "db-1");
    assert_eq!((console.boots[0].last, console.boots[0].gaps), (0, 0));

    // Then its site reaches it, and its agent answers.
    let get = r"exec 3<>/dev/tcp/192.168.77.11/80; printf 'GET /counter.log HTTP/1.0\r\n\r\n' >&3; cat <&3";
    let mut bash = site.command("bash").unwrap();
    let served = bash.args(["-c", get]).output().unwrap();
    let served = String::from_utf8_lossy(&served.stdout);
    assert!(served.contains("\r\n\r\n1\n2\n"), "{served}");
    let ping = ["qemu-agent-command", "db-1", r#"{"execute":"guest-ping"}"#];
    assert!(site.virsh(&ping).unwrap().contains("return"));

    // When it is shut down by ACPI and started again
    site.virsh(&["shutdown", "db-1", "--mode=acpi"]).unwrap();
    site.wait_for_state("db-1", "shut off").unwrap();
    let stopped = site.console("db-1").unwrap().boot().unwrap().stopped;
    assert_eq!(stopped, site.console("db-1").unwrap().heartbeat());
    let console = start(site, "db-1");

    // Then it goes on where it was.
    let boot = console.boot().unwrap();
    assert_eq!((Some(boot.last), boot.gaps), (stopped, 0));
    assert_eq!(boot.disks, [boot.last, boot.last]);

    // When its QEMU is killed, and it is started again
    site.kill_guest("db-1").unwrap();
    site.wait_for_state("db-1", "shut off").unwrap();
    let acknowledged = site.console("db-1").unwrap().heartbeat().unwrap();
    let console = start(site, "db-1");

    // Then nothing that was acknowledged is gone, and at most the count that it was at is more.
    let boot = console.boot().unwrap();
    assert_eq!(console.boots.len(), 3);
    assert_eq!(boot.gaps, 0);
    assert!(
        (acknowledged..=acknowledged + 1).contains(&boot.last),
        "{acknowledged} {boot:?}"
    );
}

#[test]
fn two_guests_run_and_one_of_them_does_not_listen() {
    // Given two guests at once
    let lab = Lab::start().unwrap();
    let site = lab.site(Side::Primary);
    site.define(&Guest::new("listens")).unwrap();
    site.define(&Guest::new("deaf").deaf()).unwrap();
    for name in ["listens", "deaf"] {
        site.virsh(&["start", name]).unwrap();
    }
    for name in ["listens", "deaf"] {
        site.wait_for(name, |console| console.heartbeat() > Some(SOME))
            .unwrap();
    }

    // When both are asked to shut down, one way and the other
    for name in ["listens", "deaf"] {
        site.virsh(&["shutdown", name, "--mode=acpi"]).unwrap();
    }
    site.wait_for_state("listens", "shut off").unwrap();

    // Then one does, and the other counts on.
    let now = site.console("deaf").unwrap().heartbeat();
    site.wait_for("deaf", |console| console.heartbeat() > now)
        .unwrap();
    assert_eq!(site.virsh(&["domstate", "deaf"]).unwrap().trim(), "running");
}

#[test]
fn guests_outlive_libvirtd_but_not_their_site() {
    // Given a guest that counts
    let lab = Lab::start().unwrap();
    let site = lab.site(Side::Primary);
    site.define(&Guest::new("db-1")).unwrap();
    start(site, "db-1");

    // When libvirtd is killed, then nobody answers, and the guest counts on.
    site.kill_libvirtd().unwrap();
    site.virsh(&["list"]).unwrap_err();
    let now = site.console("db-1").unwrap().heartbeat();
    site.wait_for("db-1", |console| console.heartbeat() > now)
        .unwrap();

    // And when libvirtd is started again, then it knows the guest.
    site.start_libvirtd_again().unwrap();
    assert_eq!(site.virsh(&["domstate", "db-1"]).unwrap().trim(), "running");

    // When libvirtd is frozen, then who asks it waits, the guest counts on, and the answer comes later.
    site.freeze_libvirtd().unwrap();
    let mut timeout = Command::new("timeout");
    let asked = timeout
        .args(["2", "virsh", "--connect", &site.uri(), "list"])
        .output()
        .unwrap();
    assert_eq!(asked.status.code(), Some(124), "{asked:?}");
    let now = site.console("db-1").unwrap().heartbeat();
    site.wait_for("db-1", |console| console.heartbeat() > now)
        .unwrap();
    site.thaw_libvirtd().unwrap();
    assert_eq!(site.virsh(&["domstate", "db-1"]).unwrap().trim(), "running");

    // When the site is lost, then all is gone, and the other site is not.
    site.kill_everything();
    assert!(matches!(
        site.command("true"),
        Err(Error::Off { site: "primary" })
    ));
    site.virsh(&["list"]).unwrap_err();
    lab.site(Side::Secondary).virsh(&["list"]).unwrap();
    let at_loss = site.console("db-1").unwrap().heartbeat();

    // And when it is restored, then the guest is off, with all that it acknowledged.
    site.restore().unwrap();
    assert_eq!(
        site.virsh(&["domstate", "db-1"]).unwrap().trim(),
        "shut off"
    );
    assert_eq!(site.console("db-1").unwrap().heartbeat(), at_loss);
    assert_eq!(
        connects(lab.site(Side::Secondary), Side::Primary),
        Reached::Refused
    );
    let boot = start(site, "db-1").boots.pop().unwrap();
    assert_eq!(boot.gaps, 0);
    assert!(Some(boot.last) >= at_loss);
}

#[test]
fn the_wan_fails_as_it_is_told_to() {
    // Given two sites that reach each other: nobody listens, and says so
    let lab = Lab::start().unwrap();
    let primary = lab.site(Side::Primary);
    assert_eq!(connects(primary, Side::Secondary), Reached::Refused);
    assert_eq!(
        connects(lab.site(Side::Secondary), Side::Primary),
        Reached::Refused
    );

    // When the WAN is cut, then that is said at once.
    lab.wan().cut().unwrap();
    assert_eq!(connects(primary, Side::Secondary), Reached::NoRoute);

    // When it is a black hole, then nothing is said, whichever way; a site that returns is no nearer.
    lab.wan().black_hole().unwrap();
    assert_eq!(connects(primary, Side::Secondary), Reached::Nothing);
    lab.site(Side::Secondary).kill_everything();
    lab.site(Side::Secondary).restore().unwrap();
    assert_eq!(
        connects(lab.site(Side::Secondary), Side::Primary),
        Reached::Nothing
    );

    // When it heals, then all is as before.
    lab.wan().heal().unwrap();
    assert_eq!(connects(primary, Side::Secondary), Reached::Refused);
}

#[test]
fn a_slow_wan_takes_its_time() {
    // Given a web server at the secondary site, with a file of 512 KiB
    let lab = Lab::start().unwrap();
    let (primary, secondary) = (lab.site(Side::Primary), lab.site(Side::Secondary));
    fs::write(secondary.pool_folder().join("file"), vec![0; 512 * 1024]).unwrap();
    let disk = secondary.pool_folder().join("file");
    let mut server = serve(secondary, &disk);

    // When it is read at 1024 kbit/s, then that takes at least the three seconds that are left of four when
    // the first packets fill the shaper's bucket.
    lab.wan().slow(1024).unwrap();
    let slow = read(primary, Side::Secondary);
    assert!(slow > Duration::from_secs(3), "{slow:?}");

    // And when the WAN is healed, then it takes less.
    lab.wan().heal().unwrap();
    let healthy = read(primary, Side::Secondary);
    assert!(healthy < slow, "{healthy:?} {slow:?}");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn ends_when_dropped() {
    // Given a lab with a guest that runs
    let lab = Lab::start().unwrap();
    let site = lab.site(Side::Primary);
    site.define(&Guest::new("db-1")).unwrap();
    site.virsh(&["start", "db-1"]).unwrap();
    let folder = folder(&lab);
    let spaces = spaces(&folder);
    // Network and processes of the lab; network, processes and mounts of each site.
    assert_eq!(spaces.len(), 2 + 2 * 3, "{spaces:?}");

    // When it is dropped
    drop(lab);

    // Then nothing of it is left.
    assert_eq!(left(&folder, &spaces), Vec::<String>::new());
}

#[test]
fn ends_when_its_process_is_killed() {
    // Given another process (this very test, told to be the victim) with a lab and a guest
    if env::var_os(VICTIM).is_some() {
        let lab = Lab::start().unwrap();
        let site = lab.site(Side::Secondary);
        site.define(&Guest::new("db-1")).unwrap();
        site.virsh(&["start", "db-1"]).unwrap();
        println!("\nstarted {}", folder(&lab).display());
        loop {
            thread::park();
        }
    }
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "ends_when_its_process_is_killed", "--nocapture"])
        .env(VICTIM, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let folder = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("started ").map(PathBuf::from))
        .expect("the victim starts a lab");
    let spaces = spaces(&folder);
    assert!(!left(&folder, &spaces).is_empty());

    // When it is killed without a chance to run anything
    victim.kill().unwrap();
    assert_eq!(victim.wait().unwrap().signal(), Some(9));

    // Then its lab goes too, and another one starts.
    let killed = Instant::now();
    while !left(&folder, &spaces).is_empty() {
        assert!(
            killed.elapsed() < GONE_TIMEOUT,
            "{:?}",
            left(&folder, &spaces)
        );
        thread::sleep(Duration::from_millis(20));
    }
    Lab::start().unwrap();
}

/// Starts a guest, and waits until it has counted a little.
fn start(site: &Site, name: &str) -> Console {
    let boots = site.console(name).unwrap().boots.len();
    site.virsh(&["start", name]).unwrap();
    let counts = |console: &Console| {
        let boot = console.boots.get(boots);
        boot.is_some_and(|boot| boot.heartbeat > Some(boot.last + SOME))
    };
    site.wait_for(name, counts).unwrap()
}

/// What comes of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Reached {
    /// The other site is there, and nobody listens.
    Refused,
    /// The network says that there is no way.
    NoRoute,
    /// Nobody says anything.
    Nothing,
}

/// Connects from a site to a port of another one where nobody listens.
fn connects(from: &Site, to: Side) -> Reached {
    // Of a connection that is not answered `timeout` makes 124.
    let mut timeout = from.command("timeout").unwrap();
    let script = format!("exec 3<>/dev/tcp/{}/9", to.address());
    let output = timeout.args(["3", "bash", "-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(124) => Reached::Nothing,
        _ if said.contains("Connection refused") => Reached::Refused,
        _ if said.contains("Network is unreachable") => Reached::NoRoute,
        _ => panic!("{output:?}"),
    }
}

/// Serves a disk at a site, at QEMU's own port for it.
fn serve(site: &Site, disk: &Path) -> Child {
    let mut nbd = site.command("qemu-nbd").unwrap();
    nbd.args(["--read-only", "--persistent", "--shared=4", "--format=raw"])
        .arg(disk);
    nbd.spawn().unwrap()
}

/// How long it takes to read the disk that another site serves.
fn read(from: &Site, of: Side) -> Duration {
    loop {
        let started = Instant::now();
        let mut convert = from.command("qemu-img").unwrap();
        let source = format!("nbd://{}", of.address());
        let target = from.pool_folder().join("copy");
        convert
            .args(["convert", "-f", "raw", "-O", "raw", &source])
            .arg(target);
        // The server takes a moment to listen.
        if convert.output().unwrap().status.success() {
            return started.elapsed();
        }
    }
}
