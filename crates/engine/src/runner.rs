//! The loop of one session: settle the log, do the one thing that follows, note what came of it.
//!
//! A start after a crash is this same loop. While something is being done the runner keeps
//! reading the log; an interrupt drops what is being done, and the next settling records why.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use hostler_domain::session::{ModelCall, SessionStatus, Step, ToolRun};
use hostler_protocol::event::{Draft, Seq};
use hostler_protocol::id::EventId;
use hostler_sandbox::Parting;
use hostler_store::{Lease, Wakes};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::fence::Fence;
use crate::journal::{Journal, JournalError};
use crate::limits::{LOOK_PAUSE, PAUSE_AFTER_NOTHING};
use crate::mcp::Servers;
use crate::model_call::call_model;
use crate::options::Parts;
use crate::outputs;
use crate::preparation::Preparation;
use crate::resume::cancel_closed;
use crate::sandbox_prompt::Telling;
use crate::tools::run_tools;

/// What is being done, and the facts that come of it. Dropping it leaves the work: a model's
/// answer is given up, and tools go on until somebody fetches their results; behind the fence they
/// end, since somebody else may tell by now that they were interrupted.
struct Activity {
    kind: Kind,
    fence: Fence,
    /// For the tools: what it means to leave them.
    parting: Parting,
    facts: SelectAll<BoxStream<'static, Vec<Draft>>>,
    /// How many tools run side by side, whenever they have joined.
    places: Arc<Semaphore>,
}

impl Drop for Activity {
    fn drop(&mut self) {
        if self.fence.is_reached() {
            self.parting.cancel();
        }
    }
}

/// What all activities of a runner share.
struct Surroundings {
    parts: Arc<Parts>,
    fence: Fence,
    telling: Telling,
    servers: Servers,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Model(ModelCall),
    Tools(Vec<ToolRun>),
}

/// Runs the session until it rests, its lease is lost, or `stop` is called and the present
/// activity has ended. The caller drops it at the fence. `got_on` is cancelled as soon as the log
/// has progress.
pub(crate) async fn run_session(
    parts: Arc<Parts>,
    lease: Lease,
    fence: Fence,
    got_on: CancellationToken,
    stop: CancellationToken,
) -> Result<(), JournalError> {
    let mut wakes = parts.store.wakes_of_runner(lease.session);
    let mut journal = Journal::open(Arc::clone(&parts), lease, got_on).await?;
    let mut activity: Option<Activity> = None;
    let mut preparation = Preparation::default();
    let around = Surroundings {
        parts: Arc::clone(&parts),
        fence,
        telling: Telling::default(),
        servers: parts.kept_servers.take(journal.lease().session),
    };
    let mut rest = Rest::new(parts.options.rest);
    loop {
        let inherited = inherited_calls(&journal, activity.as_ref());
        let step = journal.settle().await?;
        if journal.state().interrupted() || matches!(step, Step::Wait { .. }) {
            give_up(&mut activity);
        }
        cancel_closed(&parts, journal.lease().session, &inherited, journal.state()).await;
        let is_at_rest = matches!(step, Step::Wait { until: None });
        if !is_at_rest {
            rest = Rest::new(parts.options.rest);
        }
        let until = match step {
            Step::Wait { until: None } => {
                if rest.until.is_none() {
                    // However the turn ended: an interrupted call has kept nothing itself.
                    outputs::capture(&parts, journal.lease().session).await;
                }
                let is_over = journal.state().status() == SessionStatus::Terminated;
                if is_over || rest.has_lasted() {
                    journal.snapshots().settle().await;
                    // Before the lease goes: whoever has it next finds them.
                    let session = journal.lease().session;
                    parts.kept_servers.keep(session, &around.servers).await;
                    parts.store.release(journal.lease()).await?;
                    return Ok(());
                }
                rest.until
            }
            // A piece of time, whatever becomes of the clock meanwhile.
            Step::Wait { until } => until.map(|at| Instant::now() + at.since(parts.env.now())),
            Step::CallModel(call) => {
                activity = Some(carry_on(activity, Kind::Model(call), &around, &journal));
                preparation.begin(&parts, journal.lease().session, journal.state().agent());
                None
            }
            Step::RunTools(calls) => {
                activity = Some(carry_on(activity, Kind::Tools(calls), &around, &journal));
                None
            }
            Step::Record(_) => unreachable!("settle records every decision"),
        };
        if activity.is_none() && stop.is_cancelled() {
            journal.snapshots().settle().await;
            parts.store.release(journal.lease()).await?;
            return Ok(());
        }
        wait(&mut activity, &mut journal, &mut wakes, until, &stop).await?;
    }
}

/// How long a session at rest keeps its runner: a client that answers at once finds the log folded
/// and the lease held, which saves two commits.
struct Rest {
    length: Duration,
    until: Option<Instant>,
}

impl Rest {
    fn new(length: Duration) -> Self {
        Self {
            length,
            until: None,
        }
    }

    fn has_lasted(&mut self) -> bool {
        let now = Instant::now();
        now >= *self.until.get_or_insert(now + self.length)
    }
}

