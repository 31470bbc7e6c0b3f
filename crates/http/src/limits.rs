//! Every bound of this crate that is not an option, by name.

use std::time::Duration;

/// Characters of a query string.
pub(crate) const QUERY_BYTES_MAX: usize = 16 * 1024;
/// Pairs of a query string.
pub(crate) const QUERY_PAIRS_MAX: usize = 512;
/// Values of the `anthropic-beta` header.
pub(crate) const BETAS_MAX: usize = 64;
/// Characters of one beta value.
pub(crate) const BETA_CHARS_MAX: usize = 128;
/// Characters of a credential.
pub(crate) const CREDENTIAL_CHARS_MAX: usize = 512;
/// Characters of a page cursor.
pub(crate) const CURSOR_CHARS_MAX: usize = 512;
/// Keys that are remembered between requests.
pub(crate) const CACHED_KEYS_MAX: usize = 1_024;
/// How long a remembered key is used: a revoked key works at most this much longer.
pub(crate) const CACHED_KEY_TIME: Duration = Duration::from_secs(1);
/// It is looked up again, by one request, when it has been remembered for so long.
pub(crate) const KEY_RENEWED_AFTER: Duration = Duration::from_millis(500);
/// Requests that look for a key which is not remembered, at the same time; others wait.
pub(crate) const KEY_LOOKUPS_MAX: usize = 16;
/// How often it is measured for how long a request waits for its turn on the processors, how long that may be,
/// and for how long it may be longer before requests are refused. So few may be worked on even then.
pub(crate) const TURN_MEASURED_EVERY: Duration = Duration::from_millis(5);
pub(crate) const TURN_WAIT_MAX: Duration = Duration::from_millis(20);
pub(crate) const TURN_BURST_TIME: Duration = Duration::from_secs(1);
pub(crate) const REQUESTS_ALWAYS: usize = 8;
/// How much of a shared bound a workspace may have, to what is left of it.
pub(crate) const SHARE_OF_FREE: usize = 3;
/// Of the body of a request that is refused without it: so much of it is read, and waited for, so that the connection
/// may be used again.
pub(crate) const UNREAD_BODY_BYTES: usize = 64 * 1024;
pub(crate) const UNREAD_BODY_TIME: Duration = Duration::from_millis(200);
/// Bytes of a body, or of an answer, that are held without being counted: what each request may.
pub(crate) const UNCOUNTED_BODY_BYTES: usize = 16 * 1024;
/// Bytes that are counted for each byte of a JSON body: its text and its values.
pub const BODY_BYTES_HELD: usize = 4;
/// How often the log says that requests are refused.
pub(crate) const REFUSALS_LOGGED_EVERY: Duration = Duration::from_secs(10);
/// Requests between two clean-ups of the rate limiter's buckets.
pub(crate) const RATE_CLEANUP_INTERVAL: u64 = 4_096;
/// What a client is asked to wait before it opens a stream again that the server closed.
pub(crate) const STREAM_RETRY: Duration = Duration::from_secs(1);
/// Frames of an event stream that are written at once.
pub(crate) const FRAMES_PER_WRITE: usize = 16;
/// Bytes of a body that is too large which are read before the client is told.
pub(crate) const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Values of the filters of lists and streams.
pub(crate) const STATUSES_MAX: usize = 16;
pub(crate) const EVENT_TYPES_MAX: usize = 100;
pub(crate) const EVENT_DELTAS_MAX: usize = 100;
/// Files that are asked for by id at once.
pub(crate) const FILE_IDS_MAX: usize = 100;
/// Bytes of an upload that hold no part's content, before the next part has to begin.
pub(crate) const FORM_HEAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a part of an upload that isn't the file.
pub(crate) const FORM_FIELD_BYTES_MAX: usize = 64;
/// Skills that are unpacked and packed at once: each takes some three times what a skill may have.
pub(crate) const SKILL_UPLOADS_AT_ONCE: usize = 2;
/// Bytes of the display name of a skill, as a part of a form.
pub(crate) const DISPLAY_NAME_BYTES_MAX: usize = 2_048;
/// Answers of one request to calls that don't wait: each is looked for in the session's log.
pub(crate) const LATE_ANSWERS_MAX: usize = 16;
/// Different files that the messages of one request can name: each is looked up.
pub(crate) const FILES_OF_REQUEST_MAX: usize = 500;
/// How often a credential's update is made again when others changed the credential meanwhile.
pub(crate) const CREDENTIAL_UPDATE_ATTEMPTS: usize = 5;
