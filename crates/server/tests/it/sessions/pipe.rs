//! A pipe in a session's workspace: a command that reads from it waits for the test.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use hostler_protocol::id::SessionId;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::world::World;

/// Makes `pipe` in the workspace of a session whose sandbox was opened.
pub(super) fn make(world: &World, session: SessionId) {
    let pipe = world.workspace(session).join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::empty(), 0).unwrap();
    fs::set_permissions(&pipe, fs::Permissions::from_mode(0o666)).unwrap();
}

/// Waits until a command reads from the pipe. Dropping the file lets it go on.
pub(super) async fn reader(world: &World, session: SessionId) -> File {
    let pipe = world.workspace(session).join("pipe");
    let open = move || File::options().write(true).open(pipe).unwrap();
    tokio::task::spawn_blocking(open).await.unwrap()
}
