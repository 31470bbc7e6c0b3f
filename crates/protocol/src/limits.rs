//! Every bound on what a client may say, in one place. Lengths of text are in characters.

use std::ops::RangeInclusive;

// Agents.
pub const AGENT_NAME_CHARS: RangeInclusive<usize> = 1..=256;
pub const AGENT_DESCRIPTION_CHARS_MAX: usize = 2_048;
pub const AGENT_SYSTEM_CHARS_MAX: usize = 100_000;
pub const AGENT_TOOLS_MAX: usize = 256;
pub const AGENT_MCP_SERVERS_MAX: usize = 20;
pub const AGENT_SKILLS_MAX: usize = 500;
/// Agents of a coordinator, its advisor included, and predefined agents of a 2026-10-01 list.
pub const AGENT_ROSTER_MAX: usize = 20;
pub const MODEL_ID_CHARS: RangeInclusive<usize> = 1..=256;
pub const ROLE_ARN_CHARS: RangeInclusive<usize> = 1..=2_048;
pub const SKILL_ID_CHARS: RangeInclusive<usize> = 1..=128;
pub const SKILL_VERSION_CHARS: RangeInclusive<usize> = 1..=128;

// Skills.
pub const SKILL_DISPLAY_NAME_CHARS: RangeInclusive<usize> = 1..=255;
/// Versions that a skill has at the same time. Ours: they are deleted together.
pub const SKILL_VERSIONS_MAX: u32 = 1_000;
/// Files of all skills of one session, and their bytes. Ours.
pub const SESSION_SKILL_FILES_MAX: usize = 5_000;
pub const SESSION_SKILL_BYTES_MAX: u64 = 1 << 30;

// Tools.
pub const CUSTOM_TOOL_NAME_CHARS: RangeInclusive<usize> = 1..=128;
pub const CUSTOM_TOOL_DESCRIPTION_CHARS: RangeInclusive<usize> = 1..=4_096;
pub const CUSTOM_TOOL_PROPERTY_CHARS: RangeInclusive<usize> = 1..=64;
pub const MCP_SERVER_NAME_CHARS: RangeInclusive<usize> = 1..=255;
pub const MCP_SERVER_URL_CHARS: RangeInclusive<usize> = 1..=2_048;
pub const MCP_TOOL_NAME_CHARS: RangeInclusive<usize> = 1..=128;
pub const DOMAIN_LIST_ENTRIES: RangeInclusive<usize> = 1..=64;
pub const DOMAIN_ENTRY_CHARS: RangeInclusive<usize> = 1..=255;
pub const DOMAIN_LABEL_CHARS_MAX: usize = 63;
pub const URL_SOURCE_TOOLS: RangeInclusive<usize> = 1..=128;
pub const USER_LOCATION_CHARS: RangeInclusive<usize> = 1..=255;

// Environments.
pub const ENVIRONMENT_NAME_CHARS: RangeInclusive<usize> = 1..=256;
pub const ENVIRONMENT_DESCRIPTION_CHARS_MAX: usize = 2_048;
pub const HOST_CHARS: RangeInclusive<usize> = 1..=255;
pub const ENVIRONMENT_ALLOWED_HOSTS_MAX: usize = 256;
pub const ENVIRONMENT_PACKAGES_MAX: usize = 256;
pub const ENVIRONMENT_PACKAGE_CHARS: RangeInclusive<usize> = 1..=256;

// Vaults.
pub(crate) const VAULT_NAME_CHARS: RangeInclusive<usize> = 1..=255;
pub(crate) const CREDENTIAL_NAME_CHARS: RangeInclusive<usize> = 1..=255;
/// Credentials of one vault that are not archived.
pub const VAULT_CREDENTIALS_MAX: usize = 20;
/// Of a token or another secret. Ours: far above what is sent in a header.
pub(crate) const SECRET_CHARS: RangeInclusive<usize> = 1..=16_384;
pub(crate) const SECRET_NAME_CHARS: RangeInclusive<usize> = 1..=255;
pub(crate) const CREDENTIAL_ALLOWED_HOSTS: RangeInclusive<usize> = 1..=16;
/// Of the words of OAuth that are no secrets: client, scope and resource.
pub(crate) const OAUTH_TEXT_CHARS: RangeInclusive<usize> = 1..=2_048;

// Files.
pub const FILE_NAME_CHARS: RangeInclusive<usize> = 1..=255;
pub const FILE_EXPIRES_IN_SECONDS: RangeInclusive<i64> = 3_600..=7_776_000;

// Session resources.
pub const SESSION_FILES_MAX: usize = 500;
/// Bytes of a mount path below the uploads, of one of its names, and how many names it has.
pub(crate) const MOUNT_PATH_BYTES_MAX: usize = 1_024;
pub(crate) const MOUNT_PATH_NAME_BYTES_MAX: usize = 255;
pub(crate) const MOUNT_PATH_NAMES_MAX: usize = 32;
/// Repositories of one session.
pub const SESSION_REPOSITORIES_MAX: usize = 20;
pub(crate) const REPOSITORY_URL_BYTES_MAX: usize = 2_048;
pub(crate) const REPOSITORY_HOST_BYTES_MAX: usize = 253;
pub(crate) const BRANCH_BYTES_MAX: usize = 255;

/// Characters of a session's title.
pub(crate) const SESSION_TITLE_CHARS_MAX: usize = 512;
/// Vaults that one session looks through.
pub(crate) const SESSION_VAULTS_MAX: usize = 50;
/// Events that a session may be created with.
pub(crate) const INITIAL_EVENTS_MAX: usize = 50;
/// Documents from the file store among the events that a session is created with.
pub(crate) const FILE_DOCUMENTS_MAX: usize = 100;
/// Events of one request.
pub(crate) const SENT_EVENTS_MAX: usize = 1_000;
/// What a client may say to a model about a call that it denies.
pub(crate) const DENY_MESSAGE_CHARS_MAX: usize = 10_000;
pub(crate) const SYSTEM_CONTENT_BLOCKS: RangeInclusive<usize> = 1..=1_000;
/// How long a client may be given for the result of a custom tool, in seconds.
pub(crate) const RESULT_DEADLINE_SECONDS: RangeInclusive<i64> = 1..=30 * 24 * 3_600;
/// Content blocks of one message.
pub(crate) const EVENT_CONTENT_BLOCKS_MAX: usize = 1_000;
