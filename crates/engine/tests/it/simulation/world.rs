//! The simulation: servers that are run piece by piece, clients, readers, and what befalls them all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use hostler_domain::session::{SessionStatus, Summary};
use hostler_protocol::id::SessionId;
use hostler_sandbox::FakeMachine;
use hostler_store::{SimulatedDatabase, Witnessed};

use super::client::{Answer, Book, Client, Place};
use super::model::Model;
use super::office::{Kept, Office};
use super::plan::{Disaster, Plan};
use super::random::Random;
use super::reader::{Reader, Seen};
use super::server::{Server, Surroundings};

/// By when every session has to be at rest, from the end of the storm.
const CALM_MAX: Duration = Duration::from_secs(240);
/// How long everybody may look on once it is.
const LAST_LOOK: Duration = Duration::from_secs(4);

/// What somebody lies about, for the tests of the judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    None,
    /// The database says that something was written, now and then.
    Commits,
    /// The database lets two servers have one lease.
    Leases,
    /// The machine runs each command twice.
    Commands,
}

/// What there is to judge.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) sessions: Vec<OfSession>,
    pub(super) witnessed: Vec<Witnessed>,
    /// How often each call has done what it does.
    pub(super) ran: BTreeMap<String, usize>,
    /// Output tokens of each answer of the model.
    pub(super) given: BTreeSet<u64>,
    pub(super) restless: Vec<SessionId>,
    /// What happened, line by line.
    pub(super) trace: Vec<String>,
    pub(super) simulated: Duration,
}

#[derive(Debug, Clone)]
pub(super) struct OfSession {
    pub(super) book: Book,
    /// `None`: it is not there.
    pub(super) kept: Option<Kept>,
    pub(super) read: Seen,
}

/// A machine, and the server on it.
struct Slot {
    machine: FakeMachine,
    /// Of its wall clock, in milliseconds.
    step: Arc<AtomicI64>,
    state: State,
}

enum State {
    Up(Box<Server>),
    Paused(Box<Server>, Duration),
    Down(Duration),
}

struct World<'w> {
    around: Surroundings<'w>,
    random: Random,
    now: Duration,
    slots: Vec<Slot>,
    clients: Vec<Client>,
    readers: Vec<Reader>,
    place: Place,
    trace: Vec<String>,
}

pub(super) fn run(seed: u64, lie: Lie) -> Outcome {
    let mut random = Random::new(seed);
    let mut plan = Plan::new(&mut random);
    if lie == Lie::Commits {
        plan.faults.forgotten = 30;
    }
    plan.is_one_owner = lie == Lie::Leases;
    let folder = tempfile::tempdir().unwrap();
    let database = SimulatedDatabase::new(plan.sharing).unwrap();
    let office = Office::open(folder.path(), &database);
    if lie == Lie::Leases {
        database.begin_to_lie_about_leases();
    }
    let model = Model::new(random.fork(), plan.faults.model);
    let is_calm = Arc::default();
    let around = Surroundings {
        plan: &plan,
        database: &database,
        model: &model,
        folder: folder.path(),
        is_calm: &is_calm,
    };
    let place = Place {
        workspace: office.workspace,
        environment: office.environment,
    };
    let mut world = World::new(around, random, place);
    if lie == Lie::Commands {
        world
            .slots
            .iter()
            .for_each(|slot| slot.machine.begin_to_lie());
    }
    world.storm();
    let restless = world.calm(&office, &is_calm);
    world.outcome(&office, restless)
}

impl<'w> World<'w> {
    fn new(around: Surroundings<'w>, mut random: Random, place: Place) -> Self {
        let slot = |_| Slot {
            machine: FakeMachine::default(),
            step: Arc::default(),
            state: State::Down(Duration::ZERO),
        };
        let plan = around.plan;
        let clients = (0..plan.clients).map(|_| Client::new(random.fork(), plan.actions));
        Self {
            clients: clients.collect(),
            slots: (0..plan.servers).map(slot).collect(),
            readers: Vec::new(),
            now: Duration::ZERO,
            trace: vec![format!("{plan:?}")],
            around,
            random,
            place,
        }
    }

