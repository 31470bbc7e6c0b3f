//! Every bound of this crate, by name.
//!
//! What comes out of a sandbox was chosen by a model: nothing of it is read, kept or
//! waited for without one of these.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one sandbox may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Memory of the sandbox as a whole where a cgroup can be made, else of each process.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u32,
    /// CPU time of the sandbox as a whole, in hundredths of one CPU. `None`: shared by the kernel.
    #[serde(default)]
    pub cpu_percent: Option<u32>,
    /// Bytes of all files of the sandbox where it has an image, else of each of its files.
    #[serde(default)]
    pub disk_bytes: Option<u64>,
    /// Number of files where it has an image. `None`: as many as usual for its size.
    #[serde(default)]
    pub disk_files: Option<u64>,
    /// Open files of each process.
    pub open_files: u64,
    /// Size of `/tmp`, which is in memory.
    pub tmp_bytes: u64,
    /// Files in `/tmp`.
    pub tmp_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 4 << 30,
            processes: 1024,
            cpu_percent: None,
            disk_bytes: None,
            disk_files: None,
            open_files: 4096,
            tmp_bytes: 512 << 20,
            tmp_files: 65_536,
        }
    }
}

/// The version of what host and sandbox say to each other; another one is never attached to.
pub(crate) const PROTOCOL_VERSION: u32 = 2;

pub(crate) const REQUEST_BYTES_MAX: usize = 16 << 20;
pub(crate) const RESPONSE_BYTES_MAX: usize = 48 << 20;
pub(crate) const LAUNCH_ORDER_BYTES_MAX: usize = 512 << 10;
/// The authorities that a root trusts.
pub(crate) const AUTHORITIES_BYTES_MAX: u64 = 4 << 20;
pub(crate) const LAUNCH_ANSWER_BYTES_MAX: usize = 64 << 10;
/// A small file of `/proc` or of a cgroup.
pub(crate) const PROC_FILE_BYTES_MAX: u64 = 16 << 10;
pub(crate) const RECORD_BYTES_MAX: u64 = 64 << 10;
/// An answer of a container engine: the longest is a list of containers.
pub(crate) const ENGINE_ANSWER_BYTES_MAX: u64 = 16 << 20;
pub(crate) const ENGINE_REASON_CHARS_MAX: usize = 500;
/// What is shown of the output of a container that ended at once.
pub(crate) const CONTAINER_LOG_BYTES_MAX: usize = 2000;
/// The loader's list of the libraries of our own program.
pub(crate) const LIBRARY_LIST_BYTES_MAX: u64 = 64 << 10;
pub(crate) const LIBRARIES_MAX: usize = 64;
pub(crate) const LOADER_PATH_BYTES_MAX: usize = 4096;
/// Of a content that goes to a pod or comes from one.
pub(crate) const CHUNK_BYTES_MAX: usize = 256 << 10;
pub(crate) const RELAY_BUFFER_BYTES: usize = 64 << 10;
/// How long the processes of a pod wait for its keeper to listen.
pub(crate) const KEEPER_START_TIME_MAX: Duration = Duration::from_secs(60);
/// Calls of tools, and one place for files beside each.
pub(crate) const KEEPER_CONNECTIONS_MAX: usize = 2 * AGENT_CONNECTIONS_MAX;
/// Pods: what of the API of a cluster is read, waited for and asked again.
pub(crate) const API_ANSWER_BYTES_MAX: usize = 16 << 20;
pub(crate) const API_ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
pub(crate) const API_ATTEMPTS_MAX: u32 = 5;
pub(crate) const API_PAUSE_MAX: Duration = Duration::from_secs(10);
/// A token or a bundle of authorities.
pub(crate) const API_FILE_BYTES_MAX: u64 = 1 << 20;
/// Pods in one answer, as the API is asked for them, and answers.
pub(crate) const API_LIST_PAGE: &str = "250";
pub(crate) const API_LIST_PAGES_MAX: usize = 400;
/// How long one watch lasts, and the pause before the next one if it brought nothing.
pub(crate) const WATCH_SECONDS_MAX: u64 = 300;
pub(crate) const WATCH_PAUSE: Duration = Duration::from_secs(1);
pub(crate) const WEBSOCKET_MESSAGE_BYTES_MAX: usize = 4 << 20;
/// For the last words to arrive when a connection into a pod ends.
pub(crate) const EXEC_END_TIME_MAX: Duration = Duration::from_secs(10);
pub(crate) const EXEC_PING_EVERY: Duration = Duration::from_secs(20);
/// A machine may have to be found and two images to be pulled first.
pub(crate) const POD_START_TIME_MAX: Duration = Duration::from_secs(300);
pub(crate) const AGENT_END_TIME_MAX: Duration = Duration::from_secs(30);
/// For a keeper to answer about files, and between two pieces of a content.
pub(crate) const FAR_ANSWER_TIME_MAX: Duration = Duration::from_secs(300);
pub(crate) const FAR_STALL_TIME_MAX: Duration = Duration::from_secs(120);
/// Memory of a keeper, which packs and unpacks files, and what a cluster sets aside for tools.
pub(crate) const KEEPER_MEMORY_BYTES: u64 = 512 << 20;
pub(crate) const POD_MEMORY_REQUEST_BYTES: u64 = 256 << 20;
/// Our program with its libraries.
pub(crate) const PROGRAM_BYTES_MAX: u64 = 1 << 30;
/// The ids of users that pods have, each another one: above those of the machine's own users, and
/// below the largest that the API takes; and in a namespace of users.
pub(crate) const POD_UID_BASE: u64 = 1_000_000_000;
pub(crate) const POD_UIDS: u64 = 1_000_000_000;
pub(crate) const POD_UIDS_IN_NAMESPACE: u64 = 65_000;
pub(crate) const CALL_ID_BYTES_MAX: usize = 128;

