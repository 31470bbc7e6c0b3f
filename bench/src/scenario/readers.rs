//! P4: many readers of event streams: what an idle one costs, and how long after a message is acknowledged
//! its frame is with all readers of the session.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::api::{Api, Previews};
use crate::client::EventStream;
use crate::counters::{Reading, resident_kib};
use crate::model::{Script, Token};
use crate::outcome::{AtMost, Outcome};
use crate::rig::{Rig, TURN_WAIT};
use crate::samples::Samples;
use crate::sse::Frame;

/// Sessions that share the readers; one more has a single reader, as most sessions do.
const SHARED_SESSIONS: usize = 10;
const READER_KIB_MAX: f64 = 5.0;
const DELIVERY_P99_MS: f64 = 3.0;

/// What one reader saw of one session, with the moment at which it came.
struct Seen {
    session: usize,
    frames: Vec<(Instant, Frame)>,
    failure: Option<String>,
}

/// A message that was acknowledged.
struct Said {
    session: usize,
    id: String,
    at: Instant,
}

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (server, mut api) = rig.start_with_api().await?;
    let per_session = rig.options.readers().div_ceil(SHARED_SESSIONS);
    let readers_of = |session: usize| {
        if session == SHARED_SESSIONS {
            1
        } else {
            per_session
        }
    };
    let rounds = rig.options.few_or(2, 10);
    let sessions = sessions(rig, &mut api).await?;

    let before = resident_kib(server.process)?;
    let mut streams = Vec::new();
    for (number, (session, _)) in sessions.iter().enumerate() {
        for _ in 0..readers_of(number) {
            streams.push((number, api.stream(session, Previews::Off).await?));
        }
    }
    let after = resident_kib(server.process)?;
    let readers = streams.len();
    let each = after.saturating_sub(before) as f64 / readers as f64;
    outcome.figure("readers", readers as f64, "");
    outcome.judged(
        "memory per idle reader",
        each,
        "KiB",
        AtMost(READER_KIB_MAX),
    );

    let (progress, mut ended) = mpsc::channel(readers);
    let mut reading = JoinSet::new();
    for (session, stream) in streams {
        reading.spawn(read(session, stream, rounds, progress.clone()));
    }
    drop(progress);
    let before = Reading::of(server.process)?;
    let mut said = Vec::new();
    for _ in 0..rounds {
        for (number, (session, token)) in sessions.iter().enumerate() {
            let id = api.say(session, *token).await?;
            said.push(Said {
                session: number,
                id,
                at: Instant::now(),
            });
            for _ in 0..readers_of(number) {
                tokio::time::timeout(TURN_WAIT, ended.recv())
                    .await
                    .context("a reader waits for an end")?;
            }
        }
        let floor = rig.floor.clone();
        tokio::task::spawn_blocking(move || floor.measure()).await??;
    }
    let used = before.until(&Reading::of(server.process)?);
    let seen = collect(&mut reading, outcome).await?;
    let frames: usize = seen.iter().map(|seen| seen.frames.len()).sum();
    outcome.used("frame delivered", &used, frames);
    deliveries(&said, &seen, rig, outcome);
    compare(&mut api, &sessions, &seen, outcome).await?;
    server.stop().await
}

/// Sessions that have had a turn: readers of the usual kind come later.
async fn sessions(rig: &Rig<'_>, api: &mut Api) -> anyhow::Result<Vec<(String, Token)>> {
    let mut all = Vec::new();
    for _ in 0..=SHARED_SESSIONS {
        let session = api.create_session().await?;
        let token = rig.model.expect(Script::default());
        let mut stream = api.stream(&session, Previews::Off).await?;
        api.say(&session, token).await?;
        crate::rig::idle(&mut stream).await?;
        all.push((session, token));
    }
    Ok(all)
}

/// Reads until so many turns have ended, and tells of each end.
async fn read(
    session: usize,
    mut stream: EventStream,
    turns: usize,
    progress: mpsc::Sender<()>,
) -> Seen {
    let mut seen = Seen {
        session,
        frames: Vec::new(),
        failure: None,
    };
    let mut ended = 0;
    while ended < turns {
        match stream.next().await {
            Ok(Some(frame)) => {
                let now = Instant::now();
                let end = frame.event == "session.status_idle";
                seen.frames.push((now, frame));
                if end {
                    ended += 1;
                    // Nobody waits any more only when the run has failed.
                    let _ = progress.send(()).await;
                }
            }
            Ok(None) => {
                seen.failure = Some("a stream ended early".to_owned());
                break;
            }
            Err(error) => {
                seen.failure = Some(format!("{error:#}"));
                break;
            }
        }
    }
    seen
}

