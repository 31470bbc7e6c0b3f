//! One connection is one request: read it, do it, answer.
//!
//! A connection has a thread for itself. Most come one after the other, so one thread waits for the next; more
//! end with their connection. A call that waits for the shell goes on without it.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::calls::{Call, Calls, Stage};
use super::exec::{Execs, Order, Purpose};
use super::shell_queue::ShellHandle;
use super::{GatewaySockets, Places, SpillDirectory};
use crate::limits::{
    AGENT_CONNECTIONS_MAX, PROTOCOL_VERSION, REQUEST_BYTES_MAX, REQUEST_TIME_MAX,
    RESPONSE_BYTES_MAX,
};
use crate::output::Output;
use crate::sys::process::exit_now;
use crate::tool::{Tool, check_call_id};
use crate::tools::{FileTools, run_file_tool};
use crate::wire::{Request, Response, encode, read_frame, write_frame};

/// File tools do not recurse into what they read; this is plenty.
const STACK_BYTES: usize = 1 << 20;

#[derive(Clone)]
pub(super) struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    places: Places,
    spill: SpillDirectory,
    shell: ShellHandle,
    calls: Arc<Calls>,
    execs: Execs,
    gateway: GatewaySockets,
    open: AtomicUsize,
    idle: Idle,
}

/// The thread that waits for a connection, if one does.
#[derive(Default)]
struct Idle {
    desk: Mutex<Desk>,
    changed: Condvar,
}

#[derive(Default)]
enum Desk {
    #[default]
    Nobody,
    Waiting,
    /// What the one who waits is to attend to.
    Taken(UnixStream, Place),
}

impl Connections {
    pub(super) fn new(
        places: Places,
        shell: ShellHandle,
        calls: Arc<Calls>,
        execs: Execs,
        gateway: GatewaySockets,
    ) -> Self {
        let spill = SpillDirectory(places.spill.clone());
        Self {
            shared: Arc::new(Shared {
                places,
                spill,
                shell,
                calls,
                execs,
                gateway,
                open: AtomicUsize::new(0),
                idle: Idle::default(),
            }),
        }
    }

