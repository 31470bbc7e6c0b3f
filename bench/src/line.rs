//! A session that is talked to, with a connection and a stream of its own.

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::api::{Api, Previews, id_of, say};
use crate::client::{Connection, EventStream};
use crate::model::{Model, Script, Token};
use crate::rig::{Rig, idle};

#[derive(Debug)]
pub(crate) struct Line {
    connection: Connection,
    pub(crate) stream: EventStream,
    pub(crate) session: String,
    pub(crate) token: Token,
}

/// A turn's time, the model's part still in it.
pub(crate) struct Whole {
    taken: Duration,
}

impl Whole {
    pub(crate) fn less(self, model: &Model, token: Token) -> anyhow::Result<Duration> {
        let asked = model.asked(token);
        let last = asked.last().context("the model was not asked")?;
        let answered = last.answered.context("the model has not answered")?;
        Ok(self
            .taken
            .saturating_sub(answered.saturating_duration_since(last.arrived)))
    }
}

impl Line {
    /// In a new session, whose model answers by the script.
    pub(crate) async fn open(rig: &Rig<'_>, api: &Api, script: Script) -> anyhow::Result<Self> {
        let mut connection = Connection::open(&api.target).await?;
        let session = connection.post("/v1/sessions", &api.session_body()).await?;
        let session = id_of(&session)?;
        let stream = api.stream(&session, Previews::Off).await?;
        Ok(Self {
            connection,
            stream,
            session,
            token: rig.model.expect(script),
        })
    }

    /// For a session that said nothing for so long that the server has closed its connection.
    pub(crate) async fn reconnect(&mut self, api: &Api) -> anyhow::Result<()> {
        self.connection = Connection::open(&api.target).await?;
        Ok(())
    }

    /// Says the next message; returns when it is acknowledged.
    pub(crate) async fn say(&mut self) -> anyhow::Result<()> {
        say(&mut self.connection, &self.session, self.token).await?;
        Ok(())
    }

    /// A message and what follows from it; its time counts from `begun`.
    pub(crate) async fn turn(&mut self, begun: Instant) -> anyhow::Result<Whole> {
        self.say().await?;
        idle(&mut self.stream).await?;
        Ok(Whole {
            taken: begun.elapsed(),
        })
    }
}
