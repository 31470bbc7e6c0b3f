//! What uses up all there is: each ends with a proper result, and a neighbour answers meanwhile.

use std::future::Future;

use hostler_sandbox::{Call, Output, Sandbox, Spec, Tool};
use serde_json::json;

use crate::world::{World, bash, name, ok};

/// Bounds below those of the product, so that they are reached soon.
const FILE_BYTES: u64 = 32 << 20;

async fn small_world() -> (World, Sandbox) {
    let state = tempfile::tempdir().unwrap();
    let mut options = crate::world::options(&state);
    options.limits.disk_bytes = Some(FILE_BYTES);
    options.limits.memory_bytes = 512 << 20;
    options.limits.tmp_bytes = 64 << 20;
    options.limits.tmp_files = 2_000;
    options.limits.processes = 200;
    options.limits.open_files = 512;
    let world = World::with_options(state, options).await;
    let opened = world.host.open(&name("two"), &Spec::default()).await;
    (world, opened.unwrap().sandbox)
}

/// Runs both; the neighbour's commands come back while the abuse goes on or after it, each
/// whole. A neighbour that waits for the abuse to end is caught by the pipe in `hangs`.
async fn beside(abuse: impl Future<Output = Output>, neighbour: &Sandbox) -> Output {
    let calls = async {
        for number in 0..5 {
            let output = bash(neighbour, &format!("echo {number}")).await;
            ok(&output, &format!("{number}\n"));
        }
    };
    tokio::join!(abuse, calls).0
}

async fn limited(sandbox: &Sandbox, command: &str, timeout_ms: u64) -> Output {
    let tool = Tool::Bash {
        command: command.to_owned(),
        timeout_ms: Some(timeout_ms),
    };
    let id = "call_abuse".to_owned();
    sandbox.run(Call { id, tool }).await.unwrap()
}

/// Afterwards both go on as if nothing had been.
async fn end(world: World, neighbour: Sandbox) {
    ok(&world.bash("echo usable").await, "usable\n");
    ok(&bash(&neighbour, "echo usable").await, "usable\n");
    drop(neighbour);
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
}

/// What is tried, its command, and a text that its result must have.
const ENDS_BY_ITSELF: &[(&str, &str, &str)] = &[
    (
        "a memory hog",
        "/usr/bin/python3 -c 'x = bytearray(3 << 30)' || echo stopped",
        "stopped",
    ),
    (
        "many memory hogs",
        "for i in 1 2 3 4 5 6; do /usr/bin/python3 -c 'x = bytearray(400 << 20); x[::4096] = b\"1\" * len(x[::4096])' & done; wait; echo stopped",
        "stopped",
    ),
    (
        "one file without end",
        "head -c 1000000000 /dev/zero > file; [ $(stat -c %s file) -le 33554432 ] && echo stopped; rm file",
        "stopped",
    ),
    (
        "a full /tmp",
        "for i in 1 2 3 4 5; do head -c 20000000 /dev/zero > /tmp/file$i; done; rm /tmp/file*",
        "No space left on device",
    ),
    (
        "a full /dev/shm",
        "head -c 1000000000 /dev/zero > /dev/shm/file || echo stopped; rm /dev/shm/file",
        "stopped",
    ),
    (
        "files without number in /tmp",
        "mkdir /tmp/many && cd /tmp/many && seq 5000 | xargs touch || echo stopped; cd /; rm -r /tmp/many",
        "stopped",
    ),
    (
        "ten thousand open files",
        "/usr/bin/python3 -c 'f = [open(\"/dev/null\") for _ in range(10000)]' || echo stopped",
        "Too many open files",
    ),
    (
        "a descriptor bomb through sockets",
        "/usr/bin/python3 -c 'import socket\nx = [socket.socketpair() for _ in range(10000)]' || echo stopped",
        "Too many open files",
    ),
    (
        "processes without number",
        "/usr/bin/python3 -c 'import os, signal\nn = 0\ntry:\n  while n < 5000:\n    if os.fork() == 0: signal.pause()\n    n += 1\nexcept OSError: print(\"stopped\", n <= 200)'",
        "stopped True",
    ),
    (
        "threads without number",
        "/usr/bin/python3 -c 'import threading, time\ntry:\n  for i in range(5000): threading.Thread(target=time.sleep, args=(100,), daemon=True).start()\nexcept RuntimeError: print(\"stopped\", i <= 200)'",
        "stopped True",
    ),
    (
        // From a seed: what begins an escape sequence swallows what follows, so it is ended.
        "a flood of binary",
        "/usr/bin/python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(5000000) + b\"\\a\\x1b\\\\\\nthe end\")'",
        "the end",
    ),
    (
        "one line without end",
        "printf 'x%.0s' {1..300000}; echo the end",
        "the end",
    ),
    ("no newline at the end", "printf 'the end'", "the end"),
    ("an empty output", "true", ""),
];

