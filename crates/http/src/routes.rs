//! The route table. It reads like the index of the API: one line for each operation.

use hostler_protocol::session::{DeletedSession, Session};

use crate::operation::{Operations, answers, event_stream, page, two_way_page};
use crate::refused::REFUSED;
use crate::sessions::{
    self,
    shapes::{MountedResource, SentEvents, SessionEvent},
};

/// Every operation of the protocol, served or refused.
pub(crate) fn all() -> Operations {
    let served = sessions(Operations::default());
    REFUSED.iter().fold(served, |table, (feature, lines)| {
        table.refuse(feature, lines)
    })
}

#[rustfmt::skip] // One line for each operation is what makes it a table.
fn sessions(table: Operations) -> Operations {
    use sessions::{create, crud, events, stream};
    const LIST: &[&str] = &["agent_id", "agent_version", "created_at[gt]", "created_at[gte]", "created_at[lt]",
        "created_at[lte]", "include_archived", "limit", "order", "page", "statuses[]"];
    const EVENTS: &[&str] = &["created_at[gt]", "created_at[gte]", "created_at[lt]", "created_at[lte]", "limit",
        "order", "page", "types[]"];
    table
        .serve("POST /v1/sessions", "sessions.create", create::create, answers::<Session>().takes_json())
        .serve("GET /v1/sessions", "sessions.list", crud::list, two_way_page::<Session>().query(LIST))
        .serve("GET /v1/sessions/{session_id}", "sessions.retrieve", crud::retrieve, answers::<Session>())
        .serve("POST /v1/sessions/{session_id}", "sessions.update", crud::update_session, answers::<Session>().takes_json())
        .serve("DELETE /v1/sessions/{session_id}", "sessions.delete", crud::delete, answers::<DeletedSession>())
        .serve("POST /v1/sessions/{session_id}/archive", "sessions.archive", crud::archive, answers::<Session>())
        .serve("GET /v1/sessions/{session_id}/resources", "sessions.resources.list", crud::list_resources, page::<MountedResource>().query(&["limit", "page"]))
        .serve("GET /v1/sessions/{session_id}/events", "sessions.events.list", events::list, page::<SessionEvent>().query(EVENTS))
        .serve("POST /v1/sessions/{session_id}/events", "sessions.events.send", events::send, answers::<SentEvents>().takes_json())
        .serve("GET /v1/sessions/{session_id}/events/stream", "sessions.events.stream", stream::stream, event_stream::<SessionEvent>().query(&["event_deltas[]", "after"]))
}
