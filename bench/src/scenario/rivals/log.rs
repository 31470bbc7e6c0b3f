//! P3 beside `durable-streams`, which acknowledges an append to a stream of bytes once it is synced, and knows
//! nothing of events, sessions or leases.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hyper::Method;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::api::message;
use crate::client::{Connection, Target};
use crate::counters::{Reading, Used};
use crate::floor::Rate;
use crate::model::Script;
use crate::outcome::{AtLeast, Outcome};
use crate::rig::Rig;
use crate::scenario::append::{blocked_sessions, write};

const BINARY: &str = "durable-streams/bin/durable-streams-server";
const WRITERS: usize = 50;
/// Of the other's rate.
const SHARE: f64 = 0.8;
const START_WAIT: Duration = Duration::from_secs(10);

/// Appends that were acknowledged, and what the server used for them.
#[derive(Debug, Default)]
struct Appends {
    rate: Rate,
    used: Used,
}

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let binary = rig.options.rivals.join(BINARY);
    if !binary.is_file() {
        outcome.note("durable-streams is not installed");
        return Ok(());
    }
    let (mut ours, mut theirs) = (Appends::default(), Appends::default());
    for _ in 0..rig.options.few_or(1, 3) {
        ours.add(our_appends(rig, outcome).await?);
        theirs.add(their_appends(rig, &binary).await?);
    }
    for (name, appends) in [("Hostler", &ours), ("durable-streams", &theirs)] {
        outcome.figure(
            format!("{name}: appends acknowledged to {WRITERS} writers"),
            appends.rate.per_second(),
            "/s",
        );
        outcome.used(
            &format!("append, {name}"),
            &appends.used,
            appends.rate.times,
        );
    }
    outcome.judged(
        "appends, to durable-streams",
        ours.rate.per_second() / theirs.rate.per_second(),
        "×",
        AtLeast(SHARE),
    );
    Ok(())
}

impl Appends {
    fn add(&mut self, other: Appends) {
        self.rate = self.rate.and(other.rate);
        self.used = std::mem::take(&mut self.used).plus(other.used);
    }
}

async fn our_appends(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<Appends> {
    let (server, mut api) = rig.start_with_api().await?;
    let (open, gate) = watch::channel(false);
    let work = blocked_sessions(rig, &mut api, &gate, WRITERS).await?;
    let before = Reading::of(server.process)?;
    let step = write(&server.target, work, rig.options.step()).await?;
    let used = before.until(&Reading::of(server.process)?);
    outcome.failures.extend(step.failures);
    server.stop().await?;
    drop(open);
    let rate = Rate {
        times: step.latency.len(),
        seconds: step.seconds,
    };
    Ok(Appends { rate, used })
}

/// Every writer on a connection and a stream of its own, with the same message.
async fn their_appends(rig: &Rig<'_>, binary: &Path) -> anyhow::Result<Appends> {
    let data = tempfile::tempdir_in(rig.folder())?;
    let (mut server, target) = start(binary, data.path()).await?;
    let process = server.id().context("the server has ended")?;
    let body = message(rig.model.expect(Script::default()));
    let mut connections = Vec::new();
    for number in 0..WRITERS {
        let path = format!("/writer-{number}");
        let mut connection = Connection::open(&target).await?;
        connection.done(Method::PUT, &path, None).await?;
        connections.push((connection, path));
    }
    let before = Reading::of(process)?;
    let (mut writers, begun) = (JoinSet::new(), Instant::now());
    for (mut connection, path) in connections {
        let (body, until) = (body.clone(), begun + rig.options.step());
        writers.spawn(async move {
            let mut times = 0_usize;
            while Instant::now() < until {
                connection.done(Method::POST, &path, Some(&body)).await?;
                times += 1;
            }
            anyhow::Ok(times)
        });
    }
    let mut times = 0;
    while let Some(ended) = writers.join_next().await {
        times += ended??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let used = before.until(&Reading::of(process)?);
    server.kill().await?;
    let rate = Rate { times, seconds };
    Ok(Appends { rate, used })
}

async fn start(binary: &Path, data: &Path) -> anyhow::Result<(Child, Target)> {
    // It can't choose a port by itself.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut child = Command::new(binary)
        .args(["--port", &address.port().to_string(), "--data-dir"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {}", binary.display()))?;
    let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await? {
            if line.contains("listening on ") {
                return Ok(());
            }
        }
        bail!("durable-streams ended before it listened")
    };
    timeout(START_WAIT, ready)
        .await
        .context("durable-streams does not listen")??;
    let key = String::new();
    Ok((child, Target { address, key }))
}
