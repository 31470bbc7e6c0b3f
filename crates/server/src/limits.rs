//! The limits of the process around the server; those of requests, sessions and sandboxes are in their crates.

use std::time::Duration;

/// The longest configuration file that is read.
pub(crate) const CONFIG_FILE_BYTES_MAX: u64 = 1 << 20;

/// The longest file with a key in it that is read.
pub(crate) const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// The longest file with credentials for NATS that is read.
pub(crate) const CREDS_FILE_BYTES_MAX: u64 = 64 << 10;

/// How long tasks have to end after the hard stop, before they are dropped where they stand.
pub(crate) const HARD_STOP_WAIT: Duration = Duration::from_secs(2);

/// How long the end of the process waits for the database to take the sessions back.
pub(crate) const GIVE_BACK_WAIT: Duration = Duration::from_secs(2);

/// The longest script of a scripted provider that is read.
pub(crate) const SCRIPT_FILE_BYTES_MAX: u64 = 4 << 20;

/// With less free space than this a server will not get far.
pub(crate) const DISK_FREE_MIN: u64 = 100 << 20;

/// With less free space than this a server works, but not for long.
pub(crate) const DISK_FREE_WANTED: u64 = 1 << 30;

/// The shortest HOSTLER_API_KEY: less could be guessed.
pub(crate) const GIVEN_KEY_CHARS_MIN: usize = 16;
pub(crate) const GIVEN_KEY_CHARS_MAX: usize = 256;

/// Connections that are open at the same time; further ones wait to be accepted.
pub(crate) const CONNECTIONS_MAX: usize = 20_000;

/// How long a client may take to send the head of a request.
pub(crate) const REQUEST_HEAD_TIME_MAX: Duration = Duration::from_secs(30);

/// What is held of a request before its head is complete; strangers can send that much too.
pub(crate) const REQUEST_HEAD_BYTES_MAX: usize = 64 << 10;

/// How long a client may leave an answer unread before its connection is dropped.
pub(crate) const UNREAD_TIME_MAX: Duration = Duration::from_secs(120);

/// How long accepting rests after the system had no descriptor or memory for a connection.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often what was measured is summed up, which bounds its memory where nobody asks for it.
pub(crate) const METRICS_INTERVAL: Duration = Duration::from_secs(5);

/// How often the engine looks for due sessions without having been woken.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How long a session at rest keeps its runner: the pause of a program between two messages, not
/// that of a person.
pub(crate) const RUNNER_REST: Duration = Duration::from_secs(1);

/// What a client sends while it reads an event stream is read in pieces of this size, and ignored.
pub(crate) const LONG_ANSWER_READ_BYTES: usize = 64;
/// Connections of one kind to PostgreSQL, which has 100 in all unless it is told otherwise.
pub(crate) const DATABASE_CONNECTIONS_MAX: u32 = 1_000;
/// How often blobs without a row are looked for in a bucket.
pub(crate) const ORPHANS_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the program that prints the master key of the vaults may take.
pub(crate) const MASTER_KEY_COMMAND_TIME: Duration = Duration::from_secs(30);
/// Credentials that are read at once while they get another master key.
pub(crate) const REWRAPPED_AT_ONCE: usize = 100;
/// How often a long work says how far it is.
pub(crate) const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// Connections that the kernel has accepted and nobody has taken yet. A client whose connection finds no place tries again
/// after a second. The kernel may allow fewer (`net.core.somaxconn`).
pub(crate) const CONNECTIONS_WAITING: u32 = 4_096;
/// How long a person has to agree that sessions use an MCP server, unless the command says otherwise.
pub(crate) const AGREE_SECONDS: u64 = 600;
pub(crate) const AGREE_SECONDS_MAX: u64 = 24 * 60 * 60;
/// Connections to the place where a browser is sent back to.
pub(crate) const REDIRECT_CONNECTIONS_MAX: usize = 32;
/// How long one of them may be silent.
pub(crate) const REDIRECT_TIME_MAX: Duration = Duration::from_secs(10);
/// An authorization server may send a long code along.
pub(crate) const REDIRECT_HEAD_BYTES_MAX: usize = 64 << 10;
/// The longest address that can be pasted.
pub(crate) const PASTED_BYTES_MAX: u64 = 64 << 10;
