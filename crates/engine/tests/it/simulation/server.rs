//! One server: a runtime of its own, with a clock of its own, that is run for a piece of time and then
//! not. So it can be killed between any two things that it does, or stand still while time goes on.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use hostler_domain::Env;
use hostler_domain::catalog::{ModelCatalog, ModelSpec};
use hostler_egress::{GatewayOptions, Outward};
use hostler_engine::{
    Checkpoints, EgressGuard, Engine, EngineOptions, McpTokens, Outside, PackageOptions,
    RepositoryOptions, RootOptions, WebTools,
};
use hostler_protocol::Timestamp;
use hostler_protocol::agent::EffortLevel;
use hostler_sandbox::{FakeMachine, SandboxHost};
use hostler_store::{Access, Fate, SimulatedDatabase, SimulatedLink, Store, StoreOptions, Weather};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::{Instant, advance, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::model::Model;
use super::plan::{Commit, Faults, Plan};
use super::random::Random;

pub(super) const LEASE: Duration = Duration::from_secs(4);
pub(super) const MODEL: &str = "claude-test";

/// Wall clocks begin here.
const EPOCH_MICROS: i64 = 1_790_000_000_000_000;

/// What all servers of one simulation share.
pub(super) struct Surroundings<'s> {
    pub(super) plan: &'s Plan,
    pub(super) database: &'s SimulatedDatabase,
    pub(super) model: &'s Model,
    pub(super) folder: &'s Path,
    /// Set when the storm is over.
    pub(super) is_calm: &'s Arc<AtomicBool>,
}

pub(super) struct Server {
    runtime: Runtime,
    /// When it was started, and how far it has been run.
    born: Duration,
    ran_to: Duration,
    born_at: Instant,
    pub(super) store: Store,
    pub(super) env: Env,
    pub(super) stop: CancellationToken,
    signs: Arc<Signs>,
}

/// What a server shows of itself.
#[derive(Default)]
struct Signs {
    is_ready: AtomicBool,
    has_ended: AtomicBool,
    /// A commit has killed it.
    is_struck: AtomicBool,
    strike: Mutex<Option<(u64, Commit)>>,
}

/// What tells a server the time.
#[derive(Clone)]
struct Clock {
    handle: Handle,
    born: Duration,
    born_at: Instant,
}

impl Clock {
    fn now(&self) -> Duration {
        let _inside = self.handle.enter();
        self.born + (Instant::now() - self.born_at)
    }

    fn wall(&self, step_millis: i64) -> Timestamp {
        let now = i64::try_from(self.now().as_micros()).unwrap();
        Timestamp::from_micros(EPOCH_MICROS + now + step_millis * 1_000)
    }
}

impl Server {
    /// `number` is that of its machine, whose wall clock is wrong by `step`.
    pub(super) fn start(
        number: usize,
        born: Duration,
        around: &Surroundings<'_>,
        machine: &FakeMachine,
        step: &Arc<AtomicI64>,
        random: &mut Random,
    ) -> Self {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        let signs = Arc::new(Signs::default());
        let stop = CancellationToken::new();
        let inside = runtime.enter();
        let clock = Clock {
            handle: runtime.handle().clone(),
            born,
            born_at: Instant::now(),
        };
        let (wall, database_clock) = (clock.clone(), clock.clone());
        let step = Arc::clone(step);
        let env = Env::told(
            move || wall.wall(step.load(Ordering::Relaxed)),
            random.next(),
        );
        let link = SimulatedLink {
            server: u32::try_from(number).unwrap(),
            clock: Env::told(move || database_clock.wall(0), 0),
            weather: weather(around, &signs, random.fork()),
        };
        let options = StoreOptions {
            wake_ups: around.plan.wake_ups,
            look_interval: Duration::from_secs(1),
            ..StoreOptions::default()
        };
        let (store, writer) =
            Store::simulated(around.folder, around.database, link, options).unwrap();
        let machine_clock = clock.clone();
        let sandboxes = SandboxHost::fake(machine.clone(), Arc::new(move || machine_clock.now()));
        let owner = match around.plan.is_one_owner {
            true => "everybody".to_owned(),
            false => format!("machine{number}-{}", random.next()),
        };
        let engine = Engine::new(
            store.clone(),
            env.clone(),
            sandboxes,
            Arc::new(ModelCatalog::new(vec![model_spec(around.plan)])),
            HashMap::from([("test".to_owned(), around.model.provider())]),
            engine_options(around.plan, owner.clone()),
            Outside {
                gateway: None,
                mcp: McpTokens::new(store.clone(), env.clone(), None, mcp_client()),
                web: WebTools::default(),
            },
        );
        runtime.spawn(writer.run());
        let life = live(
            store.clone(),
            engine,
            number,
            owner,
            stop.clone(),
            signs.clone(),
        );
        runtime.spawn(life);
        drop(inside);
        Self {
            runtime,
            born,
            ran_to: born,
            born_at: clock.born_at,
            store,
            env,
            stop,
            signs,
        }
    }

    /// Runs it until the time is `to`.
    pub(super) fn run_to(&mut self, to: Duration) {
        let until = self.born_at + (to - self.born);
        self.runtime.block_on(async { sleep_until(until).await });
        self.ran_to = to;
    }

    /// It has stood still until `now`: for it, time jumps.
    pub(super) fn resume(&mut self, now: Duration) {
        self.runtime
            .block_on(async { advance(now - self.ran_to).await });
        self.ran_to = now;
    }

    pub(super) fn is_ready(&self) -> bool {
        self.signs.is_ready.load(Ordering::Relaxed) && !self.stop.is_cancelled()
    }

