//! What it means that nobody waits for a call any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by the calls of one purpose. As it is made, a call whose future is dropped goes on
/// inside and can be resumed: that is what the end of a server looks like. Once
/// [`Parting::cancel`] was called, dropping it ends it.
#[derive(Debug, Clone, Default)]
pub struct Parting {
    cancels: Arc<AtomicBool>,
}

impl Parting {
    /// For calls that end with whoever wanted them.
    pub fn that_cancels() -> Self {
        let parting = Self::default();
        parting.cancel();
        parting
    }

    /// From now on, to drop a call is to cancel it. It ends none that is waited for.
    pub fn cancel(&self) {
        self.cancels.store(true, Ordering::Release);
    }

    pub(super) fn is_cancel(&self) -> bool {
        self.cancels.load(Ordering::Acquire)
    }
}
