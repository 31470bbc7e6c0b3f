//! A client that outlives the server: it makes sessions, says things in them, and writes down what was
//! acknowledged. A request whose answer never came is written down as such and never sent again.

use anyhow::Context;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::api::id_of;
use crate::client::{Connection, Refusal, Target};
use crate::model::{Task, Token};
use crate::random::Random;
use crate::rig::TURN_WAIT;

use super::book::Book;
use super::reader::Reader;

/// Messages of one session: enough for some deaths in each, few enough for sessions of all ages.
const MESSAGES: u64 = 12;
const RUNS_PER_MESSAGE: u64 = 4;

/// What the clients are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// As much as they can, while the server is killed.
    Load,
    /// Bring their sessions to rest; it is not killed any more.
    Settle,
}

/// What all clients share.
#[derive(Clone)]
pub(super) struct Surroundings {
    /// Where the server is; none while it is known to be down.
    pub(super) address: watch::Receiver<Option<Target>>,
    pub(super) phase: watch::Receiver<Phase>,
    /// Told of each sign of life of the server.
    pub(super) progress: watch::Sender<()>,
    /// The request that makes a session.
    pub(super) session: Value,
    /// What the model knows the clients by.
    pub(super) token: Token,
}

pub(super) struct Client {
    number: usize,
    random: Random,
    surroundings: Surroundings,
    /// With the server that it leads to.
    connection: Option<(Target, Connection)>,
    /// Names given so far.
    names: u64,
}

/// What became of a request.
enum Sent {
    Acknowledged(Value),
    /// The server went away: it may have done it or not.
    Unsure,
}

impl Client {
    pub(super) fn new(number: usize, random: Random, surroundings: Surroundings) -> Self {
        Self {
            number,
            random,
            surroundings,
            connection: None,
            names: 0,
        }
    }

    pub(super) async fn run(mut self) -> anyhow::Result<Vec<Book>> {
        let mut talks: Vec<(Book, Reader)> = Vec::new();
        while self.phase() == Phase::Load {
            let body = self.surroundings.session.clone();
            // One that nobody has heard of is a session that nobody uses.
            let Sent::Acknowledged(session) = self.post("/v1/sessions", &body).await? else {
                continue;
            };
            let mut book = Book::new(id_of(&session)?);
            let address = self.surroundings.address.clone();
            let progress = self.surroundings.progress.clone();
            let mut reader = Reader::start(&book.session, address, progress);
            self.talk(&mut book, &mut reader).await?;
            talks.push((book, reader));
        }
        let mut books = Vec::new();
        for (mut book, mut reader) in talks {
            self.settle(&mut book, &mut reader).await?;
            let (frames, comebacks, failures) = reader.end();
            book.frames = frames;
            book.comebacks = comebacks;
            for failure in failures {
                book.fail(failure);
            }
            books.push(book);
        }
        Ok(books)
    }

    fn phase(&self) -> Phase {
        *self.surroundings.phase.borrow()
    }

    async fn talk(&mut self, book: &mut Book, reader: &mut Reader) -> anyhow::Result<()> {
        for _ in 0..MESSAGES {
            if self.phase() == Phase::Settle {
                return Ok(());
            }
            match self.random.below(10) {
                0 => self.interrupt(book).await?,
                // The next one comes while this one is worked at.
                1 | 2 => {
                    self.say(book).await?;
                }
                _ => {
                    if let Some(event) = self.say(book).await? {
                        self.wait_for_rest(reader, event).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Until the session rests behind this event, or the load is over.
    async fn wait_for_rest(&mut self, reader: &mut Reader, event: String) -> anyhow::Result<()> {
        let events = [event];
        let over = self
            .surroundings
            .phase
            .wait_for(|phase| *phase == Phase::Settle);
        tokio::select! {
            rested = reader.rest_after(&events) => rested,
            over = over => over.map(|_phase| ()).context("the driver has ended"),
        }
    }

    /// One more turn, which shows what ran, and rest behind everything that was acknowledged.
    async fn settle(&mut self, book: &mut Book, reader: &mut Reader) -> anyhow::Result<()> {
        let show = Task::Show(self.name());
        if self.say_tasks(book, &[show]).await?.is_none() {
            book.fail("the server went away although it was not killed");
        }
        let acknowledged: Vec<String> =
            book.acknowledged.iter().map(|(id, _)| id.clone()).collect();
        let rested = timeout(TURN_WAIT, reader.rest_after(&acknowledged)).await;
        match rested {
            Ok(rested) => rested?,
            Err(_elapsed) => book.fail(format!(
                "not at rest behind all that was acknowledged after {TURN_WAIT:?}"
            )),
        }
        Ok(())
    }

    /// A message that asks for some runs; the id of its event.
    async fn say(&mut self, book: &mut Book) -> anyhow::Result<Option<String>> {
        let runs: Vec<String> = (0..self.random.below(RUNS_PER_MESSAGE))
            .map(|_| self.name())
            .collect();
        let tasks: Vec<Task> = runs.iter().cloned().map(Task::Run).collect();
        book.runs.extend(runs);
        self.say_tasks(book, &tasks).await
    }

    async fn say_tasks(
        &mut self,
        book: &mut Book,
        tasks: &[Task],
    ) -> anyhow::Result<Option<String>> {
        let word = format!("word:{}", self.name());
        let tasks: Vec<String> = tasks.iter().map(ToString::to_string).collect();
        let text = format!("{} {word} {}", self.surroundings.token, tasks.join(" "));
        let content = json!([{ "type": "text", "text": text }]);
        let event = json!({ "type": "user.message", "content": content });
        self.send(book, &event, Some(word)).await
    }

    async fn interrupt(&mut self, book: &mut Book) -> anyhow::Result<()> {
        let event = json!({ "type": "user.interrupt" });
        self.send(book, &event, None).await.map(|_id| ())
    }

    async fn send(
        &mut self,
        book: &mut Book,
        event: &Value,
        word: Option<String>,
    ) -> anyhow::Result<Option<String>> {
        let path = format!("/v1/sessions/{}/events", book.session);
        let body = json!({ "events": [event] });
        match self.post(&path, &body).await? {
            Sent::Acknowledged(answer) => {
                let id = id_of(&answer["data"][0])?;
                book.acknowledged.push((id.clone(), word));
                Ok(Some(id))
            }
            Sent::Unsure => {
                book.unsure.extend(word);
                Ok(None)
            }
        }
    }

    /// Sends it once. A refusal is a failure of the run: nothing that clients do here may be refused.
    async fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Sent> {
        let (target, mut connection) = self.connect().await?;
        match connection.post(path, body).await {
            Ok(answer) => {
                self.connection = Some((target, connection));
                self.surroundings.progress.send_replace(());
                Ok(Sent::Acknowledged(answer))
            }
            Err(error) if error.is::<Refusal>() => Err(error),
            Err(_gone) => Ok(Sent::Unsure),
        }
    }

    /// The connection that is there, or a new one as soon as somebody listens.
    async fn connect(&mut self) -> anyhow::Result<(Target, Connection)> {
        let address = &mut self.surroundings.address;
        loop {
            let up = address.wait_for(Option::is_some).await;
            let target = up.context("the driver has ended")?.clone();
            let target = target.context("an address that is none")?;
            if let Some(connection) = self.connection.take_if(|(of, _)| *of == target) {
                return Ok(connection);
            }
            if let Ok(connection) = Connection::open(&target).await {
                return Ok((target, connection));
            }
            address.changed().await.context("the driver has ended")?;
        }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("c{}n{}", self.number, self.names)
    }
}
