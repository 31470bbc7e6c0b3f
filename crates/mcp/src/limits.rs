//! What one MCP server may cost.

use std::time::Duration;

/// For the TCP and TLS handshakes.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// From the first byte sent to a session that is ready, and for each page of tools.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// A server that reports progress keeps its call alive, but not longer than this.
pub(crate) const CALL_TOTAL_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// One event of a stream, and with it one result. Answers that are not streams are bounded by the
/// SDK, at the same 16 MiB.
pub(crate) const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a server over standard streams may write between two answers that is none: reports of progress, log messages,
/// and what programs print.
pub(crate) const UNASKED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a line counts for at least: each is looked at.
pub(crate) const UNASKED_LINE_BYTES: usize = 256;

/// How long such a server may leave a message unread.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Tools of one server. What comes behind them is not offered.
pub(crate) const TOOLS_MAX: usize = 1_024;

/// Pages of a list: a server that always has another one is cut off here.
pub(crate) const PAGES_MAX: usize = 64;

/// All descriptions and schemas of one server together: they are part of each request to a model.
pub(crate) const TOOLS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long a connection may take to say goodbye.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Characters of a server's own words that an error repeats.
pub(crate) const ERROR_CHARS_MAX: usize = 500;

/// For an answer of a token endpoint, the whole of it.
pub(crate) const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) const TOKEN_ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Of a body that is shown to whoever asks why a credential does not work.
pub(crate) const SHOWN_BODY_BYTES_MAX: usize = 4 * 1024;
