//! P9: whether the cost of the work grows with what is stored: the same turns, pages of the list and wake-ups,
//! with ten sessions in the database and with many.

use std::time::Instant;

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};

use crate::api::{Api, Tools};
use crate::client::Connection;
use crate::counters::{Reading, resident_kib};
use crate::line::Line;
use crate::model::Script;
use crate::outcome::{AtMost, Outcome};
use crate::rig::Rig;
use crate::samples::Samples;
use crate::server::Server;

/// How many are stored when it is measured first.
const FEW: usize = 10;
/// Sessions that are made and have their turn at the same time.
const MAKERS: usize = 16;
const TURNS_PER_SESSION: usize = 20;
const PAGE: &str = "/v1/sessions?limit=20";
/// What the last measurement may be to the first.
const GROWTH_MAX: f64 = 1.2;

/// What the same work took.
struct Costs {
    turn_cpu_us: f64,
    page_cpu_us: f64,
    page: Samples,
    wake: Samples,
}

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (server, mut api) = rig.start_with_api().await?;
    // What is stored is measured, and not as many sandboxes, which would live on for a while after a turn.
    api.use_tools(Tools::None).await?;
    let many = rig.options.grown();
    // Idle ever since: one to wake up at each size.
    let mut old = Vec::new();
    for _ in 0..3 {
        let mut line = Line::open(rig, &api, Script::default()).await?;
        line.turn(Instant::now()).await?;
        old.push(line);
    }
    let mut all = Vec::new();
    let mut stored = old.len();
    for (size, old) in [FEW, many / 2, many].into_iter().zip(&mut old) {
        fill(rig, &api, size.saturating_sub(stored)).await?;
        let costs = measure(rig, &server, &api, old).await?;
        // The measurement leaves some of its own.
        stored = size + sessions_of_a_measurement(rig);
        told(&costs, size, outcome);
        all.push(costs);
    }
    outcome.figure(
        format!("memory of the server, {many} sessions"),
        resident_kib(server.process)? as f64 / 1024.0,
        "MiB",
    );
    let (first, last) = all
        .first()
        .zip(all.last())
        .context("nothing was measured")?;
    for (name, growth) in last.growth_since(first) {
        outcome.judged(
            format!("{name}: {many} sessions to {FEW}"),
            growth,
            "×",
            AtMost(GROWTH_MAX),
        );
    }
    server.stop().await
}

/// So many sessions, each with a turn behind it.
async fn fill(rig: &Rig<'_>, api: &Api, sessions: usize) -> anyhow::Result<()> {
    let makers = stream::iter(0..sessions).map(|_| async {
        let mut line = Line::open(rig, api, Script::default()).await?;
        line.turn(Instant::now()).await?;
        anyhow::Ok(())
    });
    makers.buffer_unordered(MAKERS).try_collect().await
}

fn sessions_of_a_measurement(rig: &Rig<'_>) -> usize {
    rig.options.few_or(2, 20)
}

async fn measure(
    rig: &Rig<'_>,
    server: &Server,
    api: &Api,
    old: &mut Line,
) -> anyhow::Result<Costs> {
    let sessions = sessions_of_a_measurement(rig);
    let mut lines = Vec::new();
    for _ in 0..sessions {
        lines.push(Line::open(rig, api, Script::default()).await?);
    }
    let before = Reading::of(server.process)?;
    for line in &mut lines {
        for _ in 0..TURNS_PER_SESSION {
            line.turn(Instant::now()).await?;
        }
    }
    let turns = before.until(&Reading::of(server.process)?);

    let (mut connection, mut page) = (Connection::open(&api.target).await?, Samples::default());
    let pages = rig.options.few_or(20, 500);
    let before = Reading::of(server.process)?;
    for _ in 0..pages {
        let begun = Instant::now();
        connection.get(PAGE).await?;
        page.push(begun.elapsed());
    }
    let listed = before.until(&Reading::of(server.process)?);

    let mut wake = Samples::default();
    old.reconnect(api).await?;
    for _ in 0..TURNS_PER_SESSION {
        let begun = Instant::now();
        old.turn(begun).await?;
        let asked = rig.model.asked(old.token);
        let last = asked.last().context("the model was not asked")?;
        wake.push(last.arrived.saturating_duration_since(begun));
    }
    Ok(Costs {
        turn_cpu_us: turns.server_cpu_us / (sessions * TURNS_PER_SESSION) as f64,
        page_cpu_us: listed.server_cpu_us / pages as f64,
        page,
        wake,
    })
}

fn told(costs: &Costs, size: usize, outcome: &mut Outcome) {
    outcome.figure(
        format!("{size} sessions: server CPU per turn"),
        costs.turn_cpu_us,
        "µs",
    );
    outcome.figure(
        format!("{size} sessions: server CPU per page of 20"),
        costs.page_cpu_us,
        "µs",
    );
    outcome.distribution(
        format!("{size} sessions: a page of 20"),
        costs.page.summary(),
    );
    outcome.distribution(
        format!("{size} sessions: POST to model request of an old session"),
        costs.wake.summary(),
    );
}

impl Costs {
    fn growth_since(&self, first: &Costs) -> [(&'static str, f64); 3] {
        [
            ("server CPU per turn", self.turn_cpu_us / first.turn_cpu_us),
            ("server CPU per page", self.page_cpu_us / first.page_cpu_us),
            (
                "wake-up, p50",
                self.wake.summary().p50 / first.wake.summary().p50,
            ),
        ]
    }
}
