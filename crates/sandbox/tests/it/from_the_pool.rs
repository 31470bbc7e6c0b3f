//! The same suite again with a sandbox that was made before anybody asked for it: nothing may change.

use crate::world::{FROM_THE_POOL, again_with};

#[test]
fn a_claimed_sandbox_is_like_any_other() {
    let suites = [
        "bash::",
        "checkpoint::",
        "files::",
        "life::",
        "network::",
        "network_sockets::",
        "outputs::",
        "resume::",
        "search::",
        "security::",
        "shell_state::",
        "stop::",
        "uploads::",
    ];
    again_with(FROM_THE_POOL, &suites, &["unsafe_process"]);
}
