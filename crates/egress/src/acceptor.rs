//! Takes the connections of one sandbox, on a thread of its own.
//!
//! The sandbox has the listening sockets too, and can make them block at any moment. Only this
//! thread would wait then, and with it nobody but that sandbox. It makes nothing but system
//! calls: what it meets is sent to where it is judged.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use rustix::net::{Shutdown, SocketFlags, accept_with};
use socket2::SockRef;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::connection::Door;
use crate::limits::{ACCEPT_RETRY, ACCEPTED_WAITING_MAX, ACCEPTOR_END_TIME_MAX, ACCEPTOR_STACK};

/// Dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Acceptor {
    sockets: Arc<Sockets>,
    /// Behind a lock only to be shared; nobody but the drop takes it.
    ended: Mutex<Option<blocking::Receiver<()>>>,
    runtime: Handle,
}

#[derive(Debug)]
struct Sockets {
    listeners: Vec<(TcpListener, Door)>,
    stop: OwnedFd,
}

/// A connection that doesn't block and doesn't linger, or why there is none.
pub(crate) type Accepted = io::Result<(TcpStream, Door)>;

impl Acceptor {
    pub(crate) fn start(
        listeners: Vec<(TcpListener, Door)>,
        runtime: Handle,
    ) -> io::Result<(Self, mpsc::Receiver<Accepted>)> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let sockets = Arc::new(Sockets { listeners, stop });
        let (accepted, connections) = mpsc::channel(ACCEPTED_WAITING_MAX);
        let (end, ended) = blocking::channel();
        let thread_sockets = Arc::clone(&sockets);
        std::thread::Builder::new()
            .name("egress-accept".to_owned())
            .stack_size(ACCEPTOR_STACK)
            .spawn(move || {
                thread_sockets.accept_all(&accepted);
                drop(thread_sockets);
                // Only now is it true that it waits for nothing any more.
                drop(end);
            })?;
        let acceptor = Self {
            sockets,
            ended: Mutex::new(Some(ended)),
            runtime,
        };
        Ok((acceptor, connections))
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        let _ = rustix::io::write(&self.sockets.stop, &1_u64.to_ne_bytes());
        let ended = self.ended.get_mut();
        let ended = ended.unwrap_or_else(PoisonError::into_inner).take();
        let sockets = Arc::clone(&self.sockets);
        drop(self.runtime.spawn_blocking(move || {
            let waiting = ended.map(|ended| ended.recv_timeout(ACCEPTOR_END_TIME_MAX));
            if let Some(Err(blocking::RecvTimeoutError::Timeout)) = waiting {
                // It was made to wait. No socket that does so is worth keeping.
                for (listener, _) in &sockets.listeners {
                    let _ = rustix::net::shutdown(listener, Shutdown::Both);
                }
            }
        }));
    }
}

impl Sockets {
    /// Until it is to stop, or nobody wants connections any more.
    fn accept_all(&self, accepted: &mpsc::Sender<Accepted>) {
        loop {
            let stop = PollFd::new(&self.stop, PollFlags::IN);
            let listeners = self.listeners.iter();
            let mut waiting: Vec<PollFd<'_>> = [stop]
                .into_iter()
                .chain(listeners.map(|(listener, _)| PollFd::new(listener, PollFlags::IN)))
                .collect();
            match poll(&mut waiting, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            let ready: Vec<bool> = waiting.iter().map(|fd| !fd.revents().is_empty()).collect();
            if ready[0] {
                return;
            }
            for ((listener, door), _) in self
                .listeners
                .iter()
                .zip(&ready[1..])
                .filter(|(_, is_ready)| **is_ready)
            {
                let connection = match accept(listener) {
                    // Whoever came has gone again.
                    Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => continue,
                    Err(error) => Err(error.into()),
                    Ok(stream) => Ok((stream, *door)),
                };
                let failed = connection.is_err();
                if accepted.blocking_send(connection).is_err() || failed && self.is_stopped_soon() {
                    return;
                }
            }
        }
    }

    /// A pause, unless it is to stop.
    fn is_stopped_soon(&self) -> bool {
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: ACCEPT_RETRY.subsec_nanos().into(),
        };
        let mut stop = [PollFd::new(&self.stop, PollFlags::IN)];
        poll(&mut stop, Some(&pause)).is_ok_and(|ready| ready > 0)
    }
}

/// What it takes from the listener is only what the sandbox had set: its time to linger would
/// have a thread wait at the close.
fn accept(listener: &TcpListener) -> Result<TcpStream, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let connection = TcpStream::from(accept_with(listener.as_fd(), flags)?);
    let _ = SockRef::from(&connection).set_linger(None);
    Ok(connection)
}
