//! MCP servers of agents: which token is shown to one, and how that token is kept fresh.

mod guard;
mod tokens;
mod validation;

pub use guard::EgressGuard;
pub use tokens::McpTokens;
pub use validation::ValidationError;
