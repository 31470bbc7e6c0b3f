//! Every bound of this crate, by name.

use std::time::Duration;

/// A longer message is not sent, nor taken.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Messages of one topic that wait to be taken. Further ones are lost.
pub(crate) const MESSAGES_WAITING: usize = 256;
/// Commands and messages that wait to be sent.
pub(crate) const COMMANDS_WAITING: usize = 1_024;
/// How long a connection may take to be made, and how often a silent one is asked whether it lives.
pub(crate) const CONNECT_TIME: Duration = Duration::from_secs(5);
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(20);
/// The pause before a connection is tried again doubles up to this.
pub(crate) const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(100);
pub(crate) const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Servers that may be named, and the longest name of all topics.
pub(crate) const SERVERS_MAX: usize = 16;
pub(crate) const PREFIX_CHARS_MAX: usize = 64;
