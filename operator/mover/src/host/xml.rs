//! Descriptions as libvirt writes and reads them.

use std::path::Path;

use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::Event;
use quick_xml::{Reader, XmlVersion};

use super::backup::{Backup, Listen};
use super::fault::Fault;

/// An element of a description, in the order in which they begin.
#[derive(Debug, Default)]
struct Element {
    /// With those that it is in: `domain/devices/disk`.
    path: String,
    attributes: Vec<(String, String)>,
    text: String,
}

impl Element {
    fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A disk of a machine.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    /// How it is called: `vda`.
    pub target: String,
    /// Its files, the one that is written to first.
    pub chain: Vec<String>,
}

/// The disks of a machine.
pub(super) fn disks(domain: &str) -> Result<Vec<Disk>, Fault> {
    const DISK: &str = "domain/devices/disk";
    let mut disks: Vec<Disk> = Vec::new();
    for element in elements(domain)? {
        let Some(inside) = element.path.strip_prefix(DISK) else {
            continue;
        };
        if inside.is_empty() {
            disks.push(Disk::default());
        }
        let Some(disk) = disks.last_mut() else {
            continue;
        };
        // What a mirror or a scratch file is made of has other parents.
        if inside.replace("/backingStore", "") == "/source" {
            let file = element.attribute("file").or(element.attribute("dev"));
            disk.chain.extend(file.map(str::to_owned));
        } else if inside == "/target" {
            disk.target.extend(element.attribute("dev"));
        }
    }
    Ok(disks)
}

/// Whether a running machine's guest has an agent that listens.
pub(super) fn has_agent(domain: &str) -> Result<bool, Fault> {
    Ok(elements(domain)?.iter().any(|element| {
        element.path == "domain/devices/channel/target"
            && element.attribute("name") == Some("org.qemu.guest_agent.0")
            && element.attribute("state") == Some("connected")
    }))
}

/// The folder of a storage pool.
pub(super) fn pool_path(pool: &str) -> Result<Option<String>, Fault> {
    let elements = elements(pool)?;
    let path = elements
        .into_iter()
        .find(|element| element.path == "pool/target/path");
    Ok(path.map(|element| element.text))
}

/// A host's own architecture.
pub(super) fn architecture(capabilities: &str) -> Result<String, Fault> {
    let elements = elements(capabilities)?;
    let own = elements
        .into_iter()
        .find(|element| element.path == "capabilities/host/cpu/arch");
    Ok(own.map(|own| own.text).unwrap_or_default())
}

/// The types of machines of a host's own architecture.
pub(super) fn machine_types(capabilities: &str) -> Result<Vec<String>, Fault> {
    let elements = elements(capabilities)?;
    let own = elements
        .iter()
        .find(|element| element.path == "capabilities/host/cpu/arch");
    let (mut types, mut is_own) = (Vec::new(), false);
    for element in &elements {
        match element.path.as_str() {
            "capabilities/guest/arch" => {
                is_own = element.attribute("name") == own.map(|own| own.text.as_str());
            }
            "capabilities/guest/arch/machine" if is_own => types.push(element.text.clone()),
            _ => {}
        }
    }
    types.sort();
    types.dedup();
    Ok(types)
}

/// The programs of a host that emulate machines, of whichever architecture.
pub(super) fn emulators(capabilities: &str) -> Result<Vec<String>, Fault> {
    let named = elements(capabilities)?.into_iter().filter(|element| {
        matches!(
            element.path.as_str(),
            "capabilities/guest/arch/emulator" | "capabilities/guest/arch/domain/emulator"
        )
    });
    let mut emulators: Vec<String> = named.map(|element| element.text).collect();
    emulators.sort();
    emulators.dedup();
    Ok(emulators)
}

/// A checkpoint with bitmaps on some of all disks.
pub(super) fn checkpoint(name: &str, wanted: &[String], all: &[Disk]) -> Result<String, Fault> {
    let disks = each(wanted, all, |target, is_wanted| {
        let kind = if is_wanted { "bitmap" } else { "no" };
        format!("<disk name='{target}' checkpoint='{kind}'/>")
    })?;
    let name = escape(name);
    Ok(format!(
        "<domaincheckpoint><name>{name}</name><disks>{disks}</disks></domaincheckpoint>"
    ))
}

/// The disks that a checkpoint has bitmaps on.
pub(super) fn checkpoint_disks(checkpoint: &str) -> Result<Vec<String>, Fault> {
    let disks = elements(checkpoint)?.into_iter();
    let noted = disks.filter(|element| {
        element.path == "domaincheckpoint/disks/disk"
            && element.attribute("checkpoint") == Some("bitmap")
    });
    Ok(noted
        .filter_map(|disk| disk.attribute("name").map(str::to_owned))
        .collect())
}

