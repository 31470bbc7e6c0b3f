//! A tool call, parsed from what the model sent.
//!
//! A refusal is a sentence for the model: it names the field and says what to send.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits::{CALL_ID_BYTES_MAX, PATH_BYTES_MAX, PATTERN_BYTES_MAX};

/// One call: its id names the file that a long output goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub id: String,
    pub tool: Tool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Tool {
    /// `timeout_ms` 0 or absent is the default time-out.
    Bash {
        command: String,
        timeout_ms: Option<u64>,
    },
    /// The form `{"restart": true}` of bash.
    RestartShell,
    /// `view_range` is 1-based and inclusive; an end of 0 or less is the end of the file.
    Read {
        file_path: String,
        view_range: Option<(i64, i64)>,
    },
    Write {
        file_path: String,
        content: String,
    },
    Edit {
        file_path: String,
        old_string: String,
        new_string: String,
        replace_all: bool,
    },
    Glob {
        pattern: String,
        path: Option<String>,
    },
    Grep {
        pattern: String,
        path: Option<String>,
    },
}

impl Tool {
    /// Reads the input of the tool called `name`. The error is meant for the model.
    pub fn parse(name: &str, input: &Value) -> Result<Self, String> {
        let Value::Object(fields) = input else {
            return Err(format!("the input of {name} must be a JSON object"));
        };
        let fields = Fields { tool: name, fields };
        match name {
            "bash" => parse_bash(&fields),
            "read" => parse_read(&fields),
            "write" => parse_write(&fields),
            "edit" => parse_edit(&fields),
            "glob" | "grep" => parse_search(&fields),
            _ => Err(format!(
                "there is no tool {name} in the sandbox; it has bash, read, write, edit, glob \
                 and grep"
            )),
        }
    }
}

/// A call id becomes a file name inside the sandbox.
pub(crate) fn check_call_id(id: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if id.is_empty() || id.len() > CALL_ID_BYTES_MAX || !id.bytes().all(plain) {
        return Err("a call id is 1 to 128 ASCII letters, digits, `_` or `-`".to_owned());
    }
    Ok(())
}

fn parse_bash(fields: &Fields<'_>) -> Result<Tool, String> {
    fields.only(&["command", "restart", "timeout_ms"])?;
    let command = fields.optional_text("command")?;
    let restart = fields.flag("restart")?;
    match (command, restart) {
        (None, true) => Ok(Tool::RestartShell),
        (Some(_), true) => {
            Err("bash takes either `command` or `restart: true`, not both in one call".to_owned())
        }
        (None, false) => Err("bash needs `command` (a string) or `restart: true`".to_owned()),
        (Some(command), false) if command.contains('\0') => {
            Err("`command` of bash contains a NUL character, which no shell can take".to_owned())
        }
        (Some(command), false) => {
            let timeout_ms = fields.integer("timeout_ms")?;
            let timeout_ms = timeout_ms.map(u64::try_from).transpose().map_err(|_| {
                "`timeout_ms` of bash must not be negative; 0 means the default".to_owned()
            })?;
            Ok(Tool::Bash {
                command,
                timeout_ms,
            })
        }
    }
}

fn parse_read(fields: &Fields<'_>) -> Result<Tool, String> {
    fields.only(&["file_path", "path", "view_range"])?;
    let view_range = match fields.get("view_range") {
        None => None,
        Some(Value::Array(ends)) => match (ends.len(), ends.first(), ends.get(1)) {
            (2, Some(start), Some(end)) => start.as_i64().zip(end.as_i64()),
            _ => None,
        }
        .ok_or(RANGE_SHAPE)
        .map(Some)?,
        Some(_) => return Err(RANGE_SHAPE.to_owned()),
    };
    Ok(Tool::Read {
        file_path: fields.path(&["file_path", "path"])?,
        view_range,
    })
}

const RANGE_SHAPE: &str = "`view_range` of read must be [start, end]: two line numbers, the first \
                           line is 1, an end of -1 is the end of the file";

