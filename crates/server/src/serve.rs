//! `hostler serve`: all roles in one process. This file is the order in which things start; what each of
//! them does is elsewhere.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use hostler_domain::Env;
use hostler_engine::{Engine, Outside};
use hostler_http::Api;
use hostler_protocol::id::EventId;
use hostler_sandbox::{CgroupClaim, SandboxHost, claim_cgroup};
use hostler_store::Store;
use tokio::net::{TcpListener, TcpSocket};

use crate::banner::{banner, base_url};
use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::lifecycle::{Ending, Lifecycle, OnEnd, signals};
use crate::limits::{CONNECTIONS_WAITING, GIVE_BACK_WAIT};
use crate::previews::Carrier;
use crate::terminal::say;
use crate::{backup, database, first_start, listener, metrics, orphans, vault_keys, wiring};

/// Runs a server until it is stopped. `given_key` is the value of HOSTLER_API_KEY.
pub async fn run(config: Config, given_key: Option<&str>) -> anyhow::Result<Ending> {
    // First of all, so that no signal is lost.
    let signals = signals().context("signals cannot be received")?;
    let mut lifecycle = Lifecycle::new(config.server.shutdown_grace);
    let soft = lifecycle.soft();
    allow_many_descriptors();

    let folder = DataFolder::open(&config.server.data_dir)?;
    backup::refuse_half_restored(folder.path())?;
    let measured = metrics::start()?;
    let env = Env::system();
    let replica = folder.replica(&env)?;
    let store = open_store(&config, &replica).await?;
    let key = first_start::prepare(&store, &env, given_key).await?;
    let keyring = vault_keys::keyring(&config, &store).await?;
    claim_blobs(&store, &env).await?;
    let sandboxes = start_sandboxes(&config).await?;
    let tier = sandboxes.isolation().tier();
    let roots = wiring::roots(&config)?;
    let catalog = Arc::new(wiring::catalog(&config.models));

    // The address is taken before anything acts, so that a server that cannot be reached does nothing.
    let socket = bind(config.server.listen)?;
    let listening = socket.local_addr()?;

    let options = wiring::engine(&config, &env, &replica, roots.clone(), keyring.clone());
    let (leases, owner) = (store.clone(), options.owner.clone());
    let tokens = wiring::mcp_tokens(
        &config,
        listening,
        store.clone(),
        env.clone(),
        keyring.clone(),
    )?;
    let engine = Engine::new(
        store.clone(),
        env.clone(),
        sandboxes.clone(),
        Arc::clone(&catalog),
        wiring::providers(&config)?,
        options,
        Outside {
            gateway: wiring::gateway(&config.network, listening),
            mcp: tokens.clone(),
            web: wiring::web_tools(&config, listening)?,
        },
    );
    carry_previews(&mut lifecycle, &config, &store).await?;
    act(&mut lifecycle, sandboxes, engine, &store, &env);

    let text = metrics::text(measured.clone());
    let api = Api::new(
        store,
        env,
        catalog,
        wiring::http(
            &config,
            tier.as_str(),
            text,
            soft.clone(),
            roots,
            keyring,
            tokens,
        ),
    );
    let summed_up = metrics::sum_up(measured, soft);
    lifecycle.spawn("metrics", OnEnd::Shutdown, summed_up);
    answer(&mut lifecycle, socket, api);

    let base_url = base_url(config.server.public_url.as_deref(), listening);
    tracing::info!(%listening, data_dir = %folder.path().display(), "ready");
    say(&banner(&base_url, &key));
    drop(key);
    let ending = lifecycle.run(signals).await;
    give_back(&leases, &owner).await;
    Ok(ending)
}

/// Before anything acts: from then on previews are made for others, too.
async fn carry_previews(
    lifecycle: &mut Lifecycle,
    config: &Config,
    store: &Store,
) -> anyhow::Result<()> {
    if let Some(carrier) = Carrier::new(config.nats.as_ref(), store).await? {
        let soft = lifecycle.soft();
        lifecycle.spawn("previews", OnEnd::Shutdown, carrier.run(soft));
    }
    Ok(())
}

