//! What a seed decides before anything runs: who is there, and what befalls them.

use std::time::Duration;

use hostler_store::{SimulatedSharing, WakeUps};

use super::random::Random;

#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) sharing: SimulatedSharing,
    pub(super) servers: usize,
    pub(super) clients: usize,
    pub(super) actions: u64,
    pub(super) wake_ups: WakeUps,
    /// For how many milliseconds one server is run at most before the next one.
    pub(super) grain: u64,
    /// For how long there is bad weather.
    pub(super) storm: Duration,
    pub(super) faults: Faults,
    /// In the order of their time.
    pub(super) disasters: Vec<(Duration, Disaster)>,
    pub(super) running_sessions_max: usize,
    pub(super) parallel_tools_max: usize,
    pub(super) rest: Duration,
    pub(super) idle_stop: Option<Duration>,
    pub(super) context_window: Option<u64>,
    /// A lie, for the tests of the judge: all servers take themselves for one.
    pub(super) is_one_owner: bool,
}

/// How many of a thousand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    pub(super) busy: u64,
    pub(super) full: u64,
    pub(super) unsent: u64,
    pub(super) answer_lost: u64,
    pub(super) announcements_lost: u64,
    pub(super) slow: u64,
    pub(super) model: u64,
    /// Lies, for the tests of the judge.
    pub(super) forgotten: u64,
}

/// Of the server of that number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Disaster {
    /// It ends at once, and its machine lives.
    Kill(usize),
    /// The same right before or right behind the commit of one of its next writes.
    KillAtWrite(usize, u64, Commit),
    /// The machine loses its power, too.
    LosePower(usize),
    /// It is asked to end.
    Stop(usize),
    /// It stands still.
    Pause(usize, Duration),
    /// Its wall clock jumps by so many milliseconds.
    StepClock(usize, i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Commit {
    Not,
    Done,
}

impl Plan {
    pub(super) fn new(random: &mut Random) -> Self {
        let sharing = match random.below(3) {
            0 => SimulatedSharing::Alone,
            _ => SimulatedSharing::Shared,
        };
        let servers = match sharing {
            SimulatedSharing::Alone => 1,
            SimulatedSharing::Shared => 1 + random.index(3),
        };
        let storm = random.millis(4_000, 20_000);
        let disasters = (0..random.below(7))
            .map(|_| (random.millis(0, millis(storm)), disaster(random, servers)))
            .collect();
        let mut plan = Self {
            sharing,
            servers,
            clients: 1 + random.index(4),
            actions: random.between(2, 9),
            wake_ups: match random.below(5) {
                0 => WakeUps::Off,
                _ => WakeUps::On,
            },
            grain: [6, 16, 48][random.index(3)],
            storm,
            faults: faults(random, sharing),
            disasters,
            running_sessions_max: if random.in_thousand(150) { 1 } else { 16 },
            parallel_tools_max: 1 + random.index(4),
            rest: random.millis(0, 1) * 2_000,
            idle_stop: random.in_thousand(400).then_some(Duration::from_secs(2)),
            context_window: random.in_thousand(300).then_some(10_000),
            is_one_owner: false,
        };
        plan.disasters.sort_by_key(|(at, _)| *at);
        plan
    }
}

fn disaster(random: &mut Random, servers: usize) -> Disaster {
    let server = random.index(servers);
    match random.below(10) {
        0 | 1 => Disaster::Kill(server),
        2 | 3 => {
            let commit = if random.in_thousand(500) {
                Commit::Done
            } else {
                Commit::Not
            };
            Disaster::KillAtWrite(server, random.between(1, 12), commit)
        }
        4 => Disaster::LosePower(server),
        5 => Disaster::Stop(server),
        6..=8 => Disaster::Pause(server, random.millis(50, 12_000)),
        _ => {
            let reach = [300_000, 43_200_000][random.index(2)];
            let step = i64::try_from(random.below(2 * reach)).unwrap();
            Disaster::StepClock(server, step - i64::try_from(reach).unwrap())
        }
    }
}

fn faults(random: &mut Random, sharing: SimulatedSharing) -> Faults {
    let mut often = |most: u64| match random.below(3) {
        0 => 0,
        _ => random.below(most),
    };
    let (unsent, answer_lost) = match sharing {
        // A file has no connection that could break.
        SimulatedSharing::Alone => (0, 0),
        SimulatedSharing::Shared => (often(60), often(60)),
    };
    Faults {
        busy: often(40),
        full: often(20),
        unsent,
        answer_lost,
        announcements_lost: often(1_000),
        slow: often(60),
        model: often(300),
        forgotten: 0,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}
