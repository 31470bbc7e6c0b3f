//! Our small type in front of the SDK for MCP servers: connect, list, call, authorise.
//!
//! [`Client`] knows how to reach servers at all; [`Client::connect`] gives a [`Connection`] to one.
//! The rules:
//!
//! - **Transport**: streamable HTTP. A server that answers it with a 4xx is tried with the older transport,
//!   HTTP with server-sent events (`legacy.rs`). Or the standard streams of a program that the caller runs (`stdio.rs`).
//! - **Addresses**: every name is looked up through [`Guard`], and what it did not name is not connected to.
//!   Redirects are not followed, and no proxy is used, since it would connect in our place.
//! - **Tokens** go into one header of requests to the server that they are for.
//! - **What a server says is not trusted**: sizes and times are bounded (`limits.rs`), sampling and roots are not
//!   offered, and questions to a user are answered by [`Elicitation`] alone.
//!
//! It knows no agent, no vault and no configuration. A token is renewed by [`Client::refresh`], obtained in the
//! first place by [`Authorization`]; where it is kept is the caller's matter.

mod authorization;
mod block;
mod client;
mod connection;
mod error;
mod guard;
mod handler;
mod legacy;
mod limits;
mod probe;
mod refresh;
mod stdio;
mod tool;

pub use authorization::{Authorization, AuthorizationError, ClientIdentity, Grant};
pub use block::{Block, Outcome};
pub use client::{Client, Endpoint, Options, Secret};
pub use connection::Connection;
pub use error::{CallError, ConnectError};
pub use guard::{Guard, Refused};
pub use handler::Elicitation;
pub use probe::{HttpResponse, Probe};
pub use refresh::{ClientAuth, Refresh, RefreshError, Refreshed};
pub use stdio::{StdioInput, Streams};
pub use tool::{Tool, Tools};
