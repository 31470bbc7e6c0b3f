//! `write`: a whole file at once.

use super::files::replace;
use super::{FileTools, Refusal};
use crate::output::Output;

pub(super) fn write(
    tools: &FileTools<'_>,
    file_path: &str,
    content: &str,
) -> Result<Output, Refusal> {
    if file_path.ends_with('/') {
        return Err(format!(
            "{file_path} is the name of a directory; give that of a file"
        ));
    }
    replace(&tools.resolve(file_path), content.as_bytes(), file_path)?;
    let bytes = content.len();
    let noun = if bytes == 1 { "byte" } else { "bytes" };
    Ok(Output::text(format!("wrote {bytes} {noun} to {file_path}")))
}
