//! A stream of what happens to objects.
//!
//! A watcher keeps a version and takes from the history of its kind what happened after it. It has
//! no buffer of its own, so a slow one costs nothing: once history no longer reaches back to where
//! it is, it is told `410 Gone` and its stream ends.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream;
use http::{Response, header};
use serde_json::{Value, json};
use tokio::{sync::watch::Receiver, time::Instant};

use super::list;
use crate::{
    answer::{self, Answer},
    body::ApiBody,
    call::Call,
    error::{Cause, Refusal},
    negotiate::{Form, Format, Shape},
    object::Entry,
    selector::Selector,
    store::{Event, Page, Scope},
};

/// Events taken at a time.
const STEP: usize = 128;
/// Between two bookmarks, as the real API server sends them.
const BOOKMARK: Duration = Duration::from_mins(1);
/// A stream without a limit of its own ends after this: the real API server chooses by chance
/// between 30 and 60 minutes.
const LONGEST: Duration = Duration::from_mins(45);

struct Watcher {
    call: Call,
    selector: Selector,
    /// Everything up to here was sent.
    seen: u64,
    signal: Receiver<u64>,
    /// Pieces of text that are ready.
    ready: VecDeque<Bytes>,
    ends: Instant,
    bookmark: Option<Instant>,
    /// The bookmark that says that all initial objects were sent is due.
    initial: bool,
    /// The first table names its columns.
    columns: bool,
    over: bool,
}

pub(crate) fn watch(mut call: Call) -> Result<Answer, Refusal> {
    let selector = list::selector(&call)?;
    let bookmarks = call.query.flag("allowWatchBookmarks");
    let initial = sends_initial(&call)?;
    let timeout = call
        .query
        .number("timeoutSeconds")?
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs);
    if call.form.format == Format::Yaml {
        return Err(Refusal::not_acceptable());
    }
    // Streams are JSON; a table row by row.
    call.form = Form {
        format: Format::Json,
        ..call.form
    };
    let signal = call.core.store.subscribe(&call.resource);
    let now = Instant::now();
    let wanted = call.query.version_of_one()?;
    let current = call.core.store.version();
    if let Some(wanted) = wanted.filter(|wanted| *wanted > current) {
        return Err(Refusal::version_ahead(wanted, current));
    }
    let mut watcher = Watcher {
        selector,
        seen: wanted.unwrap_or_default(),
        signal,
        ready: VecDeque::new(),
        ends: now + timeout.unwrap_or(LONGEST).min(LONGEST),
        bookmark: bookmarks.then_some(now + BOOKMARK),
        initial: initial == Some(true) && bookmarks,
        columns: true,
        over: false,
        call,
    };
    let from_history = wanted.is_some_and(|wanted| wanted > 0) && initial != Some(true);
    if !from_history && initial != Some(false) {
        watcher.take_all();
    } else if !from_history {
        watcher.seen = current;
    }
    let body = stream::unfold(watcher, |mut watcher| async move {
        Some((watcher.next().await?, watcher))
    });
    let mut answer = Response::new(ApiBody::stream(body));
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(Format::Json.media_type()),
    );
    Ok(answer)
}

