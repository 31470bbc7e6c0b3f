//! What ends commands that do not end, and what bounds those that want too much.

use hostler_sandbox::{Call, LimitSource, Mode, Tool};
use serde_json::json;

use crate::world::{World, ok};

pub(super) async fn a_time_out_kills_the_tree_and_keeps_the_shell(world: World) {
    world.sh("A=5; sleep 1000 & old=$!").await;
    let command = "echo partial; setsid sleep 2000 & echo $! > ~/job; \
                   (trap '' TERM; sleep 3000; sleep 3001) | cat; echo next";
    let output = world
        .tool("bash", json!({"command": command, "timeout_ms": 500}))
        .await;
    // Between the two, bash tells of the signals that it saw: which ones is a matter of timing.
    let text = output.joined_text();
    let end = "The command did not finish within 0.5 s. It and everything that it had started \
               were killed; the shell and its state are kept.";
    assert!(
        output.is_error && text.starts_with("partial\n") && text.ends_with(end),
        "{text}"
    );
    let look = "echo A=$A; kill -0 $old && echo old job lives; \
                kill -0 $(cat ~/job) 2>/dev/null || echo new job ended";
    ok(
        &world.bash(look).await,
        "A=5\nold job lives\nnew job ended\n",
    );
    world.end().await;
}

pub(super) async fn a_dropped_call_is_killed_inside(world: World) {
    world.sh("mkfifo started").await;
    let doomed = "(trap '' TERM; echo $BASHPID > ~/job; echo x > started; sleep 1000; echo no)";
    let call = Call {
        id: "doomed".to_owned(),
        tool: Tool::Bash {
            command: doomed.to_owned(),
            timeout_ms: None,
        },
    };
    {
        let run = world.sandbox.run(call);
        let path = world.on_host("workspace/started");
        let begun = tokio::task::spawn_blocking(move || std::fs::read(path));
        tokio::select! {
            output = run => panic!("it ended by itself: {output:?}"),
            begun = begun => assert_eq!(begun.unwrap().unwrap(), b"x\n"),
        }
    }
    // The next command waits until the cancelled one is dealt with.
    let look = "kill -0 $(cat ~/job) 2>/dev/null || echo ended";
    ok(&world.bash(look).await, "ended\n");
    world.end().await;
}

pub(super) async fn a_flood_of_output_is_shown_in_part(world: World) {
    let output = world
        .bash("echo first; yes | head -c 20000000; echo last")
        .await;
    let text = output.joined_text();
    assert!(
        !output.is_error && text.len() < 30_000,
        "{} bytes",
        text.len()
    );
    assert!(text.starts_with("first\ny\ny\n"));
    assert!(text.contains("\ny\nlast\n\n\n[The output has 20000011 characters"));
    ok(
        &world.bash("printf 'a\\0b\\xff'; echo .").await,
        "a\u{FFFD}b\u{FFFD}.\n",
    );
    world.end().await;
}

pub(super) async fn a_flood_of_processes_ends_at_the_limit(world: World) {
    let report = world.host.isolation();
    assert_ne!(report.process_limit, LimitSource::None);
    let is_by_user = report.mode != Mode::Pod && report.process_limit == LimitSource::Rlimit;
    if is_by_user && rustix::process::geteuid().is_root() {
        // Root mapped to root is not counted; nothing on this host limits it.
        return world.end().await;
    }
    // Not bash, which tries again for half a minute.
    let flood = "sh -c 'i=0; while [ $i -lt 5000 ]; do sleep 1000 & i=$((i+1)); done; echo all'";
    let output = world.bash(flood).await;
    assert!(output.is_error, "{output:?}");
    world.tool("bash", json!({"restart": true})).await;
    ok(&world.bash("echo usable").await, "usable\n");
    world.end().await;
}

pub(super) async fn a_memory_hog_does_not_take_the_sandbox_along(world: World) {
    world.sh("A=5").await;
    // One line without an end, which `tail` has to keep.
    let hog = "head -c 700000000 /dev/zero | tr '\\0' x | tail -n 1 | wc -c | grep 700000000";
    let output = world.bash(hog).await;
    assert!(output.is_error, "{output:?}");
    ok(&world.bash("echo A=$A").await, "A=5\n");
    world.end().await;
}

pub(super) async fn the_small_file_systems_fill_up(world: World) {
    for place in ["/tmp", "/dev/shm"] {
        let fill = format!("head -c 200000000 /dev/zero > {place}/x");
        assert!(world.bash(&fill).await.is_error, "{place}");
        world.sh(&format!("rm {place}/x")).await;
    }
    world.end().await;
}

pub(super) async fn nothing_inside_has_power_over_the_host(world: World) {
    let report = world.host.isolation();
    assert!(report.seccomp && report.no_new_privileges);
    let attempts = [
        "mount -t tmpfs none /mnt",
        "mknod /tmp/disk b 254 0",
        "echo x > /proc/sys/kernel/hostname",
        "echo x > /proc/sys/kernel/core_pattern",
        "cat /proc/kcore > /dev/null",
        "cat /proc/1/environ",
        "ls /proc/1/root/",
        "ls -A /sys/fs/cgroup/unified/cgroup.procs",
        "kill -9 1 && ! kill -0 1",
    ];
    for attempt in attempts {
        let output = world.bash(attempt).await;
        assert!(output.is_error, "{attempt}: {output:?}");
    }
    let privileges = world
        .sh("grep -E 'NoNewPrivs|Seccomp:' /proc/self/status | tr -s '\\t\\n' ' '")
        .await;
    assert_eq!(privileges, "NoNewPrivs: 1 Seccomp: 2");
    world.end().await;
}
