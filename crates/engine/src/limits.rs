//! Every bound of this crate, by name. What an operator may change is in `EngineOptions`.

use std::time::Duration;

/// Rows of the log that are read at a time.
pub(crate) const LOG_PAGE: u32 = 1_000;
/// Rows between two snapshots of a session: a wake-up folds so many at most, and what was appended
/// while the last snapshot was written.
pub(crate) const SNAPSHOT_ROWS: i64 = 512;
/// A snapshot whose text is longer, without the older part of the conversation, is not kept: it holds messages
/// that are long and newer than what is sealed.
pub(crate) const SNAPSHOT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Due sessions that a sweep takes up at a time.
pub(crate) const DUE_SESSIONS: u32 = 256;
/// The part of a lease's time that is left when a runner whose lease was not renewed stops.
pub(crate) const LEASE_MARGIN_PART: u32 = 8;
/// Renewals that wait for an answer, each for the time of a lease at most.
pub(crate) const RENEWALS_AT_ONCE: usize = 3;
/// How often due sessions are looked for where other processes may leave some behind.
pub(crate) const DUE_INTERVAL: Duration = Duration::from_millis(500);
/// Decisions in a row without anything to do between them: more is a bug in the domain.
pub(crate) const DECISIONS_MAX: usize = 64;
/// Panics of a session's runner before the session is given up.
pub(crate) const PANICS_MAX: u32 = 3;
/// How often the end of a session that is given up is appended while clients append, too.
pub(crate) const GIVE_UP_TRIES: u32 = 8;
/// How often a session is taken without getting on before it is a suspect: from then on it runs only
/// while no other suspect does.
pub(crate) const SUSPECT_TAKES: u32 = 3;
/// How often it is taken in all without getting on before it is given up.
pub(crate) const TAKES_MAX: u32 = 8;
/// How long a suspect waits before it runs; it doubles each time.
pub(crate) const SUSPECT_PAUSE: Duration = Duration::from_millis(100);
pub(crate) const SUSPECT_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a suspect keeps the others waiting. A process that lives for so long under it does not die of it.
pub(crate) const SUSPECT_TRIAL_MAX: Duration = Duration::from_secs(600);
/// Suspects that wait for their turn in memory; more are found again by the sweep.
pub(crate) const SUSPECTS_WAITING_MAX: usize = 1_024;
/// Tokens that a model may answer where the configuration doesn't say.
pub(crate) const OUTPUT_TOKENS_DEFAULT: u32 = 8_192;
/// Tokens of a summary of a conversation.
pub(crate) const SUMMARY_TOKENS: u32 = 8_192;
/// Calls that a model may make in one answer.
pub(crate) const TOOL_CALLS_MAX: usize = 128;
/// Answers in a row that call tools, before a turn is given up: far above what work takes, so that
/// only a model that goes in circles meets it.
pub(crate) const TOOL_ROUNDS_MAX: u32 = 10_000;
/// Tokens that a judge of calls may answer, thoughts included.
pub(crate) const JUDGE_TOKENS: u32 = 4_096;
/// Attempts at one judgement, all within its time.
pub(crate) const JUDGE_ATTEMPTS_MAX: u32 = 2;
/// Characters of a message about a failed model request.
pub(crate) const ERROR_CHARS_MAX: usize = 1_000;
/// Bytes of JSON that files take in one request to a model: what providers take in all.
pub(crate) const ATTACHMENT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Allowed hosts that a model is told by name; of more it is told that there are some.
pub(crate) const PROMPT_HOSTS_MAX: usize = 20;
/// Between a claim of a pooled sandbox and the making of the next one.
pub(crate) const POOL_PAUSE: Duration = Duration::from_millis(10);
/// How long the packages of one environment may take to install, all together, and one manager.
pub(crate) const PACKAGE_BUILD_TIME: Duration = Duration::from_secs(20 * 60);
pub(crate) const PACKAGE_STEP_TIME_MAX: Duration = Duration::from_secs(600);
/// How long installed packages that nobody asks for are kept.
pub(crate) const PACKAGE_LAYERS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long after a failure the same packages are not tried again.
pub(crate) const PACKAGE_FAILURE_KEPT: Duration = Duration::from_secs(20);
/// Characters of what a package manager said that a failure repeats.
pub(crate) const PACKAGE_LOG_CHARS: usize = 1_500;
/// Characters of the names of packages in a message about them.
pub(crate) const PACKAGE_NAMES_CHARS: usize = 300;
/// Repositories: how long one clone or checkout may take, and the longest that may be configured;
/// bytes of what is fetched, bytes and files of a checkout, and directories within each other.
pub(crate) const REPOSITORY_CLONE_TIME: Duration = Duration::from_secs(300);
pub(crate) const REPOSITORY_STEP_TIME_MAX: Duration = Duration::from_secs(600);
pub(crate) const REPOSITORY_BYTES: u64 = 2 << 30;
pub(crate) const REPOSITORY_FILES: u64 = 200_000;
/// For how long the first request to a model waits for repositories and the skills in them.
pub(crate) const REPOSITORY_SKILLS_WAIT: Duration = Duration::from_secs(60);
/// Folders of `.claude/skills` that are looked at.
pub(crate) const REPOSITORY_SKILLS_MAX: usize = 64;
pub(crate) const REPOSITORY_DEPTH: usize = 100;
/// Skills that are in memory, on their way into a sandbox: each with up to 62 MiB.
pub(crate) const SKILLS_UNPACKED_AT_ONCE: usize = 4;
/// Bytes of all repositories that are kept for the next session.
pub(crate) const REPOSITORY_CACHE_BYTES: u64 = 20 << 30;
/// Repositories of one session that are cloned side by side, and sandboxes at that work at all.
pub(crate) const REPOSITORIES_AT_ONCE: usize = 4;
pub(crate) const REPOSITORY_CLONES_AT_ONCE: usize = 8;
/// How long after a failure the same repository is not tried again for the same session.
pub(crate) const REPOSITORY_FAILURE_KEPT: Duration = Duration::from_secs(300);
/// Characters of what git said that a failure repeats.
pub(crate) const REPOSITORY_LOG_CHARS: usize = 600;
/// Kept repositories, and commits of one, of which it is remembered when they were fetched.
pub(crate) const MIRRORS_REMEMBERED_MAX: usize = 1_024;
pub(crate) const REPOSITORY_COMMITS_REMEMBERED_MAX: usize = 64;
/// Each so many sweeps one looks at every sandbox on disk, those without processes too.
pub(crate) const FULL_SWEEP_EVERY: u32 = 12;
/// While something is being done: between two looks at what others have appended. An interrupt that
/// comes right behind another input waits so long at most.
pub(crate) const LOOK_PAUSE: Duration = Duration::from_millis(25);
/// The pause after an activity that ended without the facts that its step needs, which is a bug.
pub(crate) const PAUSE_AFTER_NOTHING: Duration = Duration::from_millis(100);
/// How long an interrupt waits for a sandbox to take the word that ends what an earlier server had
/// begun in it.
pub(crate) const CANCEL_TIME_MAX: Duration = Duration::from_secs(2);
/// Sessions of which it is remembered what their sandboxes show.
pub(crate) const SYNCED_SESSIONS_MAX: usize = 4_096;
/// Links in one sandbox to uploads that were asked for at a path of their own.
pub(crate) const UPLOAD_LINKS_MAX: usize = 64;
/// Sandboxes that are packed at the same time: more would only take the processor from what runs.
pub(crate) const ARCHIVES_AT_ONCE: usize = 2;
/// Pieces of a sandbox's archive on their way to or from the blob store, and how long one is.
pub(crate) const CHECKPOINT_CHUNKS_IN_FLIGHT: usize = 4;
pub(crate) const CHECKPOINT_CHUNK_BYTES: usize = 256 * 1024;
/// Outputs of a session: bytes of one file and of all, what is read at once, how long one look
/// reads, and how many things that are left out a model is told of.
pub(crate) const OUTPUT_FILE_BYTES_MAX: u64 = 500_000_000;
pub(crate) const OUTPUT_BYTES_MAX: u64 = 10 << 30;
pub(crate) const OUTPUT_CHUNK_BYTES: usize = 1 << 20;
pub(crate) const CAPTURE_TIME_MAX: Duration = Duration::from_secs(60);
pub(crate) const OUTPUTS_NAMED_MAX: usize = 64;
/// Bytes that the files of a workspace may have in all, as for uploads.
pub(crate) const STORAGE_BYTES_MAX: u64 = 1_000_000_000_000;

