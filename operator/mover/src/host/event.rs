//! What libvirt says by itself, and the thread that hears it.

#![expect(unsafe_code, reason = "libvirt is a C library, and calls back")]

use std::ffi::{c_int, c_uint, c_void};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{mem, thread};

use tokio::sync::watch;
use virt::connect::Connect;
use virt::error::{Error, clear_error_callback};
use virt::event::{event_register_default_impl, event_run_default_impl};
use virt_sys as c;

use super::fault::Fault;

/// After a failure of the loop itself, so that one that lasts does not take a core.
const REST: Duration = Duration::from_millis(100);

/// What else is heard of: a guest's agent comes and goes without an event in its life.
const EVENTS: [c_uint; 2] = [
    c::VIR_DOMAIN_EVENT_ID_LIFECYCLE,
    c::VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
];

/// Where news are counted.
pub(super) type News = watch::Sender<u64>;

/// Counts one more.
pub(super) fn bump(news: &News) {
    news.send_modify(|count| *count = count.wrapping_add(1));
}

/// Starts the thread that hears events and keeps connections alive: one for the process, before the first
/// connection is made.
pub(super) fn ensure_loop() -> Result<(), Fault> {
    static LOOP: OnceLock<Result<(), Fault>> = OnceLock::new();
    let start = || {
        // Otherwise libvirt prints each error.
        clear_error_callback();
        event_register_default_impl()?;
        let thread = thread::Builder::new().name("libvirt-events".to_owned());
        let started = thread.spawn(|| {
            loop {
                if let Err(error) = event_run_default_impl() {
                    tracing::warn!(%error, "libvirt's event loop failed");
                    thread::sleep(REST);
                }
            }
        });
        started
            .map(drop)
            .map_err(|error| Fault::Failed(error.to_string()))
    };
    LOOP.get_or_init(start).clone()
}

/// A connection whose events are heard. Dropping it blocks, as closing a connection does.
pub(super) struct Heard {
    connect: Connect,
    callbacks: Vec<c_int>,
    hears_end: bool,
}

impl Heard {
    /// Has the events of any domain, and the end of the connection, counted.
    pub(super) fn new(connect: Connect, news: &Arc<News>) -> Result<Self, Error> {
        let mut heard = Self {
            connect,
            callbacks: Vec::new(),
            hears_end: false,
        };
        for event in EVENTS {
            heard.register(event, news)?;
        }
        let opaque = lend(news);
        // SAFETY: the connection is open, and `opaque` lives until libvirt gives it back.
        let registered = unsafe {
            c::virConnectRegisterCloseCallback(
                heard.connect.as_ptr(),
                Some(on_end),
                opaque,
                Some(give_back),
            )
        };
        heard.hears_end = checked(registered, opaque)? == 0;
        Ok(heard)
    }

    pub(super) fn connect(&self) -> &Connect {
        &self.connect
    }

    fn register(&mut self, event: c_uint, news: &Arc<News>) -> Result<(), Error> {
        // libvirt wants a function of the event's own type under a general one.
        // SAFETY: both events call with a domain, two numbers and what was registered with them, as
        // `on_event` takes them.
        let on_event = unsafe {
            mem::transmute::<
                unsafe extern "C" fn(c::virConnectPtr, c::virDomainPtr, c_int, c_int, *mut c_void),
                unsafe extern "C" fn(c::virConnectPtr, c::virDomainPtr, *mut c_void),
            >(on_event)
        };
        let opaque = lend(news);
        // SAFETY: the connection is open, no domain means any, and `opaque` lives until libvirt gives it
        // back.
        let id = unsafe {
            c::virConnectDomainEventRegisterAny(
                self.connect.as_ptr(),
                std::ptr::null_mut(),
                event.cast_signed(),
                Some(on_event),
                opaque,
                Some(give_back),
            )
        };
        self.callbacks.push(checked(id, opaque)?);
        Ok(())
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        // Each holds the connection open. An error means that the connection is gone, and they with it.
        for id in &self.callbacks {
            // SAFETY: the connection is not freed yet.
            unsafe { c::virConnectDomainEventDeregisterAny(self.connect.as_ptr(), *id) };
        }
        if self.hears_end {
            // SAFETY: as above.
            unsafe { c::virConnectUnregisterCloseCallback(self.connect.as_ptr(), Some(on_end)) };
        }
    }
}

fn lend(news: &Arc<News>) -> *mut c_void {
    Arc::into_raw(Arc::clone(news)).cast_mut().cast()
}

/// What was lent for a registration that failed comes back at once: libvirt will not do it.
fn checked(result: c_int, opaque: *mut c_void) -> Result<c_int, Error> {
    if result >= 0 {
        return Ok(result);
    }
    let error = Error::last_error();
    // SAFETY: it was lent for this registration.
    unsafe { give_back(opaque) };
    Err(error)
}

/// # Safety
/// It was lent by [`lend`], and is given back once.
unsafe extern "C" fn give_back(opaque: *mut c_void) {
    // SAFETY: the caller's promise.
    drop(unsafe { Arc::from_raw(opaque.cast_const().cast::<News>()) });
}

/// # Safety
/// What was registered was lent by [`lend`], and was not given back.
unsafe extern "C" fn on_event(
    _connect: c::virConnectPtr,
    _domain: c::virDomainPtr,
    _event: c_int,
    _detail: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: the caller's promise.
    bump(unsafe { &*opaque.cast_const().cast::<News>() });
}

/// # Safety
/// As of [`on_event`].
unsafe extern "C" fn on_end(_connect: c::virConnectPtr, _reason: c_int, opaque: *mut c_void) {
    // SAFETY: the caller's promise.
    bump(unsafe { &*opaque.cast_const().cast::<News>() });
}
