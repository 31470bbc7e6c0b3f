//! What `/proc`, `/sys` and `/dev` would give away or let one change.

use super::table::{Attempt, hold};

const ATTEMPTS: &[Attempt] = &[
    (
        "pipe core dumps into a program",
        "write('/proc/sys/kernel/core_pattern', '|/tmp/x')",
        "EROFS|EACCES",
    ),
    (
        "name the loader of modules",
        "write('/proc/sys/kernel/modprobe', '/tmp/x')",
        "EROFS|EACCES|ENOENT",
    ),
    (
        "rename the host",
        "write('/proc/sys/kernel/hostname', 'x')",
        "EROFS|EACCES",
    ),
    (
        "drop the host's caches",
        "write('/proc/sys/vm/drop_caches', '3')",
        "EROFS|EACCES",
    ),
    (
        "overcommit memory",
        "write('/proc/sys/vm/overcommit_memory', '1')",
        "EROFS|EACCES",
    ),
    (
        "forward packets",
        "write('/proc/sys/net/ipv4/ip_forward', '1')",
        "EROFS|EACCES",
    ),
    (
        "open low ports",
        "write('/proc/sys/net/ipv4/ip_unprivileged_port_start', '0')",
        "EROFS|EACCES",
    ),
    (
        "press the magic key",
        "write('/proc/sysrq-trigger', 'b')",
        "EROFS|EACCES|ENOENT",
    ),
    (
        "register a binary format",
        "write('/proc/sys/fs/binfmt_misc/register', ':x:M::x::/tmp/x:')",
        "EROFS|EACCES|ENOENT",
    ),
    (
        "stop an interrupt",
        "write('/proc/irq/default_smp_affinity', '0')",
        "EROFS|EACCES|ENOENT",
    ),
    (
        "change a device by sysfs",
        "write('/sys/kernel/uevent_helper', '/tmp/x')",
        "ENOENT",
    ),
    (
        "read the kernel's memory",
        "read('/proc/kcore')",
        "empty|ENOENT",
    ),
    (
        "read the kernel's symbols",
        "read('/proc/kallsyms')",
        "empty|ENOENT",
    ),
    (
        "read the list of keys",
        "read('/proc/keys')",
        "empty|ENOENT",
    ),
    (
        "read the list of timers",
        "read('/proc/timer_list')",
        "empty|ENOENT",
    ),
    (
        "read the scheduler's state",
        "read('/proc/sched_debug')",
        "empty|ENOENT",
    ),
    (
        "read the kernel's messages",
        "read('/proc/kmsg')",
        "empty|ENOENT",
    ),
    ("open the machine's memory", "read('/dev/mem')", "ENOENT"),
    ("open the kernel's log", "read('/dev/kmsg')", "ENOENT"),
    ("open a virtual machine", "read('/dev/kvm')", "ENOENT"),
    (
        "open a file system of one's own",
        "read('/dev/fuse')",
        "ENOENT",
    ),
    ("open a network device", "read('/dev/net/tun')", "ENOENT"),
    ("open the disk", "read('/dev/vda')", "ENOENT"),
    ("open vsock", "read('/dev/vsock')", "ENOENT"),
    ("make a loop device", "read('/dev/loop-control')", "ENOENT"),
    (
        "handle page faults by device",
        "read('/dev/userfaultfd')",
        "ENOENT",
    ),
    ("pretend to be a keyboard", "read('/dev/uinput')", "ENOENT"),
    (
        "make the disk's device file",
        "os.mknod('/tmp/disk', 0o60600, os.makedev(254, 0))",
        "EPERM",
    ),
    (
        "make the memory's device file",
        "os.mknod('/tmp/mem', 0o20600, os.makedev(1, 1))",
        "EPERM",
    ),
    (
        "make a device file in the workspace",
        "os.mknod('/workspace/null', 0o20600, os.makedev(1, 3))",
        "EPERM",
    ),
];

#[tokio::test]
async fn the_machines_files_are_closed() {
    hold(ATTEMPTS).await;
}
