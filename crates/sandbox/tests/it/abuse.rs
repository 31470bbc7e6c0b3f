//! What uses up all there is: each ends with a proper result.

use crate::world::{World, ok};

#[tokio::test]
async fn floods_of_processes_and_files_are_bounded() {
    let world = World::new().await;
    let bomb = "import os, signal\nn = 0\ntry:\n  while n < 5000:\n    if os.fork() == 0: signal.pause()\n    \
                n += 1\nexcept OSError: pass\nprint(0 < n <= 1024)";
    ok(
        &world.bash(&format!("/usr/bin/python3 -c '{bomb}'")).await,
        "True\n",
    );
    world
        .tool("bash", serde_json::json!({"restart": true}))
        .await;
    ok(&world.bash("echo usable").await, "usable\n");
    assert!(
        world
            .bash("head -c 200000000 /dev/zero > /dev/shm/x")
            .await
            .is_error
    );
    assert!(
        world
            .bash("cd /dev/shm && seq 5000 | xargs touch")
            .await
            .is_error
    );
    world.end().await;
}

#[tokio::test]
async fn a_memory_hog_does_not_take_the_sandbox_along() {
    let world = World::new().await;
    let output = world
        .bash("A=5; /usr/bin/python3 -c 'x = bytearray(3 << 30)'")
        .await;
    assert!(output.is_error, "{output:?}");
    ok(&world.bash("echo A=$A").await, "A=5\n");
    world.end().await;
}
