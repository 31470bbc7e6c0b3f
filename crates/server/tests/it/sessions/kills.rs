//! Sandboxes that are killed while a command runs in them: the session goes on each time, is told what
//! it lost, and keeps its files. All 500 of them: `HOSTLER_TEST_SANDBOX_KILLS=500`.

use std::env;

use futures::future::join_all;
use hostler_protocol::id::SessionId;
use hostler_testkit::{RecordedRequest, Reply};
use serde_json::{Value, json};

use super::pipe;
use super::shown::public;
use super::world::World;

const SESSIONS: usize = 5;
/// In all; more with `HOSTLER_TEST_SANDBOX_KILLS`.
const KILLS_DEFAULT: usize = 50;

/// In each turn: a look at what is there, a command that is killed, and a word.
fn answer(request: &RecordedRequest) -> Reply {
    let messages = request.messages();
    let is_word = |message: &Value| {
        message["role"] == "user"
            && message["content"]
                .as_array()
                .is_some_and(|blocks| blocks.iter().any(|block| block["type"] == "text"))
    };
    let turn_begins = messages.iter().rposition(is_word).unwrap();
    match messages[turn_begins..].len() {
        1 => Reply::tool_use(
            "bash",
            json!({"command": "wc -l < kept; ls /tmp; touch /tmp/gone"}),
        ),
        3 => Reply::tool_use(
            "bash",
            json!({"command": "echo ran >> kept; read word < pipe; echo never >> kept"}),
        ),
        _ => Reply::text("On we go."),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_survives_the_kills_of_its_sandbox() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one knob of this test; the product's settings are not read like this"
    )]
    let kills = env::var("HOSTLER_TEST_SANDBOX_KILLS")
        .map_or(KILLS_DEFAULT, |kills| kills.parse().unwrap());
    let world = World::new().await;
    world.model.otherwise(answer);
    let _engine = world.engine().await;
    let turns = kills.div_ceil(SESSIONS);
    join_all((0..SESSIONS).map(|_| killed_again_and_again(&world, turns))).await;
}

async fn killed_again_and_again(world: &World, turns: usize) {
    let session = world.session().await;
    world.open_sandbox(session).await;
    pipe::make(world, session);
    std::fs::write(world.workspace(session).join("kept"), "").unwrap();
    make_writable(world, session);
    for turn in 0..turns {
        world.say(session, "Go on.").await;
        let pipe = pipe::reader(world, session).await;
        world.kill_sandbox(session).await;
        drop(pipe);
        let log = public(&world.log_after_turns(session, turn + 1).await);
        let results: Vec<_> = log
            .iter()
            .filter(|line| line.starts_with("gives") || line.starts_with("fails"))
            .collect();
        let [.., look, killed] = results.as_slice() else {
            panic!("{log:?}");
        };
        // Each command before ran once, and its file is there; what was in /tmp is not.
        assert!(look.starts_with(&format!("gives {turn}\n")), "{look}");
        assert!(!look.contains("gone\n"), "{look}");
        assert_eq!(look.contains("the sandbox was"), turn > 0, "{look}");
        assert!(killed.starts_with("fails The sandbox was lost"), "{killed}");
        assert_eq!(log.last().map(String::as_str), Some("idle EndTurn"));
    }
    let kept = world.workspace_file(session, "kept").unwrap();
    assert_eq!(kept, "ran\n".repeat(turns));
}

fn make_writable(world: &World, session: SessionId) {
    use std::os::unix::fs::PermissionsExt;
    let kept = world.workspace(session).join("kept");
    std::fs::set_permissions(kept, std::fs::Permissions::from_mode(0o666)).unwrap();
}
