//! What went through, counted where it passes: at the connections to the outside.

use std::sync::atomic::{AtomicU64, Ordering};

/// Sums since the attachment was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes written to connections to the outside, heads of HTTP requests included.
    pub bytes_out: u64,
    /// Bytes read from them.
    pub bytes_in: u64,
    /// Connections to the outside that were made.
    pub connections: u64,
    /// Requests and connections that a rule refused.
    pub refused: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Meter {
    bytes_out: AtomicU64,
    bytes_in: AtomicU64,
    connections: AtomicU64,
    refused: AtomicU64,
}

impl Meter {
    pub(crate) fn sent(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage {
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}
