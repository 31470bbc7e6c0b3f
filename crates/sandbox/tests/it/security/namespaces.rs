//! New namespaces, where most kernel exploits begin, and other ones.

use super::table::{Attempt, hold};

const ATTEMPTS: &[Attempt] = &[
    ("unshare users", "call('unshare', 0x10000000)", "EPERM"),
    ("unshare mounts", "call('unshare', 0x00020000)", "EPERM"),
    ("unshare processes", "call('unshare', 0x20000000)", "EPERM"),
    ("unshare networks", "call('unshare', 0x40000000)", "EPERM"),
    (
        "unshare message queues",
        "call('unshare', 0x08000000)",
        "EPERM",
    ),
    ("unshare host names", "call('unshare', 0x04000000)", "EPERM"),
    ("unshare cgroups", "call('unshare', 0x02000000)", "EPERM"),
    ("unshare clocks", "call('unshare', 0x00000080)", "EPERM"),
    (
        "unshare users together with files",
        "call('unshare', 0x10000400)",
        "EPERM",
    ),
    (
        "clone with users",
        "call('clone', 0x10000011, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "clone with mounts",
        "call('clone', 0x00020011, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "clone with processes",
        "call('clone', 0x20000011, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "clone with networks",
        "call('clone', 0x40000011, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "clone with message queues",
        "call('clone', 0x08000011, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "clone with host names",
        "call('clone', 0x04000011, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "clone with cgroups",
        "call('clone', 0x02000011, 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "clone with flags in memory",
        "call('clone3', 0, 0)",
        "ENOSYS",
    ),
    ("enter a namespace", "call('setns', 0, 0)", "EPERM"),
    (
        "open the namespaces of PID 1",
        "os.open('/proc/1/ns/mnt', 0)",
        "EACCES",
    ),
    (
        "allow more user namespaces",
        "write('/proc/sys/user/max_user_namespaces', '9')",
        "EROFS|EACCES",
    ),
    (
        "map other user ids",
        "write('/proc/self/uid_map', '0 0 1')",
        "EPERM|EACCES|EROFS",
    ),
];

#[tokio::test]
async fn no_namespace_is_made_or_entered() {
    hold(ATTEMPTS).await;
}
