//! A client: makes a session, talks to it, interrupts, changes and ends it, over whichever server it
//! finds, and writes down what it was told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostler_domain::Env;
use hostler_domain::session::{
    Input, Refusal, SessionChange, SessionStatus, Summary, accept, archive, update,
};
use hostler_protocol::agent::SessionAgent;
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{Draft, Event, SessionCreated, UserInterrupt, UserMessage};
use hostler_protocol::id::{AgentId, EnvironmentId, EventId, SessionId, WorkspaceId};
use hostler_store::{
    ChangeError, CreateSession, NewSession, SessionEdit, SessionRow, Store, StoreError, Wanted,
};
use serde_json::json;

use super::random::Random;
use super::server::{MODEL, Server};

/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) struct Client {
    random: Random,
    pub(super) book: Book,
    actions_left: u64,
    next_at: Duration,
    asked: Option<Asked>,
}

/// What it knows of its session.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pub(super) session: Option<SessionId>,
    pub(super) creation: Answer,
    /// Messages and interrupts by their ids, and whether they were taken.
    pub(super) inputs: Vec<(EventId, Answer)>,
    pub(super) archiving: Answer,
    pub(super) deletion: Answer,
    pub(super) titles: Vec<(String, Answer)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Answer {
    #[default]
    NotAsked,
    Yes,
    /// Nothing was done.
    No,
    /// It may have been done.
    Unknown,
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Create,
    Input(usize),
    Title(usize),
    Archive,
    Delete,
}

struct Asked {
    action: Action,
    server: usize,
    until: Duration,
    answer: Arc<Mutex<Option<Answer>>>,
}

/// Where a client is.
pub(super) struct Place {
    pub(super) workspace: WorkspaceId,
    pub(super) environment: EnvironmentId,
}

