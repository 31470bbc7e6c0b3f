//! Sessions that were taken again and again without getting on: the process may have died of one of
//! them. They run one at a time, so that each further death tells which it was and does not count
//! against the others, and with a longer pause each time, so that the others get on meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use hostler_protocol::id::SessionId;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::limits::{
    SUSPECT_PAUSE, SUSPECT_PAUSE_MAX, SUSPECT_TAKES, SUSPECT_TRIAL_MAX, SUSPECTS_WAITING_MAX,
    TAKES_MAX,
};

/// The one that runs.
struct Trial {
    session: SessionId,
    /// Cancelled when it gets on.
    got_on: CancellationToken,
    until: Instant,
}

#[derive(Default)]
pub(crate) struct Suspects {
    /// Until when they wait.
    waiting: BTreeMap<SessionId, Instant>,
    trial: Option<Trial>,
}

/// What [`Suspects::next`] waited for.
pub(crate) enum Turn {
    /// It may run now.
    Start(SessionId),
    /// It has run for so long that it does no harm.
    Harmless(SessionId),
}

impl Suspects {
    /// How often a session may have been taken for nothing when it is started now.
    pub(crate) fn takes_max(&self, session: SessionId) -> u32 {
        match &self.trial {
            Some(trial) if trial.session == session => u32::MAX,
            Some(_) | None => SUSPECT_TAKES,
        }
    }

    /// More than can wait are found again by the sweep.
    pub(crate) fn wait(&mut self, session: SessionId, takes: u32, now: Instant) {
        if self.waiting.len() < SUSPECTS_WAITING_MAX {
            self.waiting
                .entry(session)
                .or_insert_with(|| now + pause(takes));
        }
    }

    pub(crate) fn begin(&mut self, session: SessionId, now: Instant) {
        self.waiting.remove(&session);
        self.trial = Some(Trial {
            session,
            got_on: CancellationToken::new(),
            until: now + SUSPECT_TRIAL_MAX,
        });
    }

    /// To be cancelled by the runner of this session when it gets on.
    pub(crate) fn got_on(&self, session: SessionId) -> Option<CancellationToken> {
        let trial = self.trial.as_ref()?;
        (trial.session == session).then(|| trial.got_on.clone())
    }

    pub(crate) fn ended(&mut self, session: SessionId) {
        self.trial.take_if(|trial| trial.session == session);
    }

    /// Cancel-safe: what it has found out by then is true when it is asked again.
    pub(crate) async fn next(&mut self) -> Turn {
        if let Some(trial) = &self.trial {
            let session = trial.session;
            let got_on = timeout_at(trial.until, trial.got_on.cancelled()).await;
            self.trial = None;
            if got_on.is_err() {
                return Turn::Harmless(session);
            }
        }
        let first = self.waiting.iter().min_by_key(|(_, until)| **until);
        match first.map(|(session, until)| (*session, *until)) {
            Some((session, until)) => {
                sleep_until(until).await;
                Turn::Start(session)
            }
            None => std::future::pending().await,
        }
    }
}

/// Whether a session with so many takes, the present one included, is given up.
pub(crate) fn is_hopeless(takes: u32) -> bool {
    takes > TAKES_MAX
}

fn pause(takes: u32) -> Duration {
    if is_hopeless(takes.saturating_add(1)) {
        // It is not run any more.
        return Duration::ZERO;
    }
    let doublings = takes.saturating_sub(SUSPECT_TAKES).min(16);
    (SUSPECT_PAUSE * 2_u32.pow(doublings)).min(SUSPECT_PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_domain::Env;

    /// What comes within a time in which nothing else happens.
    async fn within(suspects: &mut Suspects, time: Duration) -> Option<Turn> {
        tokio::time::timeout(time, suspects.next()).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn they_run_one_at_a_time_and_the_more_suspect_later() {
        let env = Env::fixed(1);
        let (one, two) = (env.id(), env.id());
        let mut suspects = Suspects::default();
        suspects.wait(two, SUSPECT_TAKES + 1, Instant::now());
        suspects.wait(one, SUSPECT_TAKES, Instant::now());
        assert!(within(&mut suspects, SUSPECT_PAUSE / 2).await.is_none());
        let first = within(&mut suspects, SUSPECT_PAUSE).await;
        assert!(matches!(first, Some(Turn::Start(session)) if session == one));
        suspects.begin(one, Instant::now());
        assert_eq!(suspects.takes_max(one), u32::MAX);
        assert_eq!(suspects.takes_max(two), SUSPECT_TAKES);
        assert!(within(&mut suspects, SUSPECT_TRIAL_MAX / 2).await.is_none());

        suspects.got_on(one).unwrap().cancel();
        let second = within(&mut suspects, SUSPECT_PAUSE).await;
        assert!(matches!(second, Some(Turn::Start(session)) if session == two));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_lasts_is_harmless() {
        let env = Env::fixed(1);
        let (one, two) = (env.id(), env.id());
        let mut suspects = Suspects::default();
        suspects.begin(one, Instant::now());
        suspects.wait(two, SUSPECT_TAKES, Instant::now());
        let turn = within(&mut suspects, SUSPECT_TRIAL_MAX * 2).await;
        assert!(matches!(turn, Some(Turn::Harmless(session)) if session == one));
        let turn = within(&mut suspects, SUSPECT_PAUSE).await;
        assert!(matches!(turn, Some(Turn::Start(session)) if session == two));
    }

    #[tokio::test]
    async fn one_that_is_given_up_does_not_wait_for_it() {
        assert_eq!(pause(TAKES_MAX), Duration::ZERO);
        assert!(!is_hopeless(TAKES_MAX) && is_hopeless(TAKES_MAX + 1));
        assert_eq!(pause(TAKES_MAX - 1), SUSPECT_PAUSE * 16);
    }
}
