//! Why a sandbox cannot be had, or was lost.

use std::io;

/// This host cannot make sandboxes as configured. For the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no sandbox can be made here: {reason}; {hint}")]
pub struct Unavailable {
    pub reason: String,
    /// What would change it.
    pub hint: String,
}

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The sandbox went away, before or during the call: it is unknown how far that came.
    #[error("the sandbox was lost: {reason}")]
    Lost { reason: String },
    /// It could not be made.
    #[error("the sandbox cannot be made: {reason}")]
    Unavailable { reason: String },
    /// It answered what no agent of ours answers. Its processes should be destroyed.
    #[error("the sandbox broke the protocol: {reason}")]
    Protocol { reason: String },
    /// The call was not begun.
    #[error("the sandbox did not take the call: {reason}")]
    Refused { reason: String },
    #[error("while working on the sandbox's files: {0}")]
    Io(#[from] io::Error),
}

impl SandboxError {
    pub(crate) fn lost(reason: impl Into<String>) -> Self {
        Self::Lost {
            reason: reason.into(),
        }
    }

    pub(crate) fn protocol(reason: impl Into<String>) -> Self {
        Self::Protocol {
            reason: reason.into(),
        }
    }
}
