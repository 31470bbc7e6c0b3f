//! The same suite again with images for disks, where they can be had: nothing else may change.

use std::process::Command;

use crate::world::{WITH_IMAGES, images_can_be_had};

#[test]
fn with_images_everything_is_the_same() {
    if !images_can_be_had() {
        return;
    }
    let suite = std::env::current_exe().expect("the path of this suite");
    let output = Command::new(suite)
        .args(["--test-threads", "2"])
        // Those of plain processes, and those that put something of the host's own file system
        // where a sandbox with an image has none of it.
        .args(["--skip", "unsafe_process"])
        .args(["--skip", "a_damaged_directory"])
        .args(["--skip", "a_hard_link_to_a_file_of_the_host"])
        .args(["--skip", "files_that_are_deleted_halfway"])
        .args([
            "bash::",
            "burst::",
            "checkpoint::",
            "checkpoint_lies::",
            "files::",
            "life::",
            "network_sockets::",
            "outputs::",
            "packages::",
            "resume::",
            "roots::",
            "security::",
            "shell_state::",
            "stop::",
            "trees::",
            "uploads::",
        ])
        .env(WITH_IMAGES, "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("the suite runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{complained}");
    assert!(
        told.contains("test result: ok") && !told.contains("running 0 tests"),
        "{told}"
    );
}
