//! Every bound of this crate, by name.

use std::time::Duration;

/// Jobs that wait for the writer before callers have to wait for a place in the queue.
pub(crate) const WRITE_QUEUE: usize = 1_024;
/// Jobs that share one commit, and so one sync.
pub(crate) const COMMIT_JOBS_MAX: usize = 256;
/// How long what a client wants may be expected to wait for the database, if it is a burst; beyond
/// that it is refused. A burst is over after the second; what waits for longer is a crowd, and may
/// wait so long. It is one until nobody was refused for the last.
pub(crate) const BURST_WAIT_MAX: Duration = Duration::from_millis(500);
pub(crate) const BURST_TIME: Duration = Duration::from_secs(1);
pub(crate) const CROWD_WAIT_MAX: Duration = Duration::from_millis(20);
pub(crate) const CROWD_CALM: Duration = Duration::from_secs(1);
/// For how long somebody has to have waited until it says what one takes.
pub(crate) const MEASURED_TIME: Duration = Duration::from_millis(10);
/// What one is expected to take before any was measured, and how many may wait in any case.
pub(crate) const TIME_EACH_FIRST: Duration = Duration::from_micros(250);
pub(crate) const CHANGES_ALWAYS: usize = 64;
pub(crate) const READS_ALWAYS: usize = 64;
/// Where nothing has been written for so long, nobody joins the queue.
pub(crate) const STALLED_AFTER: Duration = Duration::from_secs(5);
/// Connections that read side by side.
pub(crate) const READERS: usize = 4;
/// How long SQLite waits for another process (`hostler keys` beside `hostler serve`).
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that stay prepared on each connection.
pub(crate) const PREPARED_STATEMENTS: usize = 128;
/// Connections to PostgreSQL that write and that read, side by side. Two more tell and hear.
pub(crate) const POSTGRES_WRITERS: usize = 8;
pub(crate) const POSTGRES_READERS: usize = 8;
/// How long a job waits for one of them, and for the answer to a statement.
pub(crate) const POSTGRES_PLACE: Duration = Duration::from_secs(10);
pub(crate) const POSTGRES_ANSWER: Duration = Duration::from_secs(15);
/// How long a server may stand still in the middle of a change of a session before PostgreSQL takes the
/// change back, and with it the locks that another server waits for. The others have 10 seconds.
pub(crate) const POSTGRES_PAUSE_IN_CHANGE: Duration = Duration::from_secs(2);
/// How long a connection may take to be made, and how soon a silent one is asked whether it lives.
pub(crate) const POSTGRES_CONNECT: Duration = Duration::from_secs(5);
pub(crate) const POSTGRES_KEEPALIVE: Duration = Duration::from_secs(10);
/// The pause after a connection that could not be made; it doubles up to the second.
pub(crate) const POSTGRES_PAUSE_MIN: Duration = Duration::from_millis(100);
pub(crate) const POSTGRES_PAUSE_MAX: Duration = Duration::from_secs(2);
/// The oldest version that is supported, as PostgreSQL numbers them.
pub(crate) const POSTGRES_VERSION_MIN: i64 = 140_000;
/// How long a schema may take to be brought up to date.
pub(crate) const POSTGRES_MIGRATION: Duration = Duration::from_secs(3_600);
/// Wake-ups for other processes that wait to be told, and those that are told together: a
/// notification is at most 8,000 bytes.
pub(crate) const ANNOUNCEMENTS_WAITING: usize = 4_096;
pub(crate) const ANNOUNCED_TOGETHER: usize = 128;
/// Notifications that wait to be read on a connection.
pub(crate) const NOTIFICATIONS_WAITING: usize = 4_096;
/// How long the listener waits before it sees whether anybody still wants to know.
pub(crate) const LISTEN_STEP: Duration = Duration::from_secs(1);
/// The longest line of an export: a row with the largest event there can be.
pub(crate) const TRANSFER_LINE_BYTES: u64 = 256 * 1024 * 1024;
/// Workspaces and keys that are listed at once.
pub(crate) const WORKSPACES_MAX: i64 = 10_000;
pub(crate) const API_KEYS_MAX: i64 = 10_000;

/// Bytes of a blob that are written at once.
pub(crate) const BLOB_PART_BYTES: usize = 4 * 1024 * 1024;
/// The same for a bucket, where a blob has 10,000 parts at most: enough for the largest archive.
pub(crate) const BUCKET_PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts of one blob that may wait to be written.
pub(crate) const BLOB_PARTS_IN_FLIGHT: usize = 2;
/// How long a connection to a bucket may take, how often a request is repeated and for how long,
/// and the pauses between.
pub(crate) const BUCKET_CONNECT: Duration = Duration::from_secs(5);
pub(crate) const BUCKET_RETRIES: usize = 3;
pub(crate) const BUCKET_RETRY_TIME: Duration = Duration::from_secs(20);
pub(crate) const BUCKET_PAUSE_MIN: Duration = Duration::from_millis(100);
pub(crate) const BUCKET_PAUSE_MAX: Duration = Duration::from_secs(2);
/// How old a blob without a row is before it is deleted, where others may be writing its row.
pub(crate) const ORPHAN_AGE_SHARED: Duration = Duration::from_secs(24 * 60 * 60);
/// How often the rows of a backup are read anew because their bytes were deleted meanwhile; what is
/// read of a file at once; and the longest manifest that is taken for one.
pub(crate) const BACKUP_ROUNDS: u32 = 10;
pub(crate) const BACKUP_CHUNK_BYTES: usize = 1024 * 1024;
pub(crate) const MANIFEST_BYTES_MAX: usize = 1024 * 1024;
/// How long a file that has expired is still listed.
pub(crate) const EXPIRED_FILE_DAYS: u64 = 30;
/// Files that are looked up by id at once.
pub(crate) const FILES_BY_ID_MAX: usize = 100;
/// Expired files that are deleted in one go.
pub(crate) const SWEPT_FILES_MAX: i64 = 256;
/// How often whoever waits for a session looks at it without having been woken up.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// Previews that a slow reader may lag behind before it loses some.
pub(crate) const PREVIEWS: usize = 256;
/// Previews that wait to be carried to other processes, and the longest that is.
pub(crate) const PREVIEWS_WAITING: usize = 1_024;
pub(crate) const PREVIEW_BYTES_MAX: usize = 128 * 1024;
/// Events of which one reader is shown previews at a time; the oldest is dropped for a new one.
pub(crate) const PREVIEWED_EVENTS: usize = 64;
/// Sessions that wait for a runner before further wake-ups are left to the sweep.
pub(crate) const DIRTY_SESSIONS: usize = 4_096;
/// Rows and bytes that are kept for the readers who share a session, and bytes for all sessions.
pub(crate) const TAIL_EVENTS: usize = 256;
pub(crate) const TAIL_BYTES: usize = 256 * 1024;
pub(crate) const TAIL_BYTES_ALL: usize = 64 * 1024 * 1024;
/// Rows that a follower holds in memory, and their text; one event may be longer. There may be many
/// whose clients don't read.
pub(crate) const FOLLOW_PAGE_EVENTS: usize = 256;
pub(crate) const FOLLOW_PAGE_BYTES: usize = 64 * 1024;
/// The text of the rows that are read of a log, or shown of it, at once.
pub(crate) const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Events on one page of the list.
pub(crate) const LIST_PAGE_EVENTS: usize = 1_000;
/// Archives of deleted sessions that are deleted at a time, and old ones that are read at a time.
pub(crate) const SWEPT_CHECKPOINTS_MAX: i64 = 64;
