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

/// Connections that one sandbox has at once, and all of them together; more wait in the queues of
/// their listeners. Each takes two descriptors.
pub(crate) const CONNECTIONS_MAX_DEFAULT: usize = 256;
pub(crate) const CONNECTIONS_TOTAL_MAX_DEFAULT: usize = 8192;
/// Between two attempts to accept after one failed, as when the process is out of descriptors.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Connections that the thread of a sandbox has taken and nobody attends to yet.
pub(crate) const ACCEPTED_WAITING_MAX: usize = 1;
/// That thread makes a handful of system calls.
pub(crate) const ACCEPTOR_STACK: usize = 128 << 10;
/// How long it may take to end by itself; after that its sockets are shut down.
pub(crate) const ACCEPTOR_END_TIME_MAX: Duration = Duration::from_secs(1);

/// Names of one sandbox that have an address at once.
pub(crate) const NAMES_MAX: usize = 4096;
/// A names' network is at least this large, so that addresses aren't used again at once.
pub(crate) const NAMES_NETWORK_SIZE_MIN: u64 = 256;

/// Look-ups that one sandbox waits for at once, and all of them together: each takes a thread.
pub(crate) const LOOKUPS_MAX: usize = 8;
pub(crate) const LOOKUPS_TOTAL_MAX: usize = 64;
/// Addresses of one name that are tried.
pub(crate) const ADDRESSES_TRIED_MAX: usize = 8;

/// What a client may send before it is known what it speaks: a TLS hello, or a request line.
pub(crate) const OPENING_BYTES_MAX: usize = 32 << 10;
/// A first line longer than this isn't looked at further.
pub(crate) const FIRST_LINE_BYTES_MAX: usize = 16 << 10;

/// Heads of HTTP messages, of clients and of servers.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;
pub(crate) const HEADERS_MAX: usize = 200;

/// Each direction of a tunnel.
pub(crate) const TUNNEL_BUFFER_BYTES: usize = 16 << 10;
/// What one connection may have under way beside itself: its requests' connections, or a tunnel.
pub(crate) const TASKS_QUEUED_MAX: usize = 4;

/// A question to a name server over UDP.
pub(crate) const QUERY_BYTES_MAX: usize = 1232;
/// Questions of one sandbox that are answered in a second, and at once after a pause.
pub(crate) const QUERIES_PER_SECOND: u32 = 500;
pub(crate) const QUERIES_AT_ONCE: u32 = 1000;
/// How long a client may keep the address of a name, in seconds.
pub(crate) const NAME_SECONDS: u32 = 30;

/// Log lines about refusals of one sandbox, in a second and at once; the rest are counted.
pub(crate) const REFUSALS_LOGGED_PER_SECOND: u32 = 1;
pub(crate) const REFUSALS_LOGGED_AT_ONCE: u32 = 20;

/// How far before its making an authority's time begins, for clocks that differ, and how long it lasts.
pub(crate) const AUTHORITY_PAST: Duration = Duration::from_secs(24 * 3600);
pub(crate) const AUTHORITY_LIFE: Duration = Duration::from_secs(20 * 365 * 24 * 3600);
/// Hosts of one sandbox whose certificates are kept ready.
pub(crate) const CERTIFICATES_MAX: usize = 256;

/// Bodies up to this long are read whole before they are sent, to tell their new length; so many of one
/// sandbox at once.
pub(crate) const BODY_HELD_BYTES_MAX: u64 = 256 << 10;
pub(crate) const BODIES_HELD_MAX: usize = 64;
/// A shorter secret is not looked for in answers: it would be found where it is not.
pub(crate) const SECRET_FOUND_BYTES_MIN: usize = 8;
pub(crate) const SECRET_FOUND_ENCODED_BYTES_MIN: usize = 12;
/// Requests that one connection of HTTP/2 has under way at once.
pub(crate) const STREAMS_MAX: u32 = 32;
/// What they have their library run beside them; more is a defect of the library, and refused.
pub(crate) const STREAM_TASKS_MAX: usize = 256;
