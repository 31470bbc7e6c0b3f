//! Hears of what is written to a table of a test's database, by whomever: the database says so.
//! Only PostgreSQL can; whoever writes to SQLite writes to a file, which can be watched.

#![expect(
    clippy::expect_used,
    reason = "a test whose database is gone should stop"
)]

use std::path::Path;

use futures::stream::{self, BoxStream, StreamExt};
use tokio_postgres::{AsyncMessage, Client, Error, NoTls};

use crate::database::database;

/// Commits that changed the table, from the moment when this was made.
pub struct TableChanges {
    messages: BoxStream<'static, Result<AsyncMessage, Error>>,
    /// The connection lasts as long.
    _client: Client,
}

impl TableChanges {
    /// Of the database of a folder; `None` where that is a file.
    ///
    /// # Panics
    /// When the database can't be asked.
    pub async fn of(folder: &Path, table: &str) -> Option<Self> {
        let address = database(folder)?;
        let connected = tokio_postgres::connect(&address, NoTls).await;
        let (client, mut connection) = connected.expect("the database of the test is there");
        let mut messages = stream::poll_fn(move |context| connection.poll_message(context)).boxed();
        // Several may ask for the same trigger at once.
        let listen = format!(
            "begin; select pg_advisory_xact_lock(1);
             create or replace function tell_of_changes() returns trigger language plpgsql as
             $$ begin perform pg_notify(tg_table_name::text, ''); return null; end $$;
             create or replace trigger tell_of_changes after insert or update or delete on {table}
             for each statement execute function tell_of_changes();
             commit; listen {table}"
        );
        // The connection answers while somebody takes what comes from it.
        tokio::select! {
            listens = client.batch_execute(&listen) => listens.expect("a trigger"),
            () = until_ended(&mut messages) => panic!("the database of the test is gone"),
        }
        Some(Self {
            messages,
            _client: client,
        })
    }

    /// Waits for the next one.
    ///
    /// # Panics
    /// When the connection ends.
    pub async fn next(&mut self) {
        loop {
            let message = self.messages.next().await;
            if let AsyncMessage::Notification(_) =
                message.expect("a connection").expect("a message")
            {
                return;
            }
        }
    }
}

async fn until_ended(messages: &mut BoxStream<'static, Result<AsyncMessage, Error>>) {
    while let Some(Ok(_)) = messages.next().await {}
}
