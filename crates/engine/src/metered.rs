//! An attachment to the gateway whose bytes are counted: in the metrics as they pass, and in the log
//! when it ends.

use std::sync::{Mutex, PoisonError};

use hostler_egress::{Attachment, Usage};
use hostler_protocol::id::SessionId;

pub(crate) struct Metered {
    attachment: Attachment,
    /// What the metrics know already.
    counted: Mutex<Usage>,
}

impl Metered {
    pub(crate) fn new(attachment: Attachment) -> Self {
        Self {
            attachment,
            counted: Mutex::default(),
        }
    }

    /// Adds what came since the last time.
    pub(crate) fn count(&self) {
        let now = self.attachment.usage();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let directions = [
            ("out", now.bytes_out, counted.bytes_out),
            ("in", now.bytes_in, counted.bytes_in),
        ];
        for (direction, now, before) in directions {
            metrics::counter!("hostler_sandbox_network_bytes_total", "direction" => direction)
                .increment(now.saturating_sub(before));
        }
        *counted = now;
    }

    /// At the end, for whoever pays for the traffic.
    pub(crate) fn tell(&self, session: SessionId) {
        self.count();
        let Usage {
            bytes_out,
            bytes_in,
            connections,
            refused,
        } = self.attachment.usage();
        tracing::info!(%session, bytes_out, bytes_in, connections, refused, "a sandbox's network has ended");
    }
}
