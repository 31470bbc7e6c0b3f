//! What a client wrote down of one session: the only witness of what the server has acknowledged.

/// One frame of the session's stream that its reader got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// The position that the stream gave it.
    pub(super) position: i64,
    pub(super) event: String,
    pub(super) kind: String,
}

#[derive(Debug)]
pub(super) struct Book {
    pub(super) session: String,
    /// Events that a 2xx named: their ids, and the word that only this message has.
    pub(super) acknowledged: Vec<(String, Option<String>)>,
    /// Words of messages that were sent and never answered: they are there once or not at all.
    pub(super) unsure: Vec<String>,
    /// The runs that were asked for.
    pub(super) runs: Vec<String>,
    /// Everything that the reader got over all restarts, in the order in which it came.
    pub(super) frames: Vec<Seen>,
    pub(super) comebacks: usize,
    /// What was wrong before anything was compared.
    pub(super) failures: Vec<String>,
}

impl Book {
    pub(super) fn new(session: String) -> Self {
        Self {
            session,
            acknowledged: Vec::new(),
            unsure: Vec::new(),
            runs: Vec::new(),
            frames: Vec::new(),
            comebacks: 0,
            failures: Vec::new(),
        }
    }

    pub(super) fn fail(&mut self, says: impl std::fmt::Display) {
        self.failures.push(format!("{}: {says}", self.session));
    }
}