/// Of what an MCP server has written to its standard error the end is kept, and this much of it told.
pub(crate) const MCP_LAST_WORDS_BYTES: usize = 4096;
pub(crate) const MCP_LAST_WORDS_CHARS: usize = 400;

/// How long before it expires a token for an MCP server is renewed, so that a call that begins now still has it.
pub(crate) const MCP_REFRESH_MARGIN: Duration = Duration::from_secs(30);

/// Characters of one text of an MCP server's result; a longer one goes to a file of the sandbox.
pub(crate) const MCP_RESULT_CHARS_MAX: usize = 100_000;

/// Of such a text the model is shown this much.
pub(crate) const MCP_RESULT_SHOWN_CHARS: usize = 10_000;

/// How long a server may take to renew a token, before another one takes it for dead. Longer than the token
/// endpoint is waited for.
pub(crate) const MCP_REFRESH_CLAIM: Duration = Duration::from_secs(45);

/// How often it is looked whether another server has come to an end with it.
pub(crate) const MCP_REFRESH_LOOK: Duration = Duration::from_millis(100);

/// The pause before renewed tokens are written again that a database did not take.
pub(crate) const MCP_REFRESH_KEEP_PAUSE: Duration = Duration::from_millis(500);

/// How often it may not take them: for ten minutes at least.
pub(crate) const MCP_REFRESH_KEEP_FAILURES: u32 = 1_200;

/// How often somebody may change a credential in the moment in which its new tokens are written.
pub(crate) const MCP_REFRESH_KEEP_CHANGES: u32 = 16;
/// Sessions whose credentials are out of reach and who were not told yet.
pub(crate) const UNTOLD_SESSIONS_MAX: usize = 1024;

/// Characters of a fetched page; a longer one goes to a file of the sandbox, and the model is shown this much.
pub(crate) const FETCHED_CHARS_MAX: usize = 100_000;
pub(crate) const FETCHED_SHOWN_CHARS: usize = 10_000;
/// By which `max_content_tokens` is reckoned.
pub(crate) const BYTES_PER_TOKEN: usize = 4;
