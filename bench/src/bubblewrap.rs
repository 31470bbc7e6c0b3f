//! Bubblewrap with the options that come closest to a sandbox of ours: every namespace, the host's programs
//! read-only, private directories, no capabilities. It has no seccomp filter, no cgroup and no agent, so it
//! does less.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;

const LINKS: [(&str, &str); 4] = [
    ("usr/bin", "/bin"),
    ("usr/sbin", "/sbin"),
    ("usr/lib", "/lib"),
    ("usr/lib64", "/lib64"),
];

pub(crate) fn is_installed() -> bool {
    let version = Command::new("bwrap").arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// From nothing to the end of `bash -c true` inside. Blocks.
pub(crate) fn run_true(workspace: &Path) -> anyhow::Result<Duration> {
    let mut command = Command::new("bwrap");
    command.args(["--unshare-all", "--new-session", "--die-with-parent"]);
    command.args(["--clearenv", "--cap-drop", "ALL", "--hostname", "sandbox"]);
    command.args(["--ro-bind", "/usr", "/usr"]);
    for (target, link) in LINKS {
        command.args(["--symlink", target, link]);
    }
    command.args(["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]);
    command.args(["--ro-bind-try", "/etc/alternatives", "/etc/alternatives"]);
    command.args(["--ro-bind-try", "/etc/ssl/certs", "/etc/ssl/certs"]);
    command.args(["--proc", "/proc", "--dev", "/dev"]);
    command.args(["--tmpfs", "/tmp", "--tmpfs", "/run", "--dir", "/root"]);
    command.arg("--bind").arg(workspace).arg("/workspace");
    command.args(["--chdir", "/workspace", "/bin/bash", "-c", "true"]);
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let taken = begun.elapsed();
    ensure!(
        output.status.success(),
        "bwrap ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(taken)
}
