//! `glob`: files by name, newest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use globset::{GlobBuilder, GlobMatcher};

use super::walk::{Next, Walk};
use super::{FileTools, Refusal};
use crate::limits::GLOB_RESULTS_MAX;
use crate::output::Output;

pub(super) fn glob(
    tools: &FileTools<'_>,
    pattern: &str,
    path: Option<&str>,
) -> Result<Output, Refusal> {
    let matcher = matcher(pattern)?;
    let shown = path.unwrap_or(".");
    let root = path.map_or_else(|| tools.workspace.to_owned(), |path| tools.resolve(path));
    if root.is_file() {
        return Err(format!(
            "{shown} is a file; `path` of glob must be a directory"
        ));
    }
    // The newest so far; the oldest of them on top, where it is replaced first.
    let mut newest: BinaryHeap<Reverse<(i64, i64, Reverse<String>)>> = BinaryHeap::new();
    let mut found = 0_usize;
    let wanted = format!("{pattern} {shown}");
    let reached = Walk::of(&root, shown, &wanted).run(tools, |entry| {
        let relative = entry.path().strip_prefix(&root).unwrap_or(entry.path());
        if matcher.is_match(relative)
            && let Ok(metadata) = entry.metadata()
        {
            found += 1;
            let name = Reverse(tools.show(entry.path()));
            newest.push(Reverse((metadata.mtime(), metadata.mtime_nsec(), name)));
            if newest.len() > GLOB_RESULTS_MAX {
                newest.pop();
            }
        }
        Next::Continue
    })?;
    let mut lines: Vec<String> = newest
        .into_sorted_vec()
        .into_iter()
        .map(|Reverse((_, _, Reverse(name)))| name)
        .collect();
    if found == 0 {
        lines.push("No files found".to_owned());
    }
    if found > GLOB_RESULTS_MAX {
        lines.push(format!("[the newest {GLOB_RESULTS_MAX} of {found} files]"));
    }
    lines.extend(reached.note());
    Ok(Output::text(lines.join("\n")))
}

/// A pattern without a slash is looked for at every depth.
fn matcher(pattern: &str) -> Result<GlobMatcher, Refusal> {
    if pattern.starts_with('/') {
        return Err("`pattern` of glob must be relative; put the directory into `path`".to_owned());
    }
    if Path::new(pattern)
        .components()
        .any(|part| part == Component::ParentDir)
    {
        return Err(
            "`pattern` of glob must not contain `..`; put the directory into `path`".to_owned(),
        );
    }
    let pattern = pattern.trim_start_matches("./");
    let pattern = if pattern.contains('/') {
        pattern.to_owned()
    } else {
        format!("**/{pattern}")
    };
    let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| format!("`pattern` of glob is not a valid pattern: {error}"))
}
