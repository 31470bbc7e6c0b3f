//! What is asked for: messages, new sessions with a turn each, or reads.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::api::{Api, Tools, message};
use crate::model::Script;
use crate::rig::Rig;

/// A session lets 1,000 wait, and a round asks in four steps. These are enough for 15,000 messages a second.
const SESSIONS_PER_SECOND: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Messages to sessions whose model does not answer.
    Messages,
    /// Sessions with a first message, which the model answers at once.
    Sessions,
    /// Sessions, lists and events that are looked at.
    Reads,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Sessions => "sessions with a turn",
            Self::Reads => "reads",
        }
    }

    /// What is asked seldom beside it.
    pub(super) fn other(self) -> &'static str {
        match self {
            Self::Messages | Self::Sessions => "reads meanwhile",
            Self::Reads => "messages meanwhile",
        }
    }
}

#[derive(Debug)]
pub(super) struct Work {
    kind: Kind,
    pub(super) sessions: Vec<String>,
    /// What all requests of the kind send.
    body: Bytes,
    /// What is asked beside.
    pub(super) other: Item,
    next: AtomicUsize,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Bytes,
    /// Which session it is for.
    pub(super) place: usize,
}

impl Work {
    pub(super) async fn prepare(
        rig: &Rig<'_>,
        api: &mut Api,
        kind: Kind,
        gate: &watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        api.use_tools(Tools::None).await?;
        let blocked = rig.model.expect(Script {
            gate: Some(gate.clone()),
            ..Script::default()
        });
        let answered = rig.model.expect(Script::default());
        let seconds = usize::try_from(rig.options.step().as_secs()).unwrap_or(1);
        let count = match kind {
            Kind::Messages => SESSIONS_PER_SECOND * seconds * rig.options.rounds(),
            Kind::Sessions | Kind::Reads => 8,
        };
        let mut sessions = Vec::new();
        for _ in 0..count {
            let session = api.create_session().await?;
            api.say(&session, blocked).await?;
            sessions.push(session);
        }
        let says = json!({ "events": [message(blocked)] }).to_string();
        let body = match kind {
            Kind::Messages => says.clone(),
            Kind::Sessions => {
                let mut body = api.session_body();
                body["initial_events"] = json!([message(answered)]);
                body.to_string()
            }
            Kind::Reads => String::new(),
        };
        let first = sessions.first().cloned().unwrap_or_default();
        let other = match kind {
            Kind::Messages | Kind::Sessions => read(&sessions, 0),
            Kind::Reads => Item {
                method: Method::POST,
                path: format!("/v1/sessions/{first}/events"),
                body: says.into(),
                place: 0,
            },
        };
        Ok(Self {
            kind,
            sessions,
            body: body.into(),
            other,
            next: AtomicUsize::new(0),
        })
    }

    pub(super) fn next(&self) -> Item {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let place = number % self.sessions.len().max(1);
        let path = match self.kind {
            Kind::Messages => format!("/v1/sessions/{}/events", self.sessions[place]),
            Kind::Sessions => "/v1/sessions".to_owned(),
            Kind::Reads => return read(&self.sessions, number),
        };
        Item {
            method: Method::POST,
            path,
            body: self.body.clone(),
            place,
        }
    }
}

fn read(sessions: &[String], number: usize) -> Item {
    let place = number % sessions.len().max(1);
    let session = sessions.get(place).map_or("", String::as_str);
    let path = match number % 3 {
        0 => format!("/v1/sessions/{session}"),
        1 => format!("/v1/sessions/{session}/events?limit=20"),
        _ => "/v1/sessions?limit=20".to_owned(),
    };
    Item {
        method: Method::GET,
        path,
        body: Bytes::new(),
        place,
    }
}

impl Item {
    /// The id that an acknowledgement names.
    pub(super) fn acknowledged(&self, body: &[u8]) -> Option<String> {
        if self.method != Method::POST {
            return None;
        }
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let id = answer["id"]
            .as_str()
            .or_else(|| answer["data"][0]["id"].as_str());
        // What has none is missing in the end.
        Some(id.unwrap_or("an acknowledgement without an id").to_owned())
    }
}
