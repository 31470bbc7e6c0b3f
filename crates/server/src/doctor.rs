//! `hostler doctor`: what would keep a server from working here, and what to do about it.
//!
//! It looks and changes nothing, and it never shows a key.

mod checks;

use std::fmt::Write;
use std::process::ExitCode;

use crate::config::Config;
use crate::terminal::say;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    pub verdict: Verdict,
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// It works, but something will be missed.
    Warn {
        hint: String,
    },
    /// It does not work.
    Fail {
        hint: String,
    },
}

impl Check {
    fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            verdict: Verdict::Ok,
            detail: detail.into(),
        }
    }

    fn warn(name: impl Into<String>, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        let verdict = Verdict::Warn { hint: hint.into() };
        Self {
            name: name.into(),
            verdict,
            detail: detail.into(),
        }
    }

    fn fail(name: impl Into<String>, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        let verdict = Verdict::Fail { hint: hint.into() };
        Self {
            name: name.into(),
            verdict,
            detail: detail.into(),
        }
    }
}

/// Looks at everything, says it, and fails if a server would.
pub async fn run(config: &Config) -> ExitCode {
    let checks = examine(config).await;
    say(&report(&checks));
    if checks
        .iter()
        .any(|check| matches!(check.verdict, Verdict::Fail { .. }))
    {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Everything that is looked at, in the order in which it is told.
pub async fn examine(config: &Config) -> Vec<Check> {
    let mut all = vec![
        checks::data_folder(&config.server.data_dir),
        checks::disk_space(&config.server.data_dir),
        checks::port(config.server.listen, &config.server.data_dir),
        checks::sandbox(&config.sandbox, &config.network).await,
    ];
    all.extend(checks::blobs(config.blobs.bucket().as_ref()).await);
    all.extend(checks::nats(config.nats.as_ref()).await);
    all.extend(config.providers.values().map(checks::provider));
    all
}

/// A line for each check, and a line for what to do.
pub fn report(checks: &[Check]) -> String {
    let width = checks
        .iter()
        .map(|check| check.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let (mark, hint) = match &check.verdict {
            Verdict::Ok => ("ok  ", None),
            Verdict::Warn { hint } => ("warn", Some(hint)),
            Verdict::Fail { hint } => ("FAIL", Some(hint)),
        };
        let _ = writeln!(text, "{mark}  {:width$}  {}", check.name, check.detail);
        if let Some(hint) = hint {
            let _ = writeln!(text, "{:indent$}{hint}", "", indent = width + 8);
        }
    }
    text
}
