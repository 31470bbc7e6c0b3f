//! The thread that owns the shell: commands queue here and run one after the other.
//!
//! It also reads the output pipe between commands, so that a background job never blocks on
//! it. The pipe belongs to the sandbox and not to one shell: jobs that outlive their shell
//! still have somewhere to write.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;

use super::bash_result::{self, Fate, Outcome};
use super::calls::{Call, Calls, Stage};
use super::collector::Collector;
use super::connection::{Peer, answered};
use super::process_tree::{Ahead, Census};
use super::reaper::{End, Reaper};
use super::shell::{Report, Shell};
use super::shell_memory::ShellMemory;
use super::shell_output::{Background, READ_BYTES, Ready, drain_pipe};
use super::shell_queue::{Queue, ShellHandle, Work};
use super::shell_rest::Recalled;
use super::{Places, SpillDirectory};
use crate::isolation::Network;
use crate::limits::{
    BASH_TIMEOUT_DEFAULT, BASH_TIMEOUT_MAX, SHELL_ANSWER_GRACE, SHELL_START_TIME_MAX, TERM_GRACE,
};
use crate::output::Output;
use crate::sys::process::{abort_shell_command, exit_now, kill_everything_as_init};
use crate::tool::Tool;

pub(super) struct ShellOwner {
    queue: Arc<Queue>,
    pub(super) memory: ShellMemory,
    /// The memory holds the state of a shell that still runs.
    pub(super) is_kept: bool,
    pub(super) places: Places,
    pub(super) spill: SpillDirectory,
    pub(super) network: Network,
    pub(super) reaper: Arc<Reaper>,
    calls: Arc<Calls>,
    pub(super) shell: Option<Shell>,
    pub(super) output: OwnedFd,
    /// Kept open, so that the pipe never ends.
    output_end: OwnedFd,
    pub(super) background: Background,
    /// Of what lives when nothing is to be done.
    census: Option<Ahead>,
}

/// Why waiting for the shell came to an end.
pub(super) enum Happened {
    Answered(i32),
    Ended,
    TimeUp,
    Cancelled,
    Nonsense,
}

impl ShellOwner {
    pub(super) fn start(
        places: Places,
        memory: ShellMemory,
        network: Network,
        reaper: Arc<Reaper>,
        calls: Arc<Calls>,
    ) -> io::Result<ShellHandle> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let queue = Arc::new(Queue {
            work: Mutex::default(),
            wake,
        });
        let (output, output_end) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::fs::fcntl_setfl(&output, OFlags::NONBLOCK)?;
        let mut owner = Self {
            queue: Arc::clone(&queue),
            memory,
            is_kept: false,
            spill: SpillDirectory(places.spill.clone()),
            places,
            network,
            reaper,
            calls,
            shell: None,
            output,
            output_end,
            background: Background::default(),
            census: None,
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
        // Ahead of the first command, while the host is told that there is a sandbox. What fails is
        // tried again and said when there is one.
        let _ = self.have_shell();
        loop {
            let next = self.queue.lock().pop_front();
            match next {
                Some(Work::Tool { call, .. }) if call.is_cancelled() => {
                    call.enter(Stage::Abandoned);
                }
                Some(Work::Tool { call, tool }) => {
                    call.enter(Stage::Started);
                    let output = self.run(&call, &tool);
                    call.enter(answered(output));
                    self.calls.trim();
                }
                Some(Work::Rest { host, .. }) if Peer::of(&host) != Peer::Listens => {}
                Some(Work::Rest { losses, .. }) => {
                    // The receiver is gone when its connection is.
                    let _ = losses.send(self.rest());
                }
                None => self.idle(),
            }
        }
    }

    /// Waits for a job, for output of background jobs, or for the shell's end.
    fn idle(&mut self) {
        if self.census.is_none() {
            // The last command was answered, and nobody waits for this.
            self.census = Census::ahead(self.reaper.visitors());
        }
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

    fn run(&mut self, call: &Call, tool: &Tool) -> Output {
        match tool {
            Tool::Bash {
                command,
                timeout_ms,
            } => {
                let timeout = timeout(*timeout_ms);
                if let Err(error) = self.have_shell() {
                    return Output::error(format!("the shell does not start: {error}"));
                }
                self.run_command(call, command, timeout)
            }
            Tool::RestartShell => self.restart(),
            Tool::Read { .. }
            | Tool::Write { .. }
            | Tool::Edit { .. }
            | Tool::Glob { .. }
            | Tool::Grep { .. } => Output::error("this tool does not run in the shell"),
        }
    }

    fn run_command(&mut self, call: &Call, command: &str, timeout: Duration) -> Output {
        let spill = self.spill.clone();
        let mut collector = Collector::new(&spill, call.id());
        self.background.show(&mut collector);
        if std::mem::take(&mut self.is_kept) {
            // The stop did not come to be, and the state is about to change.
            let _ = self.memory.forget();
        }
        let ahead = self.census.take().and_then(Ahead::if_current);
        let census = ahead.unwrap_or_else(|| Census::take(self.reaper.visitors()));
        if let Some(shell) = &mut self.shell {
            shell.give(command.as_bytes());
        }
        let happened = self.attend(Some(call), Instant::now() + timeout, &mut collector);
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
        bash_result::compose(collector, &outcome, self.network == Network::None)
    }

    /// Waits for the shell's answer, while its output and the rest of its command flow.
    pub(super) fn attend(
        &mut self,
        call: Option<&Call>,
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
            let ready = Ready::wait(shell, &self.output, call, left);
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
            if ready.cancelled {
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

    pub(super) fn kill_shell(&mut self, census: &Census) {
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
        if !Census::of_nobody(self.reaper.visitors()).kill_born_since(None) {
            kill_everything_as_init();
        }
        let mut nobody = Collector::new(&self.spill, "restart");
        drain_pipe(&self.output, &mut nobody);
        self.background = Background::default();
        if let Err(error) = self.memory.forget() {
            return Output::error(format!("the last shell's state stays: {error}"));
        }
        match self.have_shell() {
            Ok(()) => Output::text(bash_result::RESTARTED),
            Err(error) => Output::error(format!("the shell does not start: {error}")),
        }
    }

    fn have_shell(&mut self) -> io::Result<()> {
        if self.shell.is_some() {
            return Ok(());
        }
        let shell = Shell::start(
            &self.places,
            self.network,
            self.output_end.as_fd(),
            &self.reaper,
        )?;
        self.shell = Some(shell);
        let spill = self.spill.clone();
        let mut nobody = Collector::new(&spill, "start");
        let until = Instant::now() + SHELL_START_TIME_MAX;
        match self.attend(None, until, &mut nobody) {
            Happened::Answered(_) => match self.recall() {
                Recalled::Done => Ok(()),
                // Once only: what was kept is gone.
                Recalled::ShellLost => self.have_shell(),
            },
            Happened::Ended | Happened::TimeUp | Happened::Cancelled | Happened::Nonsense => {
                self.kill_shell(&Census::take(self.reaper.visitors()));
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
