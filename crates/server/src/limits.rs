//! The limits of the process around the server; those of requests, sessions and sandboxes are in their crates.

use std::time::Duration;

/// The longest configuration file that is read.
pub(crate) const CONFIG_FILE_BYTES_MAX: u64 = 1 << 20;

/// The longest file with a key in it that is read.
pub(crate) const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// How long tasks have to end after the hard stop, before they are dropped where they stand.
pub(crate) const HARD_STOP_WAIT: Duration = Duration::from_secs(2);

/// The longest script of a scripted provider that is read.
pub(crate) const SCRIPT_FILE_BYTES_MAX: u64 = 4 << 20;

/// With less free space than this a server will not get far.
pub(crate) const DISK_FREE_MIN: u64 = 100 << 20;

/// With less free space than this a server works, but not for long.
pub(crate) const DISK_FREE_WANTED: u64 = 1 << 30;
