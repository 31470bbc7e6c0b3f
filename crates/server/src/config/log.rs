//! Section `[log]`: what is logged, and in which form. The log goes to stderr.

use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::resolve::Resolving;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawLog {
    /// `text` for people, `json` for machines: one object a line.
    pub format: LogFormat,
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`), or a list such as
    /// `info,hostler_engine=debug`.
    pub filter: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl LogFormat {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl Default for RawLog {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".to_owned(),
        }
    }
}

/// The resolved section. **Invariant:** the filter has been parsed once and is valid.
#[derive(Debug, Clone)]
pub struct LogOptions {
    pub format: LogFormat,
    pub filter: String,
}

impl RawLog {
    pub(super) fn resolve(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> LogOptions {
        if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&self.filter) {
            let message = format!("{:?} is not a log filter: {error}", self.filter);
            problems.push(at.problem(&["log", "filter"], message));
        }
        LogOptions {
            format: self.format,
            filter: self.filter.clone(),
        }
    }
}
