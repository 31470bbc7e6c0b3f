//! Sandboxes of a machine that is not there, for simulations: no process, no file, and the time that its
//! owner tells. Promises are those of the real ones: a call goes on when nobody waits for it, its answer
//! can be fetched later, and none runs twice.
//!
//! A command says how long it takes: `take 250` (milliseconds), with `and fail` behind it if it is to
//! fail, or `hang`, which its time-out ends. What it does to the world, it does in the middle of its time.
//! It has no files to show: no outputs, no uploads, no archives, no layers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::sleep;

use super::occupancy::{Occupancy, SandboxUse};
use super::parting::Parting;
use super::{Listed, Opened, Place, Sandbox, SandboxHost, Stop};
use crate::error::SandboxError;
use crate::isolation::{IsolationReport, Mode};
use crate::limits::BASH_TIMEOUT_DEFAULT;
use crate::name::SandboxName;
use crate::output::Output;
use crate::provenance::{Losses, Provenance};
use crate::tool::{Call, Tool};

/// How long it takes to make a sandbox, and to reach one.
const LAUNCH: Duration = Duration::from_millis(4);
const REACH: Duration = Duration::from_millis(1);

/// What is the time, from a beginning that is the same for all who ask.
pub type FakeClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The machine. It outlives the servers that use it. Cheap to clone.
#[derive(Clone, Default)]
pub struct FakeMachine(Arc<Mutex<Machine>>);

#[derive(Default)]
struct Machine {
    boxes: BTreeMap<SandboxName, FakeBox>,
    /// By id, each as often as it was run.
    calls: BTreeMap<String, Vec<FakeCall>>,
    is_lying: bool,
}

/// Its processes, while it has any.
struct FakeBox {
    created_at: Duration,
    /// Dropped with the processes.
    life: Option<watch::Sender<()>>,
}

struct FakeCall {
    sandbox: SandboxName,
    acts_at: Duration,
    ends_at: Duration,
    fails: bool,
    /// Cancelled, or lost with its sandbox.
    stopped_at: Option<Duration>,
}

/// A server's hold of the machine.
#[derive(Clone)]
pub(super) struct FakeHost {
    machine: FakeMachine,
    clock: FakeClock,
    occupancy: Occupancy,
    isolation: Arc<IsolationReport>,
}

/// One sandbox, while it lives.
pub(super) struct FakeSandbox {
    name: SandboxName,
    host: FakeHost,
    life: watch::Receiver<()>,
    _in_use: SandboxUse,
}

impl FakeMachine {
    /// How often each call has done by `now` what it does.
    pub fn ran(&self, now: Duration) -> BTreeMap<String, usize> {
        let machine = self.lock();
        let ran = |calls: &Vec<FakeCall>| calls.iter().filter(|call| call.has_acted(now)).count();
        let calls = machine.calls.iter();
        calls.map(|(id, calls)| (id.clone(), ran(calls))).collect()
    }

    /// Ends the processes of each sandbox, as a loss of power does.
    pub fn lose_all(&self, now: Duration) {
        let mut machine = self.lock();
        let names: Vec<_> = machine.boxes.keys().cloned().collect();
        for name in names {
            machine.end(&name, now);
        }
    }

    /// From now on each call runs twice: for tests of those who are to see it.
    pub fn begin_to_lie(&self) {
        self.lock().is_lying = true;
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    fn end(&mut self, name: &SandboxName, now: Duration) {
        if let Some(ended) = self.boxes.get_mut(name) {
            ended.life = None;
        }
        let calls = self.calls.values_mut().flatten();
        for call in calls.filter(|call| call.sandbox == *name) {
            call.stop(now);
        }
    }

    /// The call of this id that whoever asks waits for.
    fn call(&mut self, id: &str, sandbox: &SandboxName) -> Option<&mut FakeCall> {
        let calls = self.calls.get_mut(id)?;
        calls.iter_mut().find(|call| call.sandbox == *sandbox)
    }
}

impl FakeCall {
    fn begin(sandbox: SandboxName, tool: &Tool, now: Duration) -> Result<Self, String> {
        let (length, fails) = match tool {
            Tool::Bash {
                command,
                timeout_ms,
            } if command == "hang" => {
                let time_out = timeout_ms.map_or(BASH_TIMEOUT_DEFAULT, Duration::from_millis);
                (time_out, true)
            }
            Tool::Bash { command, .. } => take(command)?,
            Tool::RestartShell
            | Tool::Read { .. }
            | Tool::Write { .. }
            | Tool::Edit { .. }
            | Tool::Glob { .. }
            | Tool::Grep { .. } => return Err("this sandbox has bash only".to_owned()),
        };
        Ok(Self {
            sandbox,
            acts_at: now + length / 2,
            ends_at: now + length,
            fails,
            stopped_at: None,
        })
    }

