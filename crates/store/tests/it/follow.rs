//! Following a session: positions, ends and previews.

use hostler_domain::Env;
use hostler_domain::session::{Refusal, Summary, accept};
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{AgentMessage, Draft, Empty, Event, Seq};
use hostler_protocol::id::{EventId, SessionId};
use hostler_store::{Follow, Followed, From, Order, Preview, PreviewOf, Wanted};

use crate::session_folder::{
    SessionFolder, all_events, draft, edit, message, names, next_event, query,
};

#[tokio::test]
async fn a_stream_goes_on_behind_a_position() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let sent = at.send(id, &["hi"]).await;
    at.process(id, sent.first_seq).await;
    at.terminate(id).await;
    let all = at.list(id, query(Order::Ascending, 100)).await;
    assert_eq!(all.len(), 4);
    for (position, event) in all.iter().enumerate() {
        let from = From::After(event.seq.unwrap());
        let rest = all_events(&mut at.follow(id, from).await).await;
        assert_eq!(rest, all[position + 1..]);
    }
    // Positions that no client can have been given.
    let mut beyond = at.follow(id, From::After(Seq(i64::MAX))).await;
    assert!(matches!(beyond.next().await.unwrap(), Followed::Ended));
    let mut before = at.follow(id, From::After(Seq(i64::MIN))).await;
    assert_eq!(all_events(&mut before).await, all);
}

#[tokio::test]
async fn a_stream_from_now_shows_what_comes_after_the_call() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    at.record(id, vec![Event::AgentThinking(Empty {})]).await;
    let mut follow = at.follow(id, From::Now).await;
    at.record(id, vec![Event::ModelRequestStart(Empty {})])
        .await;
    at.terminate(id).await;
    let seen = all_events(&mut follow).await;
    let expected = ["span.model_request_start", "session.status_terminated"];
    assert_eq!(names(&seen), expected);
    // Nothing will come any more: the end is shown again, so that nobody waits for it.
    let seen = all_events(&mut at.follow(id, From::Now).await).await;
    assert_eq!(names(&seen), expected[1..]);
}

#[tokio::test]
async fn a_deleted_session_says_so_and_ends() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let mut follow = at.follow(id, From::Now).await;
    let event_id: EventId = at.env.id();
    let now = at.env.now();
    let deleted = at
        .store
        .delete_session(at.workspace, id, event_id, now, |_| Ok::<_, ()>(()));
    let (deleted, seen) = tokio::join!(deleted, follow.next());
    deleted.unwrap();
    let Followed::Deleted(event) = seen.unwrap() else {
        panic!("the session was deleted");
    };
    let expected = format!(
        "{{\"id\":\"{event_id}\",\"processed_at\":\"{now}\",\"type\":\"session.deleted\"}}"
    );
    assert_eq!(
        (event.name.as_str(), event.json.as_str()),
        ("session.deleted", expected.as_str())
    );
    assert!(matches!(follow.next().await.unwrap(), Followed::Ended));
    let gone = at.store.follow(at.workspace, id, From::Now).await;
    assert!(gone.unwrap().is_none());
}

#[tokio::test]
async fn giving_up_a_wait_loses_nothing() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let mut follow = at.follow(id, From::After(Seq(0))).await;
    at.send(id, &["hi"]).await;
    at.terminate(id).await;
    let mut seen = Vec::new();
    loop {
        // Polled once, then dropped, in whatever state the wait is.
        let polled = tokio::select! {
            biased;
            followed = follow.next() => Some(followed.unwrap()),
            () = tokio::task::yield_now() => None,
        };
        match polled {
            None => {}
            Some(Followed::Event(event)) => seen.push(event.name.clone()),
            Some(_) => break,
        }
    }
    let expected = [
        "session.status_running",
        "session.thread_status_running",
        "session.status_terminated",
    ];
    assert_eq!(seen, expected);
}

fn preview(of: EventId, name: &'static str) -> Preview {
    let start = Preview::start(PreviewOf::AgentMessage, of, Seq(1));
    match name {
        "event_start" => start,
        _ => start.piece_of(1, 0, "text"),
    }
}

async fn append_message(at: &SessionFolder, id: SessionId, event_id: EventId) {
    let content = vec![ContentBlock::text("done")];
    let draft = Draft {
        id: event_id,
        ..at.draft(Event::AgentMessage(AgentMessage { content }))
    };
    at.edit(id, edit(vec![draft])).await;
}

/// What a stream has to show now, by name, until the message `last`.
async fn shown(follow: &mut Follow, last: EventId) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        match follow.next().await.unwrap() {
            Followed::Event(event) => {
                names.push(event.name.clone());
                if event.id == last.to_string() {
                    return names;
                }
            }
            Followed::Preview(preview) => names.push(preview.name().to_owned()),
            Followed::Deleted(_) | Followed::Ended => panic!("the session lives"),
        }
    }
}

