//! A sandbox is made while the model is being called, and nobody waits for it who needs none.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use hostler_testkit::{Gate, Reply};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::json;

use super::shown::public;
use super::world::World;

/// A launcher that waits for the test if the pipe beside it exists when it is started.
struct SlowLauncher {
    folder: tempfile::TempDir,
}

impl SlowLauncher {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let launcher = Self { folder };
        let pipe = launcher.pipe();
        let script = format!(
            "#!/bin/sh\necho $$ > {2}\n[ -e {0} ] && read word < {0}\nexec {1} \"$@\"\n",
            pipe.display(),
            env!("CARGO_BIN_EXE_hostler"),
            launcher.pid().display(),
        );
        fs::write(launcher.path(), script).unwrap();
        fs::set_permissions(launcher.path(), fs::Permissions::from_mode(0o755)).unwrap();
        launcher
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("launcher")
    }

    fn pipe(&self) -> PathBuf {
        self.folder.path().join("pipe")
    }

    fn pid(&self) -> PathBuf {
        self.folder.path().join("pid")
    }

    /// From here on it waits: the one that runs is ended, and the next launch starts another.
    fn hold(&self) {
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, self.pipe(), FileType::Fifo, mode, 0).unwrap();
        let pid = fs::read_to_string(self.pid()).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        let zygote = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        pidfd_send_signal(&zygote, Signal::KILL).unwrap();
        let mut end = [PollFd::new(&zygote, PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut end, None), Ok(1));
    }

    /// Waits until a launch waits in its turn. Dropping the file lets it go on.
    async fn held(&self) -> File {
        let pipe = self.pipe();
        let open = move || File::options().write(true).open(pipe).unwrap();
        tokio::task::spawn_blocking(open).await.unwrap()
    }

    fn release(&self, held: File) {
        fs::remove_file(self.pipe()).unwrap();
        drop(held);
    }
}

#[tokio::test]
async fn the_sandbox_is_made_while_the_model_is_called() {
    let launcher = SlowLauncher::new();
    let world = World::launched_by(launcher.path()).await;
    let gate = Gate::new();
    let run = json!({"command": "echo ready"});
    let first = Reply::new()
        .and_text("I look.")
        .and_wait(&gate)
        .and_tool_use("bash", run);
    world.model.reply(first);
    world.model.reply(Reply::text("It is."));
    let session = world.session().await;
    let _engine = world.engine().await;
    launcher.hold();
    world.say(session, "Is it ready?").await;
    // The model has not answered yet, and the launch has begun.
    world.model.request(0).await;
    let held = launcher.held().await;
    // It answers, and its call is recorded, while the launch still waits.
    gate.open();
    world
        .log_when(session, |log| {
            log.iter()
                .any(|row| row.event.name() == "hostler.tool_started")
        })
        .await;
    launcher.release(held);
    let log = public(&world.log_after_turns(session, 1).await);
    assert!(log.contains(&"gives ready\n".to_owned()), "{log:?}");
    assert!(log.contains(&"says It is.".to_owned()), "{log:?}");
}

#[tokio::test]
async fn a_turn_without_tools_waits_for_no_sandbox() {
    let launcher = SlowLauncher::new();
    let world = World::launched_by(launcher.path()).await;
    world.model.reply(Reply::text("Hello."));
    world.model.reply(Reply::text("Hello again."));
    let session = world.session().await;
    let _engine = world.engine().await;
    launcher.hold();
    for (turn, word) in [(1, "says Hello."), (2, "says Hello again.")] {
        world.say(session, "Hello!").await;
        let log = public(&world.log_after_turns(session, turn).await);
        assert!(log.contains(&word.to_owned()), "{log:?}");
    }
}

#[tokio::test]
async fn a_replaced_sandbox_is_told_of_though_it_was_made_ahead() {
    let launcher = SlowLauncher::new();
    let world = World::launched_by(launcher.path()).await;
    let session = world.session().await;
    world.open_sandbox(session).await;
    world.kill_sandbox(session).await;
    let gate = Gate::new();
    let run = json!({"command": "echo ready"});
    let first = Reply::new().and_wait(&gate).and_tool_use("bash", run);
    world.model.reply(first);
    world.model.reply(Reply::text("It is."));
    launcher.hold();
    let _engine = world.engine().await;
    world.say(session, "Is it ready?").await;
    launcher.release(launcher.held().await);
    gate.open();
    let log = public(&world.log_after_turns(session, 1).await);
    let told = |line: &String| line.contains("ready") && line.contains("the sandbox was restarted");
    assert!(log.iter().any(told), "{log:?}");
}
