//! A store, an engine and a scripted model, without HTTP in front.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hostler_domain::Env;
use hostler_domain::catalog::{ModelCatalog, ModelSpec, Price};
use hostler_domain::session::{Input, SessionStatus, accept};
use hostler_egress::{Authorities, Gateway, GatewayOptions, HostName, Outward};
use hostler_engine::{
    Checkpoints, EgressGuard, Engine, EngineOptions, JudgeOptions, McpTokens, Outside,
    PackageOptions, RepositoryOptions, RootOptions, WebTools,
};
use hostler_protocol::agent::{EffortLevel, SessionAgent};
use hostler_protocol::content::ContentBlock;
use hostler_protocol::decode::At;
use hostler_protocol::environment::{CreateEnvironment, Environment};
use hostler_protocol::event::{
    Draft, Event, Recorded, Seq, SessionCreated, UserInterrupt, UserMessage,
};
use hostler_protocol::id::{EnvironmentId, SessionId, VaultId, WorkspaceId};
use hostler_provider::{Anthropic, AnthropicOptions, Auth, Provider};
use hostler_sandbox::{HostOptions, SandboxHost, kill_all};
use hostler_store::{
    CreateSession, NewMount, NewRepository, NewSession, SessionEdit, Store, StoreOptions,
};
use hostler_testkit::{ModelScript, open_store};
use hostler_vault::{Keyring, MasterKey};
use hostler_web::{FetchOptions, Fetcher, SearchOptions, Searcher};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(super) const MODEL: &str = "claude-test";
/// The judge of calls, where there is one.
pub(super) const JUDGE: &str = "judge";

pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) env: Env,
    pub(super) model: ModelScript,
    pub(super) sandboxes: SandboxHost,
    pub(super) workspace: WorkspaceId,
    context_window: Option<u64>,
    idle_stop: Option<Duration>,
    idle_max: Option<usize>,
    keep: Option<Duration>,
    pub(super) roots: RootOptions,
    pub(super) packages: PackageOptions,
    pub(super) repositories: RepositoryOptions,
    /// Sessions made from now on have them.
    pub(super) cloned: Vec<NewRepository>,
    /// The agents of sessions made from now on have them.
    pub(super) mcp_servers: Value,
    /// The body that environments are made of.
    pub(super) environment: Value,
    checkpoints: Checkpoints,
    judge: Option<JudgeOptions>,
    pub(super) fetching: FetchOptions,
    /// Whom `web_search` asks.
    pub(super) search: Option<SearchOptions>,
    rest: Duration,
    lease: Duration,
    networking: serde_json::Value,
    pub(super) hosts: BTreeMap<HostName, IpAddr>,
    /// Sessions made from now on have them.
    pub(super) vaults: Vec<VaultId>,
    pub(super) vault_keys: Arc<Keyring>,
    /// Whom the gateway believes about hosts.
    pub(super) authorities: Authorities,
}

/// Sandboxes outlive a server on purpose; they shall not outlive a test.
impl Drop for World {
    fn drop(&mut self) {
        let folders =
            ["sandboxes", "sandboxes_elsewhere"].map(|name| self.folder.path().join(name));
        let killed = folders
            .iter()
            .try_for_each(|folder| kill_all(folder).map(drop));
        // A second panic while a test fails would hide the first.
        if !std::thread::panicking() {
            killed.unwrap();
        }
    }
}

fn new_keyring() -> Arc<Keyring> {
    let key = MasterKey::parse(&MasterKey::generate().unwrap()).unwrap();
    Arc::new(Keyring::new(key, Vec::new()))
}

/// An engine that runs; dropping it is the death of its process.
pub(super) struct Running {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    /// The end that a SIGTERM brings.
    pub(super) async fn drain(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with_sandboxes(|_| {}).await
    }

    pub(super) async fn launched_by(launcher: PathBuf) -> Self {
        Self::with_sandboxes(|host| host.launcher = launcher).await
    }