#[tokio::test]
async fn each_abuse_ends_with_a_result_and_the_neighbour_answers() {
    let (world, neighbour) = small_world().await;
    for (attempt, command, expected) in ENDS_BY_ITSELF {
        let output = beside(limited(&world.sandbox, command, 120_000), &neighbour).await;
        let text = output.joined_text();
        assert!(
            text.contains(expected),
            "{attempt}: {:?}",
            text.chars().take(500).collect::<String>()
        );
        assert!(
            text.chars().count() <= 101_000,
            "{attempt}: {}",
            text.chars().count()
        );
        let restarted = world.tool("bash", json!({"restart": true})).await;
        assert!(!restarted.is_error, "{attempt}: {restarted:?}");
    }
    end(world, neighbour).await;
}

#[tokio::test]
async fn a_gigabyte_of_output_ends_with_a_result() {
    let (world, neighbour) = small_world().await;
    let flood = "head -c 1073741824 /dev/zero | tr '\\0' x; echo the end";
    let output = beside(limited(&world.sandbox, flood, 600_000), &neighbour).await;
    let text = output.joined_text();
    assert!(!output.is_error && text.contains("the end"));
    assert!(text.chars().count() <= 101_000, "{}", text.chars().count());
    end(world, neighbour).await;
}

/// These never end: the time-out does it.
const HANGS: &[(&str, &str)] = &[
    (
        "a shell that ignores SIGTERM",
        "trap '' TERM INT; while :; do :; done",
    ),
    (
        "a program that ignores signals",
        "/usr/bin/python3 -c 'import signal\nfor s in range(1, 64):\n  try: signal.signal(s, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True: signal.pause()'",
    ),
    (
        "a grandchild in a session of its own",
        "( setsid sh -c 'trap \"\" TERM; sleep 1000' & ) ; sleep 1000",
    ),
    ("a fork bomb", "f() { f | f & }; f; sleep 1000"),
    (
        "processes that start each other",
        "/usr/bin/python3 -c 'import os\nwhile True:\n  try:\n    if os.fork() != 0: os._exit(0)\n  except OSError: pass'; sleep 1000",
    ),
];

#[tokio::test]
async fn what_never_ends_is_ended_and_the_neighbour_answers() {
    let (world, neighbour) = small_world().await;
    for (attempt, command) in HANGS {
        let output = beside(limited(&world.sandbox, command, 500), &neighbour).await;
        let text = output.joined_text();
        assert!(
            output.is_error && text.contains("did not finish within 0.5 s"),
            "{attempt}: {text}"
        );
        let restarted = world.tool("bash", json!({"restart": true})).await;
        assert!(!restarted.is_error, "{attempt}: {restarted:?}");
        // The first process and the shell: nothing else is left.
        ok(&world.bash("set -- /proc/[0-9]*; echo $#").await, "2\n");
    }
    end(world, neighbour).await;
}

/// A bomb that nobody stopped goes on in the background, and the agent still answers.
#[tokio::test]
async fn the_agent_answers_beside_a_bomb() {
    let (world, neighbour) = small_world().await;
    let bomb = "/usr/bin/python3 -c 'import os, signal\ntry:\n  while True:\n    if os.fork() == 0: signal.pause()\nexcept OSError: print(\"full\", flush=True)\nsignal.pause()' > full 2>&1 & \
                until grep -qs full full; do :; done; echo full";
    ok(&world.bash(bomb).await, "full\n");
    for _ in 0..3 {
        let written = json!({"file_path": "file", "content": "text"});
        let output = beside(world.tool("write", written), &neighbour).await;
        assert!(!output.is_error, "{output:?}");
    }
    world.tool("bash", json!({"restart": true})).await;
    end(world, neighbour).await;
}
