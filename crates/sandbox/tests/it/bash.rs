//! One persistent shell: what stays, what ends, and what the model is told.

use std::task::Poll;
use std::time::{Duration, Instant};

use hostler_sandbox::{Call, Tool};
use serde_json::json;

use crate::world::{World, error, ok};

const LOST: &str = "its working directory, variables and functions are lost; the next call starts \
                    a new shell";

#[tokio::test]
async fn directory_variables_and_functions_stay() {
    let world = World::new().await;
    ok(
        &world.bash("cd /tmp; export A=5; f() { echo fn $A; }").await,
        "(no output)",
    );
    ok(
        &world.bash("f; pwd; bash -c 'echo $A'").await,
        "fn 5\n/tmp\n5\n",
    );
    world.end().await;
}

#[tokio::test]
async fn odd_commands_are_taken_as_they_are() {
    let world = World::new().await;
    ok(&world.bash("cat <<X\nhere\n'doc\nX").await, "here\n'doc\n");
    ok(&world.bash("cat; echo end of file").await, "end of file\n");
    ok(&world.bash("").await, "(no output)");
    ok(
        &world.bash("echo out; echo err >&2; echo out").await,
        "out\nerr\nout\n",
    );
    ok(
        &world
            .bash(r"printf 'a\0b\xffc\e[31mred\e[0m\e]0;title\a.\n'")
            .await,
        "a\u{FFFD}b\u{FFFD}cred.\n",
    );
    ok(
        &world.bash("set -x; : traced; set +x").await,
        "++ : traced\n++ set +x\n",
    );
    let unbalanced = world.bash("echo 'unbalanced").await;
    assert!(unbalanced.is_error && unbalanced.joined_text().contains("unexpected EOF"));
    let long = format!("x={}; echo ${{#x}}", "a".repeat(300_000));
    ok(&world.bash(&long).await, "300000\n");
    ok(
        &world.bash("exec >/dev/null; echo gone").await,
        "(no output)",
    );
    ok(&world.bash("echo still here").await, "still here\n");
    world.end().await;
}

#[tokio::test]
async fn a_failure_says_its_exit_code() {
    let world = World::new().await;
    error(
        &world.bash("echo before; false").await,
        "before\nexit code 1",
    );
    error(
        &world.bash("printf tail; (exit 7)").await,
        "tail\nexit code 7",
    );
    world.end().await;
}

#[tokio::test]
async fn the_end_of_the_shell_is_told() {
    let world = World::new().await;
    world.sh("A=5").await;
    let exit = world.bash("echo bye; exit 7").await;
    error(
        &exit,
        &format!("bye\nThe shell itself exited with status 7: {LOST}."),
    );
    ok(&world.bash("echo A=$A; pwd").await, "A=\n/workspace\n");
    let exit = world.bash("set -e; false; echo not reached").await;
    error(
        &exit,
        &format!("The shell itself exited with status 1: {LOST}."),
    );
    ok(
        &world.bash("exec echo replaced").await,
        &format!("replaced\nThe shell itself exited with status 0: {LOST}."),
    );
    let killed = world.bash("kill -9 $$").await;
    error(
        &killed,
        &format!("The shell itself was ended by signal 9: {LOST}."),
    );
    ok(&world.bash("echo back").await, "back\n");
    world.end().await;
}

#[tokio::test]
async fn a_background_job_neither_blocks_nor_dies() {
    let world = World::new().await;
    let started = world
        .sh("mkfifo go done; (cat go; echo from behind; echo > done) & echo on")
        .await;
    assert_eq!(started, "on");
    ok(
        &world.bash("echo x > go; cat done").await,
        "x\nfrom behind\n\n",
    );
    // It may write far more than a pipe holds while nobody asks.
    world
        .sh("(head -c 1000000 /dev/zero | tr '\\0' y; echo > done) & true")
        .await;
    let shown = world.bash("cat done >/dev/null").await;
    assert!(!shown.is_error);
    assert!(shown.joined_text().len() > 10_000);
    world.end().await;
}

#[tokio::test]
async fn a_time_out_kills_the_tree_and_keeps_the_shell() {
    let world = World::new().await;
    world.sh("A=5; sleep 1000 & old=$!").await;
    let command =
        "echo partial; setsid sleep 2000 & (trap '' TERM; sleep 3000; sleep 3001) | cat; echo next";
    let output = world
        .tool("bash", json!({"command": command, "timeout_ms": 300}))
        .await;
    // Between the two, bash tells of the signals that it saw: which ones is a matter of timing.
    let text = output.joined_text();
    let end = "The command did not finish within 0.3 s. It and everything that it had started \
               were killed; the shell and its state are kept.";
    assert!(
        output.is_error && text.starts_with("partial\n") && text.ends_with(end),
        "{text}"
    );
    ok(
        &world
            .bash("echo A=$A; kill -0 $old && echo old job lives")
            .await,
        "A=5\nold job lives\n",
    );
    let left = world
        .bash("cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep [23]'")
        .await;
    error(&left, "0\nexit code 1");
    world.end().await;
}

