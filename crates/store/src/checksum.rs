//! Rows that are read as they were written, or not at all: what a disk has altered since is found by the
//! checksum of the row, and is never taken for what happened.

use std::borrow::Cow;

use crate::StoreError;
use crate::row::Row;

/// Every column of a row of `events` but its own key, as it was written.
pub(crate) struct EventRow<'r> {
    pub(crate) session_key: i64,
    pub(crate) seq: i64,
    pub(crate) id: String,
    pub(crate) name: Cow<'r, str>,
    pub(crate) visibility: Cow<'r, str>,
    pub(crate) source_seq: Option<i64>,
    pub(crate) thread: Option<String>,
    pub(crate) epoch: i64,
    pub(crate) at: i64,
    pub(crate) body: String,
}

impl EventRow<'_> {
    /// Of the columns from `first` on: `session_key, seq, id, type, visibility, source_seq, thread_id,
    /// epoch, at, body, checksum`. `session` is for the message.
    pub(crate) fn read(
        row: &Row<'_>,
        first: usize,
        session: &str,
    ) -> Result<EventRow<'static>, StoreError> {
        let (read, checksum) = Self::columns(row, first).map_err(|_| {
            count();
            StoreError::Damaged {
                session: session.to_owned(),
                // Whatever of it can be told.
                seq: row.integer(first + 1).unwrap_or_default(),
                event: row.text(first + 2).unwrap_or_default(),
            }
        })?;
        match checksum {
            Some(checksum) if checksum != read.checksum() => Err(read.damaged(session)),
            // It is older than checksums.
            Some(_) | None => Ok(read),
        }
    }

    fn columns(
        row: &Row<'_>,
        first: usize,
    ) -> Result<(EventRow<'static>, Option<i64>), StoreError> {
        let read = EventRow {
            session_key: row.integer(first)?,
            seq: row.integer(first + 1)?,
            id: row.text(first + 2)?,
            name: row.text(first + 3)?.into(),
            visibility: row.text(first + 4)?.into(),
            source_seq: row.optional_integer(first + 5)?,
            thread: row.optional_text(first + 6)?,
            epoch: row.integer(first + 7)?,
            at: row.integer(first + 8)?,
            body: row.text(first + 9)?,
        };
        Ok((read, row.optional_integer(first + 10)?))
    }

    /// What is in the column. Texts end with a byte that is in none of them, and what is null is told from
    /// what is empty.
    pub(crate) fn checksum(&self) -> i64 {
        let mut sum = crc32fast::Hasher::new();
        let source_seq = self.source_seq.unwrap_or_default();
        for number in [self.session_key, self.seq, source_seq, self.epoch, self.at] {
            sum.update(&number.to_le_bytes());
        }
        let nulls = [self.source_seq.is_none(), self.thread.is_none()];
        sum.update(&nulls.map(u8::from));
        let thread = self.thread.as_deref().unwrap_or_default();
        let texts: [&str; 5] = [&self.id, &self.name, &self.visibility, thread, &self.body];
        for text in texts {
            sum.update(text.as_bytes());
            sum.update(&[0xff]);
        }
        i64::from(sum.finalize())
    }

    /// What is said instead of it.
    pub(crate) fn damaged(&self, session: &str) -> StoreError {
        count();
        StoreError::Damaged {
            session: session.to_owned(),
            seq: self.seq,
            event: self.id.clone(),
        }
    }
}

/// Of a part of a snapshot: the session's and its own number, and its text.
pub(crate) fn checksum_of_part(session_key: i64, number: i64, text: &str) -> i64 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&session_key.to_le_bytes());
    sum.update(&number.to_le_bytes());
    sum.update(text.as_bytes());
    i64::from(sum.finalize())
}

/// A part of a snapshot: `session_key, number, body, checksum`. `None` if it is not what was written, as far
/// as is known.
pub(crate) fn read_part(row: &Row<'_>) -> Option<(i64, String)> {
    let read = || -> Result<_, StoreError> {
        let (key, number, text) = (row.integer(0)?, row.integer(1)?, row.text(2)?);
        let is_whole = row
            .optional_integer(3)?
            // It is older than checksums.
            .is_none_or(|checksum| checksum == checksum_of_part(key, number, &text));
        Ok(is_whole.then_some((number, text)))
    };
    let whole = read().ok().flatten();
    if whole.is_none() {
        count();
    }
    whole
}

fn count() {
    metrics::counter!("hostler_damaged_rows_total").increment(1);
}
