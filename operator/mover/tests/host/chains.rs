//! Files of disks become one while the machine runs.

use std::fs;
use std::path::Path;

use drover_lab::Guest;
use drover_mover::host::{HostError, Which};

use super::bench::{count_on, host, primary, qemu_img, start};

#[tokio::test]
async fn files_are_folded_while_the_machine_runs() {
    // Given a guest that writes to the last of a chain of four files, which know each other by relative names
    let (name, host) = ("folds", host(primary()));
    let guest = Guest::new(name);
    primary().define(&guest).unwrap();
    let base = guest.disks(&primary().pool_folder()).remove(0);
    let files: Vec<_> = ["rp-1", "rp-2", "live"]
        .iter()
        .map(|file| base.with_file_name(format!("folds-{file}.qcow2")))
        .collect();
    let mut below = base.clone();
    for file in &files {
        let backing = below.file_name().unwrap().to_str().unwrap();
        qemu_img(
            &["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", backing],
            &[file],
        );
        below.clone_from(file);
    }
    let [first, second, live] = &files[..] else {
        unreachable!()
    };
    let xml = host.xml(name, Which::Persistent).await.unwrap();
    host.define(&xml.replace(base.to_str().unwrap(), live.to_str().unwrap()))
        .await
        .unwrap();
    start(&host, name).await;

    // When the middle ones are folded into the first, twice
    for _ in 0..2 {
        host.fold(name, "vda", &base, &files[..2]).await.unwrap();
    }

    // Then only the first and the last are left, by a relative name, and the guest counts on.
    assert_eq!(backing(live), base.file_name().unwrap().to_str().unwrap());
    count_on(name).await;
    fs::remove_file(first).unwrap();
    fs::remove_file(second).unwrap();

    // And what is written to is not folded, nor what is not there, nor are files taken for folded of which one is.
    let one_is_left = [live.clone(), second.clone()];
    for (base, above) in [
        (&base, &files[2..]),
        (second, &files[..1]),
        (&base, &one_is_left[..]),
    ] {
        let error = host.fold(name, "vda", base, above).await.unwrap_err();
        assert!(matches!(error, HostError::Failed { .. }), "{error:?}");
    }

    // And the guest starts from what is left, with all that it had written.
    host.destroy(name).await.unwrap();
    start(&host, name).await;
    assert_eq!(primary().console(name).unwrap().boot().unwrap().gaps, 0);
    host.destroy(name).await.unwrap();
}

/// The file that another one is based on, as that calls it.
fn backing(file: &Path) -> String {
    let info = qemu_img(&["info", "-U"], &[file]);
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("backing file: "))
        .unwrap();
    line.split(" (actual path").next().unwrap().to_owned()
}
