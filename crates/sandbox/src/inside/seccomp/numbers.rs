//! The part of the filter that looks at the number of a call alone: a binary search.
//!
//! The kernel runs a new filter once for each number that there is, to know which calls it need not
//! run it for. With a list that is walked from its beginning, this takes longer than anything else in
//! the launch of a sandbox but the birth of its namespaces.

use std::io;

use seccompiler::{BpfProgram, sock_filter};

use super::{ANSWER, IF_AT_LEAST, IF_EQUAL, LOAD};

const ALWAYS: u16 = 0x05;
const ARCHITECTURE_OFFSET: u32 = 4;

/// What follows from the number of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Allowed,
    Refused,
    /// It depends on the arguments.
    Open,
}

/// Numbers from the first on, up to the next segment.
struct Segment {
    first: u32,
    fate: Fate,
}

/// Decides the calls of `allowed`, and all that are in neither list; the rest, and calls of another
/// architecture, are decided by the program `arguments`.
pub(super) fn before(
    arguments: BpfProgram,
    architecture: u32,
    allowed: &[u32],
    open: &[u32],
    refuse: u32,
) -> io::Result<BpfProgram> {
    let mut program = Program::default();
    program.push(LOAD, ARCHITECTURE_OFFSET, 0, 0);
    program.push(IF_EQUAL, architecture, 1, 0);
    program.go_to_arguments();
    program.push(LOAD, 0, 0, 0);
    program.search(&segments(allowed, open), refuse)?;
    program.followed_by(arguments)
}

/// Neighbours of one fate are one segment. The first begins at 0.
fn segments(allowed: &[u32], open: &[u32]) -> Vec<Segment> {
    let fate_of = |number: u32| {
        if open.contains(&number) {
            Fate::Open
        } else if allowed.contains(&number) {
            Fate::Allowed
        } else {
            Fate::Refused
        }
    };
    let last = allowed.iter().chain(open).max().copied().unwrap_or(0);
    let mut segments: Vec<Segment> = Vec::new();
    for number in 0..=last.saturating_add(1) {
        let fate = fate_of(number);
        if segments.last().is_none_or(|before| before.fate != fate) {
            let first = number;
            segments.push(Segment { first, fate });
        }
    }
    segments
}

#[derive(Default)]
struct Program {
    steps: BpfProgram,
    /// Steps that go on to what follows.
    to_arguments: Vec<usize>,
}

impl Program {
    fn push(&mut self, code: u16, k: u32, jt: u8, jf: u8) {
        self.steps.push(sock_filter { code, jt, jf, k });
    }

    fn go_to_arguments(&mut self) {
        self.to_arguments.push(self.steps.len());
        self.push(ALWAYS, 0, 0, 0);
    }

    /// Finds the segment of the loaded number among these, which is not before the first.
    fn search(&mut self, segments: &[Segment], refuse: u32) -> io::Result<()> {
        match segments {
            [] => {}
            [segment] => match segment.fate {
                Fate::Allowed => self.push(ANSWER, libc::SECCOMP_RET_ALLOW, 0, 0),
                Fate::Refused => self.push(ANSWER, refuse, 0, 0),
                Fate::Open => self.go_to_arguments(),
            },
            _ => {
                let (below, from) = segments.split_at(segments.len() / 2);
                let branch = self.steps.len();
                self.push(IF_AT_LEAST, from[0].first, 0, 0);
                self.search(below, refuse)?;
                let skipped = self.steps.len() - branch - 1;
                // One jump reaches 255 steps, which is four times what there is.
                self.steps[branch].jt = u8::try_from(skipped).map_err(io::Error::other)?;
                self.search(from, refuse)?;
            }
        }
        Ok(())
    }

    fn followed_by(mut self, arguments: BpfProgram) -> io::Result<BpfProgram> {
        let end = self.steps.len();
        for step in self.to_arguments {
            self.steps[step].k = u32::try_from(end - step - 1).map_err(io::Error::other)?;
        }
        self.steps.extend(arguments);
        Ok(self.steps)
    }
}