fn answer(lifecycle: &mut Lifecycle, socket: TcpListener, api: Api) {
    let router = hostler_http::router(api);
    let (soft, hard) = (lifecycle.soft(), lifecycle.hard());
    lifecycle.spawn("http", OnEnd::Shutdown, async move {
        listener::serve(socket, router, soft, hard).await;
        Ok(())
    });
}

/// Everything that is done without a request.
fn act(
    lifecycle: &mut Lifecycle,
    sandboxes: SandboxHost,
    engine: Engine,
    store: &Store,
    env: &Env,
) {
    let soft = lifecycle.soft();
    if store.shares_blobs() {
        let sweep = orphans::sweep_a_bucket(store.clone(), env.clone(), soft.clone());
        lifecycle.spawn("orphans", OnEnd::Shutdown, sweep);
    }
    look_after_sandboxes(lifecycle, sandboxes, engine.clone());
    lifecycle.spawn("engine", OnEnd::Shutdown, async move {
        engine.run(soft).await;
        Ok(())
    });
}

async fn start_sandboxes(config: &Config) -> anyhow::Result<SandboxHost> {
    announce_cgroup(&claim_cgroup());
    let host = wiring::sandbox_host(&config.sandbox, &config.network);
    let sandboxes = SandboxHost::start(host).await?;
    let isolation = sandboxes.isolation();
    tracing::info!(tier = %isolation.tier(), ?isolation, "sandboxes can be made");
    Ok(sandboxes)
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    listen(address)
        .with_context(|| format!("{address} cannot be listened on; choose another with --listen"))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // The next server takes the address while connections of the last one fade away.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(CONNECTIONS_WAITING)
}

/// What had no time to end goes on with the next server at once, and nobody takes this end for a death.
async fn give_back(store: &Store, owner: &str) {
    match tokio::time::timeout(GIVE_BACK_WAIT, store.give_back_all(owner)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("sessions cannot be given back: {error}"),
        Err(_elapsed) => tracing::warn!("sessions were not given back in time"),
    }
}

/// What nobody waits for.
fn look_after_sandboxes(lifecycle: &mut Lifecycle, sandboxes: SandboxHost, engine: Engine) {
    lifecycle.spawn("leftovers", OnEnd::Ignore, async move {
        let removed = sandboxes.remove_abandoned_cgroups().await?;
        tracing::debug!(removed, "control groups that others have left are gone");
        Ok(())
    });
    let stop = lifecycle.soft();
    lifecycle.spawn("pool", OnEnd::Ignore, async move {
        engine.keep_sandboxes_ahead(stop).await;
        Ok(())
    });
}

async fn open_store(config: &Config, replica: &str) -> anyhow::Result<Store> {
    let store = database::open_aside(config).await?;
    // The folder's lock says that no other server lives in it: what one has left is free to take.
    store
        .free_leases_of(replica)
        .await
        .context("the sessions cannot be taken over")?;
    Ok(store)
}

/// What is in a bucket must be of this database, before anything there is taken for nobody's.
async fn claim_blobs(store: &Store, env: &Env) -> anyhow::Result<()> {
    let trial: EventId = env.id();
    store.claim_bucket(&trial.to_string()).await?;
    if !store.shares_blobs() {
        let swept = store.sweep_orphans(env.now()).await;
        swept.context("leftovers of uploads cannot be removed")?;
    }
    Ok(())
}

/// Every event stream is a descriptor, and the usual soft limit is 1,024.
fn allow_many_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
}

/// Limits of whole sandboxes depend on it, so it is said either way.
fn announce_cgroup(claim: &CgroupClaim) {
    match claim {
        CgroupClaim::Delegated { controllers } => {
            tracing::info!(?controllers, "sandboxes get control groups of version 2");
        }
        CgroupClaim::Left { reason } => {
            tracing::debug!(%reason, "control groups of version 2 are left as they are");
        }
    }
}
