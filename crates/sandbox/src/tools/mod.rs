//! The five file tools, as they run inside the sandbox.
//!
//! No path is checked here: the agent has the sandbox's own root, so the kernel resolves
//! every name, link and `..` within it. An error is a sentence that the model can act on.

mod edit;
mod files;
mod glob;
mod grep;
mod read;
mod walk;
mod write;

use std::path::{Path, PathBuf};

use crate::output::Output;
use crate::tool::Tool;

/// What a tool needs to know about the call it serves.
pub(crate) struct FileTools<'a> {
    /// Where relative paths start.
    pub(crate) workspace: &'a Path,
    /// Whether the caller has gone; asked now and then by what may take long.
    pub(crate) cancelled: &'a dyn Fn() -> bool,
}

/// A sentence for the model.
pub(crate) type Refusal = String;

pub(crate) fn run_file_tool(tools: &FileTools<'_>, tool: &Tool) -> Output {
    let result = match tool {
        Tool::Read {
            file_path,
            view_range,
        } => read::read(tools, file_path, *view_range),
        Tool::Write { file_path, content } => write::write(tools, file_path, content),
        Tool::Edit {
            file_path,
            old_string,
            new_string,
            replace_all,
        } => {
            let change = edit::Change {
                old_string,
                new_string,
                replace_all: *replace_all,
            };
            edit::edit(tools, file_path, &change)
        }
        Tool::Glob { pattern, path } => glob::glob(tools, pattern, path.as_deref()),
        Tool::Grep { pattern, path } => grep::grep(tools, pattern, path.as_deref()),
        Tool::Bash { .. } | Tool::RestartShell => Err("bash does not run here".to_owned()),
    };
    result.unwrap_or_else(Output::error)
}

impl FileTools<'_> {
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.workspace.join(path)
    }

    /// A path as the other tools take it: relative within the workspace, else absolute.
    pub(crate) fn show(&self, path: &Path) -> String {
        path.strip_prefix(self.workspace)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}