    pub(super) async fn with_sandboxes(change: impl FnOnce(&mut HostOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut host = HostOptions::new(folder.path().join("sandboxes"));
        host.launcher = PathBuf::from(env!("CARGO_BIN_EXE_hostler"));
        change(&mut host);
        let sandboxes = SandboxHost::start(host).await.unwrap();
        let env = Env::system();
        Self {
            store: open_store(folder.path(), StoreOptions::default()),
            workspace: env.id(),
            env,
            model: ModelScript::start().await,
            sandboxes,
            context_window: None,
            idle_stop: None,
            idle_max: None,
            keep: None,
            roots: RootOptions::default(),
            packages: PackageOptions::default(),
            repositories: RepositoryOptions::default(),
            cloned: Vec::new(),
            mcp_servers: json!([]),
            environment: json!({"name": "test"}),
            checkpoints: Checkpoints::Local,
            judge: None,
            fetching: FetchOptions::new(
                Duration::from_secs(60),
                PathBuf::from(env!("CARGO_BIN_EXE_hostler")),
            ),
            search: None,
            rest: Duration::ZERO,
            lease: Duration::from_secs(30),
            networking: json!({"type": "unrestricted"}),
            hosts: BTreeMap::new(),
            vaults: Vec::new(),
            vault_keys: new_keyring(),
            authorities: Authorities::default(),
            folder,
        }
    }

    pub(super) fn with_context_window(mut self, tokens: u64) -> Self {
        self.context_window = Some(tokens);
        self
    }

    /// Sandboxes are stopped as soon as their session has rested this long.
    pub(super) fn with_idle_max(mut self, idle_max: usize) -> Self {
        self.idle_max = Some(idle_max);
        self
    }

    pub(super) fn with_idle_stop(mut self, idle_stop: Duration) -> Self {
        self.idle_stop = Some(idle_stop);
        self
    }

    /// Sandboxes are kept for this long.
    pub(super) fn with_keep(mut self, keep: Duration) -> Self {
        self.keep = Some(keep);
        self
    }

    /// The environment of each session made from now on says so.
    pub(super) fn with_networking(mut self, networking: serde_json::Value) -> Self {
        self.networking = networking;
        self
    }

    /// Sandboxes may reach this host, at an address of this machine.
    pub(super) fn with_host(mut self, name: &str) -> Self {
        let name = name.parse().unwrap();
        self.hosts.insert(name, Ipv4Addr::LOCALHOST.into());
        self
    }

    /// A judge of calls, whose model asks the same provider as all others.
    pub(super) fn with_judge(mut self) -> Self {
        self.judge = Some(JudgeOptions {
            model: JUDGE.to_owned(),
            timeout: Duration::from_secs(60),
        });
        self
    }

    /// Sandboxes at rest become archives.
    pub(super) fn with_checkpoints(mut self, evict: bool) -> Self {
        self.checkpoints = Checkpoints::Blobs { evict };
        self
    }

    /// Runners stay with their sessions at rest for this long.
    pub(super) fn with_rest(mut self, rest: Duration) -> Self {
        self.rest = rest;
        self
    }

    pub(super) fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The same data, as the next process finds it.
    pub(super) fn reopen(&mut self, options: StoreOptions) {
        self.store = open_store(self.folder.path(), options);
    }

    /// What speaks to MCP servers, which are on this machine.
    fn mcp(&self) -> McpTokens {
        let outward = Outward::new(GatewayOptions {
            allowed_private: vec!["127.0.0.0/8".parse().unwrap()],
            ..GatewayOptions::default()
        });
        let options = hostler_mcp::Options {
            call_timeout: Duration::from_secs(60),
            elicitation: hostler_mcp::Elicitation::Decline,
        };
        let client = hostler_mcp::Client::new(Arc::new(EgressGuard(outward)), options).unwrap();
        let keyring = Some(Arc::clone(&self.vault_keys));
        McpTokens::new(self.store.clone(), self.env.clone(), keyring, client)
    }

    /// What the web tools reach: pages on this machine, and the search service of the test.
    fn web(&self) -> WebTools {
        let outward = Outward::new(GatewayOptions {
            allowed_private: vec!["127.0.0.0/8".parse().unwrap()],
            hosts: self.hosts.clone(),
            ..GatewayOptions::default()
        });
        let options = self.fetching.clone();
        let search = self.search.clone();
        WebTools {
            fetch: Some(Fetcher::new(outward, options)),
            search: search.map(|options| Searcher::new(options).unwrap()),
        }
    }

    pub(super) async fn engine(&self) -> Running {
        self.store.free_leases_of("test").await.unwrap();
        let anthropic = AnthropicOptions::new(self.model.anthropic_url(), Auth::None);
        let provider = Provider::Anthropic(Anthropic::new(anthropic).unwrap());
        let engine = Engine::new(
            self.store.clone(),
            self.env.clone(),
            self.sandboxes.clone(),
            Arc::new(ModelCatalog::new(vec![self.spec(), judge_spec()])),
            HashMap::from([("test".to_owned(), provider)]),
            EngineOptions {
                owner: "test".to_owned(),
                lease: self.lease,
                running_sessions_max: 16,
                model_attempts_max: 3,
                model_retry_base: Duration::from_millis(5),
                model_retry_max: Duration::from_millis(10),
                compaction_percent: 80,
                parallel_tools_max: 8,
                rest: self.rest,
                sweep_interval: Duration::from_millis(50),
                sandbox_idle_stop: self.idle_stop,
                sandbox_idle_max: self.idle_max,
                sandbox_keep: self.keep,
                roots: self.roots.clone(),
                packages: self.packages.clone(),
                repositories: self.repositories.clone(),
                sandbox_checkpoints: self.checkpoints,
                vault_keys: Some(Arc::clone(&self.vault_keys)),
                judge: self.judge.clone(),
            },
            Outside {
                gateway: Some(Gateway::new(GatewayOptions {
                    hosts: self.hosts.clone(),
                    authorities: self.authorities.clone(),
                    ..GatewayOptions::default()
                })),
                mcp: self.mcp(),
                web: self.web(),
            },
        );
        let stop = CancellationToken::new();
        let ahead = engine.clone().keep_sandboxes_ahead(stop.clone());
        let run = engine.run(stop.clone());
        let run = async {
            let ((), ()) = tokio::join!(run, ahead);
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the guard that is returned owns the task"
        )]
        let task = tokio::spawn(run);
        Running { task, stop }
    }

