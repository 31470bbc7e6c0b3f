//! The thread that owns the shell: commands queue here and run one after the other.
//!
//! It also reads the output pipe between commands, so that a background job never blocks on
//! it. The pipe belongs to the sandbox and not to one shell: jobs that outlive their shell
//! still have somewhere to write.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;

use super::bash_result::{self, Fate, Outcome};
use super::collector::Collector;
use super::connection::has_hung_up;
use super::process_tree::Census;
use super::reaper::{End, Reaper};
use super::shell::{Report, Shell};
use super::shell_output::{Background, READ_BYTES, Ready, drain_pipe};
use super::{Places, SpillDirectory};
use crate::isolation::{Mode, Network};
use crate::limits::{
    BASH_TIMEOUT_DEFAULT, BASH_TIMEOUT_MAX, SHELL_ANSWER_GRACE, SHELL_START_TIME_MAX, TERM_GRACE,
};
use crate::output::Output;
use crate::sys::process::{abort_shell_command, exit_now, kill_everything_as_init};
use crate::tool::Tool;

pub(super) enum Progress {
    /// The call left the queue.
    Started,
    Done(Output),
}

/// Where calls wait for the shell. Their number is that of the connections.
#[derive(Clone)]
pub(super) struct ShellHandle(Arc<Queue>);

struct Queue {
    jobs: Mutex<VecDeque<Job>>,
    wake: OwnedFd,
}

struct Job {
    id: String,
    tool: Tool,
    /// Watched for the hang-up that cancels.
    client: UnixStream,
    progress: SyncSender<Progress>,
}

pub(super) struct ShellOwner {
    queue: Arc<Queue>,
    places: Places,
    spill: SpillDirectory,
    mode: Mode,
    reaper: Arc<Reaper>,
    shell: Option<Shell>,
    output: OwnedFd,
    /// Kept open, so that the pipe never ends.
    output_end: OwnedFd,
    background: Background,
}

/// Why waiting for the shell came to an end.
enum Happened {
    Answered(i32),
    Ended,
    TimeUp,
    Cancelled,
    Nonsense,
}

impl ShellHandle {
    pub(super) fn submit(&self, id: String, tool: Tool, client: UnixStream) -> Receiver<Progress> {
        let (progress, receiver) = sync_channel(2);
        self.0.lock().push_back(Job {
            id,
            tool,
            client,
            progress,
        });
        self.0.wake();
        receiver
    }

