//! Parts of the kernel that no namespace separates, or that hardly anybody needs.

use super::table::{Attempt, hold};

const ATTEMPTS: &[Attempt] = &[
    ("read a keyring", "call('keyctl', 0, -3, 0, 0, 0)", "EPERM"),
    (
        "add a key",
        "call('add_key', b'user', b'x', b'y', 1, -3)",
        "EPERM",
    ),
    (
        "ask for a key",
        "call('request_key', b'user', b'x', 0, -3)",
        "EPERM",
    ),
    ("load a BPF program", "call('bpf', 5, 0, 0)", "EPERM"),
    ("make a BPF map", "call('bpf', 0, 0, 0)", "EPERM"),
    (
        "watch with perf",
        "call('perf_event_open', 0, 0, -1, -1, 0)",
        "EPERM",
    ),
    ("handle page faults", "call('userfaultfd', 0)", "EPERM"),
    (
        "set up an io_uring",
        "call('io_uring_setup', 1, 0)",
        "EPERM",
    ),
    (
        "enter an io_uring",
        "call('io_uring_enter', 0, 0, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "register with an io_uring",
        "call('io_uring_register', 0, 0, 0, 0)",
        "EPERM",
    ),
    ("load a module", "call('init_module', 0, 0, b'')", "EPERM"),
    (
        "load a module from a file",
        "call('finit_module', 0, b'', 0)",
        "EPERM",
    ),
    (
        "remove a module",
        "call('delete_module', b'loop', 0)",
        "EPERM",
    ),
    (
        "load another kernel",
        "call('kexec_load', 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "load another kernel from a file",
        "call('kexec_file_load', 0, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "reboot",
        "call('reboot', 0xfee1dead, 672274793, 0, 0)",
        "EPERM",
    ),
    ("set the time of day", "call('settimeofday', 0, 0)", "EPERM"),
    ("set a clock", "call('clock_settime', 0, 0)", "EPERM"),
    ("adjust a clock", "call('clock_adjtime', 0, 0)", "EPERM"),
    ("adjust the clock", "call('adjtimex', 0)", "EPERM"),
    ("read the kernel's log", "call('syslog', 3, 0, 0)", "EPERM"),
    ("set the host name", "call('sethostname', b'x', 1)", "EPERM"),
    (
        "set the domain name",
        "call('setdomainname', b'x', 1)",
        "EPERM",
    ),
    ("hang up the terminal", "call('vhangup')", "EPERM"),
    ("reach ports of the machine", "call('iopl', 3)", "EPERM"),
    (
        "reach one port of the machine",
        "call('ioperm', 0, 1, 1)",
        "EPERM",
    ),
    (
        "change the segment table",
        "call('modify_ldt', 0, 0, 0)",
        "EPERM",
    ),
    (
        "make all readable memory executable",
        "call('personality', 0x0400000)",
        "EPERM",
    ),
    (
        "allow a page at address zero",
        "call('personality', 0x0100000)",
        "EPERM",
    ),
    (
        "a call that is newer than the list",
        "call(468, 0, 0, 0)",
        "ENOSYS",
    ),
    ("a call that no kernel has", "call(1000, 0, 0, 0)", "ENOSYS"),
    (
        "a number that was never given",
        "call(400, 0, 0, 0)",
        "ENOSYS",
    ),
    ("a negative number", "call(-5, 0, 0, 0)", "ENOSYS"),
];

#[tokio::test]
async fn the_kernel_offers_nothing_more() {
    hold(ATTEMPTS).await;
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn foreign_tables_of_calls_are_closed() {
    hold(&[
        ("getpid of the x32 table", "call(0x40000027)", "ENOSYS"),
        (
            "mount of the x32 table",
            "call(0x400000a5, b'n', b'/mnt', b'tmpfs', 0, 0)",
            "ENOSYS",
        ),
        (
            "ptrace of the x32 table",
            "call(0x40000209, 16, 1, 0, 0)",
            "ENOSYS",
        ),
        // mov eax, 20; int 0x80; ret
        (
            "getpid of the 32-bit table",
            "machine_code(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))",
            "SIGSYS",
        ),
    ])
    .await;
}
