//! Many sandboxes at once.

use hostler_sandbox::{Opened, Provenance, SandboxHost, Spec};
use tokio::task::JoinSet;

use crate::world::{CleanUp, bash, name, ok, options};

const BURST: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_at_once_are_all_made() {
    let state = tempfile::tempdir().unwrap();
    let host = SandboxHost::start(options(&state)).await.unwrap();
    let _clean_up = CleanUp::of(&host);
    let mut burst = JoinSet::new();
    for number in 0..BURST {
        let host = host.clone();
        burst.spawn(async move {
            let name = name(&format!("burst_{number}"));
            let Opened {
                sandbox,
                provenance,
                ..
            } = host.open(&name, &Spec::default()).await.unwrap();
            assert_eq!(provenance, Provenance::Created);
            ok(
                &bash(&sandbox, &format!("echo {number}")).await,
                &format!("{number}\n"),
            );
        });
    }
    let made = burst.join_all().await.len();
    assert_eq!(made, BURST);
    let alive = host.list().await.unwrap();
    assert_eq!(alive.iter().filter(|listed| listed.is_alive).count(), BURST);
}
