//! Bytes as text. What is no character becomes U+FFFD; nothing is refused.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use crate::limits::CHARSET_BYTES;

/// By a mark at the beginning, else by what the server says, else by what the page says, else UTF-8 if it is that.
pub(super) fn decode(bytes: &[u8], named: Option<&str>) -> String {
    let named = named.and_then(|label| Encoding::for_label(label.as_bytes()));
    let encoding = named.or_else(|| of_page(bytes)).unwrap_or_else(|| {
        match std::str::from_utf8(bytes) {
            Ok(_) => UTF_8,
            // A page that was cut ends in the middle of a character, and has others before it.
            Err(error)
                if error.error_len().is_none() && !bytes[..error.valid_up_to()].is_ascii() =>
            {
                UTF_8
            }
            Err(_) => WINDOWS_1252,
        }
    });
    let (text, _, _) = encoding.decode(bytes);
    text.into_owned()
}

/// `<meta charset="…">`, or the same in the older form.
fn of_page(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(CHARSET_BYTES)];
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let meta = head.split("<meta").skip(1).find_map(|meta| {
        let meta = meta.split('>').next()?;
        meta.split_once("charset=").map(|(_, rest)| rest)
    })?;
    let label = meta.trim_start_matches(['"', '\'', ' ']);
    let end = label.find(['"', '\'', ' ', ';', '/']);
    let label = &label[..end.unwrap_or(label.len())];
    // A page whose words are readable here is not in UTF-16, whatever it says.
    Encoding::for_label(label.as_bytes()).map(|encoding| match encoding.is_ascii_compatible() {
        true => encoding,
        false => UTF_8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_character_set_is_found_where_it_is_named() {
        assert_eq!(decode("é".as_bytes(), None), "é");
        assert_eq!(decode(b"\xe9", None), "é");
        assert_eq!(decode(b"\x83\x65", Some("Shift_JIS")), "テ");
        let page = b"<html><META http-equiv=x content='text/html; charset=iso-8859-2'>\xb1";
        assert!(decode(page, None).ends_with('ą'));
        assert_eq!(decode(b"\xef\xbb\xbfx", Some("windows-1252")), "x");
        assert_eq!(decode(b"x", Some("no such set")), "x");
    }
}