/// The activity for a step: the one under way, if it is that, else a new one.
fn carry_on(
    mut current: Option<Activity>,
    kind: Kind,
    around: &Surroundings,
    journal: &Journal,
) -> Activity {
    if let Some(mut current) = current.take_if(|current| current.continues_with(&kind)) {
        current.join(&kind, around, journal);
        return current;
    }
    give_up(&mut current);
    let state = journal.state();
    let session = journal.lease().session;
    let parting = Parting::default();
    let parts = || Arc::clone(&around.parts);
    let places = Arc::new(Semaphore::new(
        around.parts.options.parallel_tools_max.max(1),
    ));
    let facts = match &kind {
        Kind::Model(call) => {
            let telling = around.telling.clone();
            let servers = around.servers.clone();
            let facts = call_model(parts(), session, state, *call, telling, servers);
            outputs::before_the_end(parts(), session, facts)
        }
        Kind::Tools(runs) => {
            let servers = &around.servers;
            run_tools(parts(), session, state, runs, servers, &parting, &places)
        }
    };
    Activity {
        kind,
        fence: around.fence.clone(),
        parting,
        facts: SelectAll::from_iter([facts]),
        places,
    }
}

/// Ends what is being done because the log has decided so: nobody will ask for its results.
fn give_up(activity: &mut Option<Activity>) {
    if let Some(activity) = activity.take() {
        activity.parting.cancel();
    }
}

/// Calls that an earlier runner began and nobody has taken up yet.
fn inherited_calls(journal: &Journal, activity: Option<&Activity>) -> Vec<EventId> {
    if activity.is_some() {
        return Vec::new();
    }
    let under_way = journal.state().calls_under_way();
    under_way.map(|call| call.id).collect()
}

impl Activity {
    /// Whether this activity does what `wanted` says: of several tools some may be done, and others
    /// may have been allowed meanwhile.
    fn continues_with(&self, wanted: &Kind) -> bool {
        match (&self.kind, wanted) {
            (Kind::Model(mine), Kind::Model(call)) => mine == call,
            (Kind::Tools(mine), Kind::Tools(runs)) => runs.iter().any(|run| mine.contains(run)),
            (Kind::Model(_), Kind::Tools(_)) | (Kind::Tools(_), Kind::Model(_)) => false,
        }
    }

    /// Begins with what is new in `wanted`.
    fn join(&mut self, wanted: &Kind, around: &Surroundings, journal: &Journal) {
        let (Kind::Tools(mine), Kind::Tools(runs)) = (&mut self.kind, wanted) else {
            return;
        };
        let is_new = |run: &&ToolRun| !mine.contains(run);
        let new: Vec<ToolRun> = runs.iter().filter(is_new).copied().collect();
        if new.is_empty() {
            return;
        }
        let (session, state) = (journal.lease().session, journal.state());
        let parts = Arc::clone(&around.parts);
        let servers = &around.servers;
        let (parting, places) = (&self.parting, &self.places);
        let facts = run_tools(parts, session, state, &new, servers, parting, places);
        self.facts.push(facts);
        mine.extend(new);
    }
}

/// Until there are facts, new rows, or it is time. All branches are cancel-safe: a stream's
/// next item, a change of a watch, a timer, and a snapshot that is kept meanwhile. New rows go first:
/// they may end what the facts are of, and reading them uses the change up.
async fn wait(
    activity: &mut Option<Activity>,
    journal: &mut Journal,
    wakes: &mut Wakes,
    until: Option<Instant>,
    stop: &CancellationToken,
) -> Result<(), JournalError> {
    let resting = activity.is_none();
    let timer = async {
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    let not_before = (!resting).then(|| journal.looked_at() + LOOK_PAUSE);
    let known = journal.durable();
    let keeps_snapshot = !journal.snapshots().is_settled();
    tokio::select! {
        biased;
        () = changed(wakes, known, not_before) => journal.read().await,
        facts = next_facts(activity) => {
            // What came in the pause is read now: the append would find that the log has moved.
            if wakes.take_changed(known) {
                journal.read().await?;
            }
            journal.note(facts);
            Ok(())
        }
        () = timer => Ok(()),
        () = stop.cancelled(), if resting => Ok(()),
        () = journal.snapshots().settle(), if keeps_snapshot => Ok(()),
    }
}

/// Waits for a change, and for the moment. The change is used up last: cancel-safe.
async fn changed(wakes: &mut Wakes, known: Seq, not_before: Option<Instant>) {
    if let Some(moment) = not_before {
        sleep_until(moment).await;
    }
    match not_before {
        // A message that came in the middle of a step waits for its end.
        Some(_) => wakes.broken_in(known).await,
        None => wakes.changed(known).await,
    }
}

async fn next_facts(activity: &mut Option<Activity>) -> Vec<Draft> {
    match activity {
        Some(current) => match current.facts.next().await {
            Some(facts) => facts,
            None => {
                // An activity that ends without the facts that its step needs would be asked for
                // again at once; a pause keeps a bug from becoming a storm.
                *activity = None;
                tokio::time::sleep(PAUSE_AFTER_NOTHING).await;
                Vec::new()
            }
        },
        None => std::future::pending().await,
    }
}