    fn stop(&mut self, now: Duration) {
        if now < self.ends_at {
            self.stopped_at.get_or_insert(now);
        }
    }

    fn has_acted(&self, now: Duration) -> bool {
        now >= self.acts_at && self.stopped_at.is_none_or(|at| at >= self.acts_at)
    }

    fn answer(&self, id: &str) -> Output {
        match (self.stopped_at, self.fails) {
            (Some(_), _) => Output::error(format!("{id} was cancelled")),
            (None, true) => Output::error(format!("{id} ran and failed")),
            (None, false) => Output::text(format!("{id} ran")),
        }
    }
}

fn take(command: &str) -> Result<(Duration, bool), String> {
    let mut words = command.split(' ');
    let milliseconds = match (words.next(), words.next()) {
        (Some("take"), Some(number)) => number.parse().ok(),
        _ => None,
    };
    let milliseconds = milliseconds.ok_or_else(|| format!("there is no command {command:?}"))?;
    let fails = words.eq(["and", "fail"]);
    Ok((Duration::from_millis(milliseconds), fails))
}

impl SandboxHost {
    /// Of a machine that is not there.
    pub fn fake(machine: FakeMachine, clock: FakeClock) -> Self {
        Self {
            place: Place::Fake(FakeHost {
                machine,
                clock,
                occupancy: Occupancy::default(),
                isolation: Arc::new(IsolationReport::nothing(Mode::Isolated)),
            }),
        }
    }
}

impl FakeHost {
    pub(super) fn isolation(&self) -> &IsolationReport {
        &self.isolation
    }

    pub(super) fn hold(&self, name: &SandboxName) -> SandboxUse {
        self.occupancy.hold(name)
    }

    pub(super) async fn find(&self, name: &SandboxName) -> Option<Sandbox> {
        let _alone = self.occupancy.claim(name).await;
        sleep(REACH).await;
        self.living(name)
    }

    pub(super) fn is_alive(&self, name: &SandboxName) -> bool {
        let machine = self.machine.lock();
        let known = machine.boxes.get(name);
        known.is_some_and(|known| known.life.is_some())
    }

    pub(super) fn has_files(&self, name: &SandboxName) -> bool {
        self.machine.lock().boxes.contains_key(name)
    }

    pub(super) async fn open(&self, name: &SandboxName) -> Result<Opened, SandboxError> {
        let _alone = self.occupancy.claim(name).await;
        sleep(REACH).await;
        let (provenance, sandbox) = match self.living(name) {
            Some(sandbox) => (Provenance::Attached, Some(sandbox)),
            None => {
                sleep(LAUNCH).await;
                (self.launch(name), self.living(name))
            }
        };
        Ok(Opened {
            sandbox: sandbox.ok_or_else(|| SandboxError::lost("it ended at once"))?,
            provenance,
            news: None,
        })
    }

    fn launch(&self, name: &SandboxName) -> Provenance {
        let (life, now) = (Some(watch::Sender::new(())), (self.clock)());
        let mut machine = self.machine.lock();
        if let Some(known) = machine.boxes.get_mut(name) {
            known.life = life;
            return Provenance::Restored(Losses::EVERYTHING);
        }
        let created_at = now;
        machine
            .boxes
            .insert(name.clone(), FakeBox { created_at, life });
        Provenance::Created
    }

