//! The sandboxes of a world's sessions, as seen and killed from outside.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use hostler_protocol::id::SessionId;
use hostler_sandbox::{Call, Spec, Tool};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::world::World;

impl World {
    /// Makes the session's sandbox before its first tool needs it.
    pub(super) async fn open_sandbox(&self, session: SessionId) {
        let name = session.to_string().parse().unwrap();
        self.sandboxes.open(&name, &Spec::default()).await.unwrap();
    }

    /// Runs a command in the session's sandbox behind those that its tools have sent there.
    pub(super) async fn run_in_sandbox(&self, session: SessionId, command: &str) {
        let name = session.to_string().parse().unwrap();
        let opened = self.sandboxes.open(&name, &Spec::default()).await.unwrap();
        let tool = Tool::Bash {
            command: command.to_owned(),
            timeout_ms: None,
        };
        let id = "behind".to_owned();
        let output = opened.sandbox.run(Call { id, tool }).await.unwrap();
        assert!(!output.is_error, "{output:?}");
    }

    /// Waits until the first process of the session's sandbox has ended.
    pub(super) async fn sandbox_ended(&self, session: SessionId) {
        let Some(process) = self.first_process(session) else {
            return;
        };
        ended(process).await;
    }

    /// Kills the session's sandbox, and waits for its end.
    pub(super) async fn kill_sandbox(&self, session: SessionId) {
        let process = self.first_process(session).expect("it is alive");
        pidfd_send_signal(&process, Signal::KILL).unwrap();
        self.sandbox_ended(session).await;
    }

    pub(super) fn first_process(&self, session: SessionId) -> Option<OwnedFd> {
        Self::first_process_in(&self.sandbox(session))
    }

    /// Makes a sandbox that is no session's, and gives its first process.
    pub(super) async fn open_sandbox_named(&self, name: &str) -> OwnedFd {
        let parsed = name.parse().unwrap();
        let opened = self.sandboxes.open(&parsed, &Spec::default()).await;
        drop(opened.unwrap());
        let place = self.folder.path().join("sandboxes/boxes").join(name);
        Self::first_process_in(&place).expect("it is alive")
    }

    fn first_process_in(directory: &Path) -> Option<OwnedFd> {
        let record = std::fs::read(directory.join("process.json")).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        let pid = i32::try_from(record["pid"].as_i64().unwrap()).unwrap();
        match pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
            Ok(process) => Some(process),
            Err(Errno::SRCH) => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn sandbox(&self, session: SessionId) -> PathBuf {
        let boxes = self.folder.path().join("sandboxes/boxes");
        boxes.join(session.to_string())
    }

    /// The sandbox's workspace, from outside.
    pub(super) fn workspace(&self, session: SessionId) -> PathBuf {
        self.sandbox(session).join("workspace")
    }

    pub(super) fn workspace_file(&self, session: SessionId, name: &str) -> Option<String> {
        std::fs::read_to_string(self.workspace(session).join(name)).ok()
    }
}

/// Waits for the end of a process.
pub(super) async fn ended(process: OwnedFd) {
    let wait = move || poll(&mut [PollFd::new(&process, PollFlags::IN)], None);
    assert_eq!(tokio::task::spawn_blocking(wait).await.unwrap(), Ok(1));
}