#[tokio::test]
async fn previews_come_before_their_event_and_after_what_was_before_them() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let (first, second): (EventId, EventId) = (at.env.id(), at.env.id());
    let mut follow = at.follow(id, From::Now).await;
    at.store.preview(id, preview(first, "event_start"));
    at.store.preview(id, preview(first, "event_delta"));
    for _ in 0..2 {
        let followed = follow.next().await.unwrap();
        assert!(matches!(followed, Followed::Preview(_)));
    }
    // The last piece is overtaken by its message; the next message has begun by then.
    at.store.preview(id, preview(first, "event_delta"));
    append_message(&at, id, first).await;
    at.store.preview(id, preview(second, "event_start"));
    assert_eq!(next_event(&mut follow).await.name, "agent.message");
    let followed = follow.next().await.unwrap();
    assert!(matches!(followed, Followed::Preview(p) if p.event_id == second));
    append_message(&at, id, second).await;
    assert_eq!(shown(&mut follow, second).await, ["agent.message"]);
}

#[tokio::test]
async fn who_comes_in_the_middle_of_a_message_sees_no_previews_of_it() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let message: EventId = at.env.id();
    assert!(!at.store.has_followers(id));
    let wakes = at.store.wakes(id);
    assert!(!at.store.has_followers(id), "a runner needs no previews");
    drop(wakes);
    at.store.preview(id, preview(message, "event_start"));
    let mut follow = at.follow(id, From::Now).await;
    assert!(at.store.has_followers(id));
    at.store.preview(id, preview(message, "event_delta"));
    append_message(&at, id, message).await;
    assert_eq!(shown(&mut follow, message).await, ["agent.message"]);
    drop(follow);
    assert!(!at.store.has_followers(id));
}

#[tokio::test]
async fn a_slow_reader_loses_previews_and_no_events() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let message: EventId = at.env.id();
    let mut follow = at.follow(id, From::Now).await;
    at.store.preview(id, preview(message, "event_start"));
    assert!(matches!(follow.next().await.unwrap(), Followed::Preview(_)));
    for _ in 0..1_000 {
        at.store.preview(id, preview(message, "event_delta"));
    }
    let next: EventId = at.env.id();
    at.store.preview(id, preview(next, "event_start"));
    let followed = follow.next().await.unwrap();
    // What is left of the first would not be a beginning of its text.
    assert!(matches!(followed, Followed::Preview(p) if p.event_id == next));
    append_message(&at, id, message).await;
    assert_eq!(shown(&mut follow, message).await, ["agent.message"]);
}

#[tokio::test]
async fn a_runner_is_woken_by_what_others_append() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let mut wakes = at.store.wakes(id);
    let sent = at.send(id, &["hi"]).await;
    wakes.changed(Seq(1)).await;
    let known = sent.row.last_seq;
    let (sent, ()) = tokio::join!(at.send(id, &["more"]), wakes.changed(known));
    assert_eq!(sent.row.last_seq, Seq(5));
}

#[tokio::test]
async fn a_runner_is_not_woken_by_what_it_knows() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let mut wakes = at.store.wakes(id);
    let lease = at.claim(id, "me").await.unwrap();
    let thinking = || vec![at.draft(Event::AgentThinking(Empty {}))];
    at.store.append(&lease, Seq(1), thinking()).await.unwrap();
    assert!(!wakes.take_changed(Seq(2)));
    at.store.append(&lease, Seq(2), thinking()).await.unwrap();
    at.send(id, &["hi"]).await;
    assert!(wakes.take_changed(Seq(3)));
    assert!(!wakes.take_changed(Seq(3)), "used up");
}

#[tokio::test]
async fn previews_of_a_message_that_a_runner_has_appended_are_forgotten() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let (first, second): (EventId, EventId) = (at.env.id(), at.env.id());
    let mut follow = at.follow(id, From::Now).await;
    at.store.preview(id, preview(first, "event_start"));
    at.store.preview(id, preview(first, "event_delta"));
    let lease = at.claim(id, "me").await.unwrap();
    let draft = Draft {
        id: first,
        ..at.draft(Event::AgentMessage(AgentMessage {
            content: vec![ContentBlock::text("done")],
        }))
    };
    let appended = at.store.append(&lease, Seq(1), vec![draft]).await;
    appended.unwrap();
    at.store.preview(id, preview(second, "event_start"));
    assert_eq!(shown(&mut follow, first).await, ["agent.message"]);
    let followed = follow.next().await.unwrap();
    assert!(matches!(followed, Followed::Preview(p) if p.event_id == second));
}

#[tokio::test]
async fn where_a_runner_is_nobody_is_told_that_one_is_wanted() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let mut wanted = at.store.take_dirty().unwrap();
    let send = async || {
        let env = at.env.clone();
        let decide = move |summary: &Summary| accept_one(&env, summary);
        let place = at.store.enter(Wanted::Changes, at.workspace).unwrap();
        let sent = at.store.send_to_session(place, at.workspace, id, decide);
        sent.await.unwrap();
    };
    let mut wakes = at.store.wakes_of_runner(id);
    send().await;
    wakes.changed(Seq(1)).await;
    assert!(wanted.try_recv().is_err(), "its runner is here");
    drop(wakes);
    send().await;
    assert_eq!(wanted.recv().await, Some(id));
}

fn accept_one(env: &Env, summary: &Summary) -> Result<Vec<Draft>, Refusal> {
    let events = accept(summary, vec![message("hi")], env.now())?.into_events();
    Ok(events.map(|event| draft(env, event)).collect())
}
