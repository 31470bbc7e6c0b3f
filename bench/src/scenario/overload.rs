//! R6: three times what the server can take. In turns it is asked by one client, by as many as it has room
//! for, and at three times the rate that these reached, whatever it answers. What it refuses must be a refusal
//! as documented; what it takes must be taken soon, and be there afterwards.
//!
//! Driver and server each have half of the processors, so that the work of asking three times as often is
//! not taken from the server.

mod books;
mod halves;
mod rate;
mod seen;
mod watch;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch as signal;

use crate::outcome::Outcome;
use crate::rig::Rig;
use crate::server::Server;

use books::Books;
use halves::Halves;
use seen::Seen;
use watch::Watcher;
use work::{Kind, Work};

/// How many times as often as the server can take it.
const TIMES: f64 = 3.0;
/// Clients that ask again as soon as they are answered: enough to keep the server busy.
const CLIENTS: usize = 64;
/// A server that does not answer as before by then is not normal again.
const RECOVERY_WAIT: Duration = Duration::from_secs(30);

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    for kind in [Kind::Messages, Kind::Sessions, Kind::Reads] {
        overload(rig, kind, outcome).await?;
    }
    Ok(())
}

/// One kind of request, against a server that is started for it.
async fn overload(rig: &Rig<'_>, kind: Kind, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (server, mut api) = rig.start_with_api().await?;
    let halves = Halves::take(server.process)?;
    let (open, gate) = signal::channel(false);
    let work = Arc::new(Work::prepare(rig, &mut api, kind, &gate).await?);
    let mut books = Books::default();
    let mut seen = Seen::default();
    for _ in 0..rig.options.rounds() {
        round(rig, &server, &work, &mut books, &mut seen).await?;
    }
    seen.report(kind, outcome);
    books.judge(&mut api, kind, &work.sessions, outcome).await?;
    halves.give_back()?;
    drop(open);
    server.stop().await
}

async fn round(
    rig: &Rig<'_>,
    server: &Server,
    work: &Arc<Work>,
    books: &mut Books,
    seen: &mut Seen,
) -> anyhow::Result<()> {
    let step = rig.options.step();
    let alone = rate::in_turn(&server.target, work, 1, step).await?;
    seen.alone.extend(&alone.taken);
    books.enter(alone);

    let watcher = Watcher::start(server, work).await?;
    let crowd = rate::in_turn(&server.target, work, CLIENTS, step).await?;
    seen.crowd_kib = seen.crowd_kib.max(watcher.end().await?.resident_kib);
    let capacity = crowd.taken_per_second();
    seen.capacity.push(capacity);
    seen.crowd.extend(&crowd.taken);
    books.enter(crowd);

    let watcher = Watcher::start(server, work).await?;
    let over = rate::at(&server.target, work, capacity * TIMES, step).await?;
    seen.watched.add(watcher.end().await?);
    seen.goodput.push(over.taken_per_second());
    seen.offered.push(over.asked() as f64 / step.as_secs_f64());
    let gone = Instant::now();
    let again = rate::first_taken(&server.target, work, RECOVERY_WAIT).await?;
    seen.recovery.push(gone.elapsed());
    books.enter(again);
    seen.over.add(&over);
    books.enter(over);

    let after = rate::in_turn(&server.target, work, 1, step).await?;
    seen.after.extend(&after.taken);
    books.enter(after);
    Ok(())
}
