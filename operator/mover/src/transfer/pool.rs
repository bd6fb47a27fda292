//! Buffers that are used again: memory that was touched once costs no page fault.

use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

#[derive(Debug)]
pub(super) struct Pool {
    free: Mutex<Vec<BytesMut>>,
    most: usize,
}

impl Pool {
    pub fn new(most: usize) -> Self {
        Self {
            free: Mutex::new(Vec::with_capacity(most)),
            most,
        }
    }

    pub fn take(&self) -> BytesMut {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.pop().unwrap_or_default()
    }

    pub fn give_back(&self, mut buffer: BytesMut) {
        buffer.clear();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.most {
            free.push(buffer);
        }
    }

    /// What was sent. Where the connection has not yet let go of it, it is not kept.
    pub fn recover(&self, sent: Bytes) {
        if let Ok(buffer) = sent.try_into_mut() {
            self.give_back(buffer);
        }
    }
}
