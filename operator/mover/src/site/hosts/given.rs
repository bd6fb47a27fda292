//! How a host is told of: `NAME=URI[,nbd=ADDRESS[:FIRST-LAST]][,nbd-tls=FOLDER]`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

/// Where QEMU offers disks unless something else is said: beside the ports that libvirt itself takes for
/// storage when machines migrate, 49152 to 49215.
const PORTS: RangeInclusive<u16> = 49216..=49279;

/// A host of the site, as the mover is started with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAt {
    /// Its name.
    pub name: String,
    /// Where its libvirt is.
    pub uri: String,
    /// How disks of its running machines are read; unset: on unix sockets, where the mover itself stands.
    pub nbd: Option<NbdAt>,
}

/// Where a host offers disks over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NbdAt {
    /// What the mover dials, an address of the host or a name of it; QEMU listens there and nowhere else.
    pub address: String,
    /// A port for each machine that is copied at a time.
    pub ports: RangeInclusive<u16>,
    /// Encrypted, with the `ca.crt` of this folder, and its `tls.crt` and `tls.key` for who asks.
    pub tls: Option<PathBuf>,
}

impl FromStr for HostAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "write NAME=URI, for example kvm-1=qemu:///system or kvm-2=qemu+tls://kvm-2/system,nbd=10.0.7.2"
                .to_owned()
        };
        let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
        // An address of libvirt may have a comma, so the options are looked for from the end.
        let (mut uri, mut nbd, mut tls) = (rest, None, None);
        loop {
            if let Some((before, value)) = rsplit(uri, ",nbd-tls=") {
                (uri, tls) = (before, Some(PathBuf::from(value)));
            } else if let Some((before, value)) = rsplit(uri, ",nbd=") {
                (uri, nbd) = (before, Some(value));
            } else {
                break;
            }
        }
        if name.is_empty() || uri.is_empty() {
            return Err(wrong());
        }
        let told = nbd.map(nbd_at).transpose()?;
        let nbd = told.or_else(|| {
            let address = elsewhere(uri)?;
            Some((address, PORTS))
        });
        if tls.is_some() && nbd.is_none() {
            return Err("nbd-tls is for disks over TCP: say nbd=ADDRESS, too".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            uri: uri.to_owned(),
            nbd: nbd.map(|(address, ports)| NbdAt {
                address,
                ports,
                tls,
            }),
        })
    }
}

/// The last option, and what is before it.
fn rsplit<'a>(text: &'a str, option: &str) -> Option<(&'a str, &'a str)> {
    let (before, value) = text.rsplit_once(option)?;
    // One that comes after is taken first.
    (!value.contains(",nbd=") && !value.contains(",nbd-tls=")).then_some((before, value))
}

fn nbd_at(text: &str) -> Result<(String, RangeInclusive<u16>), String> {
    let wrong = || {
        format!("nbd={text}: write ADDRESS or ADDRESS:FIRST-LAST, for example 10.0.7.2:49216-49279")
    };
    let (address, ports) = match text.rsplit_once(':') {
        Some((address, range)) if range.contains('-') => {
            let (first, last) = range.split_once('-').ok_or_else(wrong)?;
            let port = |text: &str| text.parse::<u16>().map_err(|_| wrong());
            (address, port(first)?..=port(last)?)
        }
        _ => (text, PORTS),
    };
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if address.is_empty() || ports.is_empty() || *ports.start() == 0 {
        return Err(wrong());
    }
    Ok((address.to_owned(), ports))
}

/// The host in an address of libvirt, if that is not this one.
fn elsewhere(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(six) => six.split(']').next()?,
        None => host.split(':').next()?,
    };
    let here = ["", "localhost", "127.0.0.1", "::1"].contains(&host);
    (!here).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nbd(text: &str) -> Option<(String, RangeInclusive<u16>, Option<PathBuf>)> {
        let at: HostAt = text.parse().unwrap();
        at.nbd.map(|nbd| (nbd.address, nbd.ports, nbd.tls))
    }

    #[test]
    fn a_host_is_remote_where_its_address_names_one() {
        assert_eq!(nbd("a=qemu:///system"), None);
        assert_eq!(nbd("a=qemu:///system?socket=/run/x,y"), None);
        assert_eq!(nbd("a=qemu+ssh://root@localhost/system"), None);
        let remote = |address: &str| Some((address.to_owned(), PORTS, None));
        assert_eq!(nbd("a=qemu+ssh://root@kvm-2:2222/system"), remote("kvm-2"));
        assert_eq!(
            nbd("a=qemu+tcp://[fd00::2]:16509/system"),
            remote("fd00::2")
        );
    }

    #[test]
    fn what_is_said_of_disks_goes_before_what_the_address_says() {
        let at: HostAt =
            "a=qemu+tls://kvm-2/system?no_verify=1,nbd=10.0.7.2:5000-5003,nbd-tls=/etc/x"
                .parse()
                .unwrap();
        assert_eq!(at.uri, "qemu+tls://kvm-2/system?no_verify=1");
        let nbd = at.nbd.unwrap();
        assert_eq!((&*nbd.address, nbd.ports), ("10.0.7.2", 5000..=5003));
        assert_eq!(nbd.tls, Some(PathBuf::from("/etc/x")));
        let six: HostAt = "a=qemu:///system,nbd-tls=/y,nbd=[fd00::2]:5000-5000"
            .parse()
            .unwrap();
        let nbd = six.nbd.unwrap();
        assert_eq!((&*nbd.address, nbd.ports), ("fd00::2", 5000..=5000));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "kvm-1",
            "=qemu:///system",
            "a=",
            "a=qemu:///system,nbd=",
            "a=qemu:///system,nbd=x:9-1",
            "a=qemu:///system,nbd=x:0-9",
            "a=qemu:///system,nbd=x:1-99999",
            "a=qemu:///system,nbd-tls=/x",
        ] {
            assert!(text.parse::<HostAt>().is_err(), "{text}");
        }
    }
}
