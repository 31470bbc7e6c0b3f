//! Repositories of sessions, from a real Git server to a tool that works in them.

use std::time::Duration;

use hostler_protocol::event::Recorded;
use hostler_protocol::id::SessionId;
use hostler_protocol::session_repository::Checkout;
use hostler_store::StoreOptions;
use hostler_testkit::Reply;
use serde_json::json;

use super::git_server::{GitServer, sh};
use super::shown::public;
use super::world::World;
use super::world_sandboxes::ended;

const ONE_COMMIT: &str = "echo hello > file && git add file && git commit -qm one";

pub(super) fn branch(name: &str) -> Option<Checkout> {
    let name = name.to_owned();
    Some(Checkout::Branch { name })
}

pub(super) fn commit(sha: &str) -> Option<Checkout> {
    let sha = sha.to_owned();
    Some(Checkout::Commit { sha })
}

/// What clients see of a turn in which one command runs.
pub(super) async fn turn(world: &World, session: SessionId, command: &str) -> Vec<Recorded> {
    let rested = |row: &&Recorded| row.event.name() == "session.status_idle";
    let log = world.store.read_log(session, Default::default(), 10_000);
    let log = log.await.unwrap();
    let turns = log.iter().filter(rested).count();
    let input = json!({"command": command});
    world.model.reply(Reply::tool_use("bash", input));
    world.model.reply(Reply::text("Done."));
    world.say(session, "Work.").await;
    let all = world.log_after_turns(session, turns + 1).await;
    all[log.len()..].to_vec()
}

/// What the one command of a turn gives.
pub(super) async fn result(world: &World, session: SessionId, command: &str) -> String {
    let mut lines = public(&turn(world, session, command).await);
    lines.retain(|line| line.starts_with("gives") || line.starts_with("fails"));
    let [line] = lines.try_into().unwrap();
    line
}

fn trees(world: &World) -> Vec<String> {
    let folder = world.folder.path().join("sandboxes/trees");
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.ends_with(".bytes")).collect()
}

#[tokio::test]
async fn a_repository_is_a_working_tree_of_the_agents_own() {
    let server = GitServer::start("");
    server.repository("tool", ONE_COMMIT);
    let mut world = World::new().await;
    world.clones(&server, &[("/tool.git", None)]);
    let _engine = world.engine().await;
    let session = world.session().await;
    let looked = result(
        &world,
        session,
        "cd 0 && cat file && git status --short --branch && git log --format=%s && \
         git remote get-url origin && stat -c %u:%a .git file | xargs && git fsck 2>&1",
    );
    let expected = format!(
        "gives hello\n## main...origin/main\none\n{}\n0:755 0:644\n",
        server.url("/tool.git")
    );
    assert_eq!(looked.await, expected);
    let worked = result(
        &world,
        session,
        "echo more >> file && git diff --stat | tail -1 && git config user.name a && \
         git config user.email a@a && git commit -qam two && git log --format=%s | xargs && \
         git fetch 2>&1 && git status --short --branch",
    );
    let expected =
        "gives  1 file changed, 1 insertion(+)\ntwo one\n## main...origin/main [ahead 1]\n";
    assert_eq!(worked.await, expected);
    let prompt = world.model.requests()[0].text().to_owned();
    assert!(
        prompt.contains("/workspace/0 from http://git.test:"),
        "{prompt}"
    );
}

#[tokio::test]
async fn a_branch_or_a_commit_is_checked_out() {
    let server = GitServer::start("");
    let bare = server.repository(
        "tool",
        &format!("{ONE_COMMIT}\ngit checkout -qb dev/x && git commit -qm dev --allow-empty && git checkout -q main"),
    );
    let first = sh(&bare, "git rev-parse main");
    // A commit that no branch leads to any more.
    server.push("tool", "echo new > file && git commit -q --amend -am lost");
    let lost = sh(&bare, "git rev-parse main");
    server.push("tool", "echo two > file && git commit -q --amend -am two");
    let mut world = World::new().await;
    let given = [
        ("/tool.git", branch("dev/x")),
        ("/tool.git", commit(&first.to_uppercase())),
        ("/tool.git", commit(&lost)),
        ("/tool.git", None),
    ];
    world.clones(&server, &given);
    let _engine = world.engine().await;
    let session = world.session().await;
    let look = "for d in 0 1 2 3; do git -C $d log -1 --format=%s; git -C $d branch --show-current; \
                git -C $d status --short; done";
    let expected = "gives dev\ndev/x\none\nlost\ntwo\nmain\n";
    assert_eq!(result(&world, session, look).await, expected);
    assert_eq!(trees(&world).len(), 1);
}

#[tokio::test]
async fn the_next_session_has_what_is_new_and_a_known_commit_needs_no_server() {
    let server = GitServer::start("");
    let bare = server.repository("tool", ONE_COMMIT);
    let mut world = World::new().await;
    world.clones(&server, &[("/tool.git", None)]);
    let _engine = world.engine().await;
    let session = world.session().await;
    assert_eq!(result(&world, session, "cat 0/file").await, "gives hello\n");
    server.push("tool", "echo new > file && git commit -qam two");
    let second = sh(&bare, "git rev-parse main");
    world.clones(&server, &[("/tool.git", None)]);
    let session = world.session().await;
    assert_eq!(result(&world, session, "cat 0/file").await, "gives new\n");
    world.clones(&server, &[("/tool.git", commit(&second))]);
    drop(server);
    let session = world.session().await;
    assert_eq!(result(&world, session, "cat 0/file").await, "gives new\n");
    assert_eq!(trees(&world).len(), 1);
}

