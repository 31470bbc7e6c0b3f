//! MCP servers of agents: which token is shown to one, and how that token is kept fresh.

mod calls;
mod guard;
mod kept;
mod names;
mod opening;
mod servers;
mod stdio;
mod tokens;
mod validation;

pub(crate) use calls::{content, keep_text, spill};
pub use guard::EgressGuard;
pub(crate) use kept::KeptServers;
pub(crate) use servers::{McpCall, Offer, Servers};
pub use tokens::McpTokens;
pub use validation::ValidationError;
