//! A store on a fresh folder, with time and ids that repeat.

use std::sync::Arc;

use hostler_domain::Env;
use hostler_protocol::agent::{
    Agent, CreateAgent, EffortLevel, ModelFacts, ModelLookup, Reference, UpdateAgent,
};
use hostler_protocol::decode::At;
use hostler_protocol::id::{AgentId, WorkspaceId};
use hostler_store::{AgentSave, AgentSaved, PageRange, Store, StoreOptions};
use hostler_testkit::open_store;
use serde_json::Value;

pub(crate) struct StoreFolder {
    pub(crate) store: Store,
    pub(crate) env: Env,
    pub(crate) workspace: WorkspaceId,
    pub(crate) folder: tempfile::TempDir,
}

impl StoreFolder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::fixed(1);
        Self {
            store: open_store(folder.path(), StoreOptions::default()),
            workspace: env.id(),
            env,
            folder,
        }
    }

    /// The same time, ids and workspace, with another store.
    pub(crate) fn beside(&self, store: Store) -> Self {
        Self {
            store,
            env: self.env.clone(),
            workspace: self.workspace,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn save(&self, id: AgentId) -> AgentSave {
        let models: Arc<ModelLookup> = Arc::new(|id: &str| {
            (id == "big").then(|| ModelFacts {
                default_effort: EffortLevel::High,
                efforts: vec![EffortLevel::High],
                supports_fast: false,
                supports_inference_geo: false,
            })
        });
        let at = self.env.now();
        AgentSave { id, at, models }
    }

    pub(crate) async fn create_agent(&self, body: Value) -> Agent {
        let create = CreateAgent::decode(At::root(&body)).unwrap();
        let save = self.save(self.env.id());
        let saved = self.store.create_agent(self.workspace, save, create).await;
        match saved.unwrap() {
            AgentSaved::Saved(agent) => *agent,
            other => panic!("not saved: {other:?}"),
        }
    }

    pub(crate) async fn update_agent(&self, id: AgentId, body: Value) -> AgentSaved {
        let update = UpdateAgent::decode(At::root(&body)).unwrap();
        let updated = self
            .store
            .update_agent(self.workspace, self.save(id), update);
        updated.await.unwrap()
    }

    pub(crate) async fn agent(&self, id: AgentId, version: Option<u32>) -> Option<Agent> {
        let reference = Reference { id, version };
        self.store.agent(self.workspace, reference).await.unwrap()
    }
}

pub(crate) fn first(limit: usize) -> PageRange {
    PageRange { after: None, limit }
}
