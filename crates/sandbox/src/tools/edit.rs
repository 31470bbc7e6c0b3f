//! `edit`: replaces text that is in a file once, or everywhere when asked to.

use super::files::{into_text, open_regular, read_at_most, replace};
use super::{FileTools, Refusal};
use crate::limits::EDIT_FILE_BYTES_MAX;
use crate::output::Output;

pub(super) struct Change<'a> {
    pub(super) old_string: &'a str,
    pub(super) new_string: &'a str,
    pub(super) replace_all: bool,
}

pub(super) fn edit(
    tools: &FileTools<'_>,
    file_path: &str,
    change: &Change<'_>,
) -> Result<Output, Refusal> {
    let path = tools.resolve(file_path);
    let (file, length) = open_regular(&path, file_path)?;
    let Some(bytes) = read_at_most(&file, EDIT_FILE_BYTES_MAX, file_path)? else {
        return Err(format!(
            "{file_path} has {length} bytes, and edit takes at most {EDIT_FILE_BYTES_MAX}; \
             change it with bash"
        ));
    };
    let text = into_text(bytes, file_path)?;
    let count = text.matches(change.old_string).count();
    match count {
        0 => Err(format!(
            "`old_string` is not in {file_path}; read the file again, since every character \
             counts, spaces and line ends too"
        )),
        2.. if !change.replace_all => Err(format!(
            "`old_string` is in {file_path} {count} times; add lines around it until it is \
             there only once, or set `replace_all`"
        )),
        _ => {
            let changed = text.replace(change.old_string, change.new_string);
            if changed.len() as u64 > 2 * EDIT_FILE_BYTES_MAX {
                return Err(format!(
                    "{file_path} would become {} bytes long",
                    changed.len()
                ));
            }
            replace(&path, changed.as_bytes(), file_path)?;
            let noun = if count == 1 {
                "occurrence"
            } else {
                "occurrences"
            };
            Ok(Output::text(format!(
                "replaced {count} {noun} in {file_path}"
            )))
        }
    }
}
