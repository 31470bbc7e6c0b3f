//! Rows of the log in the form that clients see: the stored text with `id` and `processed_at` in
//! front, without parsing it.

use hostler_protocol::Timestamp;
use hostler_protocol::event::Seq;

/// An event as it goes on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireEvent {
    /// Its place in the public order; none while it is queued.
    pub seq: Option<Seq>,
    pub id: String,
    /// The `type` of the JSON.
    pub name: String,
    /// On one line.
    pub json: String,
}

impl WireEvent {
    /// `body` is the stored text of the event: `{"type":…}`.
    pub(crate) fn new(
        seq: Option<Seq>,
        id: String,
        name: String,
        processed_at: Option<Timestamp>,
        body: &str,
    ) -> Self {
        let keys = body.strip_prefix('{').unwrap_or(body);
        let mut json = match processed_at {
            Some(at) => format!("{{\"id\":\"{id}\",\"processed_at\":\"{at}\","),
            None => format!("{{\"id\":\"{id}\",\"processed_at\":null,"),
        };
        // Inside strings JSON has line breaks escaped. The others are white space of a tool input
        // that is kept as the model wrote it, and would end a line of an event stream too soon.
        let keys_from = json.len();
        json.push_str(keys);
        if json[keys_from..].contains('\n') || json[keys_from..].contains('\r') {
            json = json.replace(['\n', '\r'], " ");
        }
        Self {
            seq,
            id,
            name,
            json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_and_time_go_in_front_and_all_is_one_line() {
        let at = Timestamp::from_micros(0);
        let body = "{\"type\":\"agent.tool_use\",\"input\":{\n\"a\":\r\n\"\\n\"}}";
        let event = WireEvent::new(
            None,
            "sevt_1".into(),
            "agent.tool_use".into(),
            Some(at),
            body,
        );
        assert_eq!(
            event.json,
            "{\"id\":\"sevt_1\",\"processed_at\":\"1970-01-01T00:00:00.000000Z\",\
             \"type\":\"agent.tool_use\",\"input\":{ \"a\":  \"\\n\"}}"
        );
        let queued = WireEvent::new(None, "sevt_1".into(), "x".into(), None, "{\"type\":\"x\"}");
        assert_eq!(
            queued.json,
            "{\"id\":\"sevt_1\",\"processed_at\":null,\"type\":\"x\"}"
        );
    }
}
