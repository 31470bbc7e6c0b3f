//! One connection is one call: read the request, run the tool, answer.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec};

use super::shell_queue::{Progress, ShellHandle, Work};
use super::{GatewaySockets, Places, SpillDirectory};
use crate::limits::{
    AGENT_CONNECTIONS_MAX, PROTOCOL_VERSION, REQUEST_BYTES_MAX, REQUEST_TIME_MAX,
    RESPONSE_BYTES_MAX,
};
use crate::output::Output;
use crate::sys::process::exit_now;
use crate::tool::{Tool, check_call_id};
use crate::tools::{FileTools, run_file_tool};
use crate::wire::{Request, Response, read_frame, write_frame};

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
    gateway: GatewaySockets,
    open: AtomicUsize,
}

impl Connections {
    pub(super) fn new(places: Places, shell: ShellHandle, gateway: GatewaySockets) -> Self {
        let spill = SpillDirectory(places.spill.clone());
        Self {
            shared: Arc::new(Shared {
                places,
                spill,
                shell,
                gateway,
                open: AtomicUsize::new(0),
            }),
        }
    }

    /// Attends to the call in a thread of its own, if there may be one more.
    pub(super) fn attend(&self, stream: UnixStream) {
        let place = Place::take(&self.shared);
        let Some(place) = place else {
            refuse(&stream, "the sandbox is busy with too many calls");
            return;
        };
        let call = move || place.0.attend(&stream);
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

impl Shared {
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
            Ok(Some(Request::Run { id, tool })) => match check_call_id(&id) {
                Ok(()) => self.run(stream, &id, tool),
                Err(reason) => refuse(stream, &reason),
            },
            Ok(None) => {}
            Err(error) => refuse(stream, &format!("the request cannot be read: {error}")),
        }
    }

    fn run(&self, stream: &UnixStream, id: &str, tool: Tool) {
        let output = match tool {
            Tool::Bash { .. } | Tool::RestartShell => match self.run_in_shell(stream, id, tool) {
                Some(output) => output,
                None => return,
            },
            tool @ (Tool::Read { .. }
            | Tool::Write { .. }
            | Tool::Edit { .. }
            | Tool::Glob { .. }
            | Tool::Grep { .. }) => {
                let cancelled = || has_hung_up(stream);
                let tools = FileTools {
                    workspace: &self.places.workspace,
                    cancelled: &cancelled,
                };
                let output = run_file_tool(&tools, &tool);
                self.spill.bound(id, output)
            }
        };
        answer(stream, &Response::Done(output));
    }

    /// A shell that is busy is not waited for here: the host waits as long as it likes.
    fn rest(&self, stream: &UnixStream) {
        let Ok(client) = stream.try_clone() else {
            return;
        };
        if let Ok(Progress::Resting(losses)) = self.shell.submit(Work::Rest, client).recv() {
            answer(stream, &Response::Resting(losses));
        }
    }

    /// `None` when the call was cancelled.
    fn run_in_shell(&self, stream: &UnixStream, id: &str, tool: Tool) -> Option<Output> {
        let client = stream.try_clone().ok()?;
        let id = id.to_owned();
        let progress = self.shell.submit(Work::Tool { id, tool }, client);
        loop {
            match progress.recv() {
                Ok(Progress::Started) => answer(stream, &Response::Started),
                Ok(Progress::Done(output)) => return Some(output),
                Ok(Progress::Resting(_)) | Err(_) => return None,
            }
        }
    }
}

/// Whether the other side closed the connection, which is how it cancels.
pub(super) fn has_hung_up(stream: &UnixStream) -> bool {
    let mut fds = [PollFd::new(stream, PollFlags::RDHUP)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    rustix::event::poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}

fn refuse(stream: &UnixStream, reason: &str) {
    answer(
        stream,
        &Response::Refused {
            reason: reason.to_owned(),
        },
    );
}

/// A host that does not take its answer has cancelled; there is nobody to tell.
fn answer(mut stream: &UnixStream, response: &Response) {
    let _ = write_frame(&mut stream, response, RESPONSE_BYTES_MAX);
}
