//! A link to the database in good weather: for what has to be there before, and for the judge's reading.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hostler_domain::Env;
use hostler_domain::session::Summary;
use hostler_protocol::Timestamp;
use hostler_protocol::decode::At;
use hostler_protocol::environment::{CreateEnvironment, Environment};
use hostler_protocol::event::{Recorded, Seq};
use hostler_protocol::id::{EnvironmentId, SessionId, WorkspaceId};
use hostler_store::{
    EventQuery, Fate, Order, SimulatedDatabase, SimulatedLink, Store, StoreOptions, TimeRange,
    Weather,
};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

pub(super) struct Office {
    runtime: Runtime,
    store: Store,
    pub(super) workspace: WorkspaceId,
    pub(super) environment: EnvironmentId,
}

/// A session as it is in the end.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) log: Vec<Recorded>,
    pub(super) summary: Summary,
    pub(super) last_seq: Seq,
    /// Ids of what clients are shown, in their order; place by place.
    pub(super) shown: Vec<(Option<Seq>, String)>,
}

const NUMBER: u32 = 99;

impl Office {
    pub(super) fn open(folder: &Path, database: &SimulatedDatabase) -> Self {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        let inside = runtime.enter();
        let at_once = Weather {
            before: Duration::ZERO,
            after: Duration::ZERO,
            fate: Fate::Done,
        };
        let env = Env::fixed(0);
        let link = SimulatedLink {
            server: NUMBER,
            clock: env.clone(),
            weather: Arc::new(move |_| at_once),
        };
        let options = StoreOptions::default();
        let (store, writer) = Store::simulated(folder, database, link, options).unwrap();
        runtime.spawn(writer.run());
        drop(inside);
        let office = Self {
            workspace: env.id(),
            environment: env.id(),
            runtime,
            store,
        };
        office.make_environment(env.now());
        office
    }

    fn make_environment(&self, now: Timestamp) {
        let body = json!({"name": "test", "config": {
            "type": "cloud", "networking": {"type": "unrestricted"},
        }});
        let create = CreateEnvironment::decode(At::root(&body)).unwrap();
        let environment = Environment::new(self.environment, create.resolve().unwrap(), now);
        let create = self.store.create_environment(self.workspace, environment);
        self.runtime.block_on(create).unwrap();
    }

    /// `None`: there is no such session.
    pub(super) fn read(&self, session: SessionId) -> Option<Kept> {
        self.runtime.block_on(async {
            let brief = self.store.session_brief(session).await.unwrap()?;
            let log = self.store.read_log(session, Seq::default(), 1_000_000);
            Some(Kept {
                log: log.await.unwrap(),
                shown: self.shown(session).await,
                summary: brief.summary,
                last_seq: brief.last_seq,
            })
        })
    }

    async fn shown(&self, session: SessionId) -> Vec<(Option<Seq>, String)> {
        let mut shown = Vec::new();
        let mut cursor = None;
        loop {
            let query = EventQuery {
                order: Order::Ascending,
                cursor,
                types: Vec::new(),
                created_at: TimeRange::default(),
                limit: 1_000,
            };
            let page = self.store.list_events(self.workspace, session, query);
            let page = page.await.unwrap().unwrap();
            shown.extend(page.data.into_iter().map(|event| (event.seq, event.id)));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return shown,
            }
        }
    }

    /// What stands still until the end: whether each session is at rest.
    pub(super) fn summaries(&self, sessions: &[SessionId]) -> BTreeMap<SessionId, Summary> {
        self.runtime.block_on(async {
            let mut summaries = BTreeMap::new();
            for session in sessions {
                let brief = self.store.session_brief(*session).await.unwrap();
                summaries.extend(brief.map(|brief| (*session, brief.summary)));
            }
            summaries
        })
    }
}
