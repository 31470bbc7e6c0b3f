//! Ways out that must be closed, a first handful.

use std::net::TcpListener;

use crate::world::{World, error, ok};

/// Each of these must fail inside.
const REFUSED: &[&str] = &[
    "mount -t tmpfs none /mnt",
    "mount -o remount,rw,bind /usr",
    "mount -o remount,rw,bind /proc/sys",
    "umount /proc/kcore",
    "unshare -U true",
    "unshare -m true",
    "unshare -n true",
    "setpriv --nnp chroot / true",
    "cat /etc/shadow",
    "cat /proc/1/environ",
    "cat /proc/1/maps",
    "ls /proc/1/fd/",
    "ls /proc/1/root/",
    "readlink /proc/1/exe",
    "cat /proc/kcore | head -c 1 | grep -q .",
    "cat /proc/kallsyms | grep -q .",
    "cat /proc/keys | grep -q .",
    "echo 1 > /proc/sys/kernel/hostname",
    "echo 1 > /proc/sys/user/max_user_namespaces",
    "echo b > /proc/sysrq-trigger",
    "touch /usr/bin/x",
    "touch /bin/x",
    "touch /x",
    "touch /etc/x",
    "touch /dev/x",
    "mknod /tmp/disk b 254 0",
    "ls /dev/mem /dev/kvm /dev/vda /dev/fuse",
    "hostname other",
    "test -e /home/* || test -e /var/log || test -e /sys/kernel || test -e /boot",
    "chown 70000 /workspace",
    "nice -n -5 true 2>&1 | grep -qv cannot",
    "ulimit -n 1000000",
];

const PYTHON: &str = r#"
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def refused(what, number, *args):
    if libc.syscall(number, *args) != -1: print('open:', what)
refused('ptrace 1', 101, 16, 1, 0, 0)
refused('process_vm_readv', 310, 1, 0, 0, 0, 0, 0)
refused('keyctl', 250, 0, -3, 0, 0, 0)
refused('bpf', 321, 0, 0, 0)
refused('io_uring', 425, 1, 0)
refused('userfaultfd', 323, 0)
refused('unshare', 272, 0x10000000)
refused('clone3', 435, 0, 0)
refused('setns', 308, 0, 0)
refused('x32 getpid', 0x40000027)
refused('personality', 135, 0x0400000)
refused('open_tree', 428, -100, b'/', 1)
families = [(40, 1, 0), (38, 5, 0), (17, 3, 0), (16, 3, 12), (2, 3, 0)]
transports = [(2, 1, 132), (10, 5, 0), (2, 6, 0), (2, 10, 0), (2, 2, 115), (2, 1, 262)]
for kind in families + transports:
    try:
        socket.socket(*kind); print('open: socket', kind)
    except PermissionError: pass
    except OSError as error: print('as far as the kernel: socket', kind, error)
for kind in [(1, 1, 0), (1, 5, 0), (2, 1, 0), (2, 2, 17), (10, 1, 6), (16, 3, 0)]: socket.socket(*kind)
try:
    s = socket.socket(socket.AF_UNIX); s.connect('\0hostler-test-abstract'); print('open: abstract socket')
except OSError: pass
print('done')
"#;

#[tokio::test]
async fn what_leads_out_is_refused() {
    let world = World::new().await;
    for attempt in REFUSED {
        let output = world.bash(&format!("( {attempt} )")).await;
        assert!(output.is_error, "{attempt}: {output:?}");
    }
    // Killing everything that can be seen reaches neither the host nor the agent.
    world.bash("kill -9 1; kill -9 -1").await;
    ok(&world.bash("echo alive").await, "alive\n");
    world.end().await;
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn system_calls_that_lead_out_are_refused() {
    let world = World::new().await;
    let script = serde_json::json!({"file_path": "try.py", "content": PYTHON});
    world.tool("write", script).await;
    ok(&world.bash("/usr/bin/python3 try.py").await, "done\n");
    world.end().await;
}

#[tokio::test]
async fn the_hosts_loopback_is_out_of_reach() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let output = world
        .bash(&format!("echo hello > /dev/tcp/127.0.0.1/{port}"))
        .await;
    assert!(output.is_error, "{output:?}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
    assert_eq!(
        world
            .sh("cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' '")
            .await,
        "lo"
    );
    world.end().await;
}

#[tokio::test]
async fn environment_and_descriptors_of_the_server_stay_outside() {
    // A descriptor without close-on-exec, as a careless library leaves it.
    let secret = tempfile::tempfile().unwrap();
    rustix::io::fcntl_setfd(&secret, rustix::io::FdFlags::empty()).unwrap();
    let world = World::new().await;
    ok(
        &world.bash("ls /proc/self/fd | tr '\\n' ' '").await,
        "0 1 2 3 ",
    );
    ok(
        &world.bash("env | cut -d= -f1 | sort | tr '\\n' ' '").await,
        "HOME LANG LOGNAME PATH PWD SHELL SHLVL TERM USER _ ",
    );
    ok(
        &world.bash("tr '\\0' ' ' < /proc/1/cmdline").await,
        "hostler sandbox-init ",
    );
    ok(
        &world
            .bash("id -u; hostname; ls / | grep -v '^lib' | tr '\\n' ' '")
            .await,
        "0\nsandbox\nbin dev etc home mnt opt proc root run sbin srv tmp usr var workspace ",
    );
    let state = world.state.path().display().to_string();
    error(
        &world
            .bash(&format!(
                "grep -F {state} /proc/self/mountinfo | grep -v ' /.*/boxes/'"
            ))
            .await,
        "exit code 1",
    );
    world.end().await;
}

#[tokio::test]
async fn floods_of_processes_and_files_are_bounded() {
    let world = World::new().await;
    let bomb = "import os, signal\nn = 0\ntry:\n  while n < 5000:\n    if os.fork() == 0: signal.pause()\n    \
                n += 1\nexcept OSError: pass\nprint(0 < n <= 1024)";
    ok(
        &world.bash(&format!("/usr/bin/python3 -c '{bomb}'")).await,
        "True\n",
    );
    world
        .tool("bash", serde_json::json!({"restart": true}))
        .await;
    ok(&world.bash("echo usable").await, "usable\n");
    assert!(
        world
            .bash("head -c 200000000 /dev/zero > /dev/shm/x")
            .await
            .is_error
    );
    assert!(
        world
            .bash("cd /dev/shm && seq 5000 | xargs touch")
            .await
            .is_error
    );
    world.end().await;
}

#[tokio::test]
async fn a_memory_hog_does_not_take_the_sandbox_along() {
    let world = World::new().await;
    let output = world
        .bash("A=5; /usr/bin/python3 -c 'x = bytearray(3 << 30)'")
        .await;
    assert!(output.is_error, "{output:?}");
    ok(&world.bash("echo A=$A").await, "A=5\n");
    world.end().await;
}
