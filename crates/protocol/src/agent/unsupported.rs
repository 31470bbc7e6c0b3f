//! What an agent may say and a session of this version can't do yet.
//!
//! Agents hold such configurations; a session of one is refused with the feature's name, so that
//! nothing is accepted and then ignored.

use super::identity::ExecutionIdentity;
use super::session_agent::SessionAgent;
use crate::decode::Invalid;

impl SessionAgent {
    /// The first thing that keeps this agent from running, by its path below `agent`.
    pub fn unsupported(&self) -> Option<Invalid> {
        if self.multiagent.is_some() {
            return Some(Invalid::unsupported("agent.multiagent", "multiagent"));
        }
        if self.model.inference_geo.is_some() {
            let path = "agent.model.inference_geo";
            return Some(Invalid::unsupported(path, "inference_geo"));
        }
        if matches!(self.execution_identity, ExecutionIdentity::AwsRole { .. }) {
            let path = "agent.execution_identity";
            return Some(Invalid::unsupported(
                path,
                "the aws_role execution identity",
            ));
        }
        None
    }
}
