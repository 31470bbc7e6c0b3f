//! What the operator runs in a sandbox: a terminal or plain streams, confined like everything there.

use hostler_sandbox::{
    Exec, ExecEnd, ExecError, ExecEvent, ExecOrder, SandboxError, Spec, Stop, Terminal,
    TerminalSize, Tool, exec, kill_one,
};

use crate::world::{World, name, ok};

struct Ran {
    output: String,
    error: String,
    end: ExecEnd,
}

fn order(words: &[&str]) -> ExecOrder {
    ExecOrder {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        terminal: None,
    }
}

async fn begin(world: &World, order: ExecOrder) -> Result<Exec, ExecError> {
    exec(&world.on_host("../.."), &name("one"), order).await
}

async fn sh(world: &World, script: &str) -> Exec {
    begin(world, order(&["/bin/bash", "-c", script]))
        .await
        .unwrap()
}

/// Without input, to the end.
async fn finish(mut running: Exec) -> Ran {
    let (mut output, mut error) = (Vec::new(), Vec::new());
    let end = loop {
        match running.output.next().await.unwrap() {
            ExecEvent::Output(bytes) => output.extend(bytes),
            ExecEvent::Error(bytes) => error.extend(bytes),
            ExecEvent::Ended(end) => break end,
        }
    };
    Ran {
        output: String::from_utf8(output).unwrap(),
        error: String::from_utf8(error).unwrap(),
        end,
    }
}

