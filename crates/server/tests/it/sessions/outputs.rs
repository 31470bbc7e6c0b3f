//! What a session's tools leave for its user, as the files of the session.

use std::fs::{self, File};

use futures::TryStreamExt;
use hostler_protocol::event::{Event, Recorded};
use hostler_protocol::file::FileMetadata;
use hostler_protocol::id::SessionId;
use hostler_store::{FileContent, PageRange, StoreOptions};
use hostler_testkit::{Gate, Reply};
use serde_json::json;

use super::mounted_files::{mount, upload};
use super::shown::text;
use super::world::World;

async fn files(world: &World, session: SessionId) -> Vec<FileMetadata> {
    let range = PageRange {
        after: None,
        limit: 100,
    };
    let now = world.env.now();
    let files = world
        .store
        .files(world.workspace, Some(session), now, range);
    let mut files = files.await.unwrap();
    files.sort_by(|one, other| one.filename.cmp(&other.filename));
    files
}

async fn names(world: &World, session: SessionId) -> Vec<String> {
    let files = files(world, session).await.into_iter();
    files.map(|file| file.filename).collect()
}

async fn content(world: &World, file: &FileMetadata) -> String {
    let content = world
        .store
        .file_content(world.workspace, file.id, world.env.now());
    let FileContent::Content(_, chunks) = content.await.unwrap() else {
        panic!("{file:?} has no content")
    };
    let chunks: Vec<_> = chunks.try_collect().await.unwrap();
    String::from_utf8(chunks.concat()).unwrap()
}

fn results(log: &[Recorded]) -> Vec<String> {
    let results = log.iter().filter_map(|row| {
        let Event::AgentToolResult(result) = &row.event else {
            return None;
        };
        Some(text(&result.content))
    });
    results.collect()
}

/// What a command answers in the session's sandbox, in a turn of its own.
async fn sh(world: &World, session: SessionId, turn: usize, command: &str) -> String {
    let call = Reply::new().and_tool_use("bash", json!({"command": command}));
    world.model.reply(call);
    world.model.reply(Reply::text("Done."));
    world.say(session, "Go.").await;
    let log = world.log_after_turns(session, turn).await;
    results(&log).pop().unwrap()
}

#[tokio::test]
async fn a_file_is_there_when_the_result_of_its_call_is() {
    let world = World::new().await;
    let (call, gate) = (Reply::new(), Gate::new());
    let command = "cd /mnt/session/outputs && mkdir a && echo one > a/report.csv && echo 2 > b";
    world
        .model
        .reply(call.and_tool_use("bash", json!({"command": command})));
    world.model.reply(Reply::text("Done.").and_wait(&gate));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Go.").await;
    world
        .log_when(session, |log| !results(log).is_empty())
        .await;
    let shown = files(&world, session).await;
    let facts: Vec<_> = shown
        .iter()
        .map(|file| {
            (
                file.filename.as_str(),
                file.mime_type.as_str(),
                file.downloadable,
            )
        })
        .collect();
    let other = "application/octet-stream";
    assert_eq!(
        facts,
        [("b", other, true), ("report.csv", "text/csv", true)]
    );
    assert_eq!(content(&world, &shown[1]).await, "one\n");
    gate.open_for_good();
    world.log_after_turns(session, 1).await;
    assert_eq!(files(&world, session).await, shown);
}

#[tokio::test]
async fn a_path_shows_what_it_holds_now() {
    let mut world = World::new().await;
    let session = world.session().await;
    let engine = world.engine().await;
    let at = "cd /mnt/session/outputs";
    sh(
        &world,
        session,
        1,
        &format!("{at} && echo 1 > kept; echo 1 > changed; echo 1 > gone"),
    )
    .await;
    let first = files(&world, session).await;
    let change = format!("{at} && touch kept && echo 2 > changed && rm gone && echo 3 > new");
    sh(&world, session, 2, &change).await;
    let second = files(&world, session).await;
    assert_eq!(names(&world, session).await, ["changed", "kept", "new"]);
    assert_eq!(second[1], first[2], "the same bytes are the same file");
    assert_ne!(second[0].id, first[0].id);
    assert_eq!(content(&world, &second[0]).await, "2\n");
    // What the user deletes stays deleted, for the next server too.
    let delete = world.store.delete_file(world.workspace, second[2].id);
    assert!(delete.await.unwrap());
    engine.drain().await;
    world.reopen(StoreOptions::default());
    let _engine = world.engine().await;
    sh(&world, session, 3, &format!("{at} && rm kept")).await;
    assert_eq!(files(&world, session).await, second[..1]);
}

