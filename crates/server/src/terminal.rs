//! What the commands say to the person in front of them: stdout, flushed at once.
//!
//! The log goes to stderr and is no concern of this file.

use std::io::Write;

/// Says it. A reader who has gone away is no error: the command's work does not depend on being heard.
pub(crate) fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}
