//! R1: the power goes at any moment of a real server's life. What it asked of its disk is recorded once;
//! then seeds choose a moment and what is left of all that was not synced, and the real store opens it.
//! What clients had been told by then is the judge (docs/adr/0020-power-cuts-are-replayed.md).

mod disk;
mod random;
mod recording;
mod trace;

use std::env;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use hostler_protocol::Timestamp;
use hostler_store::{FileContent, Store, StoreError};

use disk::{Disk, Loss, Syncs};
use random::Random;
use recording::{Load, Recording, Row, What, can_trace, whole_log};
use trace::{Act, Call};

const SMALL: Load = Load {
    sessions: 4,
    messages: 8,
    message_bytes: 300,
};
/// More than the log of the database holds before it is moved to where it belongs.
const LARGE: Load = Load {
    sessions: 150,
    messages: 3,
    message_bytes: 3_000,
};
/// In all; more with `HOSTLER_TEST_POWER_CUTS`.
const CUTS_DEFAULT: usize = 300;
/// Of each so many cuts one is in the large recording, which takes that much longer to open.
const LARGE_PART: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_precedes_the_sync_of_what_it_says() {
    if !can_trace() {
        return;
    }
    let recording = Recording::of(SMALL).await;
    let mut random = Random::new(0);
    let told = recording.acknowledged.iter().map(|told| told.at);
    for at in told.chain(recording.files.iter().map(|file| file.at)) {
        // The answer itself began to be sent at that line.
        let found = judge(
            &recording,
            at + 1,
            Loss::Everything,
            Syncs::Work,
            &mut random,
        )
        .await;
        assert_eq!(found, Vec::<String>::new(), "cut at line {at}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_a_power_cut_at_any_moment() {
    if !can_trace() {
        return;
    }
    let cuts = cuts();
    let small = Recording::of(SMALL).await;
    let large = Recording::of(LARGE).await;
    let moved = first_write(&large.calls, "hostler.db", large.end / 4);
    let moved = moved.expect("the log of the database was never moved");
    for seed in 0..cuts {
        let mut random = Random::new(seed as u64);
        let (recording, from) = match seed % LARGE_PART {
            0 => (&large, moved.saturating_sub(20)),
            _ => (&small, 0),
        };
        let moment = from + random.below(recording.end - from + 1);
        let loss = Loss::ALL[random.below(Loss::ALL.len())];
        let found = judge(recording, moment, loss, Syncs::Work, &mut random).await;
        assert_eq!(
            found,
            Vec::<String>::new(),
            "seed {seed}: {loss:?} at line {moment}"
        );
    }
    eprintln!(
        "{cuts} power cuts, {} of them in the large recording",
        cuts.div_ceil(LARGE_PART)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_judge_sees_through_a_disk_that_only_says_that_it_syncs() {
    if !can_trace() {
        return;
    }
    let recording = Recording::of(SMALL).await;
    for loss in [Loss::Everything, Loss::SomeSectors, Loss::SomeWrites] {
        let mut random = Random::new(1);
        let found = judge(&recording, recording.end, loss, Syncs::Lie, &mut random).await;
        assert!(!found.is_empty(), "{loss:?} was not seen");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one knob of this test; the product's settings are not read like this"
)]
fn cuts() -> usize {
    env::var("HOSTLER_TEST_POWER_CUTS").map_or(CUTS_DEFAULT, |cuts| cuts.parse().unwrap())
}

fn first_write(calls: &[Call], name: &str, after: usize) -> Option<usize> {
    let writes = |call: &&Call| matches!(&call.act, Act::Write { path, .. } if path == name);
    let mut calls = calls.iter().filter(|call| call.begun > after);
    calls.find(writes).map(|call| call.begun)
}

/// What is wrong after this cut.
async fn judge(
    recording: &Recording,
    moment: usize,
    loss: Loss,
    syncs: Syncs,
    random: &mut Random,
) -> Vec<String> {
    let place = ["/dev/shm", "/tmp"]
        .into_iter()
        .find(|place| Path::new(place).is_dir());
    let folder = tempfile::tempdir_in(place.unwrap()).unwrap();
    Disk::at(&recording.calls, moment, syncs).cut(loss, random, folder.path());
    let found = compare(recording, moment, folder.path()).await;
    found.unwrap_or_else(|error| vec![format!("the store says: {error}")])
}

async fn compare(
    recording: &Recording,
    moment: usize,
    folder: &Path,
) -> Result<Vec<String>, StoreError> {
    let store = Store::open(folder)?;
    let mut found = Vec::new();
    let told = || {
        recording
            .acknowledged
            .iter()
            .filter(|told| told.at < moment)
    };
    for (session, whole) in &recording.logs {
        let log = whole_log(&store, *session).await?;
        if !is_beginning(&log, whole) {
            found.push(format!(
                "{session}: the log is not the beginning of what it became"
            ));
        }
        for told in told().filter(|told| told.session == *session) {
            let is_there = match told.what {
                What::Session => !log.is_empty(),
                What::Event => log.iter().any(|row| row.id == told.id),
            };
            if !is_there {
                found.push(format!(
                    "acknowledged and lost: {} {:?}",
                    told.id, told.what
                ));
            }
        }
    }
    let Some(any) = told().next() else {
        return Ok(found);
    };
    let Some(brief) = store.session_brief(any.session).await? else {
        return Ok(found);
    };
    for file in recording.files.iter().filter(|file| file.at < moment) {
        let content = store
            .file_content(brief.workspace_id, file.id, now())
            .await?;
        let FileContent::Content(_, mut chunks) = content else {
            found.push(format!("acknowledged and lost: {}", file.id));
            continue;
        };
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        if bytes != file.bytes {
            found.push(format!("{} has other bytes", file.id));
        }
    }
    Ok(found)
}

fn is_beginning(log: &[Row], whole: &[Row]) -> bool {
    whole.starts_with(log)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the files were made by a real server, now"
)]
fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}
