//! What is promised of descriptions.

use std::path::Path;

use super::*;

mod libvirt;
mod properties;

/// As `virt-install` makes it: firmware with variables, disks of several kinds, a drive, three cards.
const OFF: &str = include_str!("tests/off.xml");
/// As libvirt tells it of a machine that runs.
const RUNNING: &str = include_str!("tests/running.xml");

fn off() -> Domain {
    Domain::parse(OFF).unwrap()
}

fn running() -> Domain {
    Domain::parse(RUNNING).unwrap()
}

/// What is changed comes back as it was written.
fn again(domain: &Domain) -> String {
    let xml = domain.to_xml();
    assert!(&Domain::parse(&xml).unwrap() == domain, "{xml}");
    xml
}

fn nic(network: &str, mac: Option<&str>, up: bool) -> Nic {
    Nic {
        network: network.to_owned(),
        mac: mac.map(str::to_owned),
        up,
    }
}

#[test]
fn what_is_not_changed_is_written_as_it_was_to_the_byte() {
    assert_eq!(off().to_xml(), OFF);
    assert_eq!(running().to_xml(), RUNNING);
}

#[test]
fn what_describes_no_machine_is_refused() {
    for text in [
        "",
        "domain",
        "<domain>",
        "<domain></network>",
        "<domain/><domain/>",
        "<domain/>text",
        "<domain a='&nothing;'/>",
        "<domain a='1' a='2'/>",
        "<domain>&nothing;</domain>",
        "<!DOCTYPE domain []><domain/>",
    ] {
        let refused = Domain::parse(text);
        assert!(matches!(refused, Err(DomainError::Xml { .. })), "{text}");
    }
    let refused = Domain::parse("<network/>").unwrap_err();
    assert!(matches!(refused, DomainError::NotADomain(name) if name == "network"));
    let deep = "<domain>".repeat(100_000);
    assert!(Domain::parse(&deep).is_err());
}

#[test]
fn its_secrets_are_not_shown() {
    let domain = Domain::parse("<domain><name>a</name><x passwd='hush'/></domain>").unwrap();
    assert_eq!(format!("{domain:?}"), "Domain { name: \"a\", .. }");
}

#[test]
fn name_and_number_are_changed_with_what_the_firmware_tells_of_them() {
    let mut domain = off();
    assert_eq!(domain.name(), "shop-db");
    let old = domain.uuid().unwrap();
    domain.set_name("shop-db <drill> & 'co'");
    let new = "00000000-0000-4000-8000-000000000001";
    domain.set_uuid(Some(new));
    let xml = again(&domain);
    assert_eq!(domain.name(), "shop-db <drill> & 'co'");
    assert_eq!(domain.uuid().as_deref(), Some(new));
    assert!(!xml.contains(&old));
    assert_eq!(xml.matches(new).count(), 2);
    domain.set_uuid(None);
    let xml = again(&domain);
    assert!(!xml.contains("<uuid>") && !xml.contains("name='uuid'"));
    assert_eq!(domain.uuid(), None);
}

#[test]
fn disks_are_told_apart() {
    let disks = off().disks();
    let known = |target: &str| disks.iter().find(|disk| disk.target == target).unwrap();
    assert_eq!(disks.len(), 6);
    let root = known("vda");
    assert_eq!((&root.kind, &root.device), (&Kind::File, &Device::Disk));
    assert_eq!(
        root.path.as_deref(),
        Some(Path::new("/srv/vm/shop-db.qcow2"))
    );
    assert_eq!(root.format, "qcow2");
    assert_eq!(known("vdb").kind, Kind::Block);
    assert_eq!(
        known("vdb").path.as_deref(),
        Some(Path::new("/dev/vg0/logs"))
    );
    assert_eq!(
        (known("vdc").kind.clone(), known("vdc").path.clone()),
        (Kind::Volume, None)
    );
    let volume = ("data".to_owned(), "shop & co.raw".to_owned());
    assert_eq!(known("vdc").volume, Some(volume));
    assert_eq!(
        (known("vdd").kind.clone(), known("vdd").shareable),
        (Kind::Network, true)
    );
    assert_eq!(
        (known("sda").device.clone(), known("sda").readonly),
        (Device::Cdrom, true)
    );
    assert_eq!(
        (known("sdb").device.clone(), known("sdb").path.clone()),
        (Device::Cdrom, None)
    );
}

