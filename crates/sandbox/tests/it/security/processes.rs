//! The first process, the host's processes, and going before others.

use super::table::{Attempt, hold};
use crate::world::{World, ok};

const ATTEMPTS: &[Attempt] = &[
    ("trace PID 1", "call('ptrace', 16, 1, 0, 0)", "EPERM"),
    ("seize PID 1", "call('ptrace', 0x4206, 1, 0, 0)", "EPERM"),
    (
        "read the memory of PID 1",
        "call('process_vm_readv', 1, 0, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "write the memory of PID 1",
        "call('process_vm_writev', 1, 0, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "take a descriptor of PID 1",
        "call('pidfd_getfd', os.pidfd_open(1), 0, 0)",
        "EPERM",
    ),
    (
        "advise the memory of PID 1",
        "call('process_madvise', os.pidfd_open(1), 0, 0, 4, 0)",
        "EPERM",
    ),
    ("compare with PID 1", "call('kcmp', 1, 1, 0, 0, 0)", "EPERM"),
    (
        "move the memory of PID 1",
        "call('move_pages', 1, 0, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "move memory between nodes",
        "call('migrate_pages', 1, 0, 0, 0)",
        "EPERM",
    ),
    (
        "bind memory to a node",
        "call('mbind', 0, 0, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "set a policy for memory",
        "call('set_mempolicy', 0, 0, 0)",
        "EPERM",
    ),
    (
        "read the environment of PID 1",
        "read('/proc/1/environ')",
        "EACCES",
    ),
    ("read the map of PID 1", "read('/proc/1/maps')", "EACCES"),
    ("open the memory of PID 1", "read('/proc/1/mem')", "EACCES"),
    (
        "write the memory file of PID 1",
        "write('/proc/1/mem', 'x')",
        "EACCES",
    ),
    (
        "list the descriptors of PID 1",
        "os.listdir('/proc/1/fd')",
        "EACCES",
    ),
    (
        "follow the root of PID 1",
        "os.listdir('/proc/1/root/')",
        "EACCES",
    ),
    (
        "follow the directory of PID 1",
        "os.listdir('/proc/1/cwd/')",
        "EACCES",
    ),
    (
        "find the server's program",
        "os.readlink('/proc/1/exe')",
        "EACCES",
    ),
    (
        "overwrite the server's program",
        "write('/proc/1/exe', 'x')",
        "EACCES",
    ),
    (
        "make PID 1 the one to kill",
        "write('/proc/1/oom_score_adj', '1000')",
        "EACCES|EPERM",
    ),
    (
        "be spared when memory is short",
        "write('/proc/self/oom_score_adj', '-1000')",
        "EACCES",
    ),
    (
        "run in real time",
        "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
        "EPERM",
    ),
    (
        "run round robin",
        "os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))",
        "EPERM",
    ),
    (
        "be nicer to oneself",
        "os.setpriority(os.PRIO_PROCESS, 0, -20)",
        "EACCES|EPERM",
    ),
    (
        "read before others",
        "call('ioprio_set', 1, 0, 0x2000)",
        "EPERM",
    ),
    (
        "raise the limit of open files",
        "raise_limit(resource.RLIMIT_NOFILE)",
        "EPERM",
    ),
    (
        "raise the limit of processes",
        "raise_limit(resource.RLIMIT_NPROC)",
        "EPERM",
    ),
    (
        "raise the limit of core dumps",
        "raise_limit(resource.RLIMIT_CORE)",
        "EPERM",
    ),
    (
        "rewrite what /proc says of a process",
        "call('prctl', 35, 1, 0, 0, 0)",
        "EPERM",
    ),
    (
        "put processes on one core",
        "call('prctl', 62, 1, 0, 0, 0)",
        "EPERM",
    ),
    (
        "change one's security labels",
        "call('lsm_set_self_attr', 100, 0, 0, 0)",
        "EPERM",
    ),
    (
        "see processes of the host",
        "'done' if any(open(f'/proc/{p}/comm').read() == 'systemd\\n' or int(p) > 100000 for p in os.listdir('/proc') if p.isdigit()) else 'none'",
        "none",
    ),
];

#[tokio::test]
async fn processes_reach_only_their_own() {
    hold(ATTEMPTS).await;
}

#[tokio::test]
async fn killing_all_reaches_neither_host_nor_agent() {
    let world = World::new().await;
    world.bash("kill -9 1; kill -9 -1").await;
    ok(&world.bash("echo alive").await, "alive\n");
    world.end().await;
}

/// A handler on the host, to which the kernel would feed the core, runs as root there.
#[tokio::test]
async fn a_crash_feeds_no_core_to_the_host() {
    let world = World::new().await;
    let crash = "/usr/bin/python3 -c 'import os; p = os.fork()\n\
                 if p == 0: os.kill(os.getpid(), 11)\n\
                 print(os.WCOREDUMP(os.waitpid(p, 0)[1]))'; ls";
    ok(&world.bash(crash).await, "False\n");
    world.end().await;
}