async fn collect(reading: &mut JoinSet<Seen>, outcome: &mut Outcome) -> anyhow::Result<Vec<Seen>> {
    let mut all = Vec::new();
    while let Some(seen) = tokio::time::timeout(TURN_WAIT, reading.join_next()).await? {
        let seen = seen?;
        outcome.failures.extend(seen.failure.clone());
        all.push(seen);
    }
    ensure!(!all.is_empty(), "no reader read anything");
    Ok(all)
}

/// From the acknowledgement to the frame of that message, at each reader of its session. A message is shown
/// when it is taken up, which is one commit after its own.
fn deliveries(said: &[Said], seen: &[Seen], rig: &Rig<'_>, outcome: &mut Outcome) {
    let [mut delivery, mut fan_out, mut single] = [const { Samples::new() }; 3];
    let mut arrivals: HashMap<(usize, String), Vec<Instant>> = HashMap::new();
    for seen in seen {
        for (at, frame) in seen
            .frames
            .iter()
            .filter(|(_, frame)| frame.event == "user.message")
        {
            arrivals
                .entry((seen.session, id_of(frame)))
                .or_default()
                .push(*at);
        }
    }
    for said in said {
        let Some(moments) = arrivals.get(&(said.session, said.id.clone())) else {
            outcome.failures.push(format!("no reader saw {}", said.id));
            continue;
        };
        let first = moments.iter().min().copied().unwrap_or(said.at);
        for moment in moments {
            let early = said.at.saturating_duration_since(*moment).as_secs_f64();
            let late = moment.saturating_duration_since(said.at).as_secs_f64();
            let after_ms = (late - early) * 1e3;
            if said.session == SHARED_SESSIONS {
                single.push_ms(after_ms);
                continue;
            }
            delivery.push_ms(after_ms);
            fan_out.push(moment.saturating_duration_since(first));
        }
    }
    let (delivery, single) = (delivery.summary(), single.summary());
    let floor = rig.floor.summary();
    let allowed = floor.sync.p99 + DELIVERY_P99_MS;
    outcome.judged(
        "delivery to a single reader, p99",
        single.p99,
        "ms",
        AtMost(allowed),
    );
    let shared = "delivery where readers share a session, p99";
    outcome.judged(shared, delivery.p99, "ms", AtMost(allowed));
    let ratio = single.p50 / floor.sync.p50;
    outcome.figure(
        "delivery to a single reader in fdatasyncs of the floor, p50",
        ratio,
        "×",
    );
    outcome.distribution(
        "200 of the POST to the frame, single reader of its session",
        single,
    );
    outcome.distribution("200 of the POST to the frame, shared session", delivery);
    outcome.distribution(
        "first reader to the others of the session",
        fan_out.summary(),
    );
}

/// Every reader must have seen every event that the list has since it came, once, in the list's order.
async fn compare(
    api: &mut Api,
    sessions: &[(String, Token)],
    seen: &[Seen],
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let (mut missing, mut doubled, mut disordered) = (0, 0, 0);
    for (number, (session, _)) in sessions.iter().enumerate() {
        let listed = api.event_ids(session).await?;
        for seen in seen.iter().filter(|seen| seen.session == number) {
            let ids: Vec<String> = seen.frames.iter().map(|(_, frame)| id_of(frame)).collect();
            let distinct: HashSet<&String> = ids.iter().collect();
            doubled += ids.len() - distinct.len();
            let start = listed
                .iter()
                .position(|id| ids.first() == Some(id))
                .unwrap_or_default();
            missing += listed[start..]
                .iter()
                .filter(|id| !distinct.contains(id))
                .count();
            disordered += usize::from(ids != listed[start..]);
        }
    }
    outcome.judged(
        "events missing at a reader",
        f64::from(u32::try_from(missing)?),
        "",
        AtMost(0.0),
    );
    outcome.judged(
        "events twice at a reader",
        f64::from(u32::try_from(doubled)?),
        "",
        AtMost(0.0),
    );
    outcome.fail_unless(missing + doubled + disordered == 0, || {
        format!("{missing} events missing, {doubled} twice, {disordered} readers saw another order")
    });
    Ok(())
}

fn id_of(frame: &Frame) -> String {
    let event: Value = serde_json::from_str(&frame.data).unwrap_or_default();
    event["id"].as_str().unwrap_or_default().to_owned()
}
