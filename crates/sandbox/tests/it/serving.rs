//! Programs that serve whoever has the sandbox open, beside its tools.

use hostler_sandbox::{Exec, ExecEnd, ExecEvent, ExecOutput, SandboxError, ServeOrder, Stop};
use serde_json::json;

use crate::world::{World, name};

/// As many as one sandbox runs.
const MOST: usize = 20;
/// Bytes of its standard error that are passed on.
const PER_SECOND: u32 = 1 << 20;

fn shell(script: &str) -> ServeOrder {
    ServeOrder {
        words: ["sh", "-c", script].map(str::to_owned).to_vec(),
        variables: vec![("GREETING".to_owned(), "hello".to_owned())],
    }
}

async fn line(output: &mut ExecOutput) -> String {
    match output.next().await.unwrap() {
        ExecEvent::Output(bytes) => String::from_utf8(bytes).unwrap(),
        other @ (ExecEvent::Error(_) | ExecEvent::Ended(_)) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_answers_with_its_variables_until_its_input_ends() {
    let world = World::new().await;
    let script = "while read -r word; do echo \"$GREETING $word\"; done; exit 4";
    let served = world.sandbox.serve(shell(script)).await.unwrap();
    let Exec {
        mut input,
        mut output,
    } = served;
    input.write(b"world\n").await.unwrap();
    assert_eq!(line(&mut output).await, "hello world\n");
    input.end().await.unwrap();
    let end = ExecEvent::Ended(ExecEnd::Exit(4));
    assert_eq!(output.next().await.unwrap(), end);
}

#[tokio::test]
async fn a_restart_of_the_shell_leaves_it_and_the_end_of_its_connection_does_not() {
    let world = World::new().await;
    let served = world.sandbox.serve(shell("echo $$; exec cat")).await;
    let Exec {
        mut input,
        mut output,
    } = served.unwrap();
    let pid = line(&mut output).await;
    world.tool("bash", json!({"restart": true})).await;
    input.write(b"still here\n").await.unwrap();
    assert_eq!(line(&mut output).await, "still here\n");
    drop((input, output));
    let pid = pid.trim();
    let gone = format!("while kill -0 {pid} 2>/dev/null; do sleep 0.01; done; echo gone");
    assert_eq!(world.sh(&gone).await, "gone");
}

/// Nobody waits for what it writes there, so nothing but a bound makes it wait.
#[tokio::test]
async fn a_flood_on_its_standard_error_costs_so_much_and_holds_up_nothing() {
    let world = World::new().await;
    let begun = std::time::Instant::now();
    let served = world.sandbox.serve(shell("yes >&2 & exec cat")).await;
    let Exec {
        mut input,
        mut output,
    } = served.unwrap();
    let (mut heard, mut answers) = (0, 0);
    while heard < 3 * PER_SECOND || answers < 3 {
        match output.next().await.unwrap() {
            ExecEvent::Error(bytes) => heard += u32::try_from(bytes.len()).unwrap(),
            ExecEvent::Output(_) => answers += 1,
            ExecEvent::Ended(end) => panic!("{end:?}"),
        }
        // So much at once, and in each second that has passed.
        let most = (begun.elapsed().as_secs_f64() + 1.0) * f64::from(PER_SECOND);
        assert!(f64::from(heard) <= most, "{heard} of {most}");
        input.write(b"word\n").await.unwrap();
    }
}

#[tokio::test]
async fn one_keeps_the_sandbox_and_too_many_are_refused() {
    let world = World::new().await;
    let mut servers = Vec::new();
    for _ in 0..MOST {
        servers.push(world.sandbox.serve(shell("exec cat")).await.unwrap());
    }
    let refused = world.sandbox.serve(shell("true")).await.err();
    let Some(SandboxError::Refused { reason }) = refused else {
        panic!("one more runs");
    };
    assert_eq!(reason, "20 servers run there already");
    assert_eq!(world.sh("echo tools go on").await, "tools go on");
    let (host, _state, _clean_up) = world.let_go();
    assert_eq!(host.stop(&name("one")).await.unwrap(), Stop::InUse);
    drop(servers);
    assert_eq!(host.stop(&name("one")).await.unwrap(), Stop::Stopped);
}
