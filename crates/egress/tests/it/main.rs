//! The gateway through its own doors: sockets on loopback stand in for those of a sandbox.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod dns;
mod floods;
mod fuzz;
mod hostile;
mod life;
mod logging;
mod proxy;
mod secrets;
mod shared_sockets;
mod tls;
mod transparent;
mod wire;
mod wire_server;
mod world;
