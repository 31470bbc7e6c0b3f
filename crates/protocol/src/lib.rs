//! What crosses a boundary and lives for years: the types of the wire, of the log and of the
//! database's JSON columns.
//!
//! Entry points: [`event::Event`] (the one vocabulary of wire, log and memory), the resource
//! modules (`agent`, `environment`, `session`, `file`, `model`, `vault`, `credential`), [`id`] and [`decode`], which
//! reads a request's JSON into types with errors that name the path.
//!
//! This crate never does IO, never reads a clock and makes no decision: what an event *means* is
//! in `hostler-domain`.

pub mod agent;
pub mod content;
pub mod credential;
pub mod decode;
pub mod environment;
pub mod error;
pub mod event;
pub mod file;
pub mod id;
pub mod limits;
pub mod model;
pub mod page;
pub mod plain;
pub mod secret;
pub mod sent_event;
pub mod session;
pub mod session_repository;
pub mod session_resource;
pub mod skill;
pub mod time;
pub mod vault;

pub use error::{ApiErrorBody, ErrorKind};
pub use time::Timestamp;
