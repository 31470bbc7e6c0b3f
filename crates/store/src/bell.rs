//! "Look", for all who wait, in the order in which they began to wait. It is known how often it rang, so
//! nobody misses it who was not waiting just then.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: AtomicU64,
    waiting: Notify,
}

/// How often it had rung when somebody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard(u64);

impl Bell {
    pub(crate) fn ring(&self) {
        self.rung.fetch_add(1, Ordering::SeqCst);
        self.waiting.notify_waiters();
    }

    pub(crate) fn heard(&self) -> Heard {
        Heard(self.rung.load(Ordering::SeqCst))
    }

    /// Waits until it has rung since `heard`, which is moved on then. Cancel-safe.
    pub(crate) async fn ringing(&self, heard: &mut Heard) {
        loop {
            let mut waiting = pin!(self.waiting.notified());
            waiting.as_mut().enable();
            let now = self.heard();
            if now != *heard {
                *heard = now;
                return;
            }
            waiting.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn what_rang_before_is_heard_once_and_by_everybody() {
        let bell = Bell::default();
        let (mut one, mut other) = (bell.heard(), bell.heard());
        assert!(bell.ringing(&mut one).now_or_never().is_none());
        bell.ring();
        bell.ring();
        assert!(bell.ringing(&mut one).now_or_never().is_some());
        assert!(bell.ringing(&mut one).now_or_never().is_none());
        assert!(bell.ringing(&mut other).now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_waits_is_told() {
        let bell = Bell::default();
        let mut heard = bell.heard();
        let waits = bell.ringing(&mut heard);
        let rings = async { bell.ring() };
        tokio::join!(biased; waits, rings);
    }
}