/// A backup that is read from a socket.
pub(super) fn backup(domain: &str, backup: &Backup, all: &[Disk]) -> Result<String, Fault> {
    let disks = each(&backup.disks, all, |target, is_wanted| {
        if !is_wanted {
            return format!("<disk name='{target}' backup='no'/>");
        }
        let scratch = backup.scratch.join(format!("{domain}-{target}.scratch"));
        let scratch = scratch.to_string_lossy();
        let scratch = escape(&*scratch);
        let is_fresh = backup.fresh.iter().any(|fresh| escape(&**fresh) == target);
        let mode = match &backup.from {
            Some(_) if is_fresh => " backupmode='full'",
            _ => "",
        };
        format!(
            "<disk name='{target}' backup='yes' type='file'{mode} exportname='{target}'>\
             <driver type='qcow2'/><scratch file='{scratch}'/></disk>"
        )
    })?;
    let from = backup.from.as_deref().map(escape);
    let from = from.map(|from| format!("<incremental>{from}</incremental>"));
    let server = match &backup.listen {
        Listen::Socket(path) => {
            let path = path.to_string_lossy();
            format!("<server transport='unix' socket='{}'/>", escape(&*path))
        }
        Listen::Tcp { address, port, tls } => {
            let tls = if *tls { " tls='yes'" } else { "" };
            format!("<server transport='tcp'{tls} name='{address}' port='{port}'/>")
        }
    };
    Ok(format!(
        "<domainbackup mode='pull'>{from}{server}<disks>{disks}</disks></domainbackup>",
        from = from.unwrap_or_default(),
    ))
}

/// Whether what a backup's machine overwrites meanwhile goes to files in this folder.
pub(super) fn scratches_in(backup: &str, folder: &Path) -> Result<bool, Fault> {
    let files = elements(backup)?.into_iter();
    let mut files = files.filter(|element| element.path == "domainbackup/disks/disk/scratch");
    Ok(files.any(|scratch| {
        let file = scratch.attribute("file");
        file.is_some_and(|file| Path::new(file).starts_with(folder))
    }))
}

/// What is said of each disk; what is wanted must be there.
fn each(
    wanted: &[String],
    all: &[Disk],
    say: impl Fn(&str, bool) -> String,
) -> Result<String, Fault> {
    let is_there = |target: &&String| all.iter().any(|disk| disk.target == **target);
    if let Some(target) = wanted.iter().find(|target| !is_there(target)) {
        return Err(Fault::Failed(format!("the machine has no disk {target}")));
    }
    let say = |disk: &Disk| say(&escape(&*disk.target), wanted.contains(&disk.target));
    Ok(all.iter().map(say).collect())
}

