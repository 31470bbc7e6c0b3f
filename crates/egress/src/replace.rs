//! Replaces texts in a stream of bytes, wherever the borders of its pieces are.
//!
//! Pure: it reads nothing and waits for nothing. The result is that of one replacement in the whole:
//! the leftmost text first, of two at one place the longer one, and nothing is looked at twice.

use memchr::memmem;
use zeroize::Zeroizing;

/// One text and what takes its place. Both may be secret.
pub(crate) struct Pair {
    pub(crate) from: Zeroizing<Vec<u8>>,
    pub(crate) to: Zeroizing<Vec<u8>>,
}

pub(crate) struct Replacer {
    pairs: Vec<Pair>,
    /// The end of what came, as far as it may be the beginning of a text.
    held: Vec<u8>,
}

impl Replacer {
    /// Texts without a byte are left out.
    pub(crate) fn new(pairs: Vec<Pair>) -> Self {
        let pairs = pairs.into_iter().filter(|pair| !pair.from.is_empty());
        Self {
            pairs: pairs.collect(),
            held: Vec::new(),
        }
    }

    /// What can be passed on after this piece.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        self.take(false)
    }

    /// What is left, once nothing follows.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.take(true)
    }

    pub(crate) fn holds_nothing(&self) -> bool {
        self.held.is_empty()
    }

    /// A text of its own with its replacements, if there are any.
    pub(crate) fn replaced(&self, text: &[u8]) -> Option<Vec<u8>> {
        let (mut out, mut at) = (Vec::new(), 0);
        while let Some((start, pair)) = self.first_in(&text[at..]) {
            out.extend_from_slice(&text[at..at + start]);
            out.extend_from_slice(&pair.to);
            at += start + pair.from.len();
        }
        out.extend_from_slice(&text[at..]);
        (at > 0).then_some(out)
    }

    fn take(&mut self, is_end: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.held.len());
        let mut at = 0;
        loop {
            let rest = &self.held[at..];
            let open = if is_end {
                rest.len()
            } else {
                self.open_from(rest)
            };
            match self.first_in(rest) {
                // One that begins before it may still come.
                Some((start, pair)) if start < open => {
                    out.extend_from_slice(&rest[..start]);
                    out.extend_from_slice(&pair.to);
                    at += start + pair.from.len();
                }
                Some(_) | None => {
                    out.extend_from_slice(&rest[..open]);
                    at += open;
                    break;
                }
            }
        }
        self.held.drain(..at);
        out
    }

    /// Where the first text is, and the longest that is there.
    fn first_in(&self, bytes: &[u8]) -> Option<(usize, &Pair)> {
        let found = self.pairs.iter().filter_map(|pair| {
            let start = memmem::find(bytes, &pair.from)?;
            Some((start, pair))
        });
        found.min_by_key(|(start, pair)| (*start, usize::MAX - pair.from.len()))
    }

    /// Where a text may begin whose end is still to come.
    fn open_from(&self, bytes: &[u8]) -> usize {
        let longest = self.pairs.iter().map(|pair| pair.from.len()).max();
        let first = bytes
            .len()
            .saturating_sub(longest.unwrap_or(0).saturating_sub(1));
        let begins = |start: &usize| {
            let end = &bytes[*start..];
            let mut pairs = self.pairs.iter();
            pairs.any(|pair| pair.from.len() > end.len() && pair.from.starts_with(end))
        };
        (first..bytes.len()).find(begins).unwrap_or(bytes.len())
    }
}

impl Drop for Replacer {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.held);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn pairs(texts: &[(&str, &str)]) -> Vec<Pair> {
        let bytes = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        let pairs = texts.iter().map(|(from, to)| Pair {
            from: bytes(from),
            to: bytes(to),
        });
        pairs.collect()
    }

    fn in_pieces(texts: &[(&str, &str)], text: &[u8], sizes: &[usize]) -> Vec<u8> {
        let mut replacer = Replacer::new(pairs(texts));
        let (mut out, mut rest) = (Vec::new(), text);
        for size in sizes.iter().cycle().take(text.len() + sizes.len()) {
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            out.extend(replacer.push(piece));
            rest = more;
        }
        out.extend(replacer.push(rest));
        out.extend(replacer.finish());
        out
    }

    #[test]
    fn the_leftmost_and_longest_is_replaced_once() {
        let texts = [("ab", "1"), ("abc", "ab"), ("bcd", "3"), ("", "x")];
        for (text, expected) in [
            ("", ""),
            ("a", "a"),
            ("ab", "1"),
            ("abcd", "abd"),
            ("xbcdab", "x31"),
            ("aab", "a1"),
        ] {
            let whole = Replacer::new(pairs(&texts)).replaced(text.as_bytes());
            let whole = whole.unwrap_or_else(|| text.as_bytes().to_vec());
            assert_eq!(String::from_utf8(whole).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn nothing_is_held_that_can_be_no_beginning() {
        let mut replacer = Replacer::new(pairs(&[("secret", "x")]));
        assert_eq!(replacer.push(b"tell no sec"), b"tell no ");
        assert_eq!(replacer.push(b"ond: secre"), b"second: ");
        assert_eq!(replacer.push(b"t!"), b"x!");
        assert!(replacer.finish().is_empty());
    }

    proptest! {
        #[test]
        fn borders_make_no_difference(
            text in vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'c')], 0..60),
            sizes in vec(1_usize..7, 1..5),
        ) {
            let texts = [("ab", "XY"), ("abc", ""), ("ca", "Zab"), ("bbcb", "_")];
            let whole = Replacer::new(pairs(&texts)).replaced(&text);
            let whole = whole.unwrap_or_else(|| text.clone());
            prop_assert_eq!(in_pieces(&texts, &text, &sizes), whole);
        }
    }
}