fn parse_write(fields: &Fields<'_>) -> Result<Tool, String> {
    fields.only(&["file_path", "path", "content"])?;
    let file_path = fields.path(&["file_path", "path"])?;
    Ok(Tool::Write {
        file_path,
        content: fields.text(&["content"])?,
    })
}

fn parse_edit(fields: &Fields<'_>) -> Result<Tool, String> {
    const KNOWN: &[&str] = &[
        "file_path",
        "path",
        "old_string",
        "old_str",
        "new_string",
        "new_str",
        "replace_all",
    ];
    fields.only(KNOWN)?;
    let old_string = fields.text(&["old_string", "old_str"])?;
    let new_string = fields.text(&["new_string", "new_str"])?;
    if old_string.is_empty() {
        return Err(
            "`old_string` of edit is empty; give the text to replace, or use write to \
                    make a file"
                .to_owned(),
        );
    }
    if old_string == new_string {
        return Err(
            "`old_string` and `new_string` of edit are the same; nothing would change".to_owned(),
        );
    }
    let file_path = fields.path(&["file_path", "path"])?;
    Ok(Tool::Edit {
        file_path,
        old_string,
        new_string,
        replace_all: fields.flag("replace_all")?,
    })
}

fn parse_search(fields: &Fields<'_>) -> Result<Tool, String> {
    fields.only(&["pattern", "path"])?;
    let pattern = fields.text(&["pattern"])?;
    if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!(
            "`pattern` of {} must be 1 to {PATTERN_BYTES_MAX} bytes long",
            fields.tool
        ));
    }
    let path = match fields.get("path") {
        None => None,
        Some(_) => Some(fields.path(&["path"])?),
    };
    if fields.tool == "glob" {
        Ok(Tool::Glob { pattern, path })
    } else {
        Ok(Tool::Grep { pattern, path })
    }
}

/// The input of one call, with the tool's name for the sentences.
struct Fields<'a> {
    tool: &'a str,
    fields: &'a Map<String, Value>,
}

impl Fields<'_> {
    fn only(&self, known: &[&str]) -> Result<(), String> {
        match self
            .fields
            .keys()
            .find(|key| !known.contains(&key.as_str()))
        {
            None => Ok(()),
            Some(key) => {
                let key: String = key.chars().take(100).collect();
                let known = known.join("`, `");
                Err(format!(
                    "{} has no field `{key}`; it takes `{known}`",
                    self.tool
                ))
            }
        }
    }

    /// A field that is null was not given.
    fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// The one of several spellings that was given; the first is the one to teach.
    fn text(&self, names: &[&str]) -> Result<String, String> {
        let mut given = names
            .iter()
            .filter_map(|name| Some((name, self.get(name)?)));
        let Some((name, value)) = given.next() else {
            return Err(format!("{} needs `{}` (a string)", self.tool, names[0]));
        };
        if let Some((other, _)) = given.next() {
            return Err(format!(
                "{} got both `{name}` and `{other}`; give only `{}`",
                self.tool, names[0]
            ));
        }
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| format!("`{name}` of {} must be a string", self.tool))
    }

    fn optional_text(&self, name: &str) -> Result<Option<String>, String> {
        self.get(name).map(|_| self.text(&[name])).transpose()
    }

    fn path(&self, names: &[&str]) -> Result<String, String> {
        let path = self.text(names)?;
        if path.is_empty() || path.len() > PATH_BYTES_MAX || path.contains('\0') {
            return Err(format!(
                "`{}` of {} must be a path of 1 to {PATH_BYTES_MAX} bytes without NUL",
                names[0], self.tool
            ));
        }
        Ok(path)
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        match self.get(name) {
            None => Ok(false),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| format!("`{name}` of {} must be true or false", self.tool)),
        }
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| format!("`{name}` of {} must be an integer", self.tool)),
        }
    }
}
