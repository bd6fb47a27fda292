//! Stands between the operator and the API server, and passes on what is said, or does not.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
};

pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    target: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Nothing is passed on, but nobody is told.
    hangs: bool,
    refuses: bool,
    /// Both ends of what is connected.
    open: Vec<TcpStream>,
}

impl Proxy {
    pub fn new(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut proxy = Self {
            port: listener.local_addr().unwrap().port(),
            shared: Arc::new(Shared {
                target,
                state: Mutex::default(),
                changed: Condvar::new(),
            }),
            listening: None,
        };
        proxy.listen(listener);
        proxy
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends all connections.
    pub fn cut(&self) {
        for stream in self.shared.state().open.drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Ends all connections and takes no new ones: who comes is refused.
    pub fn refuse(&mut self) {
        self.shared.state().refuses = true;
        // The thread that accepts looks up.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(listening) = self.listening.take() {
            listening.join().unwrap();
        }
        self.cut();
    }

    /// Passes nothing on, in connections old and new.
    pub fn hang(&self) {
        self.shared.state().hangs = true;
    }

    /// Passes everything on again.
    pub fn pass(&mut self) {
        {
            let mut state = self.shared.state();
            state.hangs = false;
            state.refuses = false;
        }
        self.shared.changed.notify_all();
        if self.listening.is_none() {
            self.listen(TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).unwrap());
        }
    }

    fn listen(&mut self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        self.listening = Some(thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.state().refuses {
                    return;
                }
                // Nobody there: the end of this connection says so.
                let _ = shared.connect(stream);
            }
        }));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state().hangs = false;
        self.shared.changed.notify_all();
        self.refuse();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn connect(self: &Arc<Self>, client: TcpStream) -> std::io::Result<()> {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.target))?;
        let ends = [client.try_clone()?, server.try_clone()?];
        self.state().open.extend(ends);
        for (from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
            let shared = Arc::clone(self);
            thread::spawn(move || shared.pump(from, to));
        }
        Ok(())
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = vec![0; 16 * 1024];
        while let Ok(length) = from.read(&mut piece) {
            let state = self.state();
            drop(self.changed.wait_while(state, |state| state.hangs).unwrap());
            if length == 0 || to.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}
