//! The files of the repository: what git tracks or would track, or simply all of them where there is no git.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// A file with its path from the repository's root, `/` between the parts.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every text file. What is not UTF-8 is not text.
pub(crate) static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let mut paths = tracked().unwrap_or_else(|| walked(&root()));
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(root().join(&path)).ok()?;
            Some(File { path, text })
        })
        .collect()
});

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn rust_files() -> impl Iterator<Item = &'static File> {
    FILES.iter().filter(|file| file.path.ends_with(".rs"))
}

/// Fails with the rule's advice and one line for each offence.
#[track_caller]
pub(crate) fn assert_none(offences: &[String], advice: &str) {
    assert!(offences.is_empty(), "{advice}\n  {}", offences.join("\n  "));
}

/// The words of a line of code, as identifiers.
pub(crate) fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

fn tracked() -> Option<Vec<String>> {
    let listing = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .ok()?;
    let names = String::from_utf8(listing.stdout).ok()?;
    let paths: Vec<String> = names
        .split('\0')
        .filter(|n| !n.is_empty())
        .map(str::to_owned)
        .collect();
    (listing.status.success() && !paths.is_empty()).then_some(paths)
}

fn walked(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if matches!(
                name.to_str(),
                Some("target" | ".git" | "node_modules" | "__pycache__")
            ) {
                continue;
            }
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if let Ok(inside) = entry.path().strip_prefix(folder) {
                found.push(inside.to_string_lossy().into_owned());
            }
        }
    }
    found
}
