//! Every bound of this crate, by name. What an operator may change is in the options.

use std::time::Duration;

/// Answers that lead elsewhere before a page is given up.
pub(crate) const HOPS_MAX: usize = 10;
/// Characters of an address that a site leads to, or that was found.
pub(crate) const URL_CHARS_MAX: usize = 2_048;
/// Characters of why a connection failed: a site's certificate has as many names as its owner likes.
pub(crate) const CAUSE_CHARS_MAX: usize = 300;
/// Bytes of a page, after decompression. Text is cut there, a PDF is refused.
pub(crate) const PAGE_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Bytes of all pages that are being fetched and read, counted as they come. Their text may be three times that.
pub(crate) const PAGES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// In which they are counted.
pub(crate) const ROOM_UNIT_BYTES: usize = 64 * 1024;
/// How long a connection may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Readers at once; more wait, and not for ever.
pub(crate) const READERS_MAX: usize = 4;
pub(crate) const READER_WAIT_MAX: Duration = Duration::from_secs(60);
/// What a reader may take: memory, processor time, time in all, and bytes that it answers.
pub(crate) const READER_MEMORY_BYTES: u64 = 1 << 30;
pub(crate) const READER_CPU_SECONDS: u64 = 10;
pub(crate) const READER_TIMEOUT: Duration = Duration::from_secs(20);
pub(crate) const READER_ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The stack of a reader: pages are nested as deep as their authors like.
pub(crate) const READER_STACK_BYTES: usize = 256 * 1024 * 1024;
/// Bytes in which a page names its own character set.
pub(crate) const CHARSET_BYTES: usize = 1024;
/// Characters of a title.
pub(crate) const TITLE_CHARS_MAX: usize = 500;
/// Bytes of a search service's answer.
pub(crate) const SEARCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Characters of what a search service says about one page.
pub(crate) const SNIPPET_CHARS_MAX: usize = 2_000;
/// Domains that a search service is told in a request. Results are held against all of them afterwards.
pub(crate) const SITE_WORDS_MAX: usize = 8;