    /// For the end of the agent: in a sandbox without its own pid namespace, children would
    /// otherwise outlive it.
    pub(super) fn kill_everything(&self) {
        Census::default().kill_born_since(None);
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // Full means that it is awake.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

impl ShellOwner {
    pub(super) fn start(
        places: Places,
        mode: Mode,
        reaper: Arc<Reaper>,
    ) -> io::Result<ShellHandle> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let queue = Arc::new(Queue {
            jobs: Mutex::default(),
            wake,
        });
        let (output, output_end) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::fs::fcntl_setfl(&output, OFlags::NONBLOCK)?;
        let mut owner = Self {
            queue: Arc::clone(&queue),
            spill: SpillDirectory(places.spill.clone()),
            places,
            mode,
            reaper,
            shell: None,
            output,
            output_end,
            background: Background::default(),
        };
        thread::Builder::new()
            .name("shell".to_owned())
            .spawn(move || {
                let _ = catch_unwind(AssertUnwindSafe(|| owner.serve()));
                // An agent without a shell is of no use; its end is seen and it is replaced.
                exit_now(1)
            })?;
        Ok(ShellHandle(queue))
    }

    fn serve(&mut self) {
        loop {
            let next = self.queue.lock().pop_front();
            match next {
                Some(job) if has_hung_up(&job.client) => {}
                Some(job) => {
                    // The receiver is gone when its connection is; the result is for nobody.
                    let _ = job.progress.send(Progress::Started);
                    let output = self.run(&job);
                    let _ = job.progress.send(Progress::Done(output));
                }
                None => self.idle(),
            }
        }
    }

    /// Waits for a job, for output of background jobs, or for the shell's end.
    fn idle(&mut self) {
        let mut fds = vec![
            PollFd::new(&self.queue.wake, PollFlags::IN),
            PollFd::new(&self.output, PollFlags::IN),
        ];
        if let Some(shell) = &self.shell {
            fds.push(PollFd::new(&shell.pidfd, PollFlags::IN));
        }
        let _ = rustix::event::poll(&mut fds, None);
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        if ready[0] {
            let _ = rustix::io::read(&self.queue.wake, &mut [0; 8]);
        }
        if ready[1] {
            let mut buffer = vec![0; READ_BYTES];
            if let Ok(length) = rustix::io::read(&self.output, &mut buffer) {
                self.background.push(&buffer[..length]);
            }
        }
        if ready.get(2) == Some(&true)
            && let Some(shell) = self.shell.take()
        {
            self.reaper.wait(shell.pid);
        }
    }

    fn run(&mut self, job: &Job) -> Output {
        match &job.tool {
            Tool::Bash {
                command,
                timeout_ms,
            } => {
                let timeout = timeout(*timeout_ms);
                if let Err(error) = self.have_shell() {
                    return Output::error(format!("the shell does not start: {error}"));
                }
                self.run_command(job, command, timeout)
            }
            Tool::RestartShell => self.restart(),
            Tool::Read { .. }
            | Tool::Write { .. }
            | Tool::Edit { .. }
            | Tool::Glob { .. }
            | Tool::Grep { .. } => Output::error("this tool does not run in the shell"),
        }
    }

    fn run_command(&mut self, job: &Job, command: &str, timeout: Duration) -> Output {
        let spill = self.spill.clone();
        let mut collector = Collector::new(&spill, &job.id);
        self.background.show(&mut collector);
        let census = Census::take();
        if let Some(shell) = &mut self.shell {
            shell.give(command);
        }
        let happened = self.attend(Some(&job.client), Instant::now() + timeout, &mut collector);
        let outcome = match happened {
            Happened::Answered(status) => Outcome::Status(status),
            Happened::Ended => match self.shell.take().map(|shell| self.reaper.wait(shell.pid)) {
                Some(End::Signal(signal)) => Outcome::ShellKilled { signal },
                Some(End::Exit(status)) => Outcome::ShellExited { status },
                None => Outcome::ShellExited { status: 1 },
            },
            Happened::TimeUp => Outcome::TimedOut {
                timeout,
                shell: self.stop(&census, &mut collector),
            },
            Happened::Cancelled => {
                self.stop(&census, &mut collector);
                Outcome::Cancelled
            }
            Happened::Nonsense => {
                self.kill_shell(&census);
                Outcome::ShellUnusable
            }
        };
        self.drain(&mut collector);
        bash_result::compose(collector, &outcome, self.mode.network() == Network::None)
    }

    /// Waits for the shell's answer, while its output and the rest of its command flow.
    fn attend(
        &mut self,
        client: Option<&UnixStream>,
        until: Instant,
        collector: &mut Collector<'_>,
    ) -> Happened {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let Some(shell) = &mut self.shell else {
                return Happened::Ended;
            };
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                return Happened::TimeUp;
            };
            let ready = Ready::wait(shell, &self.output, client, left);
            if ready.output
                && let Ok(length) = rustix::io::read(&self.output, &mut buffer)
            {
                collector.push(&buffer[..length]);
            }
            if ready.commands {
                shell.send();
            }
            if ready.status {
                match shell.read_report() {
                    Report::Status(status) => return Happened::Answered(status),
                    Report::Nonsense => return Happened::Nonsense,
                    Report::NotYet => {}
                }
            }
            if ready.ended {
                return Happened::Ended;
            }
            if ready.hung_up {
                return Happened::Cancelled;
            }
        }
    }

    /// Ends what a command started; first politely. The shell survives if it answers.
    fn stop(&mut self, census: &Census, collector: &mut Collector<'_>) -> Fate {
        let Some(shell) = &self.shell else {
            return Fate::Killed;
        };
        let pid = shell.pid;
        let polite_until = Instant::now() + TERM_GRACE;
        // Makes it skip the rest of the command; without that, it would go on to the next
        // statement as soon as the one that hangs is killed.
        let _ = abort_shell_command(shell.pidfd.as_fd());
        let victims = census.born_since(Some(pid));
        victims.signal(Signal::TERM);
        let mut happened = self.attend(None, polite_until, collector);
        victims.wait_until(polite_until);
        if matches!(happened, Happened::TimeUp)
            && let Some(shell) = &self.shell
        {
            // It may have come before the shell had read the command, when it does nothing.
            let _ = abort_shell_command(shell.pidfd.as_fd());
        }
        let all_gone = census.kill_born_since(Some(pid));
        if matches!(happened, Happened::TimeUp) && all_gone {
            happened = self.attend(None, Instant::now() + SHELL_ANSWER_GRACE, collector);
        }
        if matches!(happened, Happened::Answered(_)) && all_gone {
            return Fate::Kept;
        }
        self.kill_shell(census);
        Fate::Killed
    }

    fn kill_shell(&mut self, census: &Census) {
        let Some(shell) = self.shell.take() else {
            return;
        };
        let pid = shell.pid;
        shell.kill(&self.reaper);
        if !census.kill_born_since(Some(pid)) {
            // Something starts processes faster than they are found. Background jobs of
            // earlier commands die with it.
            kill_everything_as_init();
        }
    }

    fn restart(&mut self) -> Output {
        if let Some(shell) = self.shell.take() {
            shell.kill(&self.reaper);
        }
        if !Census::default().kill_born_since(None) {
            kill_everything_as_init();
        }
        let mut nobody = Collector::new(&self.spill, "restart");
        drain_pipe(&self.output, &mut nobody);
        self.background = Background::default();
        match self.have_shell() {
            Ok(()) => Output::text(bash_result::RESTARTED),
            Err(error) => Output::error(format!("the shell does not start: {error}")),
        }
    }

    fn have_shell(&mut self) -> io::Result<()> {
        if self.shell.is_some() {
            return Ok(());
        }
        let shell = Shell::start(&self.places, self.output_end.as_fd(), &self.reaper)?;
        self.shell = Some(shell);
        let spill = self.spill.clone();
        let mut nobody = Collector::new(&spill, "start");
        let until = Instant::now() + SHELL_START_TIME_MAX;
        match self.attend(None, until, &mut nobody) {
            Happened::Answered(_) => Ok(()),
            Happened::Ended | Happened::TimeUp | Happened::Cancelled | Happened::Nonsense => {
                self.kill_shell(&Census::take());
                Err(io::Error::other("/bin/bash ended or did not answer"))
            }
        }
    }

    fn drain(&self, collector: &mut Collector<'_>) {
        drain_pipe(&self.output, collector);
    }
}

fn timeout(timeout_ms: Option<u64>) -> Duration {
    match timeout_ms {
        None | Some(0) => BASH_TIMEOUT_DEFAULT,
        Some(milliseconds) => Duration::from_millis(milliseconds).min(BASH_TIMEOUT_MAX),
    }
}