#[test]
fn any_disk_becomes_a_file_and_stays_the_same_to_the_guest() {
    for mut domain in [off(), running()] {
        let path = Path::new("/srv/copies/a'b.qcow2");
        let disks = domain.disks();
        for disk in disks.iter().filter(|disk| disk.device == Device::Disk) {
            domain.set_disk(&disk.target, path, "qcow2").unwrap();
        }
        let xml = again(&domain);
        for (new, old) in domain.disks().iter().zip(&disks) {
            if old.device == Device::Disk {
                assert_eq!(new.path.as_deref(), Some(path));
                assert_eq!((&new.kind, new.format.as_str()), (&Kind::File, "qcow2"));
                assert_eq!(new.volume, None);
            } else {
                assert_eq!(new, old);
            }
        }
        for gone in [
            "backingStore",
            "mirror",
            "rbd",
            "<auth",
            "logs",
            "index='1'",
        ] {
            assert!(!xml.contains(gone), "{gone}: {xml}");
        }
    }
    let mut domain = off();
    domain.set_disk("vda", Path::new("/x"), "raw").unwrap();
    let xml = again(&domain);
    assert!(xml.contains("<driver name='qemu' type='raw' cache='none' discard='unmap'/>"));
    assert!(xml.contains("<serial>root-1</serial>") && xml.contains("<boot order='1'/>"));
    let missing = domain.set_disk("vdz", Path::new("/x"), "raw").unwrap_err();
    assert!(matches!(missing, DomainError::NoDisk { target } if target == "vdz"));
}

#[test]
fn drives_are_emptied_and_stay() {
    let mut domain = off();
    domain.eject_removable();
    let xml = again(&domain);
    assert!(!xml.contains(".iso"));
    assert_eq!(domain.disks().len(), 6);
    let emptied: Vec<_> = domain.disks();
    assert!(
        emptied
            .iter()
            .filter(|disk| disk.device.is_removable())
            .all(|disk| disk.path.is_none())
    );
    assert!(emptied[0].path.is_some());
}

#[test]
fn cards_keep_their_place_and_model_in_other_networks() {
    let mut domain = off();
    let before = domain.interfaces();
    assert_eq!(before.len(), 3);
    assert_eq!(before[0].network.as_deref(), Some("front"));
    assert_eq!(before[1].bridge.as_deref(), Some("br7"));
    assert_eq!(before[1].model.as_deref(), Some("e1000e"));
    domain.set_interfaces(&[
        nic("front", None, true),
        nic("test", Some("52:54:00:00:00:99"), false),
        nic("test", None, true),
        nic("test", None, false),
    ]);
    let after = domain.interfaces();
    assert_eq!(after.len(), 4);
    assert_eq!(after[0], before[0]);
    assert_eq!(after[1].mac.as_deref(), Some("52:54:00:00:00:99"));
    assert_eq!(
        (&after[1].bridge, &after[1].model),
        (&None, &before[1].model)
    );
    assert_eq!(
        (&after[2].mac, &after[2].network),
        (&before[2].mac, &Some("test".to_owned()))
    );
    assert_eq!(
        (&after[3].mac, after[3].model.as_deref()),
        (&None, Some("virtio"))
    );
    let xml = again(&domain);
    // Of the network that it stays in, and not of the bridge that it leaves.
    assert!(xml.contains("portgroup='web'") && !xml.contains("openvswitch"));
    assert!(
        xml.contains("<address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>")
    );
    assert_eq!(xml.matches("<link state='down'/>").count(), 2);

    domain.set_interfaces(&[nic("test", None, true)]);
    assert_eq!(domain.interfaces().len(), 1);
    domain.set_interfaces(&[]);
    assert!(domain.interfaces().is_empty());
    assert_eq!(domain.disks(), off().disks());
    again(&domain);
}

#[test]
fn a_card_that_is_moved_forgets_what_the_host_called_it() {
    let mut domain = running();
    domain.set_interfaces(&[nic("test", None, true)]);
    let xml = again(&domain);
    for gone in ["vnet3", "portid", "virbr0", "alias name='net0'"] {
        assert!(!xml.contains(gone), "{gone}: {xml}");
    }
}

#[test]
fn processors_and_what_was_said_of_them_agree() {
    let mut domain = off();
    domain.set_cpus(4);
    let xml = again(&domain);
    // As before: nothing contradicts.
    assert!(
        xml.contains("<topology") && xml.contains("vcpupin vcpu='3'") && xml.contains("<numa>")
    );
    assert!(xml.contains("<vcpu placement='static'>4</vcpu>"));
    domain.set_cpus(2);
    let xml = again(&domain);
    assert!(xml.contains("<vcpu placement='static'>2</vcpu>"));
    assert!(xml.contains("vcpupin vcpu='1'") && xml.contains("emulatorpin"));
    for gone in [
        "<topology",
        "vcpupin vcpu='2'",
        "vcpupin vcpu='3'",
        "vcpus='0-3'",
        "<numa>",
        "memnode",
    ] {
        assert!(!xml.contains(gone), "{gone}: {xml}");
    }
    let mut bare = Domain::parse("<domain/>").unwrap();
    bare.set_cpus(3);
    assert_eq!(again(&bare), "<domain><vcpu>3</vcpu></domain>\n");
}

