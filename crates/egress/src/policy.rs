//! What one sandbox may reach, by name. Which addresses a name may lead to is not its subject:
//! that is the same for all sandboxes, in `address.rs`.

use std::collections::BTreeSet;

use crate::host_name::HostName;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// All of the public internet.
    Unrestricted,
    /// The named hosts on the public internet.
    Limited(AllowedHosts),
    /// No host at all.
    Nothing,
}

/// Exact names, and `*.suffix` for all names below a suffix but not the suffix itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    exact: BTreeSet<HostName>,
    suffixes: BTreeSet<HostName>,
    ignored: Vec<String>,
}

impl AllowedHosts {
    /// An entry that is no host name matches nothing and is kept apart: an IP address in the list
    /// doesn't permit connections to it, because a name is what the list is about.
    pub fn new<T: AsRef<str>>(entries: impl IntoIterator<Item = T>) -> Self {
        let mut hosts = Self::default();
        for entry in entries {
            let entry = entry.as_ref();
            let (set, name) = match entry.strip_prefix("*.") {
                Some(suffix) => (&mut hosts.suffixes, suffix),
                None => (&mut hosts.exact, entry),
            };
            match name.parse() {
                Ok(name) => _ = set.insert(name),
                Err(_) => hosts.ignored.push(entry.to_owned()),
            }
        }
        hosts
    }

    pub fn matches(&self, name: &HostName) -> bool {
        self.exact.contains(name)
            || self
                .suffixes
                .iter()
                .any(|suffix| is_below(name.as_str(), suffix.as_str()))
    }

    /// The entries that permit nothing, for a warning to whoever wrote them.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .and_then(|rest| rest.strip_suffix('.'))
        .is_some_and(|labels| !labels.is_empty())
}

impl Policy {
    /// Whether connections to this name are permitted, wherever it leads.
    pub fn allows(&self, name: &HostName) -> bool {
        match self {
            Self::Unrestricted => true,
            Self::Limited(hosts) => hosts.matches(name),
            Self::Nothing => false,
        }
    }
}
