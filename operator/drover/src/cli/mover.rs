//! What may be written for what runs at a libvirt site: `mover`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::Log;

const MOVER: &str = "\
Examples:
  drover mover --pool /var/lib/libvirt/images --listen 10.0.7.1:7443 --tls /etc/drover/tls
  drover mover --pool /srv/vms --host kvm-1=qemu:///system --socket /run/drover/mover.sock

One runs at each site, where the files of the storage pool are. What it keeps is in the folder `drover` of
the pool; one that is started elsewhere with the same pool goes on where the former one was.

Exit codes:
  0  it was told to end
  1  it could not begin";

/// Run the mover of a libvirt site, beside its hosts
///
/// Keeps copies of the machines of the other site, has machines defined, started and stopped as Drover asks,
/// and lends disks to the mover of the other site. It goes on with that while nobody speaks to it.
#[derive(Debug, Args)]
#[command(after_long_help = MOVER)]
pub struct Mover {
    /// The folder of the storage pool that all hosts of the site share
    #[arg(long, value_name = "FOLDER")]
    pub pool: PathBuf,
    /// A host of the site, and where its libvirt is; may be given several times
    #[arg(long = "host", value_name = "NAME=URI", value_parser = host, default_value = "local=qemu:///system")]
    pub hosts: Vec<(String, String)>,
    /// Where Drover and other movers reach it, over mutual TLS
    #[arg(long, value_name = "ADDRESS", requires = "tls")]
    pub listen: Vec<SocketAddr>,
    /// A folder with ca.crt, tls.crt and tls.key, which are read again when they change
    #[arg(long, value_name = "FOLDER")]
    pub tls: Option<PathBuf>,
    /// A unix socket that Drover reaches it by, on the same machine
    #[arg(long, value_name = "FILE", required_unless_present = "listen")]
    pub socket: Option<PathBuf>,
    /// Where sockets of copies are made
    #[arg(long, value_name = "FOLDER", default_value = "/run/drover")]
    pub run: PathBuf,
    /// What is logged, on standard error
    #[command(flatten)]
    pub log: Log,
}

fn host(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, uri)) if !name.is_empty() && !uri.is_empty() => {
            Ok((name.to_owned(), uri.to_owned()))
        }
        _ => Err("write NAME=URI, for example kvm-1=qemu+ssh://root@kvm-1/system".to_owned()),
    }
}
