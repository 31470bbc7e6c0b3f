//! Previews of a runner in another process, carried by hand: what a follower here sees of them.

use std::time::Duration;

use futures::FutureExt;
use hostler_protocol::event::{Draft, Empty, Event, Seq};
use hostler_protocol::id::{EventId, SessionId};
use hostler_store::{
    Errand, Follow, Followed, From, Preview, PreviewExchange, PreviewOf, Store, StoreOptions,
    WakeUps,
};
use hostler_testkit::open_store;

use crate::session_folder::{SessionFolder, edit};

/// Two processes on one database, of which the second is told nothing by the first but previews.
struct Two {
    here: SessionFolder,
    sent: PreviewExchange,
    there: Store,
    arriving: PreviewExchange,
    session: SessionId,
}

impl Two {
    async fn new() -> Self {
        let here = SessionFolder::new().await;
        let there = open_store(
            here.folder.path(),
            StoreOptions {
                wake_ups: WakeUps::Off,
                look_interval: Duration::from_secs(3_600),
                ..StoreOptions::default()
            },
        );
        let session = here.session().await.id;
        Self {
            sent: here.store.exchange_previews().unwrap(),
            arriving: there.exchange_previews().unwrap(),
            here,
            there,
            session,
        }
    }

    async fn follow(&self, from: From) -> Follow {
        let follow = self.there.follow(self.here.workspace, self.session, from);
        follow.await.unwrap().unwrap()
    }

    /// What the runner here shows, as it goes over the wire.
    async fn told(&mut self, preview: Preview) -> Vec<u8> {
        self.here.store.preview(self.session, preview);
        loop {
            match self.sent.next().await {
                Errand::Carry(session, message) => {
                    assert_eq!(session, self.session);
                    return message;
                }
                Errand::Follow(_) | Errand::Leave(_) => {}
            }
        }
    }

    async fn carry(&mut self, preview: Preview) {
        let message = self.told(preview).await;
        self.arriving.deliver(self.session, &message);
    }

    /// Appends an event here, and says at which position it is.
    async fn append(&self, id: EventId) -> Seq {
        let draft = self.here.draft(Event::AgentThinking(Empty {}));
        self.here
            .edit(self.session, edit(vec![Draft { id, ..draft }]))
            .await;
        self.here.row(self.session).await.last_seq
    }

    fn start(&self, after: Seq) -> Preview {
        Preview::start(PreviewOf::AgentMessage, self.here.env.id(), after)
    }
}

async fn shown(follow: &mut Follow) -> (String, String) {
    match follow.next().await.unwrap() {
        Followed::Event(event) => (event.name.clone(), event.id.clone()),
        Followed::Preview(preview) => (preview.name().to_owned(), preview.json.to_string()),
        Followed::Deleted(_) | Followed::Ended => panic!("the session lives"),
    }
}

#[tokio::test]
async fn a_runner_elsewhere_is_seen_writing_and_its_text_is_made_anew() {
    let mut two = Two::new().await;
    let mut follow = two.follow(From::Now).await;
    let start = two.start(Seq(1));
    let piece = start.piece_of(1, 0, "line\n\nevent: error\ndata: {}");
    for preview in [start, piece] {
        let sent = preview.json.to_string();
        two.carry(preview).await;
        assert_eq!(shown(&mut follow).await.1, sent);
        assert!(!sent.contains('\n'));
    }
}

#[tokio::test]
async fn what_was_in_the_log_before_is_shown_before_and_without_a_wake_up() {
    let mut two = Two::new().await;
    let mut follow = two.follow(From::Now).await;
    let event: EventId = two.here.env.id();
    let after = two.append(event).await;
    two.carry(two.start(after)).await;
    assert_eq!(shown(&mut follow).await.1, event.to_string());
    assert_eq!(shown(&mut follow).await.0, "event_start");
}

