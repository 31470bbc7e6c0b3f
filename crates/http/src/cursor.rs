//! The text of a page cursor, which no other file makes or reads.
//!
//! A cursor says which list it belongs to, in which order and direction it reads, and behind
//! which item. A short checksum tells a damaged or invented one from ours. It is no secret and
//! grants nothing: the tenant is always taken from the key.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hostler_store::Order;

use crate::ApiError;
use crate::limits::CURSOR_CHARS_MAX;

const PREFIX: &str = "page_";
const CHECKSUM_BYTES: usize = 6;
const VERSION: &str = "1";

/// Which way a cursor reads from its item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Next,
    Previous,
}

/// Where an item stands in its list: the two columns that the list is ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// A moment in microseconds, a version or a sequence number.
    pub(crate) rank: i64,
    /// Tells items of the same rank apart. May be empty where ranks are unique.
    pub(crate) id: String,
}

/// The cursor of `list` that goes on behind `position`.
pub(crate) fn write(list: &str, order: Order, direction: Direction, position: &Position) -> String {
    let order = word(order);
    let direction = match direction {
        Direction::Next => "next",
        Direction::Previous => "prev",
    };
    let Position { rank, id } = position;
    let body = format!("{VERSION} {list} {order} {direction} {rank} {id}");
    let mut bytes = checksum(body.as_bytes()).to_vec();
    bytes.extend_from_slice(body.as_bytes());
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// # Errors
/// 400 for text that is no cursor, one of another list, and one of another order.
pub(crate) fn read(
    cursor: &str,
    list: &str,
    order: Order,
) -> Result<(Direction, Position), ApiError> {
    let body = opened(cursor).ok_or_else(invalid)?;
    let mut parts = body.splitn(6, ' ');
    let mut part = || parts.next().ok_or_else(invalid);
    if part()? != VERSION || part()? != list {
        return Err(invalid());
    }
    if part()? != word(order) {
        let message = "page: page token order does not match request";
        return Err(ApiError::invalid(message));
    }
    let direction = match part()? {
        "next" => Direction::Next,
        "prev" => Direction::Previous,
        _ => return Err(invalid()),
    };
    let rank = part()?.parse().map_err(|_| invalid())?;
    let id = part()?.to_owned();
    Ok((direction, Position { rank, id }))
}

/// A cursor that is none of ours, or not one of this list.
pub(crate) fn invalid() -> ApiError {
    ApiError::invalid("page: invalid page cursor")
}

fn word(order: Order) -> &'static str {
    match order {
        Order::Ascending => "asc",
        Order::Descending => "desc",
    }
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = digest::digest(&digest::SHA256, body);
    let mut short = [0; CHECKSUM_BYTES];
    short.copy_from_slice(&digest.as_ref()[..CHECKSUM_BYTES]);
    short
}

/// The text of a cursor whose checksum is right.
fn opened(cursor: &str) -> Option<String> {
    let encoded = cursor.strip_prefix(PREFIX)?;
    if encoded.len() > CURSOR_CHARS_MAX {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let (sum, body) = bytes.split_at_checked(CHECKSUM_BYTES)?;
    if checksum(body) != sum {
        return None;
    }
    String::from_utf8(body.to_vec()).ok()
}
