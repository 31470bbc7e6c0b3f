//! Root file systems that environments ask for.

use hostler_engine::RootOptions;
use hostler_image::ImageStore;
use hostler_testkit::Reply;
use serde_json::json;

use super::little_root;
use super::shown::public;
use super::world::World;

fn bash(command: &str) -> Reply {
    Reply::tool_use("bash", json!({"command": command}))
}

async fn answer(world: &World, command: &str) -> String {
    let session = world.session().await;
    world.model.reply(bash(command));
    world.model.reply(Reply::text("Done."));
    world.say(session, "Look.").await;
    let log = world.log_after_turns(session, 1).await;
    let mut lines = public(&log);
    lines.retain(|line| line.starts_with("gives") || line.starts_with("fails"));
    lines.join("")
}

#[tokio::test]
async fn an_environment_chooses_among_the_roots_that_are_permitted() {
    let mut world = World::new().await;
    let folder = world.folder.path().join("little");
    little_root::write(&folder, &["bash", "cat", "ls"]);
    let little = format!("dir:{}", folder.display());
    world.roots = RootOptions {
        images: Some(ImageStore::open(&world.folder.path().join("images")).unwrap()),
        allowed: vec![little.parse().unwrap()],
        ..RootOptions::default()
    };
    let _engine = world.engine().await;
    world.environment = json!({"name": "little", "metadata": {"hostler.root": little}});
    let look = "cat /etc/os-release; echo mine > /usr/own; ls /usr";
    assert_eq!(
        answer(&world, look).await,
        "gives ID=little\nbin\nlib\nlib64\nown\nsbin\n"
    );
    // The next session has its own copy of nothing, and a clean root.
    assert_eq!(
        answer(&world, "ls /usr").await,
        "gives bin\nlib\nlib64\nsbin\n"
    );
    world.environment = json!({"name": "other", "metadata": {"hostler.root": "dir:/etc"}});
    let refused = answer(&world, "ls /").await;
    assert!(
        refused.contains("dir:/etc is not permitted on this server"),
        "{refused}"
    );
    world.environment = json!({"name": "default"});
    assert!(
        !answer(&world, "cat /usr/lib/os-release")
            .await
            .contains("little")
    );
}
