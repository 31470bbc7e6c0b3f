//! What the API of the cluster starts for each connection of the server: a pipe to the keeper.
//!
//! It runs as long as both sides do. Where the server's side ends, the keeper is told that nothing
//! more comes; where the keeper's side ends, so does this process.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::thread;

use crate::hand_over::connect_when_there;
use crate::limits::RELAY_BUFFER_BYTES;
use crate::pod::KEEPER_SOCKET;

pub(super) fn relay() -> io::Result<()> {
    let keeper = connect_when_there(KEEPER_SOCKET.as_ref())?;
    let from_keeper = keeper.try_clone()?;
    let incoming = thread::Builder::new().name("incoming".to_owned());
    incoming.spawn(move || {
        // An error here is an end, too.
        let _ = pass_on(&mut io::stdin().lock(), &mut &keeper);
        let _ = keeper.shutdown(Shutdown::Write);
    })?;
    pass_on(&mut &from_keeper, &mut io::stdout().lock())
}

/// At once, whatever the length: an answer must not wait for the next one.
fn pass_on(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; RELAY_BUFFER_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                to.write_all(&buffer[..length])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
