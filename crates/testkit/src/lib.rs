//! What tests of all crates share: scripted stand-ins for what lies outside of the product, each
//! over its real wire. Only ever a dev-dependency.

pub mod bucket;
pub mod database;
pub mod mcp_script;
pub mod model_script;
pub mod table_changes;

pub use database::open_store;
pub use mcp_script::{McpScript, McpToolCall};
pub use model_script::{Gate, ModelScript, RecordedRequest, Reply};
pub use table_changes::TableChanges;
