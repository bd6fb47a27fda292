//! Machines are listed, defined, started and stopped.

use drover_lab::Guest;
use drover_mover::host::{DomainPower, Ending, HostError, Start, Which};

use super::bench::{counting, heartbeat, host, power, primary, start, until};

#[tokio::test]
async fn what_is_so_already_is_no_error() {
    // Given a machine that is defined
    let (name, host) = ("repeats", host(primary()));
    primary().define(&Guest::new(name)).unwrap();
    let xml = host.xml(name, Which::Persistent).await.unwrap();
    let seen = host.domain(name).await.unwrap().unwrap();
    assert!(xml.contains(&seen.uuid), "{xml}");
    assert_eq!(
        (seen.power, seen.autostart, seen.persistent),
        (DomainPower::Off, false, true)
    );

    // When it is started to stand still, twice, then it stands still.
    for _ in 0..2 {
        host.start(name, Start::AnewAndStill).await.unwrap();
        assert_eq!(power(&host, name).await, DomainPower::Paused);
    }

    // When it goes on, stands still, and goes on again, each twice, then it does.
    for _ in 0..2 {
        host.resume(name).await.unwrap();
        assert_eq!(power(&host, name).await, DomainPower::Running);
    }
    until("it counts", async || heartbeat(name).is_some()).await;
    for _ in 0..2 {
        host.suspend(name).await.unwrap();
        assert_eq!(power(&host, name).await, DomainPower::Paused);
    }
    host.resume(name).await.unwrap();

    // When it is asked to shut down, then it does, and can be asked again.
    host.shutdown(name).await.unwrap();
    host.shutdown(name).await.unwrap();
    until("it is off", async || {
        power(&host, name).await == DomainPower::Off
    })
    .await;
    host.shutdown(name).await.unwrap();
    let stopped = primary().console(name).unwrap().boot().unwrap().stopped;
    assert_eq!(stopped, heartbeat(name), "it was not asked");

    // When it is started and switched off, each twice, then it is off.
    for _ in 0..2 {
        host.start(name, Start::GoOn).await.unwrap();
        assert_eq!(power(&host, name).await, DomainPower::Running);
    }
    for _ in 0..2 {
        host.destroy(name).await.unwrap();
        assert_eq!(power(&host, name).await, DomainPower::Off);
    }

    // When it is marked for autostart, twice, and not any more, then that is seen.
    for on in [true, true, false, false] {
        host.set_autostart(name, on).await.unwrap();
        let one = host.domain(name).await.unwrap().unwrap();
        assert_eq!(one.autostart, on);
        assert!(host.domains().await.unwrap().contains(&one));
    }

    // When it is undefined, twice, then it is gone; defined again, it is the same.
    for _ in 0..2 {
        host.undefine(name).await.unwrap();
        assert_eq!(host.domain(name).await.unwrap(), None);
    }
    for _ in 0..2 {
        host.define(&xml).await.unwrap();
    }
    let again = host.domain(name).await.unwrap().unwrap();
    assert_eq!((&again.uuid, again.power), (&seen.uuid, DomainPower::Off));
}

#[tokio::test]
async fn memory_that_was_saved_is_gone_on_with_or_thrown_away() {
    // SPEC: FB-5
    // Given a guest that counts, and whose memory is saved
    let (name, host) = ("saves", host(primary()));
    counting(&host, &Guest::new(name)).await;
    let boots = || primary().console(name).unwrap().boots.len();
    let before = boots();
    let save = || primary().virsh(&["managedsave", name]).unwrap();
    save();
    assert_eq!(host.ending(name).await.unwrap(), Ending::Saved);

    // When it is started to go on, then it does not boot.
    host.start(name, Start::GoOn).await.unwrap();
    let saved = heartbeat(name);
    until("it counts on", async || heartbeat(name) > saved).await;
    assert_eq!(boots(), before);

    // When it is started anew, then it stands still, and boots when it goes on.
    save();
    host.start(name, Start::AnewAndStill).await.unwrap();
    assert_eq!(power(&host, name).await, DomainPower::Paused);
    host.resume(name).await.unwrap();
    until("it boots", async || boots() > before).await;

    // However it ends after that is told.
    host.destroy(name).await.unwrap();
    assert_eq!(host.ending(name).await.unwrap(), Ending::Cut);
    start(&host, name).await;
    host.shutdown(name).await.unwrap();
    until("it is off", async || !power(&host, name).await.is_active()).await;
    assert_eq!(host.ending(name).await.unwrap(), Ending::ShutDown);
}

#[tokio::test]
async fn what_cannot_be_is_said() {
    let host = host(primary());

    // Of a machine that is not there
    let unknown = host.start("nobody", Start::GoOn).await.unwrap_err();
    assert!(
        matches!(unknown, HostError::NoSuchDomain { .. }),
        "{unknown:?}"
    );
    assert_eq!(
        unknown.to_string(),
        "cannot start nobody at host-1: the host has no such machine"
    );

    // Of one that is off
    let name = "off";
    primary().define(&Guest::new(name)).unwrap();
    for refused in [
        host.resume(name).await,
        host.freeze(name).await,
        host.checkpoint(name, "cp-1", &["vda".to_owned()]).await,
    ] {
        assert!(
            matches!(refused, Err(HostError::NotRunning { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(host.addresses(name).await.unwrap(), Vec::<String>::new());
    assert!(!host.backup_open(name).await.unwrap());

    // Of one that cannot be: libvirt validates.
    let xml = host.xml(name, Which::Persistent).await.unwrap();
    let wrong = xml.replace("<devices>", "<devices><teleporter/>");
    let error = host.define(&wrong).await.unwrap_err();
    assert!(matches!(error, HostError::Failed { .. }), "{error:?}");
    assert!(error.to_string().contains("validate"), "{error}");

    // Of one that cannot start, because its disk is gone
    std::fs::remove_file(&Guest::new(name).disks(&primary().pool_folder())[0]).unwrap();
    let error = host.start(name, Start::GoOn).await.unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[tokio::test]
async fn what_happens_to_machines_is_heard() {
    // Given somebody who listens
    let (name, host) = ("heard", host(primary()));
    let mut changed = host.changed();
    host.domains().await.unwrap();
    primary().define(&Guest::new(name)).unwrap();

    // When others start and stop a machine, then that is heard, and needs no question.
    for (command, is_active) in [("start", true), ("destroy", false)] {
        primary().virsh(&[command, name]).unwrap();
        loop {
            changed.changed().await.unwrap();
            if power(&host, name).await.is_active() == is_active {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_host_tells_what_it_is() {
    let host = host(primary());

    let about = host.about().await.unwrap();
    let version = primary().virsh(&["version", "--daemon"]).unwrap();
    assert!(
        version.contains(&format!("API: QEMU {}", about.libvirt)),
        "{version}"
    );
    assert!(
        version.contains(&format!("QEMU {}", about.qemu)),
        "{version}"
    );
    assert!(about.machine_types.contains(&"q35".to_owned()), "{about:?}");
    assert!(
        about.free_memory > 0 && about.free_memory < about.memory,
        "{about:?}"
    );
    assert!(about.cpus > 0);

    let pool = host.pool("default").await.unwrap();
    assert_eq!(pool.path, primary().pool_folder());
    assert!(
        pool.available > 0 && pool.available <= pool.capacity,
        "{pool:?}"
    );
    let error = host.pool("swimming").await.unwrap_err();
    assert!(matches!(error, HostError::Failed { .. }), "{error:?}");

    assert_eq!(host.networks().await.unwrap(), ["isolated", "lan"]);
}
