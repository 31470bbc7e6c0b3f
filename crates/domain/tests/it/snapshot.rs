//! A fold goes on from a snapshot as if it had begun with the first row.

use std::collections::HashMap;
use std::sync::Arc;

use hostler_domain::session::{SNAPSHOT_FORMAT, Snapshot, SnapshotError, State};
use hostler_protocol::content::{ContentBlock, Source};
use hostler_protocol::event::{Event, Seq, UserMessage};
use proptest::prelude::*;

use crate::Log;
use crate::walk::{chances, fold, walk};

fn restore(snapshot: &Snapshot) -> Result<State, SnapshotError> {
    let texts: HashMap<i64, Arc<str>> = snapshot
        .sealed
        .iter()
        .map(|sealed| (sealed.number, Arc::clone(&sealed.json)))
        .collect();
    State::restore(snapshot.seq, &snapshot.body, |number| {
        texts.get(&number).cloned()
    })
}

/// The fold of all rows, by way of a snapshot behind each `every` of them.
fn by_snapshots(log: &Log, every: usize) -> State {
    let mut state = State::new(&log.rows[0]);
    for (position, row) in log.rows.iter().enumerate().skip(1) {
        if position % every == 0 {
            state = restore(&state.snapshot().unwrap()).unwrap();
        }
        state.apply(row);
    }
    restore(&state.snapshot().unwrap()).unwrap()
}

/// A log whose conversation is long, and is summarised now and then where `window` says so.
fn long(window: Option<u64>, messages: usize) -> Log {
    let mut log = Log::new();
    log.policy.context_window = window;
    for number in 0..messages {
        if number % 40 == 7 {
            let file = Source::File {
                file_id: format!("file_{number}"),
            };
            let content = vec![ContentBlock::Image { source: file }];
            log.push(Event::UserMessage(UserMessage { content }));
        }
        log.happen(&format!("user: question {number}"));
        log.go_on(&["thinks; says: x; calls bash; answered tokens 100"]);
        log.go_on(&[&format!("result {}: y", number + 1), "says: done"]);
    }
    log
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Wherever snapshots are made, and however often.
    #[test]
    fn a_fold_from_snapshots_is_the_fold(chances in chances(0..200), every in 1_usize..60) {
        let log = walk(&chances);
        let whole = fold(&log, log.rows.len());
        prop_assert_eq!(format!("{:?}", by_snapshots(&log, every)), format!("{whole:?}"));
    }
}

#[test]
fn a_long_conversation_is_the_same_sealed_and_not() {
    let log = long(None, 70);
    let (earlier, newest) = log.state.conversation();
    assert!(!earlier.is_empty() && newest.len() <= 64);
    assert_eq!(log.state.messages().len(), 70 * 4);
    crate::shape::check(&log.state.messages());
    let restored = by_snapshots(&log, 90);
    assert_eq!(format!("{restored:?}"), format!("{:?}", log.state));
    // The files that it names are still to be found.
    let shown = format!("{:?}", restored.messages());
    assert!(shown.contains("file_7") && shown.contains("file_47"));
}

#[test]
fn what_is_sealed_stays_as_it_is() {
    let log = long(None, 60);
    let mut texts: HashMap<i64, Arc<str>> = HashMap::new();
    let mut state = State::new(&log.rows[0]);
    for row in &log.rows[1..] {
        state.apply(row);
        for sealed in state.snapshot().unwrap().sealed {
            let before = texts.insert(sealed.number, Arc::clone(&sealed.json));
            assert!(before.is_none_or(|before| before == sealed.json));
        }
    }
    assert!(texts.len() > 2);
}

#[test]
fn a_snapshot_of_no_use_is_refused() {
    let log = long(None, 60);
    let good = log.state.snapshot().unwrap();
    let cut = Snapshot {
        body: good.body[..good.body.len() / 2].to_owned(),
        ..good.clone()
    };
    assert!(matches!(restore(&cut), Err(SnapshotError::Unreadable(_))));
    let elsewhere = Snapshot {
        seq: Seq(good.seq.0 + 1),
        ..good.clone()
    };
    assert!(matches!(restore(&elsewhere), Err(SnapshotError::Position)));
    let mut without = good;
    without.sealed.remove(0);
    assert!(matches!(
        restore(&without),
        Err(SnapshotError::NoText { number: 0 })
    ));
}

/// What this version makes of one log. Whoever has to change the file changes the number as well: then
/// the snapshots that are kept somewhere are not read any more.
#[test]
fn a_snapshot_has_the_form_of_its_format() {
    let mut log = long(None, 40);
    log.go_on(&["user: a", "fails in 9s"]);
    log.happen("interrupt; user: b");
    let snapshot = log.state.snapshot().unwrap();
    let texts = snapshot.sealed.iter().map(|sealed| &*sealed.json);
    let texts: Vec<&str> = texts.collect();
    let form = format!("{}\n{}\n", snapshot.body, texts.join("\n"));
    let name = format!("tests/golden/snapshot_{SNAPSHOT_FORMAT}.txt");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if !path.exists() {
        std::fs::write(&path, &form).unwrap();
        panic!("{} was not there: look at it and keep it", path.display());
    }
    assert_eq!(form, std::fs::read_to_string(path).unwrap());
}
