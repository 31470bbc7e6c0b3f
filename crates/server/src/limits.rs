//! The limits of the process around the server; those of requests, sessions and sandboxes are in their crates.

use std::time::Duration;

/// The longest configuration file that is read.
pub(crate) const CONFIG_FILE_BYTES_MAX: u64 = 1 << 20;

/// The longest file with a key in it that is read.
pub(crate) const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// How long tasks have to end after the hard stop, before they are dropped where they stand.
pub(crate) const HARD_STOP_WAIT: Duration = Duration::from_secs(2);
