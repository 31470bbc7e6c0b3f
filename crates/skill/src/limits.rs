//! Every bound of this crate, by name.

/// Bytes of the files of a skill, in all.
pub const SKILL_BYTES_MAX: usize = 30 * 1024 * 1024;
/// Files of a skill. Ours.
pub const SKILL_FILES_MAX: usize = 1_000;
/// Bytes of an archive of one: what does not compress, and the heads of its entries.
pub const ZIP_BYTES_MAX: usize = SKILL_BYTES_MAX + 2 * 1024 * 1024;
/// Entries of an archive: files, their directories, and what a Mac adds for each.
pub(crate) const ZIP_ENTRIES_MAX: usize = 4 * SKILL_FILES_MAX;
/// Bytes of a path with the skill's folder, of one of its names, and how many names it has.
pub(crate) const PATH_BYTES_MAX: usize = 512;
pub(crate) const PATH_NAME_BYTES_MAX: usize = 255;
pub(crate) const PATH_NAMES_MAX: usize = 16;
/// Bytes of `SKILL.md` between its two lines of dashes. Ours.
pub(crate) const FRONT_MATTER_BYTES_MAX: usize = 64 * 1024;
/// How deep the values of it may lie in each other.
pub(crate) const FRONT_MATTER_DEPTH_MAX: usize = 32;
pub(crate) const NAME_CHARS_MAX: usize = 64;
pub(crate) const DESCRIPTION_CHARS_MAX: usize = 1_024;
pub(crate) const COMPATIBILITY_CHARS_MAX: usize = 500;
