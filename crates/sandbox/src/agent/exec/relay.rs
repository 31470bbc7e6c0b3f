//! Moves bytes between the streams of a command and its client, until one of them is gone.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::allowance::Allowance;
use super::streams::{Output, Read, Streams};
use crate::exec_wire::{ClientFrames, FromAgent, FromClient};
use crate::limits::{EXEC_FRAME_BYTES_MAX, EXEC_LAST_BYTES_MAX};

pub(super) struct Relay<'a> {
    client: &'a UnixStream,
    process: OwnedFd,
    streams: Streams,
    frames: ClientFrames,
    /// What the client has not taken yet. While there is any, no output is read.
    to_client: Vec<u8>,
    /// What the command has not taken yet. While there is any, the client is not read.
    to_process: Vec<u8>,
    /// The client has no more input: the command's ends once it has taken all.
    input_ends: bool,
    /// For its standard error. `None`: it is read as it comes.
    errors: Option<Allowance>,
}

/// Who left, and with whom it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parted {
    /// It ended, and all that it wrote was passed on.
    Process,
    /// It closed its connection, or said what means nothing.
    Client,
}

/// What a wait found.
#[derive(Default)]
struct Ready {
    client_gone: bool,
    client_speaks: bool,
    client_takes: bool,
    process_ended: bool,
    process_takes: bool,
    process_speaks: bool,
}

impl<'a> Relay<'a> {
    pub(super) fn new(
        client: &'a UnixStream,
        process: OwnedFd,
        streams: Streams,
        errors: Option<Allowance>,
    ) -> Self {
        Self {
            client,
            process,
            streams,
            frames: ClientFrames::default(),
            to_client: Vec::new(),
            to_process: Vec::new(),
            input_ends: false,
            errors,
        }
    }

    pub(super) fn run(&mut self) -> Parted {
        let mut left_after_end = None;
        loop {
            let ready = self.wait(left_after_end.is_some());
            if ready.client_gone {
                return Parted::Client;
            }
            if ready.client_takes && self.send().is_err() {
                return Parted::Client;
            }
            if ready.client_speaks && self.listen().is_err() {
                return Parted::Client;
            }
            if ready.process_takes {
                self.feed();
            }
            if ready.process_ended && left_after_end.is_none() {
                left_after_end = Some(EXEC_LAST_BYTES_MAX);
                // Its last words are bounded by that.
                self.errors = None;
            }
            match &mut left_after_end {
                None if ready.process_speaks => drop(self.read_outputs()),
                None => {}
                Some(left) if self.to_client.is_empty() => {
                    let passed = self.read_outputs();
                    if passed == 0 {
                        return Parted::Process;
                    }
                    *left = left.saturating_sub(passed);
                    if *left == 0 {
                        self.streams.outputs.clear();
                    }
                }
                Some(_) => {}
            }
        }
    }

    fn wait(&mut self, has_ended: bool) -> Ready {
        let pause = self.pause();
        let mut of_client = PollFlags::RDHUP;
        if self.to_process.is_empty() {
            of_client |= PollFlags::IN;
        }
        if !self.to_client.is_empty() {
            of_client |= PollFlags::OUT;
        }
        let mut fds = vec![PollFd::new(self.client, of_client)];
        if !has_ended {
            fds.push(PollFd::new(&self.process, PollFlags::IN));
        }
        let input = match &self.streams.input {
            Some(input) if !self.to_process.is_empty() => {
                fds.push(PollFd::new(input, PollFlags::OUT));
                Some(fds.len() - 1)
            }
            Some(_) | None => None,
        };
        let first_output = fds.len();
        if self.to_client.is_empty() && !has_ended {
            let outputs = self.streams.outputs.iter();
            let outputs = outputs.filter(|output| pause.is_none() || !output.is_error());
            fds.extend(outputs.map(|output| PollFd::new(output, PollFlags::IN)));
        }
        // What is left of an ended command is there already.
        let at_once = has_ended && self.to_client.is_empty();
        let limit = at_once.then(Timespec::default);
        let limit = limit.or_else(|| pause.and_then(|pause| pause.try_into().ok()));
        if rustix::event::poll(&mut fds, limit.as_ref()).is_err() {
            return Ready::default();
        }
        let client = fds[0].revents();
        let came = |position: usize| fds.get(position).is_some_and(|fd| !fd.revents().is_empty());
        Ready {
            client_gone: client
                .intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL),
            client_speaks: client.contains(PollFlags::IN),
            client_takes: client.contains(PollFlags::OUT),
            process_ended: !has_ended && came(1),
            process_takes: input.is_some_and(came),
            process_speaks: fds[first_output..]
                .iter()
                .any(|fd| !fd.revents().is_empty()),
        }
    }

    /// How long its standard error has to wait.
    fn pause(&mut self) -> Option<Duration> {
        self.errors.as_mut()?.pause(Instant::now())
    }

    /// What of each output there is now, up to a frame. How many bytes.
    fn read_outputs(&mut self) -> usize {
        let mut passed = 0;
        let waits = self.pause().is_some();
        let (to_client, errors) = (&mut self.to_client, &mut self.errors);
        let mut read = |output: &Output| match output.read() {
            Read::Some(frame) => match frame.encode() {
                Ok(bytes) => {
                    passed += bytes.len();
                    if let Some(errors) = errors.as_mut().filter(|_| output.is_error()) {
                        errors.spend(bytes.len());
                    }
                    to_client.extend_from_slice(&bytes);
                    true
                }
                // It is not read in longer pieces.
                Err(_) => false,
            },
            Read::NothingNow => true,
            Read::Ended => false,
        };
        let outputs = &mut self.streams.outputs;
        outputs.retain(|output| waits && output.is_error() || read(output));
        passed
    }

    fn send(&mut self) -> Result<(), Parted> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match rustix::net::send(self.client, &self.to_client, flags) {
            Ok(sent) => drop(self.to_client.drain(..sent)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return Err(Parted::Client),
        }
        Ok(())
    }

    fn listen(&mut self) -> Result<(), Parted> {
        let mut bytes = [0; EXEC_FRAME_BYTES_MAX];
        match rustix::net::recv(self.client, &mut bytes[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Err(Parted::Client),
            Ok((length, _)) => self.frames.push(&bytes[..length]),
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(_) => return Err(Parted::Client),
        }
        while let Some(said) = self.frames.next().map_err(|_| Parted::Client)? {
            match said {
                FromClient::Input(bytes) if self.streams.input.is_some() && !self.input_ends => {
                    self.to_process.extend_from_slice(&bytes);
                }
                // Nobody takes it, as with a pipe to a program that does not read.
                FromClient::Input(_) => {}
                FromClient::InputEnd => self.input_ends = true,
                FromClient::Resize(size) => self.streams.resize(size),
            }
        }
        self.close_input();
        Ok(())
    }

    fn feed(&mut self) {
        let Some(input) = &self.streams.input else {
            return self.to_process.clear();
        };
        match rustix::io::write(input, &self.to_process) {
            Ok(taken) => drop(self.to_process.drain(..taken)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => {
                self.streams.input = None;
                self.to_process.clear();
            }
        }
        self.close_input();
    }

    fn close_input(&mut self) {
        if self.input_ends && self.to_process.is_empty() {
            self.streams.input = None;
        }
    }

    /// Says the last word.
    pub(super) fn finish(self, last: &FromAgent) {
        say(self.client, last);
    }
}

/// Within the time that a connection grants. A client that does not listen is gone.
pub(super) fn say(mut client: &UnixStream, word: &FromAgent) {
    let _ = word.encode().and_then(|frame| client.write_all(&frame));
}