#[test]
fn memory_is_that_much_everywhere() {
    let mut domain = off();
    domain.set_memory((3 << 30) + 1);
    let xml = again(&domain);
    let kib = (3 << 20) + 1;
    assert!(
        xml.contains(&format!("<memory unit='KiB'>{kib}</memory>")),
        "{xml}"
    );
    assert!(xml.contains(&format!("<currentMemory unit='KiB'>{kib}</currentMemory>")));
    // It had less than that as its most.
    assert!(xml.contains(&format!(
        "<maxMemory slots='4' unit='KiB'>{kib}</maxMemory>"
    )));
    assert!(xml.contains(&format!("memory='{}' unit='KiB'", kib / 2 + 1)));
    assert!(xml.contains(&format!("memory='{}' unit='KiB'", kib / 2)));
    domain.set_memory(1 << 30);
    assert!(again(&domain).contains(&format!(
        "<maxMemory slots='4' unit='KiB'>{kib}</maxMemory>"
    )));
}

#[test]
fn the_agent_is_told_from_other_channels() {
    assert!(off().has_agent() && running().has_agent());
    assert_eq!(off().agent_connected(), None);
    assert_eq!(running().agent_connected(), Some(true));
    let silent = RUNNING.replace("state='connected'", "state='disconnected'");
    assert_eq!(
        Domain::parse(&silent).unwrap().agent_connected(),
        Some(false)
    );
    let none = OFF.replace("org.qemu.guest_agent.0", "org.example.other");
    assert!(!Domain::parse(&none).unwrap().has_agent());
}

#[test]
fn what_holds_for_one_run_goes_and_the_hardware_stays() {
    let mut domain = running();
    domain.drop_runtime();
    let xml = again(&domain);
    for gone in [
        " id=",
        "<alias name='virtio",
        "imagelabel",
        "+64055",
        "vnet3",
        "/dev/pts",
        "tty=",
        "state=",
        "backingStore",
        "mirror",
        "index='1'",
        "portid",
        "domain-7-shop",
        "port='5901'",
        "address='127.0.0.1'",
    ] {
        assert!(!xml.contains(gone), "{gone}: {xml}");
    }
    for kept in [
        "<alias name='ua-root'/>",
        "<target dev='uplink'/>",
        "slot='0x01'",
        "<seclabel type='static'",
        "/var/log/shop/console.log",
        "<target type='virtio' name='org.qemu.guest_agent.0'/>",
        "autoport='yes'",
        "index='0'",
    ] {
        assert!(xml.contains(kept), "{kept}: {xml}");
    }
    let once = domain.clone();
    domain.drop_runtime();
    assert!(domain == once);
    let mut domain = off();
    domain.drop_runtime();
    assert_eq!(domain.to_xml(), OFF);
}

#[test]
fn the_mainboard_is_known_and_changed() {
    let mut domain = off();
    assert_eq!(domain.machine_type().as_deref(), Some("pc-q35-7.2"));
    domain.set_machine_type("pc-q35-10.0");
    assert_eq!(domain.machine_type().as_deref(), Some("pc-q35-10.0"));
    assert!(again(&domain).contains("<type arch='x86_64' machine='pc-q35-10.0'>hvm</type>"));
}

#[test]
fn a_copy_shares_nothing_with_the_machine_that_it_is_of() {
    // SPEC: FO-1
    let mut domain = off();
    domain.stand_alone();
    let ties: Vec<_> = domain.ties().into_iter().map(|tie| tie.what).collect();
    assert!(ties.contains(&Tied::NvramTemplate), "{ties:?}");
    for shared in [Tied::Nvram, Tied::HostDevice, Tied::Folder] {
        assert!(!ties.contains(&shared), "{ties:?}");
    }
    again(&domain);
    // A drill that still has the machine's own file does not take it along when it goes.
    let mut drill = off();
    assert!(drill.has_own_variables());
    drill.set_name("shop-db-drill");
    assert!(!drill.has_own_variables());
    drill.stand_alone();
    assert!(drill.has_own_variables());
    // Cards keep their places: what is mapped is counted by them.
    assert_eq!(domain.interfaces().len(), off().interfaces().len());

    let shares = "<domain><os><nvram type='file'><source file='/n.fd'/></nvram></os><devices>\
        <filesystem><source dir='/srv'/></filesystem></devices></domain>";
    let mut domain = Domain::parse(shares).unwrap();
    domain.stand_alone();
    assert_eq!(domain.ties(), Vec::new());
}

