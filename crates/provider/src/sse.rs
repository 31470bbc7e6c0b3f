//! Server-sent events, from bytes as they come. It yields the data of each event and drops what
//! model providers do not use: names, ids, retry hints, comments. An event that the connection
//! cut short is never yielded, as the standard says.

use crate::error::ModelError;
use crate::limits;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

#[derive(Debug)]
pub(crate) struct SseParser {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    before_first_line: bool,
    /// The last byte was a carriage return: a line feed now belongs to it.
    after_carriage_return: bool,
    event_bytes_max: usize,
}

impl SseParser {
    pub(crate) fn new() -> Self {
        Self::with_event_bytes_max(limits::SSE_EVENT_BYTES_MAX)
    }

    fn with_event_bytes_max(event_bytes_max: usize) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            before_first_line: true,
            after_carriage_return: false,
            event_bytes_max,
        }
    }

    /// Takes the next bytes and appends the data of every event that they complete.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        events: &mut Vec<Vec<u8>>,
    ) -> Result<(), ModelError> {
        if self.after_carriage_return && !bytes.is_empty() {
            self.after_carriage_return = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let ended_by = bytes[end];
            self.extend_line(&bytes[..end])?;
            self.end_line(events);
            bytes = &bytes[end + 1..];
            if ended_by == b'\r' {
                match bytes.first() {
                    Some(b'\n') => bytes = &bytes[1..],
                    Some(_) => {}
                    None => self.after_carriage_return = true,
                }
            }
        }
        self.extend_line(bytes)
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        if self.line.len() + self.data.len() + bytes.len() > self.event_bytes_max {
            return Err(ModelError::malformed(format!(
                "the provider sent an event of more than {} bytes",
                self.event_bytes_max
            )));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<Vec<u8>>) {
        let mut line = self.line.as_slice();
        if self.before_first_line {
            self.before_first_line = false;
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        if line.is_empty() {
            if self.has_data {
                self.has_data = false;
                events.push(std::mem::take(&mut self.data));
            }
        } else if let Some(value) = data_of(line) {
            if self.has_data {
                self.data.push(b'\n');
            }
            self.has_data = true;
            self.data.extend_from_slice(value);
        }
        self.line.clear();
    }
}

/// The value of a `data` line; other fields and comments have none.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"data")?;
    match rest.split_first() {
        None => Some(rest),
        Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut parser = SseParser::new();
        let mut events = Vec::new();
        for piece in pieces {
            parser.feed(piece, &mut events).expect("below the limit");
        }
        events
            .into_iter()
            .map(|event| String::from_utf8(event).expect("is UTF-8"))
            .collect()
    }

    #[test]
    fn reads_what_the_standard_allows() {
        let text = "\u{FEFF}event: one\r\ndata: {\"a\":1}\r\n\r\n: comment\rdata:no space\r\r\
                    data\n\nid: 7\nretry: 1\n\ndata: two\ndata:  lines ü\ndatabase: no\n\ndata: cut";
        let expected = ["{\"a\":1}", "no space", "", "two\n lines ü"];
        assert_eq!(events_of([text.as_bytes()]), expected);
    }

    #[test]
    fn refuses_an_event_above_the_limit() {
        let mut parser = SseParser::with_event_bytes_max(64);
        let mut events = Vec::new();
        let many_short_lines = b"data: 12345678\n".repeat(10);
        let error = parser
            .feed(&many_short_lines, &mut events)
            .expect_err("is too long");
        assert_eq!(error.kind, crate::ModelErrorKind::Malformed);

        let mut parser = SseParser::with_event_bytes_max(64);
        assert!(parser.feed(&[b'x'; 65], &mut events).is_err());
    }

    proptest! {
        /// Where the network cuts the bytes never changes the events.
        #[test]
        fn any_split_gives_the_same_events(
            lines in proptest::collection::vec("(data: ?|data|: |event: |)[a-zü€ :]{0,6}(\r|\n|\r\n)", 0..24),
            cuts in proptest::collection::vec(0usize..200, 0..12),
        ) {
            let text = lines.concat();
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut start = 0;
            for cut in cuts {
                pieces.push(&bytes[start..cut]);
                start = cut;
            }
            pieces.push(&bytes[start..]);
            prop_assert_eq!(events_of(pieces), events_of([bytes]));
            prop_assert_eq!(events_of(bytes.chunks(1)), events_of([bytes]));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut parser = SseParser::with_event_bytes_max(100);
            let _ = parser.feed(&bytes, &mut Vec::new());
        }
    }
}