    fn storm(&mut self) {
        let mut disasters = self.around.plan.disasters.clone();
        disasters.reverse();
        while self.now < self.around.plan.storm {
            let slice = self.random.millis(1, self.around.plan.grain);
            while let Some((_, disaster)) = disasters.pop_if(|(at, _)| *at <= self.now) {
                self.befall(disaster);
            }
            self.turn(slice);
        }
    }

    /// Nothing befalls anybody any more. Answers who is not at rest in the end.
    fn calm(&mut self, office: &Office, is_calm: &AtomicBool) -> Vec<SessionId> {
        is_calm.store(true, Ordering::Relaxed);
        self.around.model.heal();
        for number in 0..self.slots.len() {
            match &mut self.slots[number].state {
                State::Paused(_, until) | State::Down(until) => *until = self.now,
                State::Up(server) if server.is_struck() => self.kill(number, "dies in a commit"),
                State::Up(_) => {}
            }
        }
        self.note("the storm is over".to_owned());
        let end = self.now + CALM_MAX;
        let mut restless = self.restless(office);
        while self.now < end && !(restless.is_empty() && self.clients.iter().all(Client::is_done)) {
            for _ in 0..10 {
                self.turn(Duration::from_millis(45));
            }
            restless = self.restless(office);
        }
        let end = self.now + LAST_LOOK;
        while self.now < end {
            self.turn(Duration::from_millis(100));
        }
        restless
    }

    fn restless(&self, office: &Office) -> Vec<SessionId> {
        let sessions: Vec<SessionId> = self.sessions().collect();
        let summaries = office.summaries(&sessions).into_iter();
        let restless = summaries.filter(|(_, summary)| !is_at_rest(summary));
        restless.map(|(session, _)| session).collect()
    }

    fn sessions(&self) -> impl Iterator<Item = SessionId> {
        let books = self.clients.iter().map(|client| &client.book);
        books.filter_map(|book| book.session)
    }

