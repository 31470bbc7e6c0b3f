//! The keys of `[sandbox]` about root file systems and packages, resolved.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hostler_engine::RootChoice;

use super::problem::Problem;
use super::resolve::Resolving;
use super::sandbox::{RawSandbox, SandboxMode};

/// Where programs come from.
#[derive(Debug, Clone)]
pub struct RootSettings {
    pub root: RootChoice,
    pub allowed: Vec<RootChoice>,
    pub package_sources: Option<PathBuf>,
    pub package_environment: BTreeMap<String, String>,
    pub package_install_time: Duration,
    /// `None`: for ever.
    pub package_keep: Option<Duration>,
}

impl RawSandbox {
    pub(super) fn resolve_roots(
        &self,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> RootSettings {
        let mut parse = |key: &str, text: &str| {
            let parsed = text.parse::<RootChoice>();
            if self.mode == SandboxMode::UnsafeProcess
                && parsed.as_ref().is_ok_and(|root| *root != RootChoice::Host)
            {
                problems.push(at.problem(
                    &["sandbox", key],
                    "needs `mode = \"isolated\"`: an unsafe process runs the programs of the host",
                ));
            }
            parsed
                .map_err(|error| problems.push(at.problem(&["sandbox", key], error.to_string())))
                .ok()
        };
        let root = parse("root", &self.root).unwrap_or_default();
        let allowed = self.allowed_roots.iter();
        let allowed = allowed
            .filter_map(|text| parse("allowed_roots", text))
            .collect();
        if self.package_install_time.0.is_zero() {
            problems.push(at.problem(
                &["sandbox", "package_install_time"],
                "must be more than nothing",
            ));
        }
        let environment = self.package_environment.clone().unwrap_or_default();
        if environment.keys().any(|name| !is_variable(name)) {
            problems.push(at.problem(
                &["sandbox", "package_environment"],
                "has a name that no variable can have",
            ));
        }
        let sources = self.package_sources.as_deref();
        RootSettings {
            root,
            allowed,
            package_sources: sources.map(|folder| at.path(&["sandbox", "package_sources"], folder)),
            package_environment: environment,
            package_install_time: self.package_install_time.0,
            package_keep: Some(self.package_keep.0).filter(|keep| !keep.is_zero()),
        }
    }
}

fn is_variable(name: &str) -> bool {
    let is_letter = |character: char| character.is_ascii_alphabetic() || character == '_';
    name.starts_with(is_letter)
        && name
            .chars()
            .all(|character| is_letter(character) || character.is_ascii_digit())
}