    fn living(&self, name: &SandboxName) -> Option<Sandbox> {
        let machine = self.machine.lock();
        let life = machine.boxes.get(name)?.life.as_ref()?.subscribe();
        Some(Sandbox::of_fake(FakeSandbox {
            name: name.clone(),
            host: self.clone(),
            life,
            _in_use: self.occupancy.hold(name),
        }))
    }

    pub(super) async fn stop(&self, name: &SandboxName) -> Stop {
        let _alone = self.occupancy.claim(name).await;
        if self.occupancy.is_used(name) {
            return Stop::InUse;
        }
        self.machine.lock().end(name, (self.clock)());
        Stop::Stopped
    }

    pub(super) async fn throw_away(&self, name: &SandboxName) {
        let _alone = self.occupancy.claim(name).await;
        let now = (self.clock)();
        let mut machine = self.machine.lock();
        machine.end(name, now);
        machine.boxes.remove(name);
    }

    pub(super) fn list(&self) -> Vec<Listed> {
        let machine = self.machine.lock();
        let boxes = machine.boxes.iter();
        boxes
            .map(|(name, known)| Listed {
                name: name.clone(),
                is_alive: known.life.is_some(),
                was_launched: true,
                created_at: SystemTime::UNIX_EPOCH + known.created_at,
            })
            .collect()
    }
}

/// What a drop of the wait for a call means.
struct Wait<'w> {
    sandbox: &'w FakeSandbox,
    id: &'w str,
    parting: &'w Parting,
    is_over: bool,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if !self.is_over && self.parting.is_cancel() {
            self.sandbox.stop(self.id);
        }
    }
}

impl FakeSandbox {
    pub(super) fn name(&self) -> &SandboxName {
        &self.name
    }

    pub(super) async fn run(&self, call: Call, parting: &Parting) -> Result<Output, SandboxError> {
        sleep(REACH).await;
        let now = (self.host.clock)();
        let begun = |()| FakeCall::begin(self.name.clone(), &call.tool, now);
        let times = match self.life.has_changed() {
            Ok(_) => 1 + usize::from(self.host.machine.lock().is_lying),
            Err(_) => return Err(SandboxError::lost("nobody answers there")),
        };
        for _ in 0..times {
            let begun = match begun(()) {
                Ok(begun) => begun,
                Err(sentence) => return Ok(Output::error(sentence)),
            };
            let mut machine = self.host.machine.lock();
            machine
                .calls
                .entry(call.id.clone())
                .or_default()
                .push(begun);
        }
        let answer = self.answer(&call.id, parting).await?;
        answer.ok_or_else(|| SandboxError::protocol("it does not know what it was just asked"))
    }

    pub(super) async fn resume(
        &self,
        id: &str,
        parting: &Parting,
    ) -> Result<Option<Output>, SandboxError> {
        sleep(REACH).await;
        self.answer(id, parting).await
    }

    pub(super) async fn cancel(&self, id: &str) {
        sleep(REACH).await;
        self.stop(id);
    }

    fn stop(&self, id: &str) {
        let now = (self.host.clock)();
        let mut machine = self.host.machine.lock();
        if let Some(call) = machine.call(id, &self.name) {
            call.stop(now);
        }
    }

    /// `None`: it was never asked to run such a call, or its processes were others then.
    async fn answer(&self, id: &str, parting: &Parting) -> Result<Option<Output>, SandboxError> {
        let now = (self.host.clock)();
        let left = {
            let mut machine = self.host.machine.lock();
            let call = machine.call(id, &self.name);
            match call {
                Some(call) if call.stopped_at.is_none() => call.ends_at.saturating_sub(now),
                Some(_) | None => return Ok(None),
            }
        };
        let mut waiting = Wait {
            sandbox: self,
            id,
            parting,
            is_over: false,
        };
        let mut life = self.life.clone();
        tokio::select! {
            biased;
            // Nobody sends anything: it ends.
            _ = life.changed() => return Err(SandboxError::lost("it ended in the middle")),
            () = sleep(left) => {}
        }
        waiting.is_over = true;
        let mut machine = self.host.machine.lock();
        Ok(machine.call(id, &self.name).map(|call| call.answer(id)))
    }
}
