//! How requests come: in turn, each client waiting for its answer, or at a rate, whatever is answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::task::JoinSet;

use super::books::{Since, Tally};
use super::work::Work;
use crate::client::{Connection, Target};

/// Connections that are opened for a rate. Below what the server works on at the same time, so that it is not
/// this bound that is tried.
const CONNECTIONS_MAX: usize = 1_500;
/// How often it is looked how many requests are due.
const TICK: Duration = Duration::from_millis(1);
/// The part of a load's time for which it is new, and the most of it.
const ONSET_PART: u32 = 2;
const ONSET_MAX: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(20);

/// `clients` that each ask again when they are answered.
pub(super) async fn in_turn(
    target: &Target,
    work: &Arc<Work>,
    clients: usize,
    during: Duration,
) -> anyhow::Result<Tally> {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let mut asking = JoinSet::new();
    let begun = Instant::now();
    let until = begun + during;
    for _ in 0..clients {
        let (target, work, tally) = (target.clone(), Arc::clone(work), Arc::clone(&tally));
        asking.spawn(async move {
            let mut connection = Connection::open(&target).await?;
            while Instant::now() < until {
                ask(&mut connection, &work, Since::AWhile, &tally).await;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = asking.join_next().await {
        ended??;
    }
    Ok(closed(&tally, begun))
}

/// `rate` requests in a second, each when it is due. All are answered, or the connection's end, when this returns.
pub(super) async fn at(
    target: &Target,
    work: &Arc<Work>,
    rate: f64,
    during: Duration,
) -> anyhow::Result<Tally> {
    let (tally, idle) = (Arc::new(Mutex::new(Tally::default())), Idle::default());
    let mut asking = JoinSet::new();
    let begun = Instant::now();
    let onset = (during / ONSET_PART).min(ONSET_MAX);
    let (mut sent, mut opened) = (0_usize, 0);
    let mut ticks = tokio::time::interval(TICK);
    while begun.elapsed() < during {
        ticks.tick().await;
        let due = (begun.elapsed().as_secs_f64() * rate) as usize;
        for _ in sent..due {
            let connection = lock(&idle).pop();
            if connection.is_none() {
                if opened == CONNECTIONS_MAX {
                    lock(&tally).unasked += 1;
                    continue;
                }
                opened += 1;
            }
            let since = match begun.elapsed() < onset {
                true => Since::JustNow,
                false => Since::AWhile,
            };
            let (target, work) = (target.clone(), Arc::clone(work));
            let (tally, idle) = (Arc::clone(&tally), Arc::clone(&idle));
            asking.spawn(async move {
                let mut connection = match connection {
                    Some(connection) => connection,
                    None => Connection::open(&target).await?,
                };
                if ask(&mut connection, &work, since, &tally).await {
                    lock(&idle).push(connection);
                }
                anyhow::Ok(())
            });
        }
        sent = due;
        while let Some(ended) = asking.try_join_next() {
            ended??;
        }
    }
    while let Some(ended) = asking.join_next().await {
        ended??;
    }
    Ok(closed(&tally, begun))
}

type Idle = Arc<Mutex<Vec<Connection>>>;

/// Asks until one is taken.
pub(super) async fn first_taken(
    target: &Target,
    work: &Arc<Work>,
    most: Duration,
) -> anyhow::Result<Tally> {
    let (begun, tally) = (Instant::now(), Mutex::new(Tally::default()));
    let mut connection = Connection::open(target).await?;
    loop {
        ask(&mut connection, work, Since::AWhile, &tally).await;
        if lock(&tally).taken.len() > 0 {
            return Ok(closed(&tally, begun));
        }
        if begun.elapsed() > most {
            let wrong = lock(&tally).wrong.pop().unwrap_or_default();
            bail!("nothing is taken {most:?} after the load is gone {wrong}");
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Whether the connection is good for another request.
async fn ask(connection: &mut Connection, work: &Work, since: Since, tally: &Mutex<Tally>) -> bool {
    let (item, begun) = (work.next(), Instant::now());
    let answer = connection.ask(&item.method, &item.path, item.body.clone());
    let answer = answer.await;
    let is_good = answer.is_ok();
    lock(tally).note(&item, since, begun.elapsed(), answer);
    is_good
}

fn closed(tally: &Mutex<Tally>, begun: Instant) -> Tally {
    let mut tally = std::mem::take(&mut *lock(tally));
    tally.seconds = begun.elapsed().as_secs_f64();
    tally
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
