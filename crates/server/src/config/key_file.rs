//! A file that holds a key and nothing else.

use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::secret::Secret;
use crate::limits::KEY_FILE_BYTES_MAX;

/// The key in the file, without the line break that editors leave behind.
pub(crate) fn read_key(path: &Path) -> Result<Secret, String> {
    let file = std::fs::File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
    let mut text = Zeroizing::new(String::new());
    file.take(KEY_FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|e| format!("cannot be read: {e}"))?;
    match text.trim() {
        "" => Err("holds no key".to_owned()),
        key if key.contains(char::is_whitespace) => {
            Err("holds more than a key: it must be one word".to_owned())
        }
        key => Ok(Secret::new(key.to_owned())),
    }
}
