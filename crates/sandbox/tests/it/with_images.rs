//! The same suite again with images for disks, where they can be had: nothing else may change.

use crate::world::{WITH_IMAGES, again_with, images_can_be_had};

#[test]
fn with_images_everything_is_the_same() {
    if !images_can_be_had() {
        return;
    }
    // But those of plain processes, and those that put something of the host's own file system
    // where a sandbox with an image has none of it.
    let without = [
        "unsafe_process",
        "a_damaged_directory",
        "a_hard_link_to_a_file_of_the_host",
        "files_that_are_deleted_halfway",
    ];
    let suites = [
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
    ];
    again_with(WITH_IMAGES, &suites, &without);
}