/// Threads of the agent, beyond the processes of tools.
pub(crate) const AGENT_PROCESSES_MAX: u64 = AGENT_CONNECTIONS_MAX as u64 + 16;
pub(crate) const CPU_PERIOD_MICROSECONDS: u64 = 100_000;

/// Cgroups that a server looks at, at its start, to remove those that nobody else will; and what is read of one.
pub(crate) const ABANDONED_CGROUPS_MAX: usize = 100_000;
pub(crate) const CGROUP_OWNER_BYTES_MAX: usize = 4352;

/// Calls that one sandbox works on at once, and those the host keeps open to it.
pub(crate) const AGENT_CONNECTIONS_MAX: usize = 80;
pub(crate) const HOST_CALLS_MAX: usize = 48;

/// Commands of the operator that run in one sandbox at once. They take no place of the host's calls.
pub(crate) const EXECS_MAX: usize = 8;
/// Programs that serve the host, beside those.
pub(crate) const SERVERS_MAX: usize = 20;
/// Bytes of the standard error of one that are passed on in a second, and at once. Nobody waits for them, so nothing else
/// makes a program that floods it wait.
pub(crate) const SERVER_ERROR_BYTES_PER_SECOND: usize = 1 << 20;
/// What one frame of such a command carries, and what is still passed on of what it wrote when it
/// has ended, of each stream: somebody else may go on writing there for ever.
pub(crate) const EXEC_FRAME_BYTES_MAX: usize = 32 << 10;
pub(crate) const EXEC_LAST_BYTES_MAX: usize = 1 << 20;

/// Answers that a sandbox keeps for a host that did not live to hear them, and their bytes.
pub(crate) const ANSWERS_KEPT_MAX: usize = 64;
pub(crate) const ANSWERS_KEPT_BYTES_MAX: usize = 1 << 20;

/// Sandboxes that are made ahead, at most: each has its processes and its memory.
pub const POOL_MAX: usize = 64;

/// Launches at once: more would only take the processor from each other, and from what runs.
pub(crate) const LAUNCHES_MAX: usize = 16;
/// Launchers that one zygote has: those of launches that were given up may need a moment to end.
pub(crate) const LAUNCH_PROCESSES_MAX: usize = 4 * LAUNCHES_MAX;
pub(crate) const LAUNCH_TIME_MAX: Duration = Duration::from_secs(30);
/// A slow disk makes an engine slow to make and to remove containers.
pub(crate) const ENGINE_ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// For what a container said before its end to be read.
pub(crate) const LAST_ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
pub(crate) const PING_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an agent may take to end when it is asked to, before it is killed.
pub(crate) const FAREWELL_TIME_MAX: Duration = Duration::from_secs(5);
pub(crate) const DEATH_TIME_MAX: Duration = Duration::from_secs(30);
/// How long host and agent wait for the bytes of a request to be taken or to come, and the agent
/// for its answer to be taken.
pub(crate) const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);
/// How long the host waits for a tool other than bash.
pub(crate) const FILE_TOOL_TIME_MAX: Duration = Duration::from_secs(120);
/// What the host grants on top of a command's own time-out.
pub(crate) const BASH_ANSWER_GRACE: Duration = Duration::from_secs(30);

