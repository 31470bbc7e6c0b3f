//! What the model is told about the six tools.
//!
//! The texts are constants, byte for byte: they are part of the prompt's prefix, and a prefix
//! that changes is not cached.

use crate::isolation::Network;

/// `input_schema` is JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolSchema {
    pub name: &'static str,
    pub description: &'static str,
    pub input_schema: &'static str,
}

/// The tools in the order in which they are to be sent.
pub const fn tool_schemas(network: Network) -> &'static [ToolSchema; 6] {
    match network {
        Network::None => &WITHOUT_NETWORK,
        Network::Gateway { .. } => &BEHIND_A_GATEWAY,
        Network::Host => &WITH_NETWORK,
    }
}

macro_rules! bash_description {
    () => {
        "Run a command in a persistent bash shell, in /workspace at first. Working directory, \
         variables and functions stay between calls, and background jobs go on. There is no \
         terminal and standard input is empty. Standard output and error come together; a \
         non-zero exit is an error result. A command is ended after 120 seconds unless \
         `timeout_ms` says otherwise, at most 600 seconds. `restart: true` ends everything \
         that runs and starts a new shell. Output above 100,000 characters is put into a file \
         and shown in part."
    };
}
static WITHOUT_NETWORK: [ToolSchema; 6] = with_bash(concat!(
    bash_description!(),
    " There is no network access, except to what you start on localhost yourself: downloads and \
     package installation fail."
));
static BEHIND_A_GATEWAY: [ToolSchema; 6] = with_bash(concat!(
    bash_description!(),
    " Connections to other machines pass a gateway, which refuses what the network policy of \
     this sandbox does not allow. UDP and ping do not leave the sandbox."
));
static WITH_NETWORK: [ToolSchema; 6] = with_bash(bash_description!());

const fn with_bash(description: &'static str) -> [ToolSchema; 6] {
    let bash = ToolSchema {
        name: "bash",
        description,
        input_schema: BASH,
    };
    [bash, READ, WRITE, EDIT, GLOB, GREP]
}

const BASH: &str = r#"{"type":"object","properties":{"command":{"type":"string","description":"The command to run."},"restart":{"type":"boolean","description":"Start a new shell instead of running a command."},"timeout_ms":{"type":"integer","minimum":0,"maximum":600000,"description":"Time limit in milliseconds; 0 or absent means 120000."}},"additionalProperties":false}"#;

const READ: ToolSchema = ToolSchema {
    name: "read",
    description: "Read a file. Text must be UTF-8 and at most 256 KiB at once; for larger files \
                  give `view_range`. Pictures (png, jpg, gif, webp) and PDF files are shown as \
                  such. Relative paths start in /workspace.",
    input_schema: r#"{"type":"object","properties":{"file_path":{"type":"string","description":"The file to read."},"view_range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2,"description":"First and last line to read, counted from 1; a last line of -1 means the end of the file."}},"required":["file_path"],"additionalProperties":false}"#,
};

const WRITE: ToolSchema = ToolSchema {
    name: "write",
    description: "Write a text file, replacing what was there. Missing directories are made. \
                  Relative paths start in /workspace.",
    input_schema: r#"{"type":"object","properties":{"file_path":{"type":"string","description":"The file to write."},"content":{"type":"string","description":"The whole new content."}},"required":["file_path","content"],"additionalProperties":false}"#,
};

const EDIT: ToolSchema = ToolSchema {
    name: "edit",
    description: "Replace text in a file. `old_string` must be in the file exactly once, unless \
                  `replace_all` is set. Relative paths start in /workspace.",
    input_schema: r#"{"type":"object","properties":{"file_path":{"type":"string","description":"The file to change."},"old_string":{"type":"string","description":"The text to replace, exactly as in the file."},"new_string":{"type":"string","description":"The text to put in its place."},"replace_all":{"type":"boolean","description":"Replace every occurrence."}},"required":["file_path","old_string","new_string"],"additionalProperties":false}"#,
};

const GLOB: ToolSchema = ToolSchema {
    name: "glob",
    description: "Find files by name, newest first, at most 200. A pattern without a slash is \
                  looked for at every depth; `**` stands for any directories. .git and \
                  node_modules are skipped unless named.",
    input_schema: r#"{"type":"object","properties":{"pattern":{"type":"string","description":"A relative pattern such as *.rs or src/**/*.ts."},"path":{"type":"string","description":"The directory to look in; /workspace if absent."}},"required":["pattern"],"additionalProperties":false}"#,
};

const GREP: ToolSchema = ToolSchema {
    name: "grep",
    description: "Search text files by regular expression (Rust syntax). Prints path:line:text, \
                  at most 100 KiB. Binary files, .git and node_modules are skipped.",
    input_schema: r#"{"type":"object","properties":{"pattern":{"type":"string","description":"The regular expression."},"path":{"type":"string","description":"The file or directory to search; /workspace if absent."}},"required":["pattern"],"additionalProperties":false}"#,
};
