//! The sandboxes of a world's sessions, as seen and killed from outside.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_protocol::id::{EventId, SessionId};
use hostler_sandbox::{Call, HostOptions, SandboxHost, Spec, Tool};
use hostler_testkit::TableChanges;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
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

const OF_ONE_HOST: [&str; 2] = ["sandboxes", "images"];
const AWAY: [&str; 2] = ["sandboxes_away", "images_away"];

impl World {
    /// From now on the engines of this world are on another machine: the same database and blob
    /// store, other folders and other user ids, and nothing of what the first has.
    pub(super) async fn on_another_host(&mut self) -> SandboxHost {
        let mut options = HostOptions::new(self.folder.path().join("sandboxes_elsewhere"));
        options.launcher = PathBuf::from(env!("CARGO_BIN_EXE_hostler"));
        options.uid_base = 700_000_000;
        let there = SandboxHost::start(options).await.unwrap();
        self.rename(OF_ONE_HOST, AWAY);
        std::mem::replace(&mut self.sandboxes, there)
    }

    /// On the first machine again.
    pub(super) fn on_the_first_host(&mut self, host: SandboxHost) {
        self.rename(AWAY, OF_ONE_HOST);
        self.sandboxes = host;
    }

    fn rename(&self, from: [&str; 2], to: [&str; 2]) {
        for (from, to) in from.into_iter().zip(to) {
            let place = |name: &str| self.folder.path().join(name);
            if place(from).exists() {
                std::fs::rename(place(from), place(to)).unwrap();
            }
        }
    }

    /// Waits until the session has an archive, and another one than `before`.
    pub(super) async fn archived(&self, session: SessionId, before: Option<EventId>) -> EventId {
        let mut changes = ArchiveChanges::of(self).await;
        loop {
            let archive = self.store.checkpoint(session).await.unwrap();
            if let Some(archive) = archive.filter(|archive| Some(archive.id) != before) {
                return archive.id;
            }
            changes.next(self).await;
        }
    }
}

/// Whoever writes down an archive, or anything else, changes the file of the database; a server of
/// databases can be asked to tell.
enum ArchiveChanges {
    File(Arc<OwnedFd>),
    Table(TableChanges),
}

impl ArchiveChanges {
    async fn of(world: &World) -> Self {
        let folder = world.folder.path();
        match TableChanges::of(folder, "sandbox_checkpoints").await {
            Some(changes) => Self::Table(changes),
            None => {
                let watch = Arc::new(init(CreateFlags::CLOEXEC).unwrap());
                add_watch(&watch, folder, WatchFlags::MODIFY).unwrap();
                Self::File(watch)
            }
        }
    }

    async fn next(&mut self, world: &World) {
        match self {
            Self::Table(changes) => changes.next().await,
            Self::File(watch) => {
                let watch = Arc::clone(watch);
                let read = move || rustix::io::read(&*watch, &mut [0; 4096]);
                tokio::task::spawn_blocking(read).await.unwrap().unwrap();
                // It is written before it can be read. A write that changes nothing waits for its turn.
                let nobody = world.env.id();
                world.store.delete_checkpoint(nobody).await.unwrap();
            }
        }
    }
}

/// Waits for the end of a process.
pub(super) async fn ended(process: OwnedFd) {
    let wait = move || poll(&mut [PollFd::new(&process, PollFlags::IN)], None);
    assert_eq!(tokio::task::spawn_blocking(wait).await.unwrap(), Ok(1));
}