#[tokio::test]
async fn a_shell_that_does_not_let_go_is_killed() {
    let world = World::new().await;
    let command = "trap '' RTMAX; while :; do :; done";
    let output = world
        .tool("bash", json!({"command": command, "timeout_ms": 200}))
        .await;
    let text = "The command did not finish within 0.2 s. It and everything that it had started \
                were killed; the shell had to be killed as well: ";
    error(&output, &format!("{text}{LOST}."));
    ok(&world.bash("echo back").await, "back\n");
    let output = world
        .tool(
            "bash",
            json!({"command": "exec sleep 100", "timeout_ms": 200}),
        )
        .await;
    error(&output, &format!("{text}{LOST}."));
    ok(&world.bash("echo back").await, "back\n");
    world.end().await;
}

#[tokio::test]
async fn a_restart_begins_anew() {
    let world = World::new().await;
    world.sh("A=5; cd /tmp; setsid sleep 1000 & true").await;
    ok(
        &world.tool("bash", json!({"restart": true})).await,
        "Shell restarted. Everything that ran was ended; working directory, variables and \
         functions start anew.",
    );
    ok(&world.bash("echo A=$A; pwd").await, "A=\n/workspace\n");
    let left = world
        .bash("cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep [1]'")
        .await;
    error(&left, "0\nexit code 1");
    world.end().await;
}

#[tokio::test]
async fn a_flood_is_kept_in_a_file_and_shown_in_part() {
    let world = World::new().await;
    let output = world
        .bash("echo first; yes | head -c 50000000; echo last")
        .await;
    let text = output.joined_text();
    assert!(
        !output.is_error && text.len() < 30_000,
        "{} bytes",
        text.len()
    );
    assert!(text.starts_with("first\ny\ny\n"));
    assert!(text.contains("\ny\nlast\n\n\n[The output has 50000011 characters"));
    assert!(text.contains("All of it is in /tmp/tool_outputs/call_bash.txt"));
    ok(
        &world.bash("wc -c < /tmp/tool_outputs/call_bash.txt").await,
        "50000011\n",
    );
    // More than the file may have, and no room for it.
    let output = world.bash("head -c 80000000 /dev/zero | tr '\\0' x").await;
    assert!(
        output
            .joined_text()
            .contains("Only its first 67108864 bytes are in /tmp/tool_outputs")
    );
    world
        .sh("rm /tmp/tool_outputs/*; head -c 200000000 /dev/zero > /tmp/full || true")
        .await;
    let output = world.bash("seq 100000").await;
    assert!(
        output.joined_text().contains("It could not be kept"),
        "{}",
        output.joined_text()
    );
    world.end().await;
}

#[tokio::test]
async fn a_dropped_call_is_killed_inside() {
    let world = World::new().await;
    world.sh("mkfifo started ended").await;
    let doomed =
        "(trap 'exit 1' TERM; exec 3<>ended; echo x > started; sleep 1000; echo no) ; echo no";
    let sandbox = world.sandbox.clone();
    let call = Call {
        id: "doomed".to_owned(),
        tool: Tool::Bash {
            command: doomed.to_owned(),
            timeout_ms: None,
        },
    };
    {
        let run = sandbox.run(call);
        let path = world.on_host("workspace/started");
        let begun = tokio::task::spawn_blocking(move || std::fs::read(path));
        tokio::select! {
            output = run => panic!("it ended by itself: {output:?}"),
            begun = begun => assert_eq!(begun.unwrap().unwrap(), b"x\n"),
        }
    }
    // The next command waits until the cancelled one is dealt with.
    let left = world
        .bash("cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep [1]000'")
        .await;
    error(&left, "0\nexit code 1");
    world.end().await;
}

#[tokio::test]
async fn a_failure_for_want_of_a_network_is_explained() {
    let world = World::new().await;
    let output = world
        .bash("echo 'curl: (6) Could not resolve host: example.com' >&2; false")
        .await;
    error(
        &output,
        "curl: (6) Could not resolve host: example.com\nexit code 1\nnote: this sandbox has no \
         network access",
    );
    let output = world.bash("exec 3<>/dev/tcp/1.1.1.1/80").await;
    assert!(
        output
            .joined_text()
            .ends_with("note: this sandbox has no network access"),
        "{output:?}"
    );
    ok(
        &world.bash("echo Could not resolve host").await,
        "Could not resolve host\n",
    );
    world.end().await;
}

#[tokio::test]
async fn the_longest_time_out_is_ten_minutes() {
    let world = World::new().await;
    let huge = json!({"command": "echo quick", "timeout_ms": i64::MAX});
    let quick = tokio::time::timeout(Duration::from_secs(60), world.tool("bash", huge));
    ok(&quick.await.expect("no overflow"), "quick\n");
    world.end().await;
}

/// A cancel may come while the shell is still reading the command: whenever it comes, the next
/// command is the next command, and nothing behind the cancelled statement runs.
#[tokio::test]
async fn a_cancel_at_any_moment_costs_neither_the_shell_nor_the_next_command() {
    let world = World::new().await;
    world.sh("A=5").await;
    for micros in (0..3_000).step_by(50) {
        let until = Instant::now() + Duration::from_micros(micros);
        // Timers are too coarse for this window, so the call is driven by hand.
        let mut call = Box::pin(world.bash("sleep 1000; touch went_on"));
        while Instant::now() < until {
            let polled = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context)));
            assert!(polled.await.is_pending(), "it sleeps");
            tokio::task::yield_now().await;
        }
        drop(call);
        ok(&world.bash("echo A=$A; [ ! -e went_on ]").await, "A=5\n");
    }
    world.end().await;
}