#[tokio::test]
async fn the_model_hears_once_what_its_user_will_not_get() {
    let world = World::new().await;
    let session = world.session().await;
    let _engine = world.engine().await;
    let command = "cd /mnt/session/outputs && ln -s /etc/passwd link && mkfifo pipe && \
        truncate -s 500000001 big && echo 1 > good";
    let said = sh(&world, session, 1, command).await;
    assert!(
        said.ends_with(
            "note: not everything in /mnt/session/outputs can be given to the user: \
             link (it is not a regular file); pipe (it is not a regular file); \
             big (it is larger than 500 MB)."
        ) || said.ends_with(
            "note: not everything in /mnt/session/outputs can be given to the user: \
             pipe (it is not a regular file); link (it is not a regular file); \
             big (it is larger than 500 MB)."
        ),
        "{said}"
    );
    assert_eq!(names(&world, session).await, ["good"]);
    let said = sh(&world, session, 2, "echo again").await;
    assert_eq!(said, "again\n");
    let shrink = "echo 1 > /mnt/session/outputs/big";
    sh(&world, session, 3, shrink).await;
    assert_eq!(names(&world, session).await, ["big", "good"]);
}

#[tokio::test]
async fn a_job_in_the_background_is_heard_at_the_end_of_the_turn() {
    let world = World::new().await;
    let gate = Gate::new();
    let command = "mkfifo begin done; \
        (read word < begin; echo late > /mnt/session/outputs/late; echo > done) > /dev/null 2>&1 &";
    world
        .model
        .reply(Reply::new().and_tool_use("bash", json!({"command": command})));
    world.model.reply(Reply::text("Done.").and_wait(&gate));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Go.").await;
    world
        .log_when(session, |log| !results(log).is_empty())
        .await;
    assert_eq!(files(&world, session).await, []);
    let place = world.workspace(session);
    let job = tokio::task::spawn_blocking(move || {
        fs::write(place.join("begin"), "go\n").unwrap();
        File::open(place.join("done")).unwrap();
    });
    job.await.unwrap();
    gate.open_for_good();
    world.log_after_turns(session, 1).await;
    assert_eq!(names(&world, session).await, ["late"]);
}

#[tokio::test]
async fn files_outlive_the_sandbox_that_made_them() {
    let world = World::new().await;
    let session = world.session().await;
    let _engine = world.engine().await;
    let at = "/mnt/session/outputs";
    sh(
        &world,
        session,
        1,
        &format!("echo 1 > {at}/old; echo 1 > {at}/same"),
    )
    .await;
    let name = session.to_string().parse().unwrap();
    world.sandboxes.destroy(&name).await.unwrap();
    sh(
        &world,
        session,
        2,
        &format!("ls {at}; echo 2 > {at}/new; echo 1 > {at}/same"),
    )
    .await;
    assert_eq!(names(&world, session).await, ["new", "old", "same"]);
    sh(&world, session, 3, &format!("rm {at}/*")).await;
    assert_eq!(names(&world, session).await, ["old"]);
}

/// The new sandbox shows nothing yet when its opening fails, and the next call finds it running.
#[tokio::test]
async fn files_outlive_the_sandbox_though_the_next_was_not_opened_to_the_end() {
    let world = World::new().await;
    let mounted = upload(&world, b"1,2\n").await;
    let session = world.session_with(vec![mount(&world, mounted, "in.csv")]);
    let session = session.await;
    let _engine = world.engine().await;
    let at = "/mnt/session/outputs";
    sh(&world, session, 1, &format!("echo 1 > {at}/old")).await;
    let name = session.to_string().parse().unwrap();
    world.sandboxes.destroy(&name).await.unwrap();
    let files = world.folder.path().join("blobs/files");
    let away = world.folder.path().join("away");
    fs::rename(&files, &away).unwrap();
    let said = sh(&world, session, 2, "ls").await;
    assert!(said.contains("The sandbox can't be started"), "{said}");
    fs::remove_dir_all(&files).ok();
    fs::rename(&away, &files).unwrap();
    let command = format!("cat /mnt/session/uploads/in.csv; echo 2 > {at}/new");
    assert_eq!(sh(&world, session, 3, &command).await, "1,2\n");
    assert_eq!(names(&world, session).await, ["data.csv", "new", "old"]);
}