    fn spec(&self) -> ModelSpec {
        ModelSpec {
            id: "claude-*".to_owned(),
            provider: "test".to_owned(),
            upstream_id: None,
            display_name: None,
            created_at: None,
            context_window: self.context_window,
            max_output_tokens: None,
            efforts: Vec::new(),
            default_effort: EffortLevel::High,
            adaptive_thinking: false,
            supports_fast: false,
            system_messages: true,
            price: None,
        }
    }

    pub(super) async fn session(&self) -> SessionId {
        self.session_with(Vec::new()).await
    }

    /// A session whose agent has these tools.
    pub(super) async fn session_with_tools(&self, tools: Value) -> SessionId {
        self.new_session(tools, Vec::new()).await
    }

    pub(super) async fn session_with(&self, mounts: Vec<NewMount>) -> SessionId {
        let toolset = json!({
            "type": "agent_toolset_20260401",
            "default_config": {"enabled": true, "permission_policy": {"type": "always_allow"}},
            "configs": [],
        });
        self.new_session(json!([toolset]), mounts).await
    }

    async fn new_session(&self, tools: Value, mounts: Vec<NewMount>) -> SessionId {
        let agent: SessionAgent = serde_json::from_value(json!({
            "type": "agent",
            "id": self.env.id::<hostler_protocol::id::AgentId>(),
            "version": 1,
            "name": "tester",
            "description": null,
            "system": "You test.",
            "model": {"id": MODEL, "effort": {"type": "high"}, "speed": "standard"},
            "tools": tools,
            "mcp_servers": self.mcp_servers,
            "skills": [],
            "execution_identity": {"type": "service_account"},
            "multiagent": null,
        }))
        .unwrap();
        let environment_id = self.env.id();
        let thread = self.env.id();
        let created = SessionCreated {
            agent: agent.clone(),
            environment_id,
            session_thread_id: thread,
        };
        let new = NewSession {
            id: self.env.id(),
            workspace_id: self.workspace,
            environment_id,
            agent,
            title: None,
            metadata: Default::default(),
            at: self.env.now(),
            thread,
            events: vec![self.draft(Event::SessionCreated(Box::new(created)))],
            mounts,
            repositories: self.cloned.clone(),
            vault_ids: self.vaults.clone(),
        };
        let id = new.id;
        self.create_environment(environment_id).await;
        match self.store.create_session(new).await.unwrap() {
            CreateSession::Created(_) => id,
            CreateSession::NoSuchEnvironment
            | CreateSession::NotMounted(_)
            | CreateSession::NoSkill(_)
            | CreateSession::NoSuchVault(_)
            | CreateSession::VaultArchived(_) => {
                panic!("the environment was just made")
            }
        }
    }

