//! What becomes of a description is one to libvirt too, by its own schema and its driver for tests.

use std::path::Path;
use std::process::Command;

use super::{nic, off, running};
use crate::domain::{Device, Domain, Mark};

/// Defines a machine, and tells what libvirt knows of it then.
fn defined(domain: &Domain) -> Domain {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("domain.xml");
    let xml = domain.to_xml();
    let kinds = ["<domain type='kvm'", "<domain type='qemu'"];
    let xml = kinds.iter().fold(xml, |xml, kind| {
        xml.replacen(kind, "<domain type='test'", 1)
    });
    std::fs::write(&file, xml).unwrap();
    let define = format!("define --validate {}", file.display());
    // The driver for tests forgets everything with the connection.
    let both = format!("{define}; dumpxml --inactive {}", domain.name());
    let output = Command::new("virsh")
        .args(["-q", "-c", "test:///default", &both])
        .output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{said}\n{}",
        domain.to_xml()
    );
    let told = String::from_utf8(output.stdout).unwrap();
    Domain::parse(&told[told.find("<domain").unwrap()..]).unwrap()
}

#[test]
fn a_machine_that_moved_is_one_that_libvirt_takes() {
    for mut domain in [off(), running()] {
        let mark = Mark {
            epoch: 12,
            made_at: Some(1_700_000_000_000),
        };
        for disk in domain.disks() {
            if disk.device == Device::Disk {
                let path = format!("/srv/copies/{} & co.qcow2", disk.target);
                domain
                    .set_disk(&disk.target, Path::new(&path), "qcow2")
                    .unwrap();
            }
        }
        domain.eject_removable();
        domain.drop_runtime();
        domain.set_name("moved");
        domain.set_uuid(Some("7c0c5a5e-0d7c-4e58-9f0e-0d6b7d5f1a11"));
        let (one, two) = (Some("52:54:00:00:00:01"), Some("52:54:00:00:00:02"));
        let new = nic("d", None, false);
        domain.set_interfaces(&[
            nic("a", one, true),
            nic("b", two, false),
            nic("c", None, true),
            new,
        ]);
        domain.set_cpus(2);
        domain.set_memory(768 << 20);
        domain.set_metadata(mark);
        let known = defined(&domain);
        assert_eq!(known.metadata(), Some(mark));
        assert_eq!((known.name(), known.uuid()), (domain.name(), domain.uuid()));
        assert_eq!((known.cpus(), known.memory()), (Some(2), Some(768 << 20)));
        assert_eq!(known.disks(), domain.disks());
        assert_eq!(known.machine_type(), domain.machine_type());
        let nets = |domain: &Domain| {
            domain
                .interfaces()
                .into_iter()
                .map(|nic| nic.network)
                .collect::<Vec<_>>()
        };
        assert_eq!(nets(&known), nets(&domain));
        let xml = known.to_xml();
        assert!(xml.contains("<memory unit='KiB'>786432</memory>"), "{xml}");
        assert!(xml.contains(">2</vcpu>"), "{xml}");
    }
}

#[test]
fn nodes_of_memory_add_up_to_what_libvirt_gives() {
    let mut domain = off();
    domain.set_memory(5 << 30);
    let xml = defined(&domain).to_xml();
    assert!(xml.contains("<memory unit='KiB'>5242880</memory>"), "{xml}");
    assert!(xml.contains("<numa>"), "{xml}");
}
