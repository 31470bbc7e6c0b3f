//! MCP servers of agents: which token is shown to one, and how that token is kept fresh.

mod calls;
mod guard;
mod names;
mod servers;
mod tokens;
mod validation;

pub(crate) use calls::{content, spill};
pub use guard::EgressGuard;
pub(crate) use servers::{Offer, Servers};
pub use tokens::McpTokens;
pub use validation::ValidationError;
