//! A store with an environment, and sessions in it that a test moves by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hostler_domain::Env;
use hostler_domain::session::{Input, Refusal, Summary, accept};
use hostler_protocol::agent::SessionAgent;
use hostler_protocol::content::ContentBlock;
use hostler_protocol::decode::At;
use hostler_protocol::environment::{CreateEnvironment, Environment};
use hostler_protocol::event::{
    Draft, Empty, Event, InputProcessed, Recorded, Seq, SessionCreated, SessionIdle, StopReason,
    UserMessage,
};
use hostler_protocol::id::{EnvironmentId, SessionId, WorkspaceId};
use hostler_store::{
    Changed, Claim, CreateSession, EventPage, EventQuery, Follow, Followed, From, Lease,
    LeaseClock, NewSession, Order, SessionEdit, SessionRow, Store, StoreOptions, TimeRange,
    WireEvent,
};
use hostler_testkit::open_store;
use serde_json::json;

pub(crate) const TTL: Duration = Duration::from_secs(30);

/// Leases run out when a test says so.
pub(crate) fn store_options() -> StoreOptions {
    StoreOptions {
        lease_clock: LeaseClock::Callers,
        ..StoreOptions::default()
    }
}

pub(crate) struct SessionFolder {
    pub(crate) store: Store,
    pub(crate) env: Env,
    pub(crate) workspace: WorkspaceId,
    pub(crate) environment: EnvironmentId,
    pub(crate) folder: tempfile::TempDir,
}

impl SessionFolder {
    pub(crate) async fn new() -> Self {
        Self::with(store_options()).await
    }

    pub(crate) async fn with(options: StoreOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open_store(folder.path(), options);
        let env = Env::fixed(1);
        let workspace = env.id();
        let body = json!({"name": "e"});
        let fields = CreateEnvironment::decode(At::root(&body)).unwrap();
        let fields = fields.resolve().unwrap();
        let environment = Environment::new(env.id(), fields, env.now());
        let environment = store.create_environment(workspace, environment).await;
        Self {
            environment: environment.unwrap().id,
            store,
            env,
            workspace,
            folder,
        }
    }

    /// The same folder, opened again as after a crash: nothing is closed in order first.
    pub(crate) fn reopened(&self) -> Store {
        open_store(self.folder.path(), store_options())
    }

    pub(crate) fn new_session(&self) -> NewSession {
        let agent = agent(&self.env, "a");
        let thread = self.env.id();
        let created = SessionCreated {
            agent: agent.clone(),
            environment_id: self.environment,
            session_thread_id: thread,
        };
        NewSession {
            id: self.env.id(),
            workspace_id: self.workspace,
            environment_id: self.environment,
            agent,
            title: None,
            metadata: BTreeMap::new(),
            at: self.env.now(),
            thread,
            events: vec![self.draft(Event::SessionCreated(Box::new(created)))],
            mounts: Vec::new(),
            repositories: Vec::new(),
            vault_ids: Vec::new(),
        }
    }

    pub(crate) async fn create(&self, new: NewSession) -> SessionRow {
        match self.store.create_session(new).await.unwrap() {
            CreateSession::Created(row) => *row,
            CreateSession::NoSuchEnvironment
            | CreateSession::NotMounted(_)
            | CreateSession::NoSkill(_)
            | CreateSession::NoSuchVault(_)
            | CreateSession::VaultArchived(_) => {
                panic!("the environment is there")
            }
        }
    }

    pub(crate) async fn session(&self) -> SessionRow {
        self.create(self.new_session()).await
    }

    pub(crate) async fn row(&self, id: SessionId) -> SessionRow {
        let row = self.store.session(self.workspace, id).await.unwrap();
        row.expect("the session is there")
    }

    pub(crate) fn draft(&self, event: Event) -> Draft {
        draft(&self.env, event)
    }

    /// Appends as a client, whatever the domain thinks of it.
    pub(crate) async fn record(&self, id: SessionId, events: Vec<Event>) -> Changed {
        let drafts = events.into_iter().map(|event| self.draft(event)).collect();
        self.edit(id, edit(drafts)).await
    }

    pub(crate) async fn edit(&self, id: SessionId, edit: SessionEdit) -> Changed {
        let changed = self
            .store
            .change_session(self.workspace, id, |_| Ok::<_, Refusal>(edit));
        changed.await.unwrap()
    }

    /// Sends messages as the server does.
    pub(crate) async fn send(&self, id: SessionId, texts: &[&str]) -> Changed {
        send(&self.store, &self.env, self.workspace, id, texts).await
    }

    pub(crate) async fn claim(&self, id: SessionId, owner: &str) -> Option<Lease> {
        let now = self.env.now();
        match self
            .store
            .claim(id, owner, now, TTL, u32::MAX)
            .await
            .unwrap()
        {
            Claim::Taken(lease) => Some(lease),
            Claim::NotFree => None,
            Claim::Suspect { takes } => panic!("taken {takes} times and not let go on"),
        }
    }

