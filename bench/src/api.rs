//! The few operations of the protocol that the scenarios need.

use std::collections::HashSet;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::client::{Connection, EventStream, Target};
use crate::model::Token;

/// Any model that the server's routing knows: the instant one answers.
const MODEL: &str = "claude-opus-4-8";

/// A client with one connection for requests, and an agent and an environment to make sessions of.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) target: Target,
    connection: Connection,
    agent: String,
    environment: String,
}

/// How a stream is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Previews {
    Off,
    On,
}

/// What an agent has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tools {
    /// Each session gets a sandbox.
    Sandbox,
    None,
}

impl Api {
    pub(crate) async fn new(target: Target) -> anyhow::Result<Self> {
        let mut connection = Connection::open(&target).await?;
        let agent = new_agent(&mut connection, Tools::Sandbox).await?;
        let environment = connection
            .post("/v1/environments", &json!({ "name": "bench" }))
            .await?;
        Ok(Self {
            target,
            connection,
            agent,
            environment: id_of(&environment)?,
        })
    }

    /// The same client after a restart of the server.
    pub(crate) async fn reconnected(self, target: Target) -> anyhow::Result<Self> {
        let connection = Connection::open(&target).await?;
        Ok(Self {
            target,
            connection,
            ..self
        })
    }

    /// Sessions that are made from now on have an agent with these tools.
    pub(crate) async fn use_tools(&mut self, tools: Tools) -> anyhow::Result<()> {
        self.agent = new_agent(&mut self.connection, tools).await?;
        Ok(())
    }

    pub(crate) async fn status_of(&mut self, session: &str) -> anyhow::Result<String> {
        let session = self
            .connection
            .get(&format!("/v1/sessions/{session}"))
            .await?;
        let status = session["status"].as_str();
        Ok(status.context("a session without a status")?.to_owned())
    }

    pub(crate) async fn create_session(&mut self) -> anyhow::Result<String> {
        let body = self.session_body();
        id_of(&self.connection.post("/v1/sessions", &body).await?)
    }

    /// The request for a session of this client's agent, for whoever makes it on another connection.
    pub(crate) fn session_body(&self) -> Value {
        json!({ "agent": self.agent, "environment_id": self.environment })
    }

    /// Says a message on the client's own connection; the id of the event.
    pub(crate) async fn say(&mut self, session: &str, token: Token) -> anyhow::Result<String> {
        say(&mut self.connection, session, token).await
    }

    pub(crate) async fn stream(
        &self,
        session: &str,
        previews: Previews,
    ) -> anyhow::Result<EventStream> {
        let query = match previews {
            Previews::Off => "",
            Previews::On => "?event_deltas[]=agent.message",
        };
        let path = format!("/v1/sessions/{session}/events/stream{query}");
        Connection::open(&self.target).await?.stream(&path).await
    }

    /// All events of a session, in the order of the list.
    pub(crate) async fn events(&mut self, session: &str) -> anyhow::Result<Vec<Value>> {
        let mut events = Vec::new();
        let mut query = "limit=1000".to_owned();
        loop {
            let path = format!("/v1/sessions/{session}/events?{query}");
            let mut page = self.connection.get(&path).await?;
            let next = page["next_page"].as_str().map(str::to_owned);
            let Value::Array(data) = page["data"].take() else {
                bail!("a list without data: {page}");
            };
            events.extend(data);
            match next {
                Some(next) => query = format!("limit=1000&page={next}"),
                None => return Ok(events),
            }
        }
    }

    /// The ids of all events of a session, in the order of the list.
    pub(crate) async fn event_ids(&mut self, session: &str) -> anyhow::Result<Vec<String>> {
        self.events(session).await?.iter().map(id_of).collect()
    }

    /// How many of these ids the session's list lacks, and how many it has twice.
    pub(crate) async fn missing_and_doubled(
        &mut self,
        session: &str,
        expected: &[String],
    ) -> anyhow::Result<(usize, usize)> {
        let listed = self.event_ids(session).await?;
        let distinct: HashSet<&String> = listed.iter().collect();
        let missing = expected.iter().filter(|id| !distinct.contains(id)).count();
        Ok((missing, listed.len() - distinct.len()))
    }
}

async fn new_agent(connection: &mut Connection, tools: Tools) -> anyhow::Result<String> {
    let tools = match tools {
        Tools::Sandbox => json!([{ "type": "agent_toolset_20260401" }]),
        Tools::None => json!([]),
    };
    let agent = json!({ "name": "bench", "model": MODEL, "tools": tools });
    id_of(&connection.post("/v1/agents", &agent).await?)
}

/// Posts a message; the id of the event. Returns when the server has acknowledged it.
pub(crate) async fn say(
    connection: &mut Connection,
    session: &str,
    token: Token,
) -> anyhow::Result<String> {
    let body = json!({ "events": [message(token)] });
    let answer = connection
        .post(&format!("/v1/sessions/{session}/events"), &body)
        .await?;
    id_of(&answer["data"][0])
}

/// A message as a client sends it.
pub(crate) fn message(token: Token) -> Value {
    let content = json!([{ "type": "text", "text": format!("Go on. {token}") }]);
    json!({ "type": "user.message", "content": content })
}

pub(crate) fn id_of(value: &Value) -> anyhow::Result<String> {
    let id = value["id"]
        .as_str()
        .with_context(|| format!("no id in {value}"))?;
    Ok(id.to_owned())
}
