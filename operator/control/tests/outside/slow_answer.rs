//! Stands before a name server and keeps its answer to the first update to itself: what was asked for is
//! done, and whoever asked does not know.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

/// The opcode of updates.
const UPDATE: u8 = 5;

#[derive(Clone)]
pub struct SlowAnswer {
    pub port: u16,
    /// The first update was carried out, and its answer is kept.
    pub kept: Arc<AtomicBool>,
    /// Updates that went through.
    pub updates: Arc<AtomicU32>,
}

impl SlowAnswer {
    /// Before the server at this port. Its threads end with the process of the test.
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let this = Self {
            port: listener.local_addr().unwrap().port(),
            kept: Arc::default(),
            updates: Arc::default(),
        };
        let of_thread = this.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let this = of_thread.clone();
                thread::spawn(move || this.serve(client, server));
            }
        });
        this
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn serve(&self, mut client: TcpStream, server: u16) -> Option<()> {
        let asked = message(&mut client)?;
        let mut upstream = TcpStream::connect(("127.0.0.1", server)).ok()?;
        upstream.write_all(&asked).ok()?;
        let answer = message(&mut upstream)?;
        let is_update = (asked[4] >> 3) & 0xf == UPDATE;
        if is_update && self.updates.fetch_add(1, Ordering::SeqCst) == 0 {
            self.kept.store(true, Ordering::SeqCst);
            // Until whoever asked gives up.
            let _ = client.read(&mut [0]);
            return None;
        }
        client.write_all(&answer).ok()
    }
}

/// One message with its length before it.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut whole = vec![0; 2];
    stream.read_exact(&mut whole).ok()?;
    let length = u16::from_be_bytes([whole[0], whole[1]]);
    whole.resize(2 + usize::from(length), 0);
    stream.read_exact(&mut whole[2..]).ok()?;
    Some(whole)
}
