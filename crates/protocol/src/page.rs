//! The three styles of lists on the wire. Cursors are opaque to clients; `http/pagination.rs`
//! makes and reads them.

use serde::Serialize;
use utoipa::ToSchema;

/// Most lists: forward only.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Page<T> {
    pub data: Vec<T>,
    /// Null at the end.
    pub next_page: Option<String>,
}

/// The list of sessions: both directions.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TwoWayPage<T> {
    pub data: Vec<T>,
    pub next_page: Option<String>,
    pub prev_page: Option<String>,
}

/// Lists that are paged by the id of an item: models.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IdPage<T> {
    pub data: Vec<T>,
    pub has_more: bool,
    pub first_id: Option<String>,
    pub last_id: Option<String>,
}
