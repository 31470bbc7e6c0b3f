//! The calls of this sandbox: those under way, and what the last ones answered.
//!
//! A call outlives the connection that brought it: a server that dies loses no result, and the
//! next one asks for it by the call's id. Only a word of the host cancels a call. What the last
//! ones answered is kept within bounds and until it is pushed out; the host, whose log is the
//! truth, asks for little of it and only when it starts.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};

use crate::limits::{AGENT_CONNECTIONS_MAX, ANSWERS_KEPT_BYTES_MAX, ANSWERS_KEPT_MAX};

/// In the order in which they came.
#[derive(Default)]
pub(super) struct Calls(Mutex<VecDeque<Arc<Call>>>);

/// One call, shared by whoever carries it out and whoever waits for its answer.
pub(super) struct Call {
    id: String,
    /// Readable once the call was cancelled.
    cancelled: OwnedFd,
    progress: Mutex<Progress>,
}

struct Progress {
    stage: Stage,
    /// Rung when the stage changes.
    bells: Vec<Arc<OwnedFd>>,
}

#[derive(Clone)]
pub(super) enum Stage {
    Queued,
    /// It left the queue of the shell.
    Started,
    /// The frame of the answer.
    Answered(Arc<Vec<u8>>),
    /// It was cancelled: there is no answer.
    Abandoned,
}

impl Calls {
    /// Takes up a call, or says why not. One of the same id that was there before is forgotten.
    pub(super) fn begin(&self, id: &str) -> Result<Arc<Call>, String> {
        let call = Call::new(id).map_err(|error| format!("the call cannot be tracked: {error}"))?;
        let call = Arc::new(call);
        let mut calls = self.lock();
        calls.retain(|known| known.id != id);
        if calls.iter().filter(|known| known.is_open()).count() >= AGENT_CONNECTIONS_MAX {
            return Err("the sandbox is busy with too many calls".to_owned());
        }
        calls.push_back(Arc::clone(&call));
        Ok(call)
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Call>> {
        self.lock().iter().find(|call| call.id == id).cloned()
    }

    /// Pushes out the oldest answers while they are too many or too large together.
    pub(super) fn trim(&self) {
        let mut calls = self.lock();
        let (mut kept, mut bytes, mut is_full) = (0, 0, false);
        let mut position = calls.len();
        while position > 0 {
            position -= 1;
            let size = match calls[position].stage() {
                Stage::Queued | Stage::Started => continue,
                Stage::Answered(frame) => frame.len(),
                Stage::Abandoned => 0,
            };
            kept += 1;
            bytes += size;
            is_full |= kept > ANSWERS_KEPT_MAX || bytes > ANSWERS_KEPT_BYTES_MAX;
            if is_full {
                calls.remove(position);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Call>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    fn new(id: &str) -> io::Result<Self> {
        Ok(Self {
            id: id.to_owned(),
            cancelled: bell()?,
            progress: Mutex::new(Progress {
                stage: Stage::Queued,
                bells: Vec::new(),
            }),
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn stage(&self) -> Stage {
        self.lock().stage.clone()
    }

    fn is_open(&self) -> bool {
        matches!(self.lock().stage, Stage::Queued | Stage::Started)
    }

    /// Moves on, and tells all who wait. An end is an end: nothing follows it.
    pub(super) fn enter(&self, stage: Stage) {
        let mut progress = self.lock();
        if matches!(progress.stage, Stage::Queued | Stage::Started) {
            progress.stage = stage;
        }
        for bell in &progress.bells {
            ring(bell);
        }
    }

    /// A descriptor that becomes readable whenever the stage changes from now on.
    pub(super) fn listen(&self) -> io::Result<Arc<OwnedFd>> {
        let bell = Arc::new(bell()?);
        self.lock().bells.push(Arc::clone(&bell));
        Ok(bell)
    }

    pub(super) fn stop_listening(&self, bell: &Arc<OwnedFd>) {
        self.lock().bells.retain(|other| !Arc::ptr_eq(other, bell));
    }

    pub(super) fn cancel(&self) {
        ring(&self.cancelled);
    }

    /// Readable once the call was cancelled.
    pub(super) fn cancellation(&self) -> BorrowedFd<'_> {
        self.cancelled.as_fd()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut waiting = [PollFd::new(&self.cancelled, PollFlags::IN)];
        rustix::event::poll(&mut waiting, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bell() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

fn ring(bell: &OwnedFd) {
    // Full means that it has been rung.
    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}
