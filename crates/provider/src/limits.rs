//! Every bound on what comes from a provider, by name.

use std::time::Duration;

/// One server-sent event, its field names included.
pub(crate) const SSE_EVENT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The content of one whole answer, over all of its blocks.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Content blocks of one answer.
pub(crate) const ANSWER_BLOCKS_MAX: usize = 1_000;
/// Fields of one content block.
pub(crate) const BLOCK_FIELDS_MAX: usize = 64;
/// A count of tokens above this is a lie, and sums of counts must not overflow.
pub(crate) const TOKENS_MAX: u64 = 1 << 40;
/// What is read of the body of an HTTP error.
pub(crate) const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;
pub(crate) const ERROR_MESSAGE_CHARS_MAX: usize = 500;
/// The same before credentials are taken out: longer, so that the final cut leaves no half key.
pub(crate) const FOREIGN_MESSAGE_CHARS_MAX: usize = 4_000;
/// Ids, names and reasons that a provider gives.
pub(crate) const FOREIGN_NAME_CHARS_MAX: usize = 256;
/// Tool arguments that are no JSON object, kept as text.
pub(crate) const INVALID_INPUT_CHARS_MAX: usize = 4_000;
/// A provider that asks for a longer wait gets this one.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// The Messages API takes four cache marks in one request: these, the system prompt and the tools.
pub(crate) const CACHE_MARKED_MESSAGES: usize = 2;
/// A value of a configured header that is at least so long may be a credential.
pub(crate) const SECRET_HEADER_BYTES_MIN: usize = 8;

pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
pub(crate) const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(300);
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(180);
/// Slow local models take their time, and the longest answers of the fastest take minutes.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(2 * 3600);
/// How soon a dead connection that is kept for the next request is found out.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Parts of a script.
pub(crate) const SCRIPT_BYTES_MAX: usize = 4 * 1024 * 1024;
pub(crate) const SCRIPT_TURNS_MAX: usize = 1_000;
pub(crate) const SCRIPT_CHUNK_CHARS: usize = 24;
