//! The crate against servers on loopback: both transports, tokens, refusals, and servers that misbehave.
//! The protocol itself is judged by the conformance suite (`tests/sdk/test_mcp_conformance.py`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod guarding;
mod older_transport;
mod refreshing;
mod server;
mod stdio;
mod streamable;
