//! Every bound of this crate, by name.
//!
//! All that arrives here was written by code of strangers: nothing of it is read, kept or
//! waited for without one of these.

use std::time::Duration;

/// A host name in text, and one part of it between dots: what DNS itself can carry.
pub(crate) const NAME_BYTES_MAX: usize = 253;
pub(crate) const LABEL_BYTES_MAX: usize = 63;
/// What is shown of a name that is none, in a log line or an answer.
pub(crate) const SHOWN_CHARS_MAX: usize = 80;

/// Connections that one sandbox has at once; more wait in the listener's queue.
pub(crate) const CONNECTIONS_MAX_DEFAULT: usize = 512;
/// Between two attempts to accept after one failed, as when the process is out of descriptors.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);
