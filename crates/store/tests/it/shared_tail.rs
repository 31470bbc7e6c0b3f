//! Many readers of one session: whatever they share, each of them sees the log and nothing else.

use std::sync::Arc;
use std::time::Duration;

use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{AgentMessage, Audience, Empty, Event, Seq};
use hostler_protocol::id::SessionId;
use hostler_store::{Follow, Followed, From, Order, StoreOptions, WakeUps, WireEvent};
use serde_json::value::RawValue;

use crate::session_folder::{SessionFolder, all_events, next_event, query};

/// Numbers that look random and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

struct Reader {
    follow: Follow,
    from: Seq,
    seen: Vec<Arc<WireEvent>>,
}

impl Reader {
    async fn new(at: &SessionFolder, id: SessionId, from: Seq) -> Self {
        Self {
            follow: at.follow(id, From::After(from)).await,
            from,
            seen: Vec::new(),
        }
    }

    /// Everything up to the public row at `last`, and no further.
    async fn read_to(&mut self, last: Seq) {
        while self
            .seen
            .last()
            .map_or(self.from, |event| event.seq.unwrap())
            < last
        {
            let followed = self.follow.next().await.unwrap();
            self.took(followed);
        }
    }

    /// A few tries, giving up the wait whenever there is nothing at once.
    async fn try_to_read(&mut self, tries: usize) {
        for _ in 0..tries {
            let followed = tokio::select! {
                biased;
                followed = self.follow.next() => followed.unwrap(),
                () = tokio::task::yield_now() => continue,
            };
            self.took(followed);
        }
    }

    fn took(&mut self, followed: Followed) {
        match followed {
            Followed::Event(event) => self.seen.push(event),
            other => panic!("not in this test: {other:?}"),
        }
    }
}

/// Public and internal rows, short and long ones.
fn some_event(numbers: &mut Numbers) -> Event {
    let text = "x".repeat([1, 100, 100_000][numbers.below(3)]);
    match numbers.below(3) {
        0 => Event::ModelRequestStart(Empty {}),
        1 => Event::AgentMessage(AgentMessage {
            content: vec![ContentBlock::text(&text)],
        }),
        _ => Event::Unknown {
            name: "hostler.of_a_later_version".to_owned(),
            body: RawValue::from_string(format!("{{\"text\":\"{text}\"}}")).unwrap(),
        },
    }
}

async fn readers_see_the_log(seed: u64, wake_ups: WakeUps) {
    let at = SessionFolder::with(StoreOptions {
        wake_ups,
        look_interval: Duration::from_millis(2),
        ..StoreOptions::default()
    })
    .await;
    let id = at.session().await.id;
    let mut numbers = Numbers(seed);
    let mut readers: Vec<Reader> = Vec::new();
    // The end of the log, and the last row of it that readers are shown.
    let (mut end, mut shown) = (Seq(1), Seq(0));
    for _ in 0..60 {
        match numbers.below(8) {
            0 if readers.len() < 6 => {
                let from = Seq(i64::try_from(numbers.below(60)).unwrap().min(end.0));
                readers.push(Reader::new(&at, id, from).await);
            }
            1 if readers.len() > 2 => {
                readers.swap_remove(numbers.below(readers.len()));
            }
            2 if !readers.is_empty() => {
                let who = numbers.below(readers.len());
                readers[who].try_to_read(numbers.below(40)).await;
            }
            3 if !readers.is_empty() => {
                let who = numbers.below(readers.len());
                readers[who].read_to(shown).await;
            }
            4 => {
                let reading = readers.iter_mut().map(|reader| reader.read_to(shown));
                futures::future::join_all(reading).await;
            }
            _ => {
                for _ in 0..=numbers.below(12) {
                    let event = some_event(&mut numbers);
                    end = end.next();
                    if event.audience() == Audience::Public {
                        shown = end;
                    }
                    at.record(id, vec![event]).await;
                }
            }
        }
    }
    at.terminate(id).await;
    let all = at.list(id, query(Order::Ascending, 1_000)).await;
    for (number, mut reader) in readers.into_iter().enumerate() {
        let rest = all_events(&mut reader.follow).await;
        let seen = reader
            .seen
            .iter()
            .map(|event| (**event).clone())
            .chain(rest);
        let expected = all.iter().filter(|event| event.seq > Some(reader.from));
        assert!(
            seen.eq(expected.cloned()),
            "seed {seed}, {wake_ups:?}: reader {number} behind {:?}",
            reader.from
        );
    }
}

#[tokio::test]
async fn each_of_many_readers_sees_the_whole_log() {
    for seed in 0..6 {
        readers_see_the_log(seed, WakeUps::On).await;
    }
}

#[tokio::test]
async fn without_wake_ups_they_see_it_later() {
    for seed in 100..103 {
        readers_see_the_log(seed, WakeUps::Off).await;
    }
}

#[tokio::test]
async fn without_wake_ups_one_look_is_seen_by_all() {
    let at = SessionFolder::with(StoreOptions {
        wake_ups: WakeUps::Off,
        look_interval: Duration::from_millis(20),
        ..StoreOptions::default()
    })
    .await;
    let id = at.session().await.id;
    let mut follows = Vec::new();
    for _ in 0..4 {
        follows.push(at.follow(id, From::Now).await);
    }
    for _ in 0..3 {
        at.record(id, vec![Event::AgentThinking(Empty {})]).await;
        let seen = futures::future::join_all(follows.iter_mut().map(next_event)).await;
        assert!(seen.iter().all(|event| event.name == "agent.thinking"));
    }
}

/// The one who looks for all goes away in the middle of it.
#[tokio::test]
async fn who_gives_up_a_look_leaves_it_to_the_others() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let mut first = at.follow(id, From::Now).await;
    let mut second = at.follow(id, From::Now).await;
    loop {
        at.record(id, vec![Event::AgentThinking(Empty {})]).await;
        let gave_up = tokio::select! {
            biased;
            _ = first.next() => false,
            () = std::future::ready(()) => true,
        };
        if gave_up {
            break;
        }
        // The thread that looks was quicker than this one: there was no middle to go away in.
        assert_eq!(next_event(&mut second).await.name, "agent.thinking");
    }
    assert_eq!(next_event(&mut second).await.name, "agent.thinking");
    drop(first);
    at.record(id, vec![Event::AgentThinking(Empty {})]).await;
    assert_eq!(next_event(&mut second).await.name, "agent.thinking");
}
