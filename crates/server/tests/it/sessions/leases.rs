//! Leases that nobody runs under.

use std::time::Duration;

use hostler_store::{Claim, StoreOptions, WakeUps};
use hostler_testkit::{Reply, open_store};

use super::world::World;

/// The claim took place, and its answer was lost: the process holds what it does not know of.
#[tokio::test]
async fn a_lease_whose_claim_seemed_to_fail_does_not_keep_the_session_from_running() {
    let mut world = World::new().await.with_lease(Duration::from_millis(300));
    let session = world.session().await;
    let _engine = world.engine().await;
    let options = StoreOptions {
        wake_ups: WakeUps::Off,
        look_interval: Duration::from_millis(50),
        ..StoreOptions::default()
    };
    let lost = open_store(world.folder.path(), options);
    let (now, lease) = (world.env.now(), Duration::from_millis(300));
    let claimed = lost.claim(session, "test", now, lease, 1).await.unwrap();
    assert!(matches!(claimed, Claim::Taken(_)));

    world.model.reply(Reply::text("Here I am."));
    // Behind the engine's back, so that it has to look.
    world.store = lost;
    world.say(session, "Are you there?").await;
    world.log_after_turns(session, 1).await;
}
