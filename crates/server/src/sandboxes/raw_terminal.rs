//! The terminal of the person in front of it, while a command inside a sandbox has the say.

use std::io;

use hostler_sandbox::TerminalSize;
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// Passes every key on, and shows nothing by itself. Dropped, the terminal is as it was.
pub(super) struct RawTerminal(Termios);

impl RawTerminal {
    pub(super) fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        // Before it is changed, so that nothing can come in between.
        let terminal = Self(before);
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(terminal)
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // Not after what is left to be shown: nobody may be reading.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

/// `None` where standard input and output are not both a terminal.
pub(super) fn size() -> Option<TerminalSize> {
    if !isatty(stdin()) || !isatty(stdout()) {
        return None;
    }
    let size = tcgetwinsize(stdout()).ok()?;
    Some(TerminalSize {
        rows: size.ws_row,
        columns: size.ws_col,
    })
}
