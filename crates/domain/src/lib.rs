//! What the log means and what to do next: plain functions without clock, IO or async.
//!
//! The one entry point is `session::State`: `apply` folds an event, `next` says the step that
//! follows. Around it: `session::admit` (may this input be accepted now?),
//! `session::Summary` (the session row that follows from the events), `catalog` (models,
//! their limits and prices) and `prompt`.
//!
//! [`Env`] lives here because every crate that records facts needs it; nothing else in this
//! crate reads a clock: times come in as values.

pub mod env;

pub use env::Env;