pub(crate) const BASH_TIMEOUT_DEFAULT: Duration = Duration::from_secs(120);
pub(crate) const BASH_TIMEOUT_MAX: Duration = Duration::from_secs(600);
/// The longest wait of a command for those before it, each of which takes all of its time.
pub(crate) const QUEUE_TIME_MAX: Duration = Duration::from_secs(
    AGENT_CONNECTIONS_MAX as u64 * (BASH_TIMEOUT_MAX.as_secs() + BASH_ANSWER_GRACE.as_secs()),
);
pub(crate) const SHELL_START_TIME_MAX: Duration = Duration::from_secs(10);
/// What a shell may leave to the next one; with more it leaves its exported variables only.
pub(crate) const SHELL_STATE_BYTES_MAX: usize = 4 << 20;
/// How long a shell may take to say how it is left, how long the next one to become like it, and
/// how long the host waits for the former.
pub(crate) const SHELL_REST_TIME_MAX: Duration = Duration::from_secs(3);
pub(crate) const SHELL_RECALL_TIME_MAX: Duration = Duration::from_secs(5);
pub(crate) const REST_TIME_MAX: Duration = Duration::from_secs(10);
/// Between SIGTERM and SIGKILL.
pub(crate) const TERM_GRACE: Duration = Duration::from_millis(150);
/// How long the shell may take to answer after its children were killed.
pub(crate) const SHELL_ANSWER_GRACE: Duration = Duration::from_millis(500);
pub(crate) const KILL_ROUNDS_MAX: usize = 16;
pub(crate) const KILL_ROUND_TIME_MAX: Duration = Duration::from_millis(500);
/// Processes that one round of a kill holds a descriptor of.
pub(crate) const KILL_BATCH_MAX: usize = 512;
/// How often a sandbox without a mount namespace of ours wakes up to see whether it is an orphan. Two
/// system calls in five minutes cost nothing, and without them one would stay until the next boot.
pub(crate) const ORPHAN_CHECK_DEFAULT: Duration = Duration::from_secs(300);
/// What background jobs wrote between two calls and is shown with the next one.
pub(crate) const BACKGROUND_OUTPUT_BYTES_MAX: usize = 32 << 10;

/// Above this many characters an output goes to a file and the model gets a preview.
pub(crate) const OUTPUT_CHARS_MAX: usize = 100_000;
pub(crate) const PREVIEW_HEAD_CHARS: usize = 10_000;
pub(crate) const PREVIEW_TAIL_CHARS: usize = 10_000;
pub(crate) const SPILL_BYTES_MAX: u64 = 64 << 20;
/// An escape sequence longer than this is not one.
pub(crate) const ESCAPE_SEQUENCE_BYTES_MAX: usize = 4096;

pub(crate) const READ_TEXT_BYTES_MAX: u64 = 256 << 10;
pub(crate) const READ_IMAGE_BASE64_BYTES_MAX: u64 = 5 << 20;
pub(crate) const READ_DOCUMENT_BYTES_MAX: u64 = 20 << 20;
pub(crate) const EDIT_FILE_BYTES_MAX: u64 = 10 << 20;
pub(crate) const GLOB_RESULTS_MAX: usize = 200;
pub(crate) const WALK_FILES_MAX: usize = 200_000;
pub(crate) const WALK_DEPTH_MAX: usize = 100;
pub(crate) const GREP_FILES_MAX: usize = 50_000;
pub(crate) const GREP_OUTPUT_BYTES_MAX: usize = 100 << 10;
pub(crate) const GREP_LINE_BYTES_MAX: usize = 2_000;
pub(crate) const GREP_HEAP_BYTES_MAX: usize = 16 << 20;
pub(crate) const WALK_TIME_MAX: Duration = Duration::from_secs(30);
pub(crate) const PATH_BYTES_MAX: usize = 4096;
pub(crate) const PATTERN_BYTES_MAX: usize = 10_000;

