//! The system calls that a sandbox may make with some arguments only.

use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

use super::{Built, Rules, Sockets};

/// All that `clone` can make but `CLONE_NEWTIME`, whose bit means something else there.
const NAMESPACE_FLAGS: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// What `unshare` may separate: nothing that is a namespace.
const UNSHARED: i32 = libc::CLONE_FILES | libc::CLONE_FS | libc::CLONE_SYSVSEM;

/// Typing into a terminal that one does not own, the console's subcommands, taking it over,
/// and loading another line discipline.
const TERMINAL_REQUESTS: [u64; 4] = [0x5412, 0x541C, 0x541D, 0x5423];

/// Execution domains that change nothing: the default, asking, Linux without randomised
/// addresses (debuggers), and a fixed kernel version, with and without that.
const PERSONALITIES: [u64; 5] = [0, 0xffff_ffff, 0x0004_0000, 0x0002_0000, 0x0006_0000];

/// Rewriting what `/proc` says of a process, grouping processes on cores, and going before
/// others when memory is short.
const PROCESS_OPTIONS: [u64; 3] = [35, 57, 62];

/// What of the type of a socket is not a flag.
const KIND_MASK: u64 = 0xf;

pub(super) fn add(rules: &mut Rules, sockets: Sockets) -> Built<()> {
    let none_of_namespaces =
        condition(0, SeccompCmpOp::MaskedEq(NAMESPACE_FLAGS as u32 as u64), 0)?;
    rules.insert(libc::SYS_clone, vec![rule(vec![none_of_namespaces])?]);
    let known_only = SeccompCmpOp::MaskedEq(!UNSHARED as u32 as u64);
    rules.insert(
        libc::SYS_unshare,
        vec![rule(vec![condition(0, known_only, 0)?])?],
    );
    rules.insert(libc::SYS_ioctl, vec![none_of(1, &TERMINAL_REQUESTS)?]);
    rules.insert(libc::SYS_prctl, vec![none_of(0, &PROCESS_OPTIONS)?]);
    rules.insert(libc::SYS_personality, one_of(0, &PERSONALITIES)?);
    rules.insert(libc::SYS_socket, allowed_sockets(sockets)?);
    rules.insert(libc::SYS_socketpair, one_of(0, &[libc::AF_UNIX as u64])?);
    Ok(())
}

/// Sockets: unix, routing netlink, and of IPv4 and IPv6 TCP and UDP. Asking for another
/// transport makes the kernel load code that hardly anybody else runs.
fn allowed_sockets(sockets: Sockets) -> Built<Vec<SeccompRule>> {
    let family = |family: i32| condition(0, SeccompCmpOp::Eq, family as u64);
    let protocol = |protocol: i32| condition(2, SeccompCmpOp::Eq, protocol as u64);
    let mut rules = vec![
        rule(vec![family(libc::AF_UNIX)?])?,
        rule(vec![
            family(libc::AF_NETLINK)?,
            protocol(libc::NETLINK_ROUTE)?,
        ])?,
    ];
    let internet: &[i32] = match sockets {
        Sockets::Internet => &[libc::AF_INET, libc::AF_INET6],
        Sockets::Local => &[],
    };
    for internet in internet.iter().copied() {
        for (kind, transport) in [
            (libc::SOCK_STREAM, libc::IPPROTO_TCP),
            (libc::SOCK_DGRAM, libc::IPPROTO_UDP),
        ] {
            for number in [0, transport] {
                rules.push(rule(vec![
                    family(internet)?,
                    condition(1, SeccompCmpOp::MaskedEq(KIND_MASK), kind as u64)?,
                    protocol(number)?,
                ])?);
            }
        }
    }
    Ok(rules)
}

fn none_of(argument: u8, values: &[u64]) -> Built<SeccompRule> {
    let conditions = values
        .iter()
        .map(|value| condition(argument, SeccompCmpOp::Ne, *value));
    rule(conditions.collect::<Built<_>>()?)
}

fn one_of(argument: u8, values: &[u64]) -> Built<Vec<SeccompRule>> {
    values
        .iter()
        .map(|value| rule(vec![condition(argument, SeccompCmpOp::Eq, *value)?]))
        .collect()
}

fn rule(conditions: Vec<SeccompCondition>) -> Built<SeccompRule> {
    SeccompRule::new(conditions)
}

fn condition(argument: u8, comparison: SeccompCmpOp, value: u64) -> Built<SeccompCondition> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, comparison, value)
}
