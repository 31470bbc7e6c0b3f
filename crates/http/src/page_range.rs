//! From a page that a client asks for to the rows that the store reads.

use hostler_protocol::Timestamp;
use hostler_store::{Archived, PageRange};

use crate::ApiError;
use crate::pagination::{PageRequest, Position};
use crate::query::Query;

impl From<&PageRequest> for PageRange {
    fn from(request: &PageRequest) -> Self {
        Self {
            after: request
                .after
                .as_ref()
                .map(|position| (position.rank, position.id.clone())),
            // One more than is shown tells whether another page follows.
            limit: request.limit + 1,
        }
    }
}

/// The place of an item in a list that goes by age.
pub(crate) fn by_age(created_at: Timestamp, id: impl std::fmt::Display) -> Position {
    Position {
        rank: created_at.as_micros(),
        id: id.to_string(),
    }
}

/// Reads `include_archived`.
pub(crate) fn archived(query: &Query) -> Result<Archived, ApiError> {
    Ok(match query.boolean("include_archived")? {
        Some(true) => Archived::Included,
        Some(false) | None => Archived::LeftOut,
    })
}
