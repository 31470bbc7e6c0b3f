//! The search says what the list says, for every number.

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::{ARCHITECTURE, ARCHITECTURE_NUMBER, Rules, Sockets, allow_list, allowed, arguments};

/// What the kernel hands to a filter: number, architecture, address, six arguments.
#[derive(Clone, Copy)]
struct Asked {
    number: u32,
    architecture: u32,
    arguments: [u64; 6],
}

impl Asked {
    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.architecture,
            8 | 12 => 0,
            _ => {
                let argument = self.arguments[(offset as usize - 16) / 8];
                let half = if offset.is_multiple_of(8) { 0 } else { 32 };
                (argument >> half) as u32
            }
        }
    }
}

fn answer(program: &BpfProgram, asked: Asked) -> u32 {
    run(program, asked).0
}

/// As the kernel runs it, for the steps that filters are made of here: the answer, and how many steps
/// it took.
fn run(program: &BpfProgram, asked: Asked) -> (u32, usize) {
    let (mut at, mut value) = (0, 0_u32);
    let mut steps = 0;
    loop {
        steps += 1;
        let step = &program[at];
        let jump = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
        at += 1 + match step.code {
            0x20 => {
                value = asked.word(step.k);
                0
            }
            0x54 => {
                value &= step.k;
                0
            }
            0x05 => step.k as usize,
            0x15 => jump(value == step.k),
            0x25 => jump(value > step.k),
            0x35 => jump(value >= step.k),
            0x06 => return (step.k, steps),
            code => panic!("no step of a filter: {code:#x}"),
        };
    }
}

/// One rule for each call, walked from the first.
fn plain_list(sockets: Sockets) -> BpfProgram {
    let mut rules = Rules::new();
    for number in allowed::EVERYWHERE.iter().chain(allowed::HERE) {
        rules.insert(*number, Vec::new());
    }
    arguments::add(&mut rules, sockets).unwrap();
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, ARCHITECTURE);
    filter.unwrap().try_into().unwrap()
}

#[test]
fn the_search_says_what_the_list_says() {
    let (search, list) = (
        allow_list(Sockets::Internet).unwrap(),
        plain_list(Sockets::Internet),
    );
    let x32 = 0x4000_0000;
    let numbers = (0..2048)
        .chain(x32..x32 + 2048)
        .chain(u32::MAX - 9..=u32::MAX);
    let values = [
        0,
        1,
        2,
        3,
        6,
        10,
        16,
        17,
        35,
        57,
        0x5412,
        0x541c,
        0x0802,
        0x0002_0000,
        0x0004_0000,
        0x1000_0000,
        0x0002_0011,
        0x0100_0000,
        0xffff_ffff,
        1 << 32,
        u64::MAX,
    ];
    for number in numbers {
        for architecture in [ARCHITECTURE_NUMBER, 0x4000_0003, 0] {
            for (position, value) in values.iter().enumerate() {
                let second = values[(position + 3) % values.len()];
                let third = values[(position * 7) % values.len()];
                let asked = Asked {
                    number,
                    architecture,
                    arguments: [*value, second, third, *value, second, third],
                };
                assert_eq!(
                    answer(&search, asked),
                    answer(&list, asked),
                    "number {number}, architecture {architecture:#x}, arguments {:x?}",
                    asked.arguments
                );
            }
        }
    }
}

/// The kernel walks a new filter for each number that there is.
#[test]
fn a_number_is_decided_in_a_few_steps() {
    let search = allow_list(Sockets::Internet).unwrap();
    let open = [
        libc::SYS_clone,
        libc::SYS_unshare,
        libc::SYS_ioctl,
        libc::SYS_prctl,
    ];
    let open = open.into_iter().chain([
        libc::SYS_personality,
        libc::SYS_socket,
        libc::SYS_socketpair,
    ]);
    let open: Vec<u32> = open.map(|number| number as u32).collect();
    for number in (0..512).filter(|number| !open.contains(number)) {
        let asked = Asked {
            number,
            architecture: ARCHITECTURE_NUMBER,
            arguments: [0; 6],
        };
        let (_, steps) = run(&search, asked);
        assert!(steps <= 12, "number {number} takes {steps} steps");
    }
}