/// Directories that one root file system is made of. They travel as descriptors in one message,
/// and their names in one page.
pub(crate) const LAYERS_MAX: usize = 32;
/// What a sandbox may have written that is to become a layer.
pub(crate) const LAYER_ENTRIES_MAX: u64 = 2_000_000;
pub(crate) const LAYER_DEPTH_MAX: usize = 200;
/// A name in a directory, and a path of names that the host chose.
pub(crate) const NAME_BYTES_MAX: usize = 255;
pub(crate) const INNER_PATH_BYTES_MAX: usize = 1024;
pub(crate) const INNER_PATH_NAMES_MAX: usize = 32;
/// How often the kernel is asked to resolve a path while somebody renames directories.
pub(crate) const RESOLVE_ATTEMPTS_MAX: usize = 64;
/// What the record of the placed uploads may hold.
pub(crate) const UPLOADS_RECORD_BYTES_MAX: u64 = 4 << 20;
/// Names that are taken out of the uploads before the directory is read again.
pub(crate) const PRUNE_BATCH_MAX: usize = 1024;

/// Outputs: names that are looked at, files that are shown, and what their paths may be.
pub(crate) const OUTPUT_ENTRIES_MAX: usize = 20_000;
pub(crate) const OUTPUT_FILES_MAX: usize = 1_000;
pub(crate) const OUTPUT_DEPTH_MAX: usize = 16;
pub(crate) const OUTPUT_PATH_BYTES_MAX: usize = 1024;
pub(crate) const OUTPUT_SCAN_TIME_MAX: Duration = Duration::from_secs(5);
/// Outputs that are named as left out; more are but counted.
pub(crate) const OUTPUTS_LEFT_OUT_NAMED_MAX: usize = 16;
/// What the kernel says about a few netlink messages.
pub(crate) const NETLINK_ANSWER_BYTES_MAX: usize = 8 << 10;
/// Connections that wait for the gateway at one of its sockets.
pub(crate) const GATEWAY_BACKLOG: i32 = 256;
/// Ports that lead to the gateway where the kernel cannot hand over all of them: SSH, HTTP,
/// HTTPS and git.
pub(crate) const KNOWN_PORTS: [u16; 4] = [22, 80, 443, 9418];
/// Each of the known ports for two versions of IP, and two more.
pub(crate) const GATEWAY_SOCKETS_MAX: usize = 2 * KNOWN_PORTS.len() + 2;
pub(crate) const SOCKETS_ANSWER_BYTES_MAX: usize = 4 << 10;

/// The archive of a sandbox: names, bytes of contents, directories within each other, and bytes of
/// one file that is about the sandbox. One with more stays where it is.
pub(crate) const ARCHIVE_ENTRIES_MAX: u64 = 2_000_000;
pub(crate) const ARCHIVE_BYTES_MAX: u64 = 64 << 30;
pub(crate) const ARCHIVE_DEPTH_MAX: usize = 256;
pub(crate) const ARCHIVE_FILE_BYTES_MAX: u64 = 8 << 20;
/// The name, the attributes and the extents of one file, and how many of the last.
pub(crate) const ARCHIVE_HEADER_BYTES_MAX: usize = 256 << 10;
pub(crate) const ARCHIVE_EXTENTS_MAX: usize = 4096;
/// What is remembered of directories until all files are there, and of files that have several
/// names until all of these are.
pub(crate) const ARCHIVE_LATER_BYTES_MAX: usize = 256 << 20;
/// Of zstd: the files of agents are compressed once and mostly never read.
pub(crate) const ARCHIVE_LEVEL: i32 = 1;
/// Threads that compress one archive, beside the one that reads the files.
pub(crate) const ARCHIVE_THREADS: u32 = 1;

/// What is looked at to describe a sandbox to its operator: names on disk, directories that are open
/// or processes between one and its ancestor, processes, and bytes of one file of the kernel.
pub(crate) const SURVEY_NAMES_MAX: u64 = 2_000_000;
pub(crate) const SURVEY_DEPTH_MAX: usize = 512;
pub(crate) const SURVEY_PROCESSES_MAX: usize = 4096;
pub(crate) const SURVEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// Images of disks are made of blocks of this size, and unless it is said, there is one file for so
/// many bytes.
pub(crate) const DISK_BLOCK_BYTES: u64 = 4096;
pub(crate) const DISK_BYTES_PER_FILE: u64 = 16 << 10;
/// How often a device is looked for that somebody else takes or leaves meanwhile.
pub(crate) const LOOP_DEVICE_ATTEMPTS_MAX: usize = 10_000;
/// What is shown of why a file system was not made.
pub(crate) const FORMATTER_ANSWER_BYTES_MAX: u64 = 2000;

/// The uids of a sandbox that root makes, counted from the configured base.
pub(crate) const UID_RANGE: u32 = 65_536;