    /// After it was asked to.
    pub(super) fn has_ended(&self) -> bool {
        self.signs.has_ended.load(Ordering::Relaxed)
    }

    pub(super) fn is_struck(&self) -> bool {
        self.signs.is_struck.load(Ordering::Relaxed)
    }

    pub(super) fn strike_at(&self, write: u64, commit: Commit) {
        *self.signs.strike.lock().unwrap() = Some((write, commit));
    }

    /// Part of the server: it ends with it.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }
}

/// As the binary does it.
async fn live(
    store: Store,
    engine: Engine,
    number: usize,
    owner: String,
    stop: CancellationToken,
    signs: Arc<Signs>,
) {
    let replica = format!("machine{number}");
    while store.free_leases_of(&replica).await.is_err() {
        sleep(Duration::from_millis(200)).await;
    }
    signs.is_ready.store(true, Ordering::Relaxed);
    engine.run(stop).await;
    let _ = store.give_back_all(&owner).await;
    signs.has_ended.store(true, Ordering::Relaxed);
}

/// What befalls the transactions of one server.
fn weather(
    around: &Surroundings<'_>,
    signs: &Arc<Signs>,
    random: Random,
) -> Arc<dyn Fn(Access) -> Weather + Send + Sync> {
    let (faults, is_calm, signs) = (
        around.plan.faults,
        Arc::clone(around.is_calm),
        Arc::clone(signs),
    );
    let random = Mutex::new(random);
    Arc::new(move |access| {
        let mut random = random.lock().unwrap();
        let mut weather = Weather {
            before: random.millis(0, 3),
            after: random.millis(0, 2),
            fate: Fate::Done,
        };
        if is_calm.load(Ordering::Relaxed) {
            return weather;
        }
        if random.in_thousand(faults.slow) {
            weather.before += random.millis(10, 3_000);
        }
        weather.fate = fate(access, &faults, &mut random);
        if access == Access::Write
            && let Some(commit) = signs.next_strikes()
        {
            signs.is_struck.store(true, Ordering::Relaxed);
            let never = Duration::from_secs(100_000);
            (weather.before, weather.after, weather.fate) = match commit {
                Commit::Not => (never, Duration::ZERO, Fate::Done),
                Commit::Done => (Duration::ZERO, never, Fate::Done),
            };
        }
        weather
    })
}

impl Signs {
    /// Whether it dies of the write that begins now.
    fn next_strikes(&self) -> Option<Commit> {
        let mut strike = self.strike.lock().unwrap();
        let (left, commit) = (*strike)?;
        *strike = left.checked_sub(1).map(|left| (left, commit));
        (left == 0).then_some(commit)
    }
}

fn fate(access: Access, faults: &Faults, random: &mut Random) -> Fate {
    match access {
        Access::Announcement if random.in_thousand(faults.announcements_lost) => Fate::Unsent,
        Access::Announcement => Fate::Done,
        Access::Read if random.in_thousand(faults.busy) => Fate::Busy,
        Access::Read if random.in_thousand(faults.unsent) => Fate::Unsent,
        Access::Read => Fate::Done,
        Access::Write if random.in_thousand(faults.busy) => Fate::Busy,
        Access::Write if random.in_thousand(faults.full) => Fate::Full,
        Access::Write if random.in_thousand(faults.unsent) => Fate::Unsent,
        Access::Write if random.in_thousand(faults.answer_lost) => Fate::AnswerLost,
        Access::Write if random.in_thousand(faults.forgotten) => Fate::Forgotten,
        Access::Write => Fate::Done,
    }
}

fn engine_options(plan: &Plan, owner: String) -> EngineOptions {
    EngineOptions {
        owner,
        lease: LEASE,
        running_sessions_max: plan.running_sessions_max,
        model_attempts_max: 3,
        model_retry_base: Duration::from_millis(200),
        model_retry_max: Duration::from_secs(2),
        compaction_percent: 80,
        parallel_tools_max: plan.parallel_tools_max,
        rest: plan.rest,
        sweep_interval: Duration::from_secs(1),
        sandbox_idle_stop: plan.idle_stop,
        sandbox_idle_max: None,
        sandbox_keep: None,
        roots: RootOptions::default(),
        packages: PackageOptions {
            keep_unused: None,
            ..PackageOptions::default()
        },
        repositories: RepositoryOptions::default(),
        sandbox_checkpoints: Checkpoints::Local,
        vault_keys: None,
        judge: None,
    }
}

fn model_spec(plan: &Plan) -> ModelSpec {
    ModelSpec {
        id: "claude-*".to_owned(),
        provider: "test".to_owned(),
        upstream_id: None,
        display_name: None,
        created_at: None,
        context_window: plan.context_window,
        max_output_tokens: None,
        efforts: Vec::new(),
        default_effort: EffortLevel::High,
        adaptive_thinking: false,
        supports_fast: false,
        system_messages: false,
        price: None,
    }
}

/// No agent here has an MCP server. A client reads the machine's certificates, which once is enough.
fn mcp_client() -> hostler_mcp::Client {
    static CLIENT: OnceLock<hostler_mcp::Client> = OnceLock::new();
    let make = || {
        let guard = EgressGuard(Outward::new(GatewayOptions::default()));
        let options = hostler_mcp::Options {
            call_timeout: Duration::from_secs(1),
            elicitation: hostler_mcp::Elicitation::Decline,
        };
        hostler_mcp::Client::new(Arc::new(guard), options).unwrap()
    };
    CLIENT.get_or_init(make).clone()
}
