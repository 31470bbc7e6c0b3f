//! The mode without isolation: the same tools, and an honest report.

use hostler_sandbox::{Backend, LimitSource, Network, UserNamespace};
use serde_json::json;

use crate::world::{World, is_running, name, ok};

#[tokio::test]
async fn the_same_tools_run_without_isolation() {
    let world = World::with_backend(Backend::UnsafeProcess).await;
    let report = world.host.isolation();
    assert_eq!(report.user_namespace, UserNamespace::None);
    assert_eq!((report.seccomp, report.network), (false, Network::Host));
    assert_ne!(report.memory_limit, LimitSource::Rlimit);
    let workspace = world.on_host("workspace");
    assert_eq!(world.sh("A=5; pwd").await, workspace.display().to_string());
    let write = json!({"file_path": "a", "content": "text"});
    ok(&world.tool("write", write).await, "wrote 4 bytes to a");
    ok(&world.bash("cat a; echo $A").await, "text5\n");
    ok(
        &world.tool("grep", json!({"pattern": "text"})).await,
        "a:1:text",
    );
    let flood = world.bash("seq 100000").await.joined_text();
    let place = format!("{}/tool_outputs/call_bash.txt", world.on_host("").display());
    assert!(
        flood.contains(&place.replace("//", "/")),
        "{}",
        &flood[flood.len() - 300..]
    );
    world.end().await;
}

#[tokio::test]
async fn its_processes_end_with_it() {
    let world = World::with_backend(Backend::UnsafeProcess).await;
    let mut bystander = std::process::Command::new("sleep")
        .arg("1000")
        .spawn()
        .unwrap();
    let pids = world
        .sh("setsid sleep 1000 & echo $!; sleep 1000 & echo $! $$")
        .await;
    world.host.destroy(&name("one")).await.unwrap();
    for pid in pids.split_whitespace() {
        assert!(!is_running(pid), "process {pid} is left");
    }
    assert!(
        bystander.try_wait().unwrap().is_none(),
        "a stranger was killed"
    );
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}
