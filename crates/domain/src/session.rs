//! What a session's log means.
//!
//! [`State`] folds the whole log and says the next step; [`Summary`] is the small part that is
//! stored beside the session's row, so that a request can be answered without reading the log;
//! [`accept`] decides on a client's input.

mod accept;
mod calls;
mod change;
mod closing;
mod conversation;
mod fold;
mod intent;
mod next;
mod progress;
mod runs;
mod sealed;
mod snapshot;
mod state;
mod summary;

pub use accept::{Accepted, CallSeen, Input, Refusal, accept};
pub use calls::{Standing, ToolCall};
pub use change::{SessionChange, archive, update};
pub use closing::outcome_unknown;
pub use conversation::{Block, Message, ResultWithFiles, Role};
pub use intent::Intent;
pub use next::{ModelCall, Policy, Purpose, Step, ToolRun, ToolStart};
pub use progress::is_progress;
pub use sealed::{Earlier, Sealed};
pub use snapshot::{SNAPSHOT_FORMAT, Snapshot, SnapshotError};
pub use state::State;
pub use summary::{Awaited, Awaits, CLOCK_TOLERANCE, SessionStatus, Summary};
