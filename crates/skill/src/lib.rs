//! Skills: what a folder with a `SKILL.md` must be, and the archive that it is kept and sent as.
//!
//! It knows nothing of sessions, and touches neither files nor the network: bytes go in, and what
//! they hold comes out, or why they are refused. They come from strangers, so everything is bounded
//! before it is taken (`limits.rs`).

mod bundle;
mod error;
mod front_matter;
mod limits;
mod path;
mod unzip;
mod yaml;
mod zip;

pub use bundle::{Bundle, SkillFile};
pub use error::Refused;
pub use front_matter::{Fields, FrontMatter};
pub use limits::{SKILL_BYTES_MAX, SKILL_FILES_MAX, ZIP_BYTES_MAX};
pub use unzip::unzip;
