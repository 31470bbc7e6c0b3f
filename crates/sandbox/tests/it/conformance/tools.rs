//! What the six tools do, and what the shell keeps between them.

use std::fs;

use hostler_sandbox::{Call, Tool, Upload};
use serde_json::json;

use crate::world::{World, error, ok};

pub(super) async fn six_tools_work_on_the_same_files(world: World) {
    let write = json!({"file_path": "in/a.txt", "content": "one\ntwo\n"});
    ok(
        &world.tool("write", write).await,
        "wrote 8 bytes to in/a.txt",
    );
    let path = format!("{}/in/a.txt", world.inside());
    ok(
        &world.tool("read", json!({"file_path": path})).await,
        "one\ntwo\n",
    );
    let edit = json!({"file_path": "in/a.txt", "old_string": "two", "new_string": "2"});
    ok(
        &world.tool("edit", edit).await,
        "replaced 1 occurrence in in/a.txt",
    );
    ok(&world.bash("cat in/a.txt").await, "one\n2\n");
    let found = world.tool("glob", json!({"pattern": "**/*.txt"})).await;
    assert!(found.joined_text().contains("in/a.txt"), "{found:?}");
    let found = world.tool("grep", json!({"pattern": "^2$"})).await;
    ok(&found, "in/a.txt:2:2");
    let missing = world.tool("read", json!({"file_path": "none"})).await;
    assert!(missing.is_error, "{missing:?}");
    let seen = fs::read_to_string(world.on_host("workspace/in/a.txt"));
    assert_eq!(seen.unwrap(), "one\n2\n");
    world.end().await;
}

pub(super) async fn uploads_come_in_and_outputs_go_out(world: World) {
    let upload = Upload {
        path: "in".parse().unwrap(),
        id: "in".to_owned(),
        size: 6,
        is_executable: false,
    };
    let placed = world.sandbox.place_upload(upload, &b"given\n"[..]);
    placed.await.unwrap();
    world
        .sh("cp /mnt/session/uploads/in /mnt/session/outputs/out")
        .await;
    let out = fs::read_to_string(world.on_host("outputs/out"));
    assert_eq!(out.unwrap(), "given\n");
    let change = "echo other > /mnt/session/uploads/in || rm /mnt/session/uploads/in";
    assert!(world.bash(change).await.is_error);
    let kept = fs::read_to_string(world.on_host("uploads/in"));
    assert_eq!(kept.unwrap(), "given\n");
    world.end().await;
}

pub(super) async fn the_shell_keeps_its_state(world: World) {
    ok(
        &world.bash("cd /tmp; export A=5; f() { echo fn $A; }").await,
        "(no output)",
    );
    ok(
        &world.bash("f; pwd; bash -c 'echo $A'").await,
        "fn 5\n/tmp\n5\n",
    );
    error(
        &world.bash("echo out; echo err >&2; (exit 7)").await,
        "out\nerr\nexit code 7",
    );
    world.end().await;
}

pub(super) async fn a_restart_begins_anew(world: World) {
    world
        .sh("A=5; cd /tmp; setsid sleep 1000 & echo $! > ~/job")
        .await;
    ok(
        &world.tool("bash", json!({"restart": true})).await,
        "Shell restarted. Everything that ran was ended; working directory, variables and \
         functions start anew.",
    );
    let look = "echo A=$A; pwd; kill -0 $(cat ~/job) 2>/dev/null || echo ended";
    ok(
        &world.bash(look).await,
        &format!("A=\n{}\nended\n", world.inside()),
    );
    world.end().await;
}

pub(super) async fn commands_queue_in_order(world: World) {
    let mut set = tokio::task::JoinSet::new();
    for number in 0..20 {
        let sandbox = world.sandbox.clone();
        set.spawn(async move {
            let tool = Tool::Bash {
                command: "echo $((x += 1))".to_owned(),
                timeout_ms: None,
            };
            let id = format!("c{number}");
            sandbox.run(Call { id, tool }).await.unwrap().joined_text()
        });
    }
    let mut counts: Vec<u32> = set
        .join_all()
        .await
        .iter()
        .map(|text| text.trim().parse().unwrap())
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=20).collect::<Vec<_>>());
    world.end().await;
}
