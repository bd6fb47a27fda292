//! The little that tests ask of etcd itself, over its JSON gateway.

use std::{
    io::{Error as IoError, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
};

use serde_json::{Value, json};

use super::error::{Doing as _, Error};

/// Forgets all history up to now.
pub(super) fn compact(port: u16) -> Result<(), Error> {
    let status =
        ask(port, "/v3/maintenance/status", &json!({})).doing("ask etcd for its version")?;
    let revision = &status["header"]["revision"];
    ask(
        port,
        "/v3/kv/compaction",
        &json!({ "revision": revision, "physical": true }),
    )
    .doing("let etcd forget")?;
    Ok(())
}

fn ask(port: u16, path: &str, body: &Value) -> Result<Value, IoError> {
    let body = body.to_string();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    // HTTP/1.0: the answer ends with the connection, and is not cut into chunks.
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        return Err(IoError::other(format!("it answered {status}: {body}")));
    }
    serde_json::from_str(body).map_err(IoError::other)
}