/// Reads until this was said.
async fn heard(running: &mut Exec, what: &str) {
    let mut text = String::new();
    while !text.contains(what) {
        match running.output.next().await.unwrap() {
            ExecEvent::Output(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
            other @ (ExecEvent::Error(_) | ExecEvent::Ended(_)) => {
                panic!("{other:?} after {text:?}")
            }
        }
    }
}

pub(super) async fn the_operator_gets_a_terminal(world: World) {
    let size = TerminalSize {
        rows: 24,
        columns: 81,
    };
    let terminal = Some(Terminal {
        kind: "vt100".to_owned(),
        size,
    });
    let shell = ExecOrder {
        words: Vec::new(),
        terminal,
    };
    let mut running = begin(&world, shell).await.unwrap();
    let script = b"PS1=; stty -echo; echo 'be''gun'\n";
    running.input.write(script).await.unwrap();
    heard(&mut running, "begun\r\n").await;
    let script = b"tty; echo $TERM; stty size\n";
    running.input.write(script).await.unwrap();
    heard(&mut running, "vt100\r\n24 81\r\n").await;
    let script = br#"bash -c 'sleep 1000 & trap "stty size; kill $!" WINCH; echo wai""ting; wait'"#;
    running.input.write(script).await.unwrap();
    running.input.write(b"\n").await.unwrap();
    heard(&mut running, "waiting\r\n").await;
    let rows = 50;
    let resized = TerminalSize { rows, ..size };
    running.input.resize(resized).await.unwrap();
    heard(&mut running, "50 81\r\n").await;
    // What Ctrl-C is in a terminal, to a program in the foreground.
    let script = b"sh -c 'echo here; exec sleep 1000'\n";
    running.input.write(script).await.unwrap();
    heard(&mut running, "here\r\n").await;
    running.input.write(b"\x03").await.unwrap();
    running.input.write(b"exit $(($? - 123))\n").await.unwrap();
    assert_eq!(finish(running).await.end, ExecEnd::Exit(7));
    world.end().await;
}

pub(super) async fn without_a_terminal_streams_are_apart_and_whole(world: World) {
    let ran = finish(sh(&world, "echo out; echo err >&2; pwd; exit 3").await).await;
    let inside = world.inside();
    assert_eq!(
        (ran.output, ran.error),
        (format!("out\n{inside}\n"), "err\n".to_owned())
    );
    assert_eq!(ran.end, ExecEnd::Exit(3));
    let killed = finish(sh(&world, "kill -TERM $$").await).await;
    assert_eq!(killed.end, ExecEnd::Signal(15));
    let absent = finish(begin(&world, order(&["no-such-program"])).await.unwrap()).await;
    assert_eq!(absent.end, ExecEnd::Exit(127));
    assert!(absent.error.contains("no-such-program cannot be run"));
    let directory = finish(begin(&world, order(&[inside.as_str()])).await.unwrap()).await;
    assert_eq!(directory.end, ExecEnd::Exit(126));
    // More than all buffers on the way, in and out again.
    let Exec {
        mut input,
        mut output,
    } = begin(&world, order(&["cat"])).await.unwrap();
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let give = async {
        input.write(&sent).await.unwrap();
        input.end().await.unwrap();
    };
    let take = async {
        let mut back = Vec::new();
        while let ExecEvent::Output(bytes) = output.next().await.unwrap() {
            back.extend(bytes);
        }
        back
    };
    let ((), back) = tokio::join!(give, take);
    assert!(back == sent, "{} bytes came back", back.len());
    world.end().await;
}

pub(super) async fn what_it_runs_is_confined_like_the_rest(world: World) {
    let look = "for ns in /proc/self/ns/*; do readlink $ns; done; cat /proc/self/cgroup; ulimit -a | grep -v pipe; \
                grep -E '^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)' /proc/self/status; \
                readlink /proc/self/root; cat /proc/self/oom_score_adj";
    let by_call = world.sh(look).await;
    let ran = finish(sh(&world, look).await).await;
    assert_eq!(ran.output.trim_end(), by_call);
    assert!(by_call.contains("NoNewPrivs:\t"), "{by_call}");
    world.end().await;
}

pub(super) async fn the_end_of_its_client_is_its_end(world: World) {
    world.sh("mkfifo held").await;
    let script = "exec 3>held; setsid sleep 1000 & trap '' HUP TERM; echo running; sleep 1000";
    let mut running = sh(&world, script).await;
    let read = world.bash("cat held; echo nobody holds it");
    let drop_it = async {
        heard(&mut running, "running\n").await;
        drop(running);
    };
    let (read, ()) = tokio::join!(read, drop_it);
    ok(&read, "nobody holds it\n");
    world.end().await;
}

pub(super) async fn no_call_takes_a_visitor_for_its_own(world: World) {
    let (started, go) = ("mkfifo started; echo > started; sleep 1000", "cat started");
    let timeout_ms = Some(2_000);
    let call = Tool::Bash {
        command: started.to_owned(),
        timeout_ms,
    };
    let id = "slow".to_owned();
    let slow = world.sandbox.run(hostler_sandbox::Call { id, tool: call });
    // It comes while the command runs that is about to run out of time.
    let visit = async {
        let script = format!("until [ -p started ]; do :; done; {go}; echo come; cat");
        let mut running = sh(&world, &script).await;
        heard(&mut running, "come\n").await;
        running
    };
    let (slow, mut running) = tokio::join!(slow, visit);
    assert!(slow.unwrap().is_error);
    let again = Tool::RestartShell;
    let id = "restart".to_owned();
    world
        .sandbox
        .run(hostler_sandbox::Call { id, tool: again })
        .await
        .unwrap();
    running.input.write(b"still here\n").await.unwrap();
    heard(&mut running, "still here\n").await;
    running.input.end().await.unwrap();
    assert_eq!(finish(running).await.end, ExecEnd::Exit(0));
    world.end().await;
}

pub(super) async fn floods_and_full_houses_starve_nobody(world: World) {
    let mut flooding = Vec::new();
    for _ in 0..8 {
        let mut running = sh(&world, "echo flood; exec yes").await;
        heard_some(&mut running).await;
        flooding.push(running);
    }
    let refused = begin(&world, order(&["true"])).await.err();
    assert!(
        matches!(
            refused,
            Some(ExecError::Sandbox(SandboxError::Refused { .. }))
        ),
        "{refused:?}"
    );
    // Nobody reads what they write, and calls are as quick as ever.
    ok(&world.bash("echo call").await, "call\n");
    let written = world.tool(
        "write",
        serde_json::json!({"file_path": "f", "content": "x"}),
    );
    assert!(!written.await.is_error);
    drop(flooding);
    world.end().await;
}

async fn heard_some(running: &mut Exec) {
    let said = running.output.next().await.unwrap();
    assert!(matches!(said, ExecEvent::Output(_)), "{said:?}");
}

pub(super) async fn who_visits_keeps_it_from_being_stopped(world: World) {
    let (state, two) = (world.on_host("../.."), name("two"));
    drop(world.host.open(&two, &Spec::default()).await.unwrap());
    let running = exec(&state, &two, order(&["cat"])).await.unwrap();
    assert_eq!(world.host.stop(&two).await.unwrap(), Stop::InUse);
    let Exec {
        mut input,
        mut output,
    } = running;
    input.end().await.unwrap();
    let end = ExecEvent::Ended(ExecEnd::Exit(0));
    assert_eq!(output.next().await.unwrap(), end);
    drop((input, output));
    assert_eq!(world.host.stop(&two).await.unwrap(), Stop::Stopped);
    let refused = exec(&state, &two, order(&["true"])).await.err();
    assert!(matches!(refused, Some(ExecError::AtRest)), "{refused:?}");
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}

pub(super) async fn one_that_dies_takes_it_along_and_says_so(world: World) {
    let mut running = sh(&world, "echo running; exec sleep 1000").await;
    heard(&mut running, "running\n").await;
    let state = world.on_host("../..");
    let kill = move || kill_one(&state, &name("one")).unwrap();
    assert!(tokio::task::spawn_blocking(kill).await.unwrap());
    // Where the agent is asked first, it may still come to say so.
    let lost = running.output.next().await;
    let told = matches!(lost, Ok(ExecEvent::Ended(ExecEnd::Signal(9))));
    let is_lost = matches!(lost, Err(SandboxError::Lost { .. }));
    assert!(is_lost || told, "{lost:?}");
    world.end().await;
}
