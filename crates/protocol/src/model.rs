//! Models as `/v1/models` lists them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelInfo {
    #[serde(rename = "type")]
    pub kind: ModelType,
    pub id: String,
    pub display_name: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    pub lifecycle: ModelLifecycle,
    pub line: Option<ModelLine>,
    pub max_input_tokens: Option<u64>,
    pub max_tokens: Option<u64>,
    /// Null unless every one of them is known: half an answer would be read as a whole one.
    pub capabilities: Option<ModelCapabilities>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deprecated_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retires_at: Option<Timestamp>,
    pub allowed_fallback_models: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelType {
    #[default]
    Model,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelLifecycle {
    Active,
    Deprecated,
    Retired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelLine {
    Haiku,
    Sonnet,
    Opus,
    Fable,
    Mythos,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CapabilitySupport {
    pub supported: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelCapabilities {
    pub batch: CapabilitySupport,
    pub citations: CapabilitySupport,
    pub code_execution: CapabilitySupport,
    pub compaction: Option<CompactionCapability>,
    pub context_management: ContextManagementCapability,
    pub effort: EffortCapability,
    pub image_input: CapabilitySupport,
    pub pdf_input: CapabilitySupport,
    pub server_tools: ServerToolsCapability,
    pub structured_outputs: CapabilitySupport,
    pub thinking: ThinkingCapability,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CompactionCapability {
    pub supported: bool,
    pub summarize: CapabilitySupport,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContextManagementCapability {
    pub supported: bool,
    pub clear_thinking_20251015: Option<CapabilitySupport>,
    pub clear_tool_uses_20250919: Option<CapabilitySupport>,
    pub compact_20260112: Option<CapabilitySupport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EffortCapability {
    pub supported: bool,
    pub low: CapabilitySupport,
    pub medium: CapabilitySupport,
    pub high: CapabilitySupport,
    pub xhigh: Option<CapabilitySupport>,
    pub max: CapabilitySupport,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerToolsCapability {
    pub supported: bool,
    pub code_execution: CapabilitySupport,
    pub web_search: CapabilitySupport,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThinkingCapability {
    pub supported: bool,
    pub types: ThinkingTypes,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThinkingTypes {
    pub adaptive: CapabilitySupport,
    pub between_tools: CapabilitySupport,
    pub disabled: CapabilitySupport,
    pub enabled: CapabilitySupport,
}
