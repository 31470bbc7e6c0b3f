//! What the log means and what to do next: plain functions without clock, IO or async.
//!
//! The one entry point is [`session::State`]: `apply` folds an event, `next` says the step that
//! follows. Around it: [`session::accept`] (may this input be taken now?), [`session::Summary`]
//! (the part of a session's row that follows from the events), [`catalog`] (models, their limits
//! and prices), [`tools`] (what an agent may call), [`web`]
//! (which addresses its web tools may go to), [`judge`] (what a judge of calls is asked) and
//! [`compaction`].
//!
//! [`Env`] lives here because every crate that records facts needs it; nothing else in this
//! crate reads a clock: times come in as values.

pub mod catalog;
pub mod compaction;
pub mod env;
pub mod judge;
pub mod session;
pub mod tools;
pub mod web;

pub use env::Env;
