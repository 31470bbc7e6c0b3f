//! Search services as their documents describe them, on this machine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod services;
mod stub;
