//! Servers that talk through a real server of NATS. Without one these tests do nothing, and say so.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets the unexpected should stop"
)]

mod nats_server;
mod relaying;