fn elements(xml: &str) -> Result<Vec<Element>, Fault> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    let mut elements: Vec<Element> = Vec::new();
    // Those that are not at their end, by their places.
    let mut open: Vec<usize> = Vec::new();
    loop {
        match reader.read_event()? {
            Event::Start(start) => {
                let mut element = Element::default();
                if let Some(parent) = open.last().and_then(|at| elements.get(*at)) {
                    element.path = format!("{}/", parent.path);
                }
                element.path.push_str(start.name().0);
                for attribute in start.attributes() {
                    let attribute = attribute.map_err(quick_xml::Error::from)?;
                    let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
                    element
                        .attributes
                        .push((attribute.key.0.to_owned(), value.into_owned()));
                }
                open.push(elements.len());
                elements.push(element);
            }
            Event::End(_) => drop(open.pop()),
            Event::Text(text) => {
                if let Some(element) = open.last().and_then(|at| elements.get_mut(*at)) {
                    element.text.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(reference) => {
                let named = || resolve_predefined_entity(&reference).map(str::to_owned);
                let meant = reference
                    .resolve_char_ref()?
                    .map(String::from)
                    .or_else(named);
                if let Some(element) = open.last().and_then(|at| elements.get_mut(*at)) {
                    element.text.extend(meant);
                }
            }
            Event::Eof => return Ok(elements),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: &str = "<domain type='kvm' id='3'><name>db-1</name><devices>\
        <disk type='file' device='disk'><driver name='qemu' type='qcow2'/>\
          <source file='/pool/a&amp;b.qcow2' index='3'/>\
          <backingStore type='file'><format type='qcow2'/><source file='/pool/rp-2.qcow2'/>\
            <backingStore type='file'><format type='qcow2'/><source file='/pool/rp-1.qcow2'/><backingStore/></backingStore>\
          </backingStore>\
          <mirror type='file' job='copy'><source file='/pool/mirror.qcow2'/></mirror>\
          <target dev='vda' bus='virtio'/></disk>\
        <disk type='block' device='disk'><source dev='/dev/sdx'/><target dev='vdb'/></disk>\
        <disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>\
        <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel>\
        </devices></domain>";

    #[test]
    fn a_disk_has_the_files_that_it_is_made_of_and_no_others() {
        let disks = disks(DOMAIN).unwrap();
        let told: Vec<_> = disks
            .iter()
            .map(|disk| (disk.target.as_str(), disk.chain.clone()))
            .collect();
        let chain = |files: &[&str]| files.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            told,
            [
                (
                    "vda",
                    chain(&["/pool/a&b.qcow2", "/pool/rp-2.qcow2", "/pool/rp-1.qcow2"])
                ),
                ("vdb", chain(&["/dev/sdx"])),
                ("sda", chain(&[])),
            ]
        );
    }

    #[test]
    fn an_agent_is_there_when_it_is_connected() {
        assert!(has_agent(DOMAIN).unwrap());
        assert!(!has_agent(&DOMAIN.replace("'connected'", "'disconnected'")).unwrap());
    }

    #[test]
    fn a_checkpoint_names_every_disk() {
        let disks = disks(DOMAIN).unwrap();
        assert_eq!(
            checkpoint("a<b", &["vdb".to_owned()], &disks).unwrap(),
            "<domaincheckpoint><name>a&lt;b</name><disks><disk name='vda' checkpoint='no'/>\
             <disk name='vdb' checkpoint='bitmap'/><disk name='sda' checkpoint='no'/></disks></domaincheckpoint>"
        );
        let told = checkpoint("a", &["vdb".to_owned()], &disks).unwrap();
        assert_eq!(checkpoint_disks(&told).unwrap(), ["vdb"]);
        let error = checkpoint("a", &["vdz".to_owned()], &disks).unwrap_err();
        assert_eq!(
            error,
            Fault::Failed("the machine has no disk vdz".to_owned())
        );
    }

    #[test]
    fn a_backup_names_every_disk() {
        let wanted = Backup {
            from: Some("rp-1".to_owned()),
            checkpoint: "rp-2".to_owned(),
            disks: vec!["vda".to_owned()],
            fresh: Vec::new(),
            listen: Listen::Socket("/run/b.sock".into()),
            scratch: "/pool/scratch".into(),
        };
        let disks = &disks(DOMAIN).unwrap()[..2];
        let described = backup("db-1", &wanted, disks).unwrap();
        assert!(scratches_in(&described, Path::new("/pool/scratch")).unwrap());
        assert!(!scratches_in(&described, Path::new("/pool/scratch-of-others")).unwrap());
        assert_eq!(
            described,
            "<domainbackup mode='pull'><incremental>rp-1</incremental>\
             <server transport='unix' socket='/run/b.sock'/><disks>\
             <disk name='vda' backup='yes' type='file' exportname='vda'><driver type='qcow2'/>\
             <scratch file='/pool/scratch/db-1-vda.scratch'/></disk>\
             <disk name='vdb' backup='no'/></disks></domainbackup>"
        );
        let listen = Listen::Tcp {
            address: "10.0.7.2".parse().unwrap(),
            port: 49216,
            tls: true,
        };
        let wanted = Backup {
            fresh: vec!["vda".to_owned()],
            listen,
            ..wanted
        };
        let over_tcp = backup("db-1", &wanted, disks).unwrap();
        assert!(
            over_tcp.contains(" backupmode='full' exportname='vda'"),
            "{over_tcp}"
        );
        let server = "<server transport='tcp' tls='yes' name='10.0.7.2' port='49216'/>";
        assert!(over_tcp.contains(server), "{over_tcp}");
    }

    #[test]
    fn machine_types_are_those_of_the_hosts_own_architecture() {
        let capabilities = "<capabilities><host><cpu><arch>x86_64</arch></cpu></host>\
            <guest><arch name='i686'><machine>isapc</machine></arch></guest>\
            <guest><arch name='x86_64'><machine canonical='pc-q35-7.2'>q35</machine><machine>pc-q35-7.2</machine>\
            <domain type='qemu'/><domain type='kvm'><machine>microvm</machine></domain></arch></guest></capabilities>";
        assert_eq!(machine_types(capabilities).unwrap(), ["pc-q35-7.2", "q35"]);
    }

    #[test]
    fn emulators_are_those_of_all_architectures() {
        let capabilities = "<capabilities><host><cpu><arch>x86_64</arch></cpu></host>\
            <guest><arch name='i686'><emulator>/usr/bin/qemu-system-i386</emulator></arch></guest>\
            <guest><arch name='x86_64'><emulator>/usr/bin/qemu-system-x86_64</emulator><domain type='qemu'/>\
            <domain type='kvm'><emulator>/usr/bin/kvm</emulator></domain>\
            <domain type='xen'><emulator>/usr/bin/kvm</emulator></domain></arch></guest></capabilities>";
        assert_eq!(
            emulators(capabilities).unwrap(),
            [
                "/usr/bin/kvm",
                "/usr/bin/qemu-system-i386",
                "/usr/bin/qemu-system-x86_64"
            ]
        );
        assert!(emulators("<capabilities/>").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_xml_is_an_error() {
        assert!(matches!(
            disks("<domain><a></b></domain>"),
            Err(Fault::Failed(_))
        ));
    }
}