impl Client {
    pub(super) fn new(mut random: Random, actions: u64) -> Self {
        Self {
            next_at: random.millis(0, 1_500),
            random,
            book: Book::default(),
            actions_left: actions,
            asked: None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.actions_left == 0 && self.asked.is_none()
    }

    /// Its server is gone, and with it the answer.
    pub(super) fn lost(&mut self, server: usize) {
        if let Some(asked) = self.asked.take_if(|asked| asked.server == server) {
            let answer = asked.answer.lock().unwrap().take();
            self.note(asked.action, answer.unwrap_or(Answer::Unknown));
        }
    }

    /// Looks for an answer, and asks the next thing when it is time. Says what it did.
    pub(super) fn act(
        &mut self,
        now: Duration,
        servers: &[(usize, &Server)],
        place: &Place,
    ) -> Option<String> {
        if let Some(asked) = &self.asked {
            let answer = *asked.answer.lock().unwrap();
            let answer = answer.or((now >= asked.until).then_some(Answer::Unknown))?;
            let action = asked.action;
            self.asked = None;
            self.next_at = now + self.random.millis(0, 2_500);
            self.note(action, answer);
            return Some(format!("{action:?} was answered with {answer:?}"));
        }
        if self.actions_left == 0 || now < self.next_at || servers.is_empty() {
            return None;
        }
        let (number, server) = servers[self.random.index(servers.len())];
        let action = self.choose();
        if let Action::Input(_) | Action::Title(_) | Action::Archive | Action::Delete = action {
            self.actions_left -= 1;
        }
        let answer = Arc::new(Mutex::new(None));
        self.begin(action, server, place, &answer);
        self.asked = Some(Asked {
            action,
            server: number,
            until: now + PATIENCE,
            answer,
        });
        Some(format!("{action:?} is asked of server {number}"))
    }

    fn choose(&mut self) -> Action {
        match self.book.creation {
            Answer::Yes | Answer::Unknown => {}
            Answer::NotAsked | Answer::No => return Action::Create,
        }
        match self.random.below(40) {
            0 => Action::Archive,
            1 => Action::Delete,
            2..=4 => Action::Title(self.book.titles.len()),
            _ => Action::Input(self.book.inputs.len()),
        }
    }

    fn note(&mut self, action: Action, answer: Answer) {
        // What was done once stays done, whatever the second try was told.
        let once = |known: &mut Answer| {
            if *known != Answer::Yes && !(*known == Answer::Unknown && answer == Answer::No) {
                *known = answer;
            }
        };
        match action {
            Action::Create => self.book.creation = answer,
            Action::Input(number) => self.book.inputs[number].1 = answer,
            Action::Title(number) => self.book.titles[number].1 = answer,
            Action::Archive => once(&mut self.book.archiving),
            Action::Delete => once(&mut self.book.deletion),
        }
    }

    fn begin(
        &mut self,
        action: Action,
        server: &Server,
        place: &Place,
        answer: &Arc<Mutex<Option<Answer>>>,
    ) {
        let (store, env, workspace) = (server.store.clone(), server.env.clone(), place.workspace);
        let answer = Arc::clone(answer);
        let say = move |said: Answer| *answer.lock().unwrap() = Some(said);
        if let Action::Create = action {
            let new = new_session(&env, place);
            self.book.session = Some(new.id);
            server.spawn(async move { say(create(&store, new).await) });
            return;
        }
        let session = self.book.session.unwrap();
        match action {
            Action::Create => {}
            Action::Input(_) => {
                let (id, input) = (env.id(), self.input());
                self.book.inputs.push((id, Answer::Unknown));
                server.spawn(async move {
                    say(send(&store, &env, (workspace, session), id, input).await);
                });
            }
            Action::Title(number) => {
                let title = format!("title {number}");
                self.book.titles.push((title.clone(), Answer::Unknown));
                let change = SessionChange {
                    title: Some(Some(title)),
                    ..SessionChange::default()
                };
                server.spawn(async move {
                    say(edit(&store, (workspace, session), move |row| {
                        retitle(&env, row, change)
                    })
                    .await);
                });
            }
            Action::Archive => server.spawn(async move {
                say(edit(&store, (workspace, session), move |row| put_away(&env, row)).await);
            }),
            Action::Delete => server.spawn(async move {
                let (event, at) = (env.id(), env.now());
                let deleted = store.delete_session(workspace, session, event, at, may_delete);
                say(answer_of(deleted.await));
            }),
        }
    }

    fn input(&mut self) -> Input {
        match self.random.below(5) {
            0 => Input::Interrupt(UserInterrupt::default()),
            _ => {
                let text = format!("message {}", self.book.inputs.len());
                let content = vec![ContentBlock::text(text)];
                Input::Message(UserMessage { content })
            }
        }
    }
}

fn new_session(env: &Env, place: &Place) -> NewSession {
    let agent: SessionAgent = serde_json::from_value(json!({
        "type": "agent",
        "id": env.id::<AgentId>(),
        "version": 1,
        "name": "tester",
        "description": null,
        "system": "You test.",
        "model": {"id": MODEL, "effort": {"type": "high"}, "speed": "standard"},
        "tools": [{
            "type": "agent_toolset_20260401",
            "default_config": {"enabled": true, "permission_policy": {"type": "always_allow"}},
            "configs": [],
        }],
        "mcp_servers": [],
        "skills": [],
        "execution_identity": {"type": "service_account"},
        "multiagent": null,
    }))
    .unwrap();
    let thread = env.id();
    let created = SessionCreated {
        agent: agent.clone(),
        environment_id: place.environment,
        session_thread_id: thread,
    };
    NewSession {
        id: env.id(),
        workspace_id: place.workspace,
        environment_id: place.environment,
        agent,
        title: None,
        metadata: Default::default(),
        at: env.now(),
        thread,
        events: vec![draft(env, Event::SessionCreated(Box::new(created)))],
        mounts: Vec::new(),
        repositories: Vec::new(),
        vault_ids: Vec::new(),
    }
}

fn draft(env: &Env, event: Event) -> Draft {
    Draft {
        id: env.id(),
        at: env.now(),
        thread: None,
        event,
    }
}

async fn create(store: &Store, new: NewSession) -> Answer {
    match store.create_session(new).await {
        Ok(CreateSession::Created(_)) => Answer::Yes,
        Ok(
            CreateSession::NoSuchEnvironment
            | CreateSession::NotMounted(_)
            | CreateSession::NoSkill(_)
            | CreateSession::NoSuchVault(_)
            | CreateSession::VaultArchived(_),
        ) => Answer::No,
        Err(error) => after_failure(&error),
    }
}

async fn send(
    store: &Store,
    env: &Env,
    (workspace, session): (WorkspaceId, SessionId),
    id: EventId,
    input: Input,
) -> Answer {
    let env = env.clone();
    let decide = move |summary: &Summary| {
        let events = accept(summary, vec![input], env.now())?.into_events();
        let mut drafts: Vec<Draft> = events.map(|event| draft(&env, event)).collect();
        drafts[0].id = id;
        Ok::<_, Refusal>(drafts)
    };
    let place = match store.enter(Wanted::Changes, workspace) {
        Ok(place) => place,
        Err(error) => return after_failure(&error),
    };
    let sending = store.send_to_session(place, workspace, session, decide);
    answer_of(sending.await)
}

async fn edit(
    store: &Store,
    (workspace, session): (WorkspaceId, SessionId),
    decide: impl FnOnce(&SessionRow) -> Result<SessionEdit, Refusal> + Send + 'static,
) -> Answer {
    answer_of(store.change_session(workspace, session, decide).await)
}

fn retitle(env: &Env, row: &SessionRow, change: SessionChange) -> Result<SessionEdit, Refusal> {
    let events = update(&row.summary, &change)?;
    Ok(SessionEdit {
        drafts: events.into_iter().map(|event| draft(env, event)).collect(),
        title: change.title,
        ..SessionEdit::default()
    })
}

fn put_away(env: &Env, row: &SessionRow) -> Result<SessionEdit, Refusal> {
    let events = archive(&row.summary)?;
    Ok(SessionEdit {
        drafts: events.into_iter().map(|event| draft(env, event)).collect(),
        archived_at: row.archived_at.or(Some(env.now())),
        ..SessionEdit::default()
    })
}

fn may_delete(row: &SessionRow) -> Result<(), Refusal> {
    match row.summary.status {
        SessionStatus::Idle | SessionStatus::Terminated => Ok(()),
        SessionStatus::Running | SessionStatus::Rescheduling => Err(Refusal::Terminated),
    }
}

fn answer_of<T, R>(done: Result<T, ChangeError<R>>) -> Answer {
    match done {
        Ok(_) => Answer::Yes,
        Err(ChangeError::NoSuchSession | ChangeError::Refused(_)) => Answer::No,
        Err(ChangeError::Store(error)) => after_failure(&error),
    }
}

/// What a 5xx means depends on what it is about.
fn after_failure(error: &StoreError) -> Answer {
    match error {
        StoreError::Busy => Answer::No,
        _ => Answer::Unknown,
    }
}
