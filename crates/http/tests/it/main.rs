//! The service from outside: requests into the router, a real store behind it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets the unexpected should stop"
)]

mod admission;
mod agents;
mod bodies;
mod environments;
mod events;
mod files;
mod harness;
mod models;
mod operations;
mod operators;
mod overload;
mod sessions;
mod streams;
mod vaults;
mod world;
