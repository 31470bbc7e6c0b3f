//! The same suite again without root, when it is root that runs it.

use std::process::Command;

const USER: &str = "65534";
/// Below the user's, as on many hosts: who takes one for the other counts below zero.
const GROUP: &str = "65533";

#[test]
fn an_ordinary_user_gets_the_same() {
    if !rustix::process::geteuid().is_root() {
        // This is that run, or a machine where all of this runs without root anyway.
        return;
    }
    let suite = std::env::current_exe().expect("the path of this suite");
    let output = Command::new("setpriv")
        .args(["--reuid", USER, "--regid", GROUP, "--clear-groups"])
        .arg(suite)
        // Once is enough of what takes half a minute.
        .args(["--skip", "a_gigabyte_of_output"])
        .args(["--test-threads", "2"])
        .args([
            "abuse::",
            "bash::",
            "checkpoint::",
            "checkpoint_lies::",
            "cgroups::",
            "conformance::",
            "disk::",
            "files::",
            "life::",
            "packages::",
            "pool::",
            "roots::",
            "outputs::",
            "network::",
            "search::",
            "shell_state::",
            "security::",
            "stop::",
            "tier::",
            "unsafe_process::",
            "uploads::",
            "zygote::",
        ])
        .env("TMPDIR", "/tmp")
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("setpriv runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{complained}");
    assert!(
        told.contains("test result: ok") && !told.contains("running 0 tests"),
        "{told}"
    );
}
