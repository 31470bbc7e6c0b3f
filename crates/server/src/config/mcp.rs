//! Section `[mcp]`: how MCP servers of agents are spoken to. Where they may be is in `[network]`.

use std::time::Duration;

use hostler_mcp::{Elicitation, Options};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::quantity::Span;
use super::resolve::Resolving;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawMcp {
    /// How long a server may be silent in a call of one of its tools. A report of its progress begins the time anew,
    /// for an hour at most.
    pub call_timeout: Span,
    /// What a server is answered that asks the user something in the middle of a call: `decline` lets none ask;
    /// `accept-defaults` sends the form back with the server's own defaults, if each field that it requires has one.
    pub elicitation: ElicitationMode,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ElicitationMode {
    #[default]
    Decline,
    AcceptDefaults,
}

impl Default for RawMcp {
    fn default() -> Self {
        Self {
            call_timeout: Span(Duration::from_secs(5 * 60)),
            elicitation: ElicitationMode::Decline,
        }
    }
}

/// The longest that any call may take.
const CALL_TIMEOUT_MAX: Duration = Duration::from_secs(60 * 60);

impl RawMcp {
    pub(super) fn resolve(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> Options {
        if self.call_timeout.0.is_zero() || self.call_timeout.0 > CALL_TIMEOUT_MAX {
            let longest = Span(CALL_TIMEOUT_MAX);
            let message = format!("must be more than 0 and at most {longest}");
            problems.push(at.problem(&["mcp", "call_timeout"], message));
        }
        Options {
            call_timeout: self.call_timeout.0,
            elicitation: match self.elicitation {
                ElicitationMode::Decline => Elicitation::Decline,
                ElicitationMode::AcceptDefaults => Elicitation::AcceptDefaults,
            },
        }
    }
}
