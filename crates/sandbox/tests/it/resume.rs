//! A call outlives the host that began it: its result is there for the next one.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use hostler_sandbox::{Call, Parting, Sandbox, Tool};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::world::{CleanUp, World, name, ok};

fn call(id: &str, command: &str) -> Call {
    let tool = Tool::Bash {
        command: command.to_owned(),
        timeout_ms: None,
    };
    let id = id.to_owned();
    Call { id, tool }
}

impl World {
    /// A pipe in the workspace that a command can read from.
    fn pipe(&self, name: &str) {
        let path = self.on_host("workspace").join(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::empty(), 0).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    }

    /// Waits until a command reads from the pipe. Dropping the file lets it go on.
    async fn reader(&self, name: &str) -> File {
        let path = self.on_host("workspace").join(name);
        let open = move || File::options().write(true).open(path).unwrap();
        tokio::task::spawn_blocking(open).await.unwrap()
    }

    /// Begins a call whose command reads from the pipe, and gives up on it when it does.
    async fn begin_and_leave(&self, call: Call, pipe: &str, parting: &Parting) -> File {
        tokio::select! {
            output = self.sandbox.run_until(call, parting) => panic!("{output:?}"),
            reader = self.reader(pipe) => reader,
        }
    }
}

/// Waits until nobody reads from the pipe any more.
async fn abandoned(pipe: File) {
    use rustix::event::{PollFd, PollFlags};
    let wait = move || rustix::event::poll(&mut [PollFd::new(&pipe, PollFlags::ERR)], None);
    assert_eq!(tokio::task::spawn_blocking(wait).await.unwrap(), Ok(1));
}

async fn resume(sandbox: &Sandbox, id: &str) -> Option<hostler_sandbox::Output> {
    let parting = Parting::default();
    sandbox.resume(call(id, ""), &parting).await.unwrap()
}

#[tokio::test]
async fn a_command_goes_on_without_its_host_and_the_next_one_has_its_result() {
    let world = World::new().await;
    world.pipe("go");
    let command = "echo once >> ran; read word < go; echo the end";
    let parting = Parting::default();
    let go = world
        .begin_and_leave(call("left", command), "go", &parting)
        .await;
    let ran = world.on_host("workspace/ran");
    let (host, _state) = world.restart_server().await;
    let _clean_up = CleanUp::of(&host);
    let found = host.find(&name("one")).await.unwrap().unwrap();
    let (output, ()) = tokio::join!(resume(&found, "left"), async { drop(go) });
    ok(&output.unwrap(), "the end\n");
    // Whoever asks again is told the same, and nothing runs again.
    ok(&resume(&found, "left").await.unwrap(), "the end\n");
    assert!(resume(&found, "never").await.is_none());
    assert_eq!(fs::read_to_string(ran).unwrap(), "once\n");
    assert!(host.find(&name("two")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_word_cancels_what_a_silence_does_not() {
    let world = World::new().await;
    world.pipe("go");
    let command = "read word < go; echo the end";
    let parting = Parting::default();
    let cancelled = tokio::select! {
        output = world.sandbox.run_until(call("first", command), &parting) => panic!("{output:?}"),
        go = async {
            let go = world.reader("go").await;
            parting.cancel();
            go
        } => go,
    };
    abandoned(cancelled).await;
    // Another server's call is cancelled by its id.
    let parting = Parting::default();
    let go = world
        .begin_and_leave(call("second", command), "go", &parting)
        .await;
    world.sandbox.cancel("second").await;
    abandoned(go).await;
    world.sh("echo usable").await;
    world.end().await;
}

#[tokio::test]
async fn what_the_last_calls_answered_is_kept_and_no_more() {
    let world = World::new().await;
    for number in 0..66 {
        let id = format!("call_{number}");
        world
            .sandbox
            .run(call(&id, &format!("echo {number}")))
            .await
            .unwrap();
    }
    assert!(resume(&world.sandbox, "call_0").await.is_none());
    ok(&resume(&world.sandbox, "call_65").await.unwrap(), "65\n");
    // Long ones push out more.
    for number in 0..12 {
        let id = format!("long_{number}");
        let long = call(&id, "head -c 99000 /dev/zero | tr '\\0' x");
        world.sandbox.run(long).await.unwrap();
    }
    assert!(resume(&world.sandbox, "call_65").await.is_none());
    assert!(resume(&world.sandbox, "long_0").await.is_none());
    assert!(resume(&world.sandbox, "long_11").await.is_some());
    world.end().await;
}