    /// Everybody goes on for a moment, the servers in any order.
    fn turn(&mut self, length: Duration) {
        self.now += length;
        let first = self.random.index(self.slots.len());
        for offset in 0..self.slots.len() {
            self.run((first + offset) % self.slots.len());
        }
        let servers: Vec<(usize, &Server)> = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(number, slot)| match &slot.state {
                State::Up(server) if server.is_ready() => Some((number, &**server)),
                State::Up(_) | State::Paused(..) | State::Down(_) => None,
            })
            .collect();
        for (number, client) in self.clients.iter_mut().enumerate() {
            if let Some(did) = client.act(self.now, &servers, &self.place) {
                self.trace
                    .push(format!("{:?} client {number}: {did}", self.now));
            }
        }
        for reader in &mut self.readers {
            reader.act(&servers, self.place.workspace);
        }
        let read: BTreeSet<_> = self.readers.iter().map(|reader| reader.session).collect();
        for session in self
            .sessions()
            .filter(|session| !read.contains(session))
            .collect::<Vec<_>>()
        {
            self.readers.push(Reader::new(self.random.fork(), session));
        }
    }

    fn run(&mut self, number: usize) {
        let now = self.now;
        let slot = &mut self.slots[number];
        match &mut slot.state {
            State::Up(server) => {
                server.run_to(now);
                if server.is_struck() {
                    self.kill(number, "dies in a commit");
                } else if server.has_ended() {
                    self.kill(number, "has ended");
                }
            }
            State::Paused(_, until) if *until > now => {}
            State::Paused(..) => {
                let state = std::mem::replace(&mut slot.state, State::Down(now));
                if let State::Paused(mut server, _) = state {
                    server.resume(now);
                    slot.state = State::Up(server);
                }
                self.note(format!("server {number} goes on"));
            }
            State::Down(until) if *until > now => {}
            State::Down(_) => {
                let random = &mut self.random;
                let (machine, step) = (&slot.machine, &slot.step);
                let server = Server::start(number, now, &self.around, machine, step, random);
                slot.state = State::Up(Box::new(server));
                self.note(format!("server {number} starts"));
            }
        }
    }

    fn befall(&mut self, disaster: Disaster) {
        self.note(format!("{disaster:?}"));
        match disaster {
            Disaster::Kill(number) => self.kill(number, "is killed"),
            Disaster::LosePower(number) => {
                self.slots[number].machine.lose_all(self.now);
                self.kill(number, "loses its power");
            }
            Disaster::KillAtWrite(number, write, commit) => {
                if let State::Up(server) = &self.slots[number].state {
                    server.strike_at(write, commit);
                }
            }
            Disaster::Stop(number) => {
                if let State::Up(server) = &self.slots[number].state {
                    server.stop.cancel();
                }
            }
            Disaster::Pause(number, length) => {
                let (slot, until) = (&mut self.slots[number], self.now + length);
                let state = std::mem::replace(&mut slot.state, State::Down(until));
                slot.state = match state {
                    State::Up(server) => State::Paused(server, until),
                    State::Paused(..) | State::Down(_) => state,
                };
            }
            Disaster::StepClock(number, millis) => {
                self.slots[number].step.fetch_add(millis, Ordering::Relaxed);
            }
        }
    }

    fn kill(&mut self, number: usize, how: &str) {
        let until = self.now + self.random.millis(100, 4_000);
        let slot = &mut self.slots[number];
        if let State::Down(_) = slot.state {
            return;
        }
        slot.state = State::Down(until);
        self.clients
            .iter_mut()
            .for_each(|client| client.lost(number));
        self.readers
            .iter_mut()
            .for_each(|reader| reader.lost(number));
        self.note(format!("server {number} {how}"));
    }

    fn note(&mut self, line: String) {
        self.trace.push(format!("{:?} {line}", self.now));
    }

    fn outcome(mut self, office: &Office, restless: Vec<SessionId>) -> Outcome {
        // Whoever still waits for an answer gets none.
        for number in 0..self.slots.len() {
            self.kill(number, "is switched off");
        }
        let mut ran: BTreeMap<String, usize> = BTreeMap::new();
        for slot in &self.slots {
            for (call, times) in slot.machine.ran(self.now) {
                *ran.entry(call).or_default() += times;
            }
        }
        let readers = &self.readers;
        let read = |session: SessionId| {
            let mine = readers.iter().find(|reader| reader.session == session);
            mine.map(Reader::seen).unwrap_or_default()
        };
        let books = self.clients.iter().map(|client| client.book.clone());
        let sessions = books.filter_map(|book| {
            let session = book.session.filter(|_| book.creation != Answer::NotAsked)?;
            Some(OfSession {
                kept: office.read(session),
                read: read(session),
                book,
            })
        });
        let mut outcome = Outcome {
            sessions: sessions.collect(),
            witnessed: self.around.database.witnessed(),
            ran,
            given: self.around.model.given(),
            restless,
            trace: self.trace,
            simulated: self.now,
        };
        for OfSession { book, kept, read } in &outcome.sessions {
            outcome.trace.push(format!("{book:?}"));
            let log = kept.iter().flat_map(|kept| &kept.log);
            outcome.trace.extend(log.map(|row| format!("{row:?}")));
            let summary = kept.as_ref().map(|kept| &kept.summary);
            outcome.trace.push(format!("{summary:?} {read:?}"));
        }
        let witnessed = outcome.witnessed.iter().map(|row| format!("{row:?}"));
        outcome.trace.extend(witnessed);
        outcome.trace.push(format!("{:?}", outcome.ran));
        outcome
    }
}

fn is_at_rest(summary: &Summary) -> bool {
    match summary.status {
        SessionStatus::Terminated => true,
        SessionStatus::Idle => summary.queued.is_empty(),
        SessionStatus::Running | SessionStatus::Rescheduling => false,
    }
}
