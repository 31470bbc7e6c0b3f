//! Section `[permissions]`: who judges calls under the policy `auto`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::models::Models;
use super::problem::Problem;
use super::quantity::Span;
use super::resolve::Resolving;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawPermissions {
    /// The model that judges tool calls under the permission policy `auto`, by an id that `[[models]]` routes.
    /// Without one every such call waits for a confirmation.
    /// Example: judge_model = "claude-haiku-4-5"
    pub judge_model: Option<String>,
    /// How long one judgement may take. Then the call waits for a confirmation.
    pub judge_timeout: Span,
}

impl Default for RawPermissions {
    fn default() -> Self {
        Self {
            judge_model: None,
            judge_timeout: Span(Duration::from_secs(30)),
        }
    }
}

impl RawPermissions {
    /// None where nobody judges.
    pub(super) fn resolve(
        &self,
        models: &Models,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<hostler_engine::JudgeOptions> {
        let mut refuse = |key: &str, message: String| {
            problems.push(at.problem(&["permissions", key], &message));
        };
        if self.judge_timeout.0.is_zero() {
            refuse("judge_timeout", "must be more than 0".to_owned());
        }
        let model = self.judge_model.clone()?;
        if models.route(&model).is_none() {
            let message = format!("`{model}`: no entry of [[models]] has this id or fits it");
            refuse("judge_model", message);
        }
        Some(hostler_engine::JudgeOptions {
            model,
            timeout: self.judge_timeout.0,
        })
    }
}
