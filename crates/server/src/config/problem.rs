//! What can be wrong with a configuration, as sentences that name the place and the key.

use std::fmt;

use super::tree::{Origin, Segment, display_path};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// File with line and column, variable, or flag.
    pub place: String,
    /// The key path, such as `server.listen`; empty when the problem is about the whole source.
    pub key: String,
    pub message: String,
}

impl Problem {
    pub(super) fn new(origin: &Origin, path: &[Segment], message: impl Into<String>) -> Self {
        Self {
            place: origin.to_string(),
            key: display_path(path),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong with a configuration, found in one go.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [one] => write!(f, "the configuration is not valid: {one}"),
            many => {
                write!(f, "the configuration has {} errors:", many.len())?;
                for problem in many {
                    write!(f, "\n  {problem}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// The sentence for a name that does not exist, with the nearest that does.
pub(super) fn unknown_name(what: &str, name: &str, known: &[&str]) -> String {
    match nearest_name(name, known) {
        Some(near) => format!("unknown {what}, did you mean `{near}`?"),
        None if known.is_empty() => format!("unknown {what}"),
        None => format!("unknown {what}, expected one of {}", quoted_list(known)),
    }
}

/// The known name that `name` most likely was meant to be.
pub(super) fn nearest_name<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(1);
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), *candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn quoted_list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
