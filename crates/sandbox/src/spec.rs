//! What one sandbox is made with, beyond what is the same for all of a host.

use serde::{Deserialize, Serialize};

/// Read whenever the processes of a sandbox are started; those that run go on as they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {}
