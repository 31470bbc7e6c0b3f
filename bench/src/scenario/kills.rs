//! R1 and R2: the server is killed again and again at random moments, its start included, while clients use
//! it and readers follow every session. What the clients wrote down is the judge of what is there afterwards.

mod book;
mod client;
mod judge;
mod reader;

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{timeout, timeout_at};

use crate::client::Target;
use crate::model::{By, Script};
use crate::outcome::{AtMost, Outcome};
use crate::random::Random;
use crate::rig::{Rig, TURN_WAIT};
use crate::samples::Samples;
use crate::server::Server;

use book::Book;
use client::{Client, Phase, Surroundings};

const CLIENTS: usize = 6;
/// From the spawn of a server to its end; it is ready after about a tenth of it.
const LIFE_MS_MAX: u64 = 700;
const FIRST_PROGRESS_MS: f64 = 1_000.0;

#[derive(Debug, Default)]
struct Lives {
    /// From a spawn to the banner.
    ready: Samples,
    /// From a spawn to the first acknowledgement or frame that a client got.
    progress: Samples,
    killed_while_starting: usize,
}

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (server, api) = rig.start_with_api().await?;
    let mut random = Random::new(rig.options.seed);
    let script = Script {
        by: By::Tasks,
        ..Script::default()
    };
    let (address, at) = watch::channel(Some(server.target.clone()));
    let (phase, in_phase) = watch::channel(Phase::Load);
    let (progress, mut progressed) = watch::channel(());
    let surroundings = Surroundings {
        address: at,
        phase: in_phase,
        progress,
        session: api.session_body(),
        token: rig.model.expect(script),
    };
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = Client::new(number, random.fork(), surroundings.clone());
        clients.spawn(client.run());
    }

    let mut lives = Lives::default();
    // The first one was up before the clients were.
    let life = Duration::from_millis(random.below(LIFE_MS_MAX));
    tokio::time::sleep(life).await;
    server.kill().await?;
    address.send_replace(None);
    for _ in 1..rig.options.kills() {
        let life = Duration::from_millis(random.below(LIFE_MS_MAX));
        live(rig, life, &address, &mut progressed, &mut lives).await?;
        address.send_replace(None);
    }

    let server = rig.start().await?;
    lives.ready.push(server.ready_after);
    address.send_replace(Some(server.target.clone()));
    phase.send_replace(Phase::Settle);
    let books = collect(&mut clients).await?;
    report(rig, &lives, &books, outcome);
    let api = api.reconnected(server.target.clone()).await?;
    judge::judge(api, &books, outcome).await?;
    server.stop().await
}

/// One life of the server, from its spawn to its kill.
async fn live(
    rig: &Rig<'_>,
    life: Duration,
    address: &watch::Sender<Option<Target>>,
    progressed: &mut watch::Receiver<()>,
    lives: &mut Lives,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let end = tokio::time::Instant::now() + life;
    let mut starting = rig.spawn()?;
    progressed.mark_unchanged();
    let server: Server = match timeout_at(end, starting.until_ready()).await {
        Ok(target) => starting.server(target.with_context(|| rig.last_lines())?)?,
        Err(_elapsed) => {
            lives.killed_while_starting += 1;
            return starting.kill().await;
        }
    };
    lives.ready.push(server.ready_after);
    address.send_replace(Some(server.target.clone()));
    if let Ok(changed) = timeout_at(end, progressed.changed()).await {
        changed?;
        lives.progress.push(begun.elapsed());
        tokio::time::sleep_until(end).await;
    }
    server.kill().await
}

/// The clients bring their sessions to rest by themselves; one that can't says so in its book.
async fn collect(clients: &mut JoinSet<anyhow::Result<Vec<Book>>>) -> anyhow::Result<Vec<Book>> {
    let mut books = Vec::new();
    while let Some(done) = timeout(TURN_WAIT * 4, clients.join_next())
        .await
        .context("a client does not come to its end")?
    {
        books.extend(done??);
    }
    Ok(books)
}

fn report(rig: &Rig<'_>, lives: &Lives, books: &[Book], outcome: &mut Outcome) {
    let count = |of: fn(&Book) -> usize| books.iter().map(of).sum::<usize>() as f64;
    outcome.note(format!("seed {}", rig.options.seed));
    outcome.figure("kills", rig.options.kills() as f64, "");
    outcome.figure(
        "… of them before the server was ready",
        lives.killed_while_starting as f64,
        "",
    );
    outcome.figure("sessions", books.len() as f64, "");
    outcome.figure(
        "events acknowledged",
        count(|book| book.acknowledged.len()),
        "",
    );
    outcome.figure(
        "events whose answer never came",
        count(|book| book.unsure.len()),
        "",
    );
    outcome.figure("frames at the readers", count(|book| book.frames.len()), "");
    outcome.figure("readers that came back", count(|book| book.comebacks), "");
    outcome.distribution("spawn to ready", lives.ready.summary());
    let progress = lives.progress.summary();
    outcome.judged(
        "spawn to the first progress, max",
        progress.max,
        "ms",
        AtMost(FIRST_PROGRESS_MS),
    );
    outcome.distribution("spawn to the first progress", progress);
}
