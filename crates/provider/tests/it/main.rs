//! The front door of the crate: `Provider::stream` against a scripted server, over real HTTP.
#![expect(clippy::expect_used, reason = "helpers of a test fail it by panicking")]

mod anthropic_answers;
mod anthropic_requests;
mod connection;
mod failures;
mod fixture;
mod openai_answers;
mod openai_requests;
mod scripted;