    /// Marks the input at `received` as processed.
    pub(crate) async fn process(&self, id: SessionId, received: Seq) -> Changed {
        let log = self.store.read_log(id, Seq(received.0 - 1), 1).await;
        let event = processed(&log.unwrap()[0]);
        self.record(id, vec![event]).await
    }

    pub(crate) async fn terminate(&self, id: SessionId) {
        self.record(id, vec![Event::SessionStatusTerminated(Empty {})])
            .await;
    }

    pub(crate) async fn page(&self, id: SessionId, query: EventQuery) -> EventPage {
        let page = self.store.list_events(self.workspace, id, query).await;
        page.unwrap().expect("the session is there")
    }

    /// All pages of a list, each of `limit` events.
    pub(crate) async fn list(&self, id: SessionId, mut query: EventQuery) -> Vec<WireEvent> {
        let mut events = Vec::new();
        loop {
            let page = self.page(id, query.clone()).await;
            assert!(
                page.next.is_none() || !page.data.is_empty(),
                "an empty page that isn't the last"
            );
            events.extend(page.data);
            query.cursor = page.next;
            if query.cursor.is_none() {
                return events;
            }
        }
    }

    pub(crate) async fn follow(&self, id: SessionId, from: From) -> Follow {
        let follow = self.store.follow(self.workspace, id, from).await;
        follow.unwrap().expect("the session is there")
    }
}

pub(crate) async fn send(
    store: &Store,
    env: &Env,
    workspace: WorkspaceId,
    id: SessionId,
    texts: &[&str],
) -> Changed {
    let inputs: Vec<Input> = texts.iter().map(|text| message(text)).collect();
    let env = env.clone();
    let changed = store.change_session(workspace, id, move |row| {
        let events = accept(&row.summary, inputs, env.now())?.into_events();
        let drafts = events.into_iter().map(|event| draft(&env, event)).collect();
        Ok::<_, Refusal>(edit(drafts))
    });
    changed.await.unwrap()
}

pub(crate) fn draft(env: &Env, event: Event) -> Draft {
    Draft {
        id: env.id(),
        at: env.now(),
        thread: None,
        event,
    }
}

pub(crate) fn edit(drafts: Vec<Draft>) -> SessionEdit {
    SessionEdit {
        drafts,
        ..SessionEdit::default()
    }
}

pub(crate) fn agent(env: &Env, name: &str) -> SessionAgent {
    let agent = json!({
        "type": "agent", "id": env.id::<hostler_protocol::id::AgentId>(), "version": 1,
        "name": name, "description": null, "system": null,
        "model": {"id": "m", "effort": {"type": "high"}, "speed": "standard"},
        "tools": [], "mcp_servers": [], "skills": [],
        "execution_identity": {"type": "service_account"}, "multiagent": null,
    });
    serde_json::from_value(agent).unwrap()
}

pub(crate) fn message(text: &str) -> Input {
    Input::Message(UserMessage {
        content: vec![ContentBlock::text(text)],
    })
}

pub(crate) fn processed(received: &Recorded) -> Event {
    Event::InputProcessed(InputProcessed {
        event_id: received.id,
        event_type: received.event.name().to_owned(),
        received_seq: received.seq,
    })
}

pub(crate) fn idle() -> Event {
    Event::SessionStatusIdle(SessionIdle {
        stop_reason: StopReason::EndTurn,
        stop_details: None,
    })
}

pub(crate) fn query(order: Order, limit: u32) -> EventQuery {
    EventQuery {
        order,
        cursor: None,
        types: Vec::new(),
        created_at: TimeRange::default(),
        limit,
    }
}

/// What the log amounts to, from its first row on.
pub(crate) async fn refolded(store: &Store, id: SessionId) -> Summary {
    let log = store.read_log(id, Seq(0), 10_000).await.unwrap();
    let Event::SessionCreated(created) = &log[0].event else {
        panic!("a log starts with its creation");
    };
    let name = created.agent.name.clone();
    let mut summary = Summary::new(created.session_thread_id, name, log[0].at);
    for (position, recorded) in (1..).zip(&log) {
        assert_eq!(recorded.seq, Seq(position), "a gap");
        summary.apply(recorded);
    }
    summary
}

pub(crate) fn names(events: &[WireEvent]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

/// The next event of a stream that shows nothing else now.
pub(crate) async fn next_event(follow: &mut Follow) -> WireEvent {
    match follow.next().await.unwrap() {
        Followed::Event(event) => Arc::unwrap_or_clone(event),
        Followed::Preview(_) | Followed::Deleted(_) | Followed::Ended => panic!("no event"),
    }
}

/// Everything until the session is over.
pub(crate) async fn all_events(follow: &mut Follow) -> Vec<WireEvent> {
    let mut events = Vec::new();
    loop {
        match follow.next().await.unwrap() {
            Followed::Event(event) => events.push(Arc::unwrap_or_clone(event)),
            Followed::Ended => return events,
            Followed::Preview(_) | Followed::Deleted(_) => panic!("not in this test"),
        }
    }
}
