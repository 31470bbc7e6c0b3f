//! What must go on working behind the filter: ordinary programs, threads and debuggers.

use crate::world::{World, bash, ok};

/// Each prints `fine`, or is not on this host.
const PROGRAMS: &[(&str, &str, &str)] = &[
    (
        "threads",
        "/usr/bin/python3",
        "/usr/bin/python3 -c 'import threading; t = [threading.Thread(target=lambda: None) for _ in range(50)]; [x.start() for x in t]; [x.join() for x in t]; print(\"fine\")'",
    ),
    (
        "an event loop with subprocesses",
        "/usr/bin/python3",
        "/usr/bin/python3 -c 'import asyncio\nasync def main():\n  p = await asyncio.create_subprocess_exec(\"echo\", \"fine\")\n  await p.wait()\nasyncio.run(main())'",
    ),
    (
        "a pool of processes",
        "/usr/bin/python3",
        "/usr/bin/python3 -c 'import multiprocessing\nif __name__ == \"__main__\":\n  with multiprocessing.get_context(\"fork\").Pool(4) as p: print(\"fine\" if p.map(abs, [-1, -2]) == [1, 2] else \"wrong\")'",
    ),
    (
        "shared memory",
        "/usr/bin/python3",
        "/usr/bin/python3 -c 'from multiprocessing import shared_memory as s; m = s.SharedMemory(create=True, size=4096); m.close(); m.unlink(); print(\"fine\")'",
    ),
    (
        "a database",
        "/usr/bin/python3",
        "/usr/bin/python3 -c 'import sqlite3; d = sqlite3.connect(\"x.db\"); d.execute(\"pragma journal_mode=wal\"); d.execute(\"create table t(a)\"); d.commit(); print(\"fine\")'",
    ),
    (
        "names relative to directories, and limits asked for in the old way",
        "/usr/bin/python3",
        "/usr/bin/python3 -c 'import ctypes, os\nopen(\"from\", \"w\").close()\nd = os.open(\".\", os.O_RDONLY)\nos.rename(\"from\", \"to\", src_dir_fd=d, dst_dir_fd=d)\nc = ctypes.CDLL(None)\nold = {\"x86_64\": (97, 277), \"aarch64\": (163, 84)}[os.uname().machine]\nok = c.syscall(old[0], 7, ctypes.create_string_buffer(16)) == 0 and c.syscall(old[1], os.open(\"to\", os.O_RDWR), 0, 0, 2) == 0\nprint(\"fine\" if ok else \"wrong\")'",
    ),
    (
        "git",
        "/usr/bin/git",
        "git init -q r && cd r && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git gc -q && echo fine",
    ),
    (
        "a C compiler",
        "/usr/bin/gcc",
        "echo 'int main(void){return 0;}' > m.c && gcc -o m m.c && ./m && echo fine",
    ),
    (
        "node",
        "/usr/bin/node",
        "/usr/bin/node -e 'const {Worker} = require(\"worker_threads\"); new Worker(\"1\", {eval: true}).on(\"exit\", () => require(\"fs\").promises.readFile(\"/etc/passwd\").then(() => console.log(\"fine\")))'",
    ),
    (
        "perl",
        "/usr/bin/perl",
        "perl -e 'if (fork() == 0) { exit 0 } wait; print \"fine\\n\"'",
    ),
    (
        "make",
        "/usr/bin/make",
        "printf 'all:\\n\\t@echo fine\\n' > Makefile && make -s -j4",
    ),
    (
        "tar and compression",
        "/usr/bin/tar",
        "mkdir -p d && touch d/f && tar czf d.tgz d && tar xzf d.tgz && echo fine",
    ),
    (
        "a terminal multiplexer",
        "/usr/bin/tmux",
        "tmux -f /dev/null -S /tmp/t new-session -d 'sleep 100' && tmux -S /tmp/t kill-server && echo fine",
    ),
    (
        "tracing one's own",
        "/usr/bin/strace",
        "strace -o /dev/null true && echo fine",
    ),
    (
        "a debugger",
        "/usr/bin/gdb",
        "gdb -q -batch -ex run -ex quit /usr/bin/true > /dev/null 2>&1 && echo fine",
    ),
];

#[tokio::test]
async fn ordinary_programs_work() {
    let world = World::new().await;
    for (name, program, command) in PROGRAMS {
        let command = format!("[ -x {program} ] || {{ echo fine; exit; }}; {command}");
        let output = bash(&world.sandbox, &format!("( {command} )")).await;
        assert_eq!(
            (output.joined_text().as_str(), output.is_error),
            ("fine\n", false),
            "{name}"
        );
    }
    world.end().await;
}

/// Debuggers are for one's own: the same call that PID 1 refuses.
#[tokio::test]
async fn a_process_may_trace_its_child() {
    let world = World::new().await;
    let trace = "/usr/bin/python3 -c 'import ctypes, os, signal\n\
                 libc = ctypes.CDLL(None)\n\
                 child = os.fork()\n\
                 if child == 0: signal.pause()\n\
                 print(libc.ptrace(16, child, 0, 0)); os.kill(child, 9)'";
    ok(&world.bash(trace).await, "0\n");
    world.end().await;
}
