//! What the OpenAPI document says about answers that are put together from stored text.

use hostler_protocol::Timestamp;
use hostler_protocol::id::EventId;
use utoipa::ToSchema;

/// An event. Besides these it has the fields of its type.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON that is never built from it")]
pub(crate) struct SessionEvent {
    id: EventId,
    #[schema(rename = "type")]
    kind: String,
    /// Null while the event waits to be processed.
    #[schema(value_type = Option<String>, format = DateTime)]
    processed_at: Option<Timestamp>,
}

/// The stored events, in the order in which they were sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes JSON that is never built from it")]
pub(crate) struct SentEvents {
    data: Vec<SessionEvent>,
}
