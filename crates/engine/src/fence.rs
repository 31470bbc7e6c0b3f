//! Until when a runner may act: for as long as its lease is certainly held, by a clock of this
//! machine that nobody sets.
//!
//! The log takes nothing from a lost lease, but tools run outside of the log. So each runner
//! stops itself, whatever the supervisor is waiting for at that moment.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// What is known of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// There is nobody who could take it.
    Unrivalled,
    Until(Instant),
    Lost,
}

/// Why a runner has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breach {
    /// The lease may have run out.
    RanOut,
    /// Somebody else has it, or the session is gone.
    TakenOver,
}

/// Of one runner. Whoever renews its lease moves it.
#[derive(Debug, Clone)]
pub(crate) struct Fence(watch::Receiver<Hold>);

impl Fence {
    pub(crate) fn new(hold: Hold) -> (watch::Sender<Hold>, Self) {
        let (mover, seen) = watch::channel(hold);
        (mover, Self(seen))
    }

    /// Runs `act`, and drops it when the fence is reached.
    pub(crate) async fn guard<T>(self, act: impl Future<Output = T>) -> Result<T, Breach> {
        tokio::select! {
            biased;
            breach = self.reached() => Err(breach),
            done = act => Ok(done),
        }
    }

    pub(crate) fn is_reached(&self) -> bool {
        match *self.0.borrow() {
            Hold::Unrivalled => false,
            Hold::Until(end) => Instant::now() >= end,
            Hold::Lost => true,
        }
    }

    async fn reached(mut self) -> Breach {
        loop {
            let hold = *self.0.borrow_and_update();
            match hold {
                Hold::Lost => return Breach::TakenOver,
                Hold::Until(end) if Instant::now() >= end => return Breach::RanOut,
                Hold::Until(end) => tokio::select! {
                    biased;
                    () = sleep_until(end) => {}
                    () = moved(&mut self.0) => {}
                },
                Hold::Unrivalled => moved(&mut self.0).await,
            }
        }
    }
}

/// When nobody is left who could move it, what was known last stays true.
async fn moved(seen: &mut watch::Receiver<Hold>) {
    if seen.changed().await.is_err() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn an_act_is_dropped_at_the_fence_and_no_earlier() {
        let start = Instant::now();
        let (_mover, fence) = Fence::new(Hold::Until(start + SECOND));
        let act = std::future::pending::<()>();
        assert_eq!(fence.clone().guard(act).await, Err(Breach::RanOut));
        assert_eq!(start.elapsed(), SECOND);
        assert!(fence.is_reached());
    }

    #[tokio::test(start_paused = true)]
    async fn an_act_goes_on_for_as_long_as_the_fence_is_moved() {
        let start = Instant::now();
        let (mover, fence) = Fence::new(Hold::Until(start + SECOND));
        let renewals = async {
            for _ in 0..10 {
                tokio::time::sleep(SECOND / 2).await;
                mover.send_replace(Hold::Until(Instant::now() + SECOND));
            }
            // It stops to be moved here.
            std::future::pending::<()>().await
        };
        assert_eq!(fence.guard(renewals).await, Err(Breach::RanOut));
        assert_eq!(start.elapsed(), SECOND * 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_another_has_stops_the_act_at_once() {
        let start = Instant::now();
        let (mover, fence) = Fence::new(Hold::Until(start + SECOND * 100));
        let lose = async {
            tokio::time::sleep(SECOND).await;
            mover.send_replace(Hold::Lost);
            std::future::pending::<()>().await
        };
        assert_eq!(fence.guard(lose).await, Err(Breach::TakenOver));
        assert_eq!(start.elapsed(), SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_begun_behind_the_fence() {
        let (mover, fence) = Fence::new(Hold::Until(Instant::now() + SECOND));
        drop(mover);
        tokio::time::sleep(SECOND).await;
        let act = async { panic!("it was polled") };
        assert_eq!(fence.guard(act).await, Err::<(), _>(Breach::RanOut));
    }
}