    async fn create_environment(&self, id: EnvironmentId) {
        let mut body = self.environment.clone();
        body["config"]["type"] = json!("cloud");
        body["config"]["networking"] = self.networking.clone();
        let create = CreateEnvironment::decode(At::root(&body)).unwrap();
        let environment = Environment::new(id, create.resolve().unwrap(), self.env.now());
        self.store
            .create_environment(self.workspace, environment)
            .await
            .unwrap();
    }

    fn draft(&self, event: Event) -> Draft {
        Draft {
            id: self.env.id(),
            at: self.env.now(),
            thread: None,
            event,
        }
    }

    pub(super) async fn say(&self, session: SessionId, text: &str) {
        let content = vec![ContentBlock::text(text)];
        self.send(session, vec![Input::Message(UserMessage { content })])
            .await;
    }

    pub(super) async fn interrupt(&self, session: SessionId) {
        self.send(session, vec![Input::Interrupt(UserInterrupt::default())])
            .await;
    }

    pub(super) async fn send(&self, session: SessionId, inputs: Vec<Input>) {
        let env = self.env.clone();
        let decide = move |row: &hostler_store::SessionRow| {
            let events = accept(&row.summary, inputs, env.now())?.into_events();
            let draft = |event| Draft {
                id: env.id(),
                at: env.now(),
                thread: None,
                event,
            };
            Ok::<_, hostler_domain::session::Refusal>(SessionEdit {
                drafts: events.map(draft).collect(),
                ..SessionEdit::default()
            })
        };
        self.store
            .change_session(self.workspace, session, decide)
            .await
            .unwrap();
    }

    /// The whole log, once `enough` says that it holds what the test waits for.
    pub(super) async fn log_when(
        &self,
        session: SessionId,
        enough: impl Fn(&[Recorded]) -> bool,
    ) -> Vec<Recorded> {
        let mut wakes = self.store.wakes(session);
        loop {
            let log = self
                .store
                .read_log(session, Seq::default(), 10_000)
                .await
                .unwrap();
            if enough(&log) {
                return log;
            }
            let known = log.last().map_or(Seq::default(), |row| row.seq);
            wakes.changed(known).await;
        }
    }

    /// The log once the session has come to rest this often.
    pub(super) async fn log_after_turns(&self, session: SessionId, turns: usize) -> Vec<Recorded> {
        let rested = |log: &[Recorded]| {
            let rests = log
                .iter()
                .filter(|row| row.event.name() == "session.status_idle")
                .count();
            rests >= turns
                && log
                    .last()
                    .is_some_and(|row| row.event.name() == "session.status_idle")
        };
        self.log_when(session, rested).await
    }

    /// Requests to the search service, as the session's usage has them.
    pub(super) async fn searches(&self, session: SessionId) -> u64 {
        let brief = self.store.session_brief(session).await.unwrap();
        let usage = brief.unwrap().summary.usage(self.env.now());
        usage.server_tool_use.web_search_requests
    }

    pub(super) async fn status(&self, session: SessionId) -> SessionStatus {
        self.store
            .session_brief(session)
            .await
            .unwrap()
            .unwrap()
            .summary
            .status
    }
}

/// Each of its tokens costs a cent.
fn judge_spec() -> ModelSpec {
    const CENT: u64 = 10_000_000;
    ModelSpec {
        id: JUDGE.to_owned(),
        provider: "test".to_owned(),
        upstream_id: None,
        display_name: None,
        created_at: None,
        context_window: None,
        max_output_tokens: None,
        efforts: Vec::new(),
        default_effort: EffortLevel::High,
        adaptive_thinking: false,
        supports_fast: false,
        system_messages: false,
        price: Some(Price {
            input: CENT,
            output: CENT,
            cache_read: CENT,
            cache_write_5m: CENT,
            cache_write_1h: CENT,
        }),
    }
}
