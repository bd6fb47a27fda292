//! What may be written for what runs at a libvirt site: `mover`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args};

use drover_mover::site::HostAt;

use super::Log;

const MOVER: &str = "\
Examples:
  drover mover --pool /var/lib/libvirt/images --listen 10.0.7.1:7443 --tls /etc/drover/tls \\
      --operator drover.example.com --peer mover-busan.example.com
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
#[command(group(ArgGroup::new("callers").args(["operator", "peer"]).multiple(true)))]
#[command(group(ArgGroup::new("doors").args(["listen", "socket"]).multiple(true).required(true)))]
pub struct Mover {
    /// The folder of the storage pool that all hosts of the site share
    #[arg(long, value_name = "FOLDER")]
    pub pool: PathBuf,
    /// A host of the site, and where its libvirt is; may be given several times
    ///
    /// The disks of machines that run at another host than this one are read over TCP, from the address in URI:
    /// NAME=URI,nbd=ADDRESS:FIRST-LAST says another one, and which ports QEMU may listen on; nbd-tls=FOLDER has
    /// it encrypted.
    #[arg(
        long = "host",
        value_name = "NAME=URI",
        default_value = "local=qemu:///system"
    )]
    pub hosts: Vec<HostAt>,
    /// Where Drover and other movers reach it, over mutual TLS; may be given several times
    ///
    /// It takes --tls, and --operator or --peer. Without it there is --socket.
    #[arg(long, value_name = "ADDRESS", requires = "tls", requires = "callers")]
    pub listen: Vec<SocketAddr>,
    /// A name of Drover's certificate, DNS or URI: it may ask for everything; may be given several times
    #[arg(long, value_name = "NAME")]
    pub operator: Vec<String>,
    /// A name of another mover's certificate: it may ask for what movers ask each other; may be given several times
    #[arg(long, value_name = "NAME")]
    pub peer: Vec<String>,
    /// A folder with ca.crt, tls.crt and tls.key, which are read again when they change
    #[arg(long, value_name = "FOLDER")]
    pub tls: Option<PathBuf>,
    /// A unix socket that Drover reaches it by, on the same machine
    #[arg(long, value_name = "FILE")]
    pub socket: Option<PathBuf>,
    /// Where sockets of copies are made
    #[arg(long, value_name = "FOLDER", default_value = "/run/drover")]
    pub run: PathBuf,
    /// What is logged, on standard error
    #[command(flatten)]
    pub log: Log,
}