/// `sendInitialEvents` and what must stand beside it.
fn sends_initial(call: &Call) -> Result<Option<bool>, Refusal> {
    let said = call
        .query
        .text("sendInitialEvents")
        .map(|_| call.query.flag("sendInitialEvents"));
    let matching = call.query.text("resourceVersionMatch");
    let forbidden = |field: &str, why: &str| {
        Err(Refusal::invalid_option(
            "ListOptions",
            &Cause::forbidden(field, why),
        ))
    };
    match (said, matching) {
        (None, None) => Ok(None),
        (None, Some(_)) => forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
        (Some(said), Some("NotOlderThan")) => Ok(Some(said)),
        (Some(_), _) => forbidden(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
    }
}

impl Watcher {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            if self.over {
                return None;
            }
            // Seen before looking, so that nothing that comes meanwhile is missed.
            self.signal.borrow_and_update();
            let has_more = self.take();
            if has_more || !self.ready.is_empty() {
                continue;
            }
            if self.initial {
                self.initial = false;
                self.push_bookmark(true);
                continue;
            }
            let bookmark = self.bookmark.unwrap_or(self.ends);
            tokio::select! {
                biased;
                changed = self.signal.changed() => self.over = changed.is_err(),
                () = tokio::time::sleep_until(self.ends) => self.over = true,
                () = tokio::time::sleep_until(bookmark), if self.bookmark.is_some() => {
                    self.bookmark = Some(Instant::now() + BOOKMARK);
                    self.push_bookmark(false);
                }
            }
        }
    }

    /// All objects there are, as if they were created now.
    fn take_all(&mut self) {
        let page = Page {
            scope: list::scope(&self.call),
            after: None,
            at: None,
        };
        let (version, entries) = self
            .call
            .core
            .store
            .list(&self.call.resource, &page)
            .unwrap_or_default();
        for entry in &entries {
            if self.selector.matches(entry) {
                self.push("ADDED", entry);
            }
        }
        self.seen = version;
    }

    /// What happened since, or a part of it; says whether there may be more.
    fn take(&mut self) -> bool {
        let core = Arc::clone(&self.call.core);
        let Some((events, seen)) = core.store.events(&self.call.resource, self.seen, STEP) else {
            let status = self.gone().status();
            self.ready
                .push_back(format!("{{\"type\":\"ERROR\",\"object\":{status}}}\n").into());
            self.over = true;
            return false;
        };
        for event in &events {
            self.push_event(event);
        }
        self.seen = seen;
        events.len() == STEP
    }

    fn gone(&self) -> Refusal {
        Refusal::expired(format!("too old resource version: {}", self.seen))
    }

    /// An object that starts or stops matching is added or deleted for this watcher.
    fn push_event(&mut self, event: &Event) {
        let in_scope = match list::scope(&self.call) {
            Scope::All => true,
            Scope::Namespace(namespace) => &*event.entry.key().namespace == namespace,
        };
        if !in_scope {
            return;
        }
        let before = event
            .before
            .as_ref()
            .is_some_and(|before| self.selector.matches(before));
        let after = event
            .after()
            .is_some_and(|after| self.selector.matches(after));
        match (before, after) {
            (false, true) => self.push("ADDED", &event.entry),
            (true, true) => self.push("MODIFIED", &event.entry),
            (true, false) => match &event.before {
                // The last state that matched, at the version at which it stopped to.
                Some(before) if event.after().is_some() => {
                    let last = before.at(event.version());
                    self.push("DELETED", &last);
                }
                _ => self.push("DELETED", &event.entry),
            },
            (false, false) => {}
        }
    }

    fn push(&mut self, kind: &'static str, entry: &Entry) {
        let head: &'static [u8] = match kind {
            "ADDED" => br#"{"type":"ADDED","object":"#,
            "MODIFIED" => br#"{"type":"MODIFIED","object":"#,
            _ => br#"{"type":"DELETED","object":"#,
        };
        self.ready.push_back(Bytes::from_static(head));
        let item = if self.call.form.shape == Shape::Table {
            let list = json!({ "resourceVersion": entry.version.to_string() });
            let row = answer::table_value(&self.call, entry);
            self.table(&[row], &list).to_string().into()
        } else {
            answer::item(&self.call, entry)
        };
        self.ready.push_back(item);
        self.ready.push_back(Bytes::from_static(b"}\n"));
    }

    fn table(&mut self, rows: &[Value], list: &Value) -> Value {
        let mut table = answer::table(&self.call, rows, list);
        if !std::mem::take(&mut self.columns) {
            table["columnDefinitions"] = Value::Null;
        }
        table
    }

    fn push_bookmark(&mut self, initial: bool) {
        let mut metadata =
            json!({ "resourceVersion": self.seen.to_string(), "creationTimestamp": null });
        if initial {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let object = match self.call.form.shape {
            Shape::Full => json!({
                "kind": self.call.resource.kind,
                "apiVersion": self.call.api_version(),
                "metadata": metadata,
            }),
            Shape::Metadata => json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
            }),
            Shape::Table => {
                let list = json!({ "resourceVersion": self.seen.to_string() });
                self.table(&[], &list)
            }
        };
        let event = json!({ "type": "BOOKMARK", "object": object });
        self.ready.push_back(format!("{event}\n").into());
    }
}
