//! A web server of one's own, on loopback: it keeps what it is asked, and answers what it is told to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Clone, Debug)]
pub struct Asked {
    /// Such as `GET /path?query`.
    pub line: String,
    /// Names are in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// Its thread ends with the process of the test.
#[derive(Clone)]
pub struct WebServer {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// What it answers: the status and further headers; it never answers without one.
    answer: Arc<Mutex<Option<String>>>,
}

impl WebServer {
    pub fn start(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let this = Self {
            port: listener.local_addr().unwrap().port(),
            asked: Arc::default(),
            answer: Arc::new(Mutex::new(Some(answer.to_owned()))),
        };
        let of_thread = this.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let this = of_thread.clone();
                thread::spawn(move || this.serve(stream));
            }
        });
        this
    }

    pub fn url(&self, rest: &str) -> String {
        format!("http://127.0.0.1:{}{rest}", self.port)
    }

    pub fn answers(&self, answer: Option<&str>) {
        *self.answer.lock().unwrap() = answer.map(str::to_owned);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut headers = BTreeMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").map_or("0", String::as_str);
        let mut body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        self.asked.lock().unwrap().push(Asked {
            line: line.trim_end().trim_end_matches(" HTTP/1.1").to_owned(),
            headers,
            body: String::from_utf8(body).ok()?,
        });
        let answer = self.answer.lock().unwrap().clone();
        let Some(answer) = answer else {
            // Until whoever asked gives up.
            let _ = reader.read(&mut [0]);
            return None;
        };
        let whole = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        reader.get_mut().write_all(whole.as_bytes()).ok()
    }
}
