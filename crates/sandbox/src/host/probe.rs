//! Makes, uses and destroys one sandbox: nothing else proves that a host can.

use std::io;

use super::Inner;
use crate::error::SandboxError;
use crate::isolation::IsolationReport;
use crate::name::SandboxName;
use crate::tool::{Call, Tool};

/// What it is called.
pub(super) const PROBE: &str = "hostler_probe";

impl Inner {
    pub(super) async fn probe(&self) -> Result<IsolationReport, SandboxError> {
        let name: SandboxName = PROBE.parse().map_err(io::Error::other)?;
        self.throw_away(&name).await?;
        let (opened, isolation) = self.open(&name, &self.options.probe).await?;
        let command = "echo \"$((40 + 2))\"".to_owned();
        let tool = Tool::Bash {
            command,
            timeout_ms: None,
        };
        let output = opened
            .sandbox
            .run(Call {
                id: PROBE.to_owned(),
                tool,
            })
            .await?;
        if output.is_error || output.joined_text().trim() != "42" {
            let reason = format!("a command in it answers {:?}", output.joined_text());
            return Err(SandboxError::Unavailable { reason });
        }
        self.throw_away(&name).await?;
        isolation.ok_or_else(|| SandboxError::lost("the probe was there before"))
    }
}