#[test]
fn what_the_firmware_remembers_is_put_into_another_file() {
    // SPEC: FO-1
    let file = Path::new("/srv/copies/a&b.fd");
    let mut domain = off();
    assert_eq!(
        domain.variables().as_deref(),
        Some(Path::new("/var/lib/libvirt/qemu/nvram/shop-db_VARS.fd"))
    );
    assert!(domain.set_variables(file));
    assert_eq!(domain.variables().as_deref(), Some(file));
    let template =
        "<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>/srv/copies/a&amp;b.fd</nvram>";
    assert!(again(&domain).contains(template));

    // However it was said; also where libvirt was to find all by itself.
    let loader = "<loader type='pflash'>/c.fd</loader>";
    for (boot, remembers) in [
        ("<os firmware='efi'/>".to_owned(), true),
        (format!("<os>{loader}</os>"), true),
        (
            format!("<os>{loader}<nvram type='file'><source file='/n.fd'/></nvram></os>"),
            true,
        ),
        ("<os><type>hvm</type></os>".to_owned(), false),
        (String::new(), false),
    ] {
        let mut domain = Domain::parse(&format!("<domain>{boot}</domain>")).unwrap();
        assert_eq!(domain.set_variables(file), remembers, "{boot}");
        assert_eq!(domain.variables().is_some(), remembers, "{boot}");
        assert_eq!(
            again(&domain).contains("<nvram>/srv/copies/a&amp;b.fd</nvram>"),
            remembers
        );
    }
}

#[test]
fn what_ties_it_to_its_host_is_named() {
    let ties: Vec<_> = off()
        .ties()
        .into_iter()
        .map(|tie| (tie.what, tie.path))
        .collect();
    let expected = [
        (Tied::Firmware, "/usr/share/OVMF/OVMF_CODE_4M.fd"),
        (Tied::NvramTemplate, "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        (Tied::Nvram, "/var/lib/libvirt/qemu/nvram/shop-db_VARS.fd"),
        (Tied::BlockDevice, "/dev/vg0/logs"),
        (Tied::Volume, "data/shop & co.raw"),
        (Tied::NetworkDisk, "vdd"),
        (Tied::Emulator, "/usr/bin/qemu-system-x86_64"),
        (Tied::Filter, "clean-traffic"),
        (Tied::Tpm, "emulator"),
        (
            Tied::HostDevice,
            "pci domain=0x0000 bus=0x03 slot=0x00 function=0x0",
        ),
        (Tied::Secret, "6f0a7a5c-9d57-4c64-9df7-b2a7f2dd54b0"),
    ];
    let expected = expected.map(|(what, path)| (what, path.to_owned()));
    assert_eq!(ties, expected);
    let direct = "<domain><os><kernel>/k</kernel><initrd>/i</initrd></os></domain>";
    let ties = Domain::parse(direct).unwrap().ties();
    assert_eq!(
        ties.iter().map(|tie| tie.what).collect::<Vec<_>>(),
        [Tied::Kernel, Tied::Initrd]
    );
}

#[test]
fn what_we_note_is_found_again_and_what_others_note_stays() {
    let mut domain = off();
    assert_eq!(domain.metadata(), None);
    let mark = Mark {
        epoch: 7,
        made_at: Some(1_700_000_000),
    };
    domain.set_metadata(mark);
    assert_eq!(domain.metadata(), Some(mark));
    let mark = Mark {
        epoch: u64::MAX,
        made_at: None,
    };
    domain.set_metadata(mark);
    assert_eq!(domain.metadata(), Some(mark));
    let xml = again(&domain);
    assert_eq!(xml.matches("https://drover.dev/libvirt/1").count(), 1);
    assert!(xml.contains("<libosinfo:os id='http://debian.org/debian/12'/>"));
    domain.clear_metadata();
    assert_eq!(domain.to_xml(), OFF);

    let other = "<domain xmlns:x='https://drover.dev/libvirt/1'><metadata><x:machine epoch='3'/></metadata></domain>";
    let mut domain = Domain::parse(other).unwrap();
    assert_eq!(
        domain.metadata(),
        Some(Mark {
            epoch: 3,
            made_at: None
        })
    );
    domain.clear_metadata();
    assert_eq!(domain.metadata(), None);
    let foreign = "<domain><metadata><drover:machine xmlns:drover='https://example.org' epoch='3'/></metadata></domain>";
    assert_eq!(Domain::parse(foreign).unwrap().metadata(), None);
}