    /// Attends to the call in another thread, if there may be one more call.
    pub(super) fn attend(&self, stream: UnixStream) {
        let place = Place::take(&self.shared);
        let Some(place) = place else {
            refuse(&stream, "the sandbox is busy with too many calls");
            return;
        };
        let Some((stream, place)) = self.shared.idle.hand_over(stream, place) else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        let call = move || shared.attend_in_turn(stream, place);
        // Without a thread the stream is dropped, which the host sees as a broken call.
        let _ = thread::Builder::new()
            .name("call".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(call);
    }

    /// Ends the sandbox and all that was started in it.
    pub(super) fn end(&self) -> ! {
        self.shared.end()
    }
}

/// One of the connections that may be open; given back on drop.
struct Place(Arc<Shared>);

impl Place {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let before = shared.open.fetch_add(1, Ordering::AcqRel);
        let place = Self(Arc::clone(shared));
        (before < AGENT_CONNECTIONS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Idle {
    /// Gives both back if nobody waits.
    fn hand_over(&self, stream: UnixStream, place: Place) -> Option<(UnixStream, Place)> {
        let mut desk = self.lock();
        match *desk {
            Desk::Waiting => *desk = Desk::Taken(stream, place),
            Desk::Nobody | Desk::Taken(..) => return Some((stream, place)),
        }
        drop(desk);
        self.changed.notify_one();
        None
    }

    /// What to attend to next. `None`: somebody else waits already.
    fn wait(&self) -> Option<(UnixStream, Place)> {
        let mut desk = self.lock();
        match *desk {
            Desk::Nobody => *desk = Desk::Waiting,
            Desk::Waiting | Desk::Taken(..) => return None,
        }
        loop {
            desk = self
                .changed
                .wait(desk)
                .unwrap_or_else(PoisonError::into_inner);
            if let Desk::Taken(..) = *desk
                && let Desk::Taken(stream, place) = std::mem::take(&mut *desk)
            {
                return Some((stream, place));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn attend_in_turn(&self, stream: UnixStream, place: Place) {
        let mut next = Some((stream, place));
        while let Some((stream, place)) = next {
            self.attend(&stream);
            // Both before the wait: the host sees the end of a connection, and the place is free.
            drop((stream, place));
            next = self.idle.wait();
        }
    }

    fn end(&self) -> ! {
        self.shell.kill_everything();
        exit_now(0)
    }

    fn attend(&self, mut stream: &UnixStream) {
        let bounded = stream
            .set_read_timeout(Some(REQUEST_TIME_MAX))
            .and_then(|()| stream.set_write_timeout(Some(REQUEST_TIME_MAX)));
        if bounded.is_err() {
            return;
        }
        match read_frame::<Request>(&mut stream, REQUEST_BYTES_MAX) {
            Ok(Some(Request::Ping)) => {
                answer(
                    stream,
                    &Response::Pong {
                        protocol: PROTOCOL_VERSION,
                    },
                );
            }
            Ok(Some(Request::Shutdown)) => self.end(),
            Ok(Some(Request::Rest)) => self.rest(stream),
            // A host that cannot be answered asks again.
            Ok(Some(Request::Sockets)) => drop(self.gateway.give(stream)),
            Ok(Some(Request::Run { id, tool })) => {
                match check_call_id(&id).and_then(|()| self.calls.begin(&id)) {
                    Ok(call) => self.run(stream, call, tool),
                    Err(reason) => refuse(stream, &reason),
                }
            }
            Ok(Some(Request::Resume { id })) => match self.calls.find(&id) {
                Some(call) => follow(stream, &call),
                None => answer(stream, &Response::Unknown),
            },
            Ok(Some(Request::Cancel { id })) => {
                if let Some(call) = self.calls.find(&id) {
                    call.cancel();
                }
            }
            Ok(Some(Request::Exec { words, terminal })) => {
                let order = Order {
                    words,
                    variables: Vec::new(),
                    terminal,
                };
                self.execute(stream, Purpose::Operator, &order);
            }
            Ok(Some(Request::Serve { words, variables })) => {
                let order = Order {
                    words,
                    variables,
                    terminal: None,
                };
                self.execute(stream, Purpose::Serving, &order);
            }
            Ok(None) => {}
            Err(error) => refuse(stream, &format!("the request cannot be read: {error}")),
        }
    }

    fn execute(&self, stream: &UnixStream, purpose: Purpose, order: &Order) {
        match self.execs.take_turn(purpose) {
            Ok(_turn) => {
                answer(stream, &Response::Executing);
                self.execs.run(stream, purpose, order);
            }
            Err(reason) => refuse(stream, &reason),
        }
    }

    fn run(&self, stream: &UnixStream, call: Arc<Call>, tool: Tool) {
        match tool {
            Tool::Bash { .. } | Tool::RestartShell => {
                self.shell.submit(Arc::clone(&call), tool);
            }
            tool @ (Tool::Read { .. }
            | Tool::Write { .. }
            | Tool::Edit { .. }
            | Tool::Glob { .. }
            | Tool::Grep { .. }) => {
                let cancelled = || {
                    if Peer::of(stream) == Peer::Cancels {
                        call.cancel();
                    }
                    call.is_cancelled()
                };
                let tools = FileTools {
                    workspace: &self.places.workspace,
                    cancelled: &cancelled,
                };
                let output = run_file_tool(&tools, &tool);
                let output = self.spill.bound(call.id(), output);
                call.enter(answered(output));
                self.calls.trim();
            }
        }
        follow(stream, &call);
    }

    /// A shell that is busy is not waited for here: the host waits as long as it likes.
    fn rest(&self, stream: &UnixStream) {
        let Ok(client) = stream.try_clone() else {
            return;
        };
        if let Ok(losses) = self.shell.rest(client).recv() {
            answer(stream, &Response::Resting(losses));
        }
    }
}

/// The stage of a call that is over.
pub(super) fn answered(output: Output) -> Stage {
    encode(&Response::Done(output), RESPONSE_BYTES_MAX)
        .map_or(Stage::Abandoned, |frame| Stage::Answered(Arc::new(frame)))
}

/// Tells the host how a call goes on until it is over or the host is gone; a word from it
/// cancels the call.
fn follow(stream: &UnixStream, call: &Arc<Call>) {
    let Ok(bell) = call.listen() else {
        return;
    };
    follow_until_over(stream, call, &bell);
    call.stop_listening(&bell);
}

fn follow_until_over(mut stream: &UnixStream, call: &Call, bell: &OwnedFd) {
    let mut has_told_start = false;
    loop {
        match call.stage() {
            Stage::Answered(frame) => {
                // A host that does not take its answer finds it again by the call's id.
                let _ = stream.write_all(&frame);
                return;
            }
            Stage::Abandoned => return,
            Stage::Started if !has_told_start => {
                answer(stream, &Response::Started);
                has_told_start = true;
            }
            Stage::Started | Stage::Queued => {}
        }
        let mut waiting = [
            PollFd::new(bell, PollFlags::IN),
            PollFd::new(stream, PollFlags::IN | PollFlags::RDHUP),
        ];
        if rustix::event::poll(&mut waiting, None).is_err() {
            continue;
        }
        let [rung, spoken] = waiting.map(|fd| !fd.revents().is_empty());
        if rung {
            let _ = rustix::io::read(bell, &mut [0; 8]);
        }
        if spoken {
            match Peer::of(stream) {
                Peer::Listens => {}
                Peer::Cancels => return call.cancel(),
                Peer::Gone => return,
            }
        }
    }
}

/// What the host on the other side of a connection wants.
#[derive(PartialEq, Eq)]
pub(super) enum Peer {
    Listens,
    Cancels,
    /// Dead, most likely: it has not said a word.
    Gone,
}

impl Peer {
    pub(super) fn of(stream: &UnixStream) -> Self {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(stream, &mut [0_u8; 1][..], flags) {
            Ok((0, _)) => Self::Gone,
            Ok(_) => Self::Cancels,
            Err(Errno::AGAIN | Errno::INTR) => Self::Listens,
            Err(_) => Self::Gone,
        }
    }
}

fn refuse(stream: &UnixStream, reason: &str) {
    answer(
        stream,
        &Response::Refused {
            reason: reason.to_owned(),
        },
    );
}

/// A host that does not take its answer is gone; there is nobody to tell.
fn answer(mut stream: &UnixStream, response: &Response) {
    let _ = write_frame(&mut stream, response, RESPONSE_BYTES_MAX);
}
