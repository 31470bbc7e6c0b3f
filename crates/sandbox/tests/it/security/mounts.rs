//! Changing what is mounted, and reaching files around the mounts.

use super::table::{Attempt, hold};

const ATTEMPTS: &[Attempt] = &[
    (
        "mount a tmpfs",
        "call('mount', b'none', b'/mnt', b'tmpfs', 0, 0)",
        "EPERM",
    ),
    (
        "mount a proc",
        "call('mount', b'proc', b'/mnt', b'proc', 0, 0)",
        "EPERM",
    ),
    (
        "mount a sysfs",
        "call('mount', b'sysfs', b'/mnt', b'sysfs', 0, 0)",
        "EPERM",
    ),
    (
        "mount an overlay",
        "call('mount', b'o', b'/mnt', b'overlay', 0, b'lowerdir=/usr:/etc')",
        "EPERM",
    ),
    (
        "mount the cgroups of v1, for a release agent",
        "call('mount', b'c', b'/mnt', b'cgroup', 0, b'memory')",
        "EPERM",
    ),
    (
        "mount the cgroups of v2",
        "call('mount', b'c', b'/mnt', b'cgroup2', 0, 0)",
        "EPERM",
    ),
    (
        "write a release agent",
        "write('/sys/fs/cgroup/release_agent', '/tmp/x')",
        "ENOENT",
    ),
    (
        "mount a disk of the host",
        "call('mount', b'/dev/vda', b'/mnt', b'ext4', 0, 0)",
        "EPERM",
    ),
    (
        "bind a directory elsewhere",
        "call('mount', b'/proc', b'/mnt', 0, 0x1000, 0)",
        "EPERM",
    ),
    (
        "make /usr writable",
        "call('mount', 0, b'/usr', 0, 0x1020, 0)",
        "EPERM",
    ),
    (
        "make /proc/sys writable",
        "call('mount', 0, b'/proc/sys', 0, 0x1020, 0)",
        "EPERM",
    ),
    (
        "make the root writable",
        "call('mount', 0, b'/', 0, 0x1020, 0)",
        "EPERM",
    ),
    (
        "make mounts shared",
        "call('mount', 0, b'/', 0, 0x104000, 0)",
        "EPERM",
    ),
    (
        "take a mask off",
        "call('umount2', b'/proc/kcore', 2)",
        "EPERM",
    ),
    (
        "take /workspace off",
        "call('umount2', b'/workspace', 2)",
        "EPERM",
    ),
    ("open a file system", "call('fsopen', b'tmpfs', 0)", "EPERM"),
    (
        "configure a file system",
        "call('fsconfig', 0, 6, 0, 0, 0)",
        "EPERM",
    ),
    (
        "make a mount of a file system",
        "call('fsmount', 0, 0, 0)",
        "EPERM",
    ),
    (
        "reconfigure a file system",
        "call('fspick', -100, b'/', 0)",
        "EPERM",
    ),
    ("clone a mount", "call('open_tree', -100, b'/', 1)", "EPERM"),
    (
        "clone a mount with attributes",
        "call('open_tree_attr', -100, b'/', 1, 0, 0)",
        "EPERM",
    ),
    (
        "move a mount",
        "call('move_mount', -100, b'/proc', -100, b'/mnt', 0)",
        "EPERM",
    ),
    (
        "change attributes of a mount",
        "call('mount_setattr', -100, b'/', 0, 0, 32)",
        "EPERM",
    ),
    (
        "ask about mounts by number",
        "call('statmount', 0, 0, 0, 0)",
        "EPERM",
    ),
    (
        "change the root",
        "call('pivot_root', b'/workspace', b'/workspace')",
        "EPERM",
    ),
    ("chroot", "call('chroot', b'/workspace')", "EPERM"),
    (
        "break out of a chroot by an open directory",
        "(os.fchdir(os.open('/', 0)), os.chroot('tmp'))",
        "EPERM",
    ),
    (
        "climb above the root",
        "'done' if os.stat('/../../..').st_ino != os.stat('/').st_ino else 'same'",
        "same",
    ),
    (
        "set a quota",
        "call('quotactl', 0x800008, b'/dev/vda', 0, 0)",
        "EPERM",
    ),
    (
        "set a quota by descriptor",
        "call('quotactl_fd', 0, 0x800008, 0, 0)",
        "EPERM",
    ),
    (
        "swap to a file",
        "call('swapon', b'/workspace/x', 0)",
        "EPERM",
    ),
    (
        "take the host's swap away",
        "call('swapoff', b'/dev/vda')",
        "EPERM",
    ),
    (
        "account processes into a file",
        "call('acct', b'/workspace/x')",
        "EPERM",
    ),
    (
        "open a file by handle",
        "call('open_by_handle_at', -100, 0, 0)",
        "EPERM",
    ),
    (
        "ask for a file's handle",
        "call('name_to_handle_at', -100, b'/', 0, 0, 0)",
        "EPERM",
    ),
    ("watch all files", "call('fanotify_init', 0, 0)", "EPERM"),
    ("create a file in /", "make('/x')", "EROFS"),
    ("create a file in /usr", "make('/usr/x')", "EROFS|EACCES"),
    (
        "create a file in /usr/bin",
        "make('/usr/bin/x')",
        "EROFS|EACCES",
    ),
    ("create a file in /etc", "make('/etc/x')", "EROFS"),
    ("create a file in /dev", "make('/dev/x')", "EROFS"),
    ("create a file in /mnt", "make('/mnt/x')", "EROFS"),
    (
        "create a file among the uploads",
        "make('/mnt/session/uploads/x')",
        "EROFS|EACCES",
    ),
    (
        "overwrite a program",
        "write('/usr/bin/env', 'x')",
        "EROFS|EACCES",
    ),
    (
        "overwrite the list of users",
        "write('/etc/passwd', 'x')",
        "EROFS",
    ),
    ("read the host's passwords", "read('/etc/shadow')", "ENOENT"),
    ("look into the host's homes", "os.listdir('/home')", "[]"),
    ("look at the host's kernel", "os.listdir('/boot')", "ENOENT"),
    ("look at the host's devices", "os.listdir('/sys')", "ENOENT"),
    (
        "look at the host's logs",
        "os.listdir('/var/log')",
        "ENOENT",
    ),
];

#[tokio::test]
async fn mounts_stay_as_they_are() {
    hold(ATTEMPTS).await;
}
