//! Events as they are stored, for ever.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected should stop"
)]

mod golden;