#[tokio::test]
async fn an_empty_repository_is_one_to_begin_with() {
    let server = GitServer::start("");
    server.repository("empty", "");
    let mut world = World::new().await;
    world.clones(&server, &[("/empty.git", None)]);
    let _engine = world.engine().await;
    let session = world.session().await;
    let look = "cd 0 && git status --short --branch && git remote";
    let expected = "gives ## No commits yet on main...origin/main [gone]\norigin\n";
    assert_eq!(result(&world, session, look).await, expected);
}

/// Through an archive and back, and past a new start of the server.
#[tokio::test]
async fn what_the_agent_did_is_kept_and_never_cloned_over() {
    let server = GitServer::start("");
    server.repository("tool", ONE_COMMIT);
    let mut world = World::new()
        .await
        .with_idle_stop(Duration::ZERO)
        .with_checkpoints(true);
    world.clones(&server, &[("/tool.git", None), ("/tool.git", None)]);
    let engine = world.engine().await;
    let session = world.session().await;
    let change = "echo mine > 0/file && rm -rf 1 && echo done";
    assert_eq!(result(&world, session, change).await, "gives done\n");
    world.sandbox_ended(session).await;
    engine.drain().await;
    world.reopen(StoreOptions::default());
    let _engine = world.engine().await;
    let look = "ls; git -C 0 status --short";
    let looked = result(&world, session, look).await;
    assert!(looked.starts_with("gives 0\n M file\n"), "{looked}");
}

#[tokio::test]
async fn what_stands_at_the_place_stays() {
    let server = GitServer::start("");
    server.repository("tool", ONE_COMMIT);
    let mut world = World::new().await;
    world.clones(&server, &[("/tool.git", None)]);
    let session = world.session().await;
    world.open_sandbox(session).await;
    world.run_in_sandbox(session, "ln -s /etc 0").await;
    let _engine = world.engine().await;
    let look = "readlink 0 && ls 0/hostname && ls -d 0/.git 2>/dev/null | wc -l";
    let expected = "gives /etc\n0/hostname\n0\n";
    assert_eq!(result(&world, session, look).await, expected);
}

/// What a server that was killed in the middle has left.
#[tokio::test]
async fn half_made_clones_are_thrown_away() {
    let server = GitServer::start("");
    server.repository("tool", ONE_COMMIT);
    let mut world = World::new().await;
    world.clones(&server, &[("/tool.git", None)]);
    let half_made = format!("checkout_{}", world.cloned[0].id);
    let mine = world.open_sandbox_named(&half_made).await;
    let somebodys = world
        .open_sandbox_named(&format!("clone_{}", "0".repeat(32)))
        .await;
    let session = world.session().await;
    let _engine = world.engine().await;
    assert_eq!(result(&world, session, "cat 0/file").await, "gives hello\n");
    ended(mine).await;
    ended(somebodys).await;
}

/// The engine is dropped as a kill drops it, at each step of a clone; whoever comes next makes the
/// repository whole.
#[tokio::test]
async fn a_death_at_any_step_leaves_nothing_half_made() {
    let server = GitServer::start("");
    let big = "seq 20000 > big && git add big";
    server.repository("tool", &format!("{big}\n{ONE_COMMIT}"));
    let mut world = World::new().await;
    for step in [
        "boxes/clone_",
        "boxes/checkout_",
        "boxes/sesn_",
        "trees/",
        "drafts/",
    ] {
        world.clones(&server, &[("/tool.git", None)]);
        for _ in 0..2 {
            world.cloned[0].id = world.env.id();
            let session = world.session().await;
            let input = json!({"command": "true"});
            world.model.reply(Reply::tool_use("bash", input));
            let engine = world.engine().await;
            world.say(session, "Work.").await;
            let called = |row: &Recorded| row.event.name() == "hostler.tool_started";
            world.log_when(session, |log| log.iter().any(called)).await;
            reached(&world, session, step).await;
            drop(engine);
            world.reopen(StoreOptions::default());
            world.model.reply(Reply::text("Interrupted."));
            let engine = world.engine().await;
            world.log_after_turns(session, 1).await;
            let look = "cd 0 && git fsck && git status --short && wc -l < big";
            let looked = result(&world, session, look).await;
            assert!(looked.starts_with("gives 20000\n"), "{step}: {looked}");
            drop(engine);
            world.reopen(StoreOptions::default());
        }
        std::fs::remove_dir_all(world.folder.path().join("sandboxes/trees")).unwrap();
        std::fs::create_dir(world.folder.path().join("sandboxes/trees")).unwrap();
    }
}

/// Something of this name is there, or the repository is in its place already.
async fn reached(world: &World, session: SessionId, step: &str) {
    let (folder, start) = step.split_once('/').unwrap();
    let folder = world.folder.path().join("sandboxes").join(folder);
    let placed = world.workspace(session).join("0");
    let is_there = || {
        let mut entries = std::fs::read_dir(&folder).unwrap();
        entries.any(|entry| {
            let name = entry.unwrap().file_name();
            name.to_str().is_some_and(|name| name.starts_with(start))
        })
    };
    while !is_there() && !placed.exists() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_clones_used_longest_ago_make_room() {
    let server = GitServer::start("");
    let big = "head -c 400000 /dev/urandom > big && git add big";
    for name in ["one", "two", "three"] {
        server.repository(name, &format!("{big}\n{ONE_COMMIT}"));
    }
    let mut world = World::new().await;
    world.repositories.cache_bytes_max = 1_200_000;
    world.clones(&server, &[]);
    let _engine = world.engine().await;
    for name in ["/one.git", "/two.git", "/three.git", "/one.git"] {
        world.clones(&server, &[(name, None)]);
        let session = world.session().await;
        assert_eq!(result(&world, session, "cat 0/file").await, "gives hello\n");
        assert!(trees(&world).len() <= 2, "{:?}", trees(&world));
    }
}
