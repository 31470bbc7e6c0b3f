//! The keeper's own process: lets the agent in, once, and then takes the server's connections.
//!
//! The agent is the first process of its container and comes before anything else can run there;
//! after it the socket at the door is gone, so no tool can say that it is the agent. Nor can one
//! reach the agent: its connections come from here, as descriptors, and from nowhere else.

use std::fs;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::files;
use crate::hand_over::hand_over;
use crate::limits::{KEEPER_CONNECTIONS_MAX, REQUEST_BYTES_MAX, REQUEST_TIME_MAX};
use crate::pod::{BOX_DIRECTORY, DOOR_SOCKET, KEEPER_SOCKET, KeeperRequest};
use crate::sys::descriptors::close_inherited;
use crate::wire::read_frame;

/// Does not return: when the agent is gone, the files are still here to be fetched.
pub(super) fn keep() -> io::Result<()> {
    close_inherited()?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let server = listen(KEEPER_SOCKET)?;
    let agent = Arc::new(let_agent_in()?);
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, _) = server.accept()?;
        let place = Place::take(&open);
        let agent = Arc::clone(&agent);
        let attend = move || {
            let Some(_place) = place else { return };
            // Whoever asked sees that its connection ends.
            let _ = attend(stream, &agent);
        };
        // Without a thread the connection is dropped, which is as good an answer.
        let _ = thread::Builder::new()
            .name("connection".to_owned())
            .spawn(attend);
    }
}

fn listen(path: &str) -> io::Result<UnixListener> {
    let draft = format!("{path}.new");
    let listener = UnixListener::bind(&draft)?;
    fs::rename(draft, path)?;
    Ok(listener)
}

fn let_agent_in() -> io::Result<UnixStream> {
    let door = listen(DOOR_SOCKET)?;
    let (agent, _) = door.accept()?;
    fs::remove_file(DOOR_SOCKET)?;
    Ok(agent)
}

fn attend(mut stream: UnixStream, agent: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(REQUEST_TIME_MAX))?;
    stream.set_write_timeout(Some(REQUEST_TIME_MAX))?;
    match read_frame::<KeeperRequest>(&mut stream, REQUEST_BYTES_MAX)? {
        Some(KeeperRequest::Agent) => hand_over(agent, &stream),
        Some(request) => files::answer(request, stream, BOX_DIRECTORY.as_ref()),
        None => Ok(()),
    }
}

/// One of the connections that may be open; given back on drop.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let before = open.fetch_add(1, Ordering::AcqRel);
        let place = Self(Arc::clone(open));
        (before < KEEPER_CONNECTIONS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