#[tokio::test]
async fn what_comes_late_or_says_what_is_not_so_is_not_shown() {
    let mut two = Two::new().await;
    let mut follow = two.follow(From::Now).await;
    let start = Preview::start(PreviewOf::AgentThinking, two.here.env.id(), Seq(1));
    let late = two.told(start.clone()).await;
    let after = two.append(start.event_id).await;
    // This tells the follower to look.
    two.carry(two.start(after)).await;
    assert_eq!(shown(&mut follow).await.0, "agent.thinking");
    assert_eq!(shown(&mut follow).await.0, "event_start");
    two.arriving.deliver(two.session, &late);
    // The log never went as far.
    two.carry(two.start(Seq(after.0 + 1_000))).await;
    two.carry(two.start(Seq(i64::MAX))).await;
    assert!(follow.next().now_or_never().is_none());
    let next = two.start(after);
    let id = next.event_id.to_string();
    two.carry(next).await;
    assert!(shown(&mut follow).await.1.contains(&id));
}

#[tokio::test]
async fn who_begins_behind_an_event_sees_no_late_preview_of_it() {
    let mut two = Two::new().await;
    let start = Preview::start(PreviewOf::AgentThinking, two.here.env.id(), Seq(1));
    let late = two.told(start.clone()).await;
    let after = two.append(start.event_id).await;
    let mut follow = two.follow(From::Now).await;
    two.arriving.deliver(two.session, &late);
    two.carry(two.start(after)).await;
    let (name, json) = shown(&mut follow).await;
    assert_eq!(name, "event_start");
    assert!(!json.contains(&start.event_id.to_string()), "{json}");
}

#[tokio::test]
async fn what_is_no_preview_is_passed_over() {
    let mut two = Two::new().await;
    let mut follow = two.follow(From::Now).await;
    let start = two.start(Seq(1));
    let good = String::from_utf8(two.told(start.clone()).await).unwrap();
    let piece = String::from_utf8(two.told(start.piece_of(1, 0, "x")).await).unwrap();
    for wrong in [
        "",
        "null",
        "{}",
        &good.replace("\"version\":1", "\"version\":2"),
        &good.replace('{', "{\"more\":1,"),
        &good.replace("agent.message", "agent.tool_use"),
        &good.replace("\"number\":0", "\"number\":1"),
        &good.replace("\"after\":1", "\"after\":-1"),
        &piece.replace("\"number\":1", "\"number\":0"),
        &piece.replace("\"x\"", "7"),
        &piece.replace("\"x\"", &format!("\"{}\"", "x".repeat(200_000))),
    ] {
        assert_ne!(wrong, good);
        two.arriving.deliver(two.session, wrong.as_bytes());
    }
    two.arriving.deliver(two.session, good.as_bytes());
    assert_eq!(shown(&mut follow).await.1, start.json.to_string());
}

#[tokio::test]
async fn who_follows_is_told_to_whoever_carries() {
    let mut two = Two::new().await;
    let session = two.session;
    let first = two.follow(From::Now).await;
    let second = two.follow(From::Now).await;
    assert_eq!(two.arriving.next().await, Errand::Follow(session));
    drop(first);
    assert!(two.arriving.next().now_or_never().is_none(), "one is left");
    drop(second);
    assert_eq!(two.arriving.next().await, Errand::Leave(session));
    // Whoever comes and goes unseen leaves nothing to follow.
    drop(two.follow(From::Now).await);
    assert_eq!(two.arriving.next().await, Errand::Leave(session));
    two.there.exchange_previews().unwrap_err();
}

#[tokio::test]
async fn what_nobody_carries_is_dropped_and_not_kept() {
    let mut two = Two::new().await;
    let start = two.start(Seq(1));
    for number in 1..5_000 {
        let piece = start.piece_of(number, 0, "x");
        two.here.store.preview(two.session, piece);
    }
    let mut kept = 0;
    // A task that takes so much at once would be made to wait.
    let next =
        |sent: &mut PreviewExchange| tokio::task::coop::unconstrained(sent.next()).now_or_never();
    while let Some(Errand::Carry(..)) = next(&mut two.sent) {
        kept += 1;
    }
    assert_eq!(kept, 1_024);
}
