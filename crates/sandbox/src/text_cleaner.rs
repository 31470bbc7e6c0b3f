//! Turns the bytes that programs write for terminals into plain text.
//!
//! Escape sequences go, invalid UTF-8 and control characters become U+FFFD, both sets of them. It works on
//! pieces: a sequence or character may be cut anywhere between two of them.

use crate::limits::ESCAPE_SEQUENCE_BYTES_MAX;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;
const REPLACEMENT: char = '\u{FFFD}';

#[derive(Debug, Default)]
pub struct TextCleaner {
    state: State,
    /// The beginning of a character whose end has not come yet.
    cut_character: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Text,
    Escape,
    /// After ESC and bytes that announce one more, such as a character set.
    Intermediate,
    /// After ESC `[`, with the number of bytes so far.
    Control(usize),
    /// A string for the terminal, such as a title, with the number of bytes so far.
    Terminal(usize),
    TerminalEscape(usize),
}

impl TextCleaner {
    pub fn push(&mut self, mut bytes: &[u8], text: &mut String) {
        while let Some(byte) = bytes.first().copied() {
            let used = match self.state {
                State::Text => {
                    let plain = bytes.iter().position(|byte| is_control(*byte));
                    match plain.unwrap_or(bytes.len()) {
                        0 => {
                            self.control(byte, text);
                            1
                        }
                        length => {
                            self.characters(&bytes[..length], text);
                            length
                        }
                    }
                }
                State::Escape
                | State::Intermediate
                | State::Control(_)
                | State::Terminal(_)
                | State::TerminalEscape(_) => {
                    self.state = self.state.after(byte);
                    1
                }
            };
            bytes = &bytes[used..];
        }
    }

    /// No more bytes come: a cut character stays cut.
    pub fn finish(&mut self, text: &mut String) {
        self.give_up_cut_character(text);
        self.state = State::Text;
    }

    fn control(&mut self, byte: u8, text: &mut String) {
        self.give_up_cut_character(text);
        if byte == ESCAPE {
            self.state = State::Escape;
        } else {
            text.push(REPLACEMENT);
        }
    }

    fn characters(&mut self, bytes: &[u8], text: &mut String) {
        let joined;
        let bytes = if self.cut_character.is_empty() {
            bytes
        } else {
            self.cut_character.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.cut_character);
            &joined
        };
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            push_plain(chunk.valid(), text);
            let invalid = chunk.invalid();
            let unfinished =
                || std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if chunks.peek().is_none() && unfinished() {
                self.cut_character = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.push(REPLACEMENT);
            }
        }
    }

    fn give_up_cut_character(&mut self, text: &mut String) {
        if !self.cut_character.is_empty() {
            self.cut_character.clear();
            text.push(REPLACEMENT);
        }
    }
}

impl State {
    fn after(self, byte: u8) -> Self {
        match self {
            Self::Text => Self::Text,
            Self::Escape => match byte {
                b'[' => Self::Control(0),
                b']' | b'P' | b'X' | b'^' | b'_' => Self::Terminal(0),
                0x20..=0x2f => Self::Intermediate,
                _ => Self::Text,
            },
            Self::Intermediate => match byte {
                0x20..=0x2f => Self::Intermediate,
                _ => Self::Text,
            },
            Self::Control(length) => match byte {
                // Parameters go on; the final byte and whatever does not belong there end it.
                0x20..=0x3f if length < ESCAPE_SEQUENCE_BYTES_MAX => Self::Control(length + 1),
                ESCAPE => Self::Escape,
                _ => Self::Text,
            },
            Self::Terminal(length) | Self::TerminalEscape(length)
                if length >= ESCAPE_SEQUENCE_BYTES_MAX || byte == BELL =>
            {
                Self::Text
            }
            Self::Terminal(length) if byte == ESCAPE => Self::TerminalEscape(length + 1),
            Self::Terminal(length) => Self::Terminal(length + 1),
            Self::TerminalEscape(_) if byte == b'\\' => Self::Text,
            Self::TerminalEscape(_) => Self::Escape.after(byte),
        }
    }
}

/// Some terminals take the control characters from U+0080 on for the beginnings of sequences.
fn push_plain(valid: &str, text: &mut String) {
    // The first byte of all of them; hardly any output has it, and there may be gigabytes.
    if !valid.as_bytes().contains(&0xc2) {
        text.push_str(valid);
        return;
    }
    let mut pieces = valid.split(|c: char| ('\u{80}'..='\u{9f}').contains(&c));
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        text.push(REPLACEMENT);
        text.push_str(piece);
    }
}

fn is_control(byte: u8) -> bool {
    (byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t')) || byte == 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
        let (mut cleaner, mut text) = (TextCleaner::default(), String::new());
        pieces
            .into_iter()
            .for_each(|piece| cleaner.push(piece, &mut text));
        cleaner.finish(&mut text);
        text
    }

    #[test]
    fn pieces_may_be_cut_anywhere() {
        let bytes =
            "ä\u{1b}[1;31mröt\u{1b}[0m \u{1b}]0;title\u{7}€\u{1b}(B.\u{1b}P1\u{1b}\\x\u{7}😀"
                .as_bytes();
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(clean([first, second]), "äröt €.x\u{FFFD}😀", "cut at {cut}");
        }
        assert_eq!(clean(bytes.chunks(1)), "äröt €.x\u{FFFD}😀");
    }

    #[test]
    fn the_second_set_of_control_characters_goes_too() {
        assert_eq!(
            clean(["a\u{9b}31mb\u{9d}c\u{a0}é".as_bytes()]),
            "a\u{FFFD}31mb\u{FFFD}c\u{a0}é"
        );
    }

    #[test]
    fn what_never_ends_does_not_swallow_everything() {
        let mut bytes = b"\x1b]0;".to_vec();
        bytes.extend(std::iter::repeat_n(b'a', ESCAPE_SEQUENCE_BYTES_MAX + 100));
        bytes.extend(b"\xe2\x82");
        let text = clean([&bytes[..]]);
        assert!(text.len() < 150 && text.ends_with("aa\u{FFFD}"), "{text}");
    }
}
