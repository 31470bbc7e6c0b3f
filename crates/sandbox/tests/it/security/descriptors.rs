//! What a sandbox inherits from the server, and what it could learn about the host.

use crate::world::{World, error, ok};

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
