//! A name server of one's own: BIND, on loopback, with a zone that takes dynamic updates signed with a key
//! made on the spot. It ends with the value that stands for it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::base::iana::Rtype;
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::{A, Aaaa, Soa};
use serde_json::{Value, json};
use tempfile::TempDir;

/// In Debian's package `bind9`; not everybody has that folder on the path.
const PROGRAM: &str = "/usr/sbin/named";
/// It starts within a second; a busy machine gets the benefit of the doubt.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct NameServer {
    process: Child,
    folder: TempDir,
    pub port: u16,
    secret: String,
}

/// A key that nobody else has.
pub fn fresh_secret() -> String {
    let mut bytes = [0; 32];
    let mut random = fs::File::open("/dev/urandom").unwrap();
    random.read_exact(&mut bytes).unwrap();
    STANDARD.encode(bytes)
}

impl NameServer {
    /// The zone `example.com`, with these records in it.
    pub fn start(records: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let zone = format!(
            "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n{records}\n"
        );
        fs::write(folder.path().join("example.com.zone"), zone).unwrap();
        let secret = fresh_secret();
        for _ in 0..5 {
            // Somebody else may take the port in between; then the server ends, and another is tried.
            let probe = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = probe.local_addr().unwrap().port();
            drop(probe);
            configure(folder.path(), port, &secret);
            if let Some(process) = launch(folder.path(), port) {
                return Self {
                    process,
                    folder,
                    port,
                    secret,
                };
            }
        }
        let log = fs::read_to_string(folder.path().join("log"));
        panic!(
            "the name server does not start: {}",
            log.unwrap_or_default()
        );
    }

    /// Where it is, as manifests say it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The secret with its key.
    pub fn key(&self) -> Value {
        json!({"name": "drover", "algorithm": "hmac-sha256", "secret": self.secret})
    }

    /// As in a power cut.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts again where it was.
    pub fn revive(&mut self) {
        self.process = launch(self.folder.path(), self.port).unwrap();
    }

    /// The addresses of a name, of both families.
    pub fn addresses(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for rtype in [Rtype::A, Rtype::AAAA] {
            let answer = ask(self.port, name, rtype).unwrap();
            for record in answer.answer().unwrap() {
                let record = record.unwrap();
                let v4 = record.to_record::<A>().unwrap();
                let v6 = record.to_record::<Aaaa>().unwrap();
                let v4 = v4.map(|it| IpAddr::from(it.data().addr()));
                let v6 = v6.map(|it| IpAddr::from(it.data().addr()));
                found.extend(v4.or(v6).map(|it| it.to_string()));
            }
        }
        found
    }

    /// It counts the changes of the zone.
    pub fn serial(&self) -> u32 {
        serial(self.port).unwrap()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configure(folder: &Path, port: u16, secret: &str) {
    let at = folder.display();
    let text = format!(
        r#"options {{
            directory "{at}";
            pid-file none;
            session-keyfile none;
            listen-on port {port} {{ 127.0.0.1; }};
            listen-on-v6 {{ none; }};
            recursion no;
            notify no;
            dnssec-validation no;
        }};
        controls {{ }};
        key "drover" {{ algorithm hmac-sha256; secret "{secret}"; }};
        key "reader" {{ algorithm hmac-sha256; secret "{secret}"; }};
        zone "example.com" {{
            type primary;
            file "example.com.zone";
            update-policy {{ grant drover zonesub A AAAA; }};
        }};"#
    );
    fs::write(folder.join("named.conf"), text).unwrap();
}

/// Starts it and waits until it answers; nothing where it ends by itself.
fn launch(folder: &Path, port: u16) -> Option<Child> {
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut process = Command::new(PROGRAM)
        .args(["-g", "-n", "1", "-c"])
        .arg(folder.join("named.conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("{PROGRAM} (Debian's package bind9): {error}"));
    let started = Instant::now();
    while serial(port).is_none() {
        if process.try_wait().unwrap().is_some() {
            return None;
        }
        if started.elapsed() > PATIENCE {
            process.kill().unwrap();
            process.wait().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(50));
    }
    Some(process)
}

fn serial(port: u16) -> Option<u32> {
    let answer = ask(port, "example.com", Rtype::SOA)?;
    let record = answer.answer().ok()?.next()?.ok()?;
    let soa = record.to_record::<Soa<_>>().ok()??;
    Some(soa.data().serial().into_int())
}

fn ask(port: u16, name: &str, rtype: Rtype) -> Option<Message<Vec<u8>>> {
    let mut question = MessageBuilder::new_vec().question();
    question
        .push((Name::vec_from_str(name).unwrap(), rtype))
        .unwrap();
    let message = question.finish();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length[..], &message].concat()).ok()?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).ok()?;
    Message::from_octets(answer).ok()
}
