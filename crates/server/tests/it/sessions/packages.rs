//! Packages of an environment, from its configuration to a tool that uses them.

use std::fs;
use std::time::Duration;

use hostler_protocol::event::{Event, Recorded};
use hostler_testkit::Reply;
use serde_json::json;

use super::little_packages::{run, wheel};
use super::shown::public;
use super::world::World;
use super::world_sandboxes::ended;

fn bash(command: &str) -> Reply {
    Reply::tool_use("bash", json!({"command": command}))
}

fn results(log: &[Recorded]) -> Vec<String> {
    let mut lines = public(log);
    lines.retain(|line| line.starts_with("gives") || line.starts_with("fails"));
    lines
}

fn layers(world: &World) -> usize {
    let folder = world.folder.path().join("sandboxes/layers");
    let entries = fs::read_dir(folder).unwrap();
    entries
        .filter(|entry| entry.as_ref().unwrap().path().is_dir())
        .count()
}

pub(super) const LOCAL_WHEEL: &str = "/opt/package-sources/tiny_thing-1.0-py3-none-any.whl";

#[tokio::test]
async fn packages_are_installed_once_for_all_sessions_that_want_them() {
    let mut world = World::new().await;
    let sources = world.folder.path().join("wheels");
    wheel(&sources, "1.0");
    world.packages.sources = Some(sources);
    world.environment = json!({"name": "greeting", "config": {
        "type": "cloud", "packages": {"pip": [LOCAL_WHEEL]},
    }});
    let _engine = world.engine().await;
    for _ in 0..2 {
        let session = world.session().await;
        world.model.reply(bash(
            "tiny; python3 -c 'import tiny_thing; tiny_thing.main()'; \
             touch /opt/packages/x 2>&1 | grep -o 'Read-only'; ls /opt",
        ));
        world.model.reply(Reply::text("Done."));
        world.say(session, "Greet.").await;
        let log = world.log_after_turns(session, 1).await;
        let expected = "gives pip 1.0\npip 1.0\nRead-only\npackages\n";
        assert_eq!(results(&log), [expected]);
    }
    assert_eq!(layers(&world), 1);
}

#[tokio::test]
async fn a_package_that_cannot_be_installed_is_told_to_the_model_and_the_user() {
    let mut world = World::new().await;
    world.environment = json!({"name": "broken", "config": {
        "type": "cloud", "packages": {"pip": ["/opt/package-sources/nothing.whl"]},
    }});
    let session = world.session().await;
    let _engine = world.engine().await;
    world.model.reply(bash("true"));
    world.model.reply(Reply::text("I can't."));
    world.say(session, "Work.").await;
    let log = world.log_after_turns(session, 1).await;
    let [told] = results(&log).try_into().unwrap();
    assert!(
        told.starts_with("fails") && told.contains("the pip packages"),
        "{told}"
    );
    assert!(told.contains("nothing.whl"), "{told}");
    let errors: Vec<_> = log
        .iter()
        .filter_map(|row| {
            let Event::SessionError(told) = &row.event else {
                return None;
            };
            Some(told.error.message.clone())
        })
        .collect();
    let [message] = errors.as_slice() else {
        panic!("one error: {errors:?}");
    };
    assert!(message.contains("the pip packages") && message.contains("nothing.whl"));
    assert_eq!(layers(&world), 0);
}

#[tokio::test]
async fn what_no_installation_can_do_is_said_at_once() {
    let mut world = World::new().await;
    let packages = json!({"apt": ["jq"]});
    world.environment = json!({"name": "x", "config": {"type": "cloud", "packages": packages}});
    let session = world.session().await;
    let _engine = world.engine().await;
    world.model.reply(bash("true"));
    world.model.reply(Reply::text("I can't."));
    world.say(session, "Work.").await;
    let log = world.log_after_turns(session, 1).await;
    let [told] = results(&log).try_into().unwrap();
    let words = "apt packages need a root file system of the sandbox's own";
    assert!(told.contains(words), "{told}");
}

/// What a server that was killed in the middle has left.
#[tokio::test]
async fn a_half_made_installation_is_thrown_away() {
    let mut world = World::new().await;
    let sources = world.folder.path().join("wheels");
    wheel(&sources, "1.0");
    world.packages.sources = Some(sources);
    world.environment = json!({"name": "greeting", "config": {
        "type": "cloud", "packages": {"pip": [LOCAL_WHEEL]},
    }});
    let half_made = format!("build_{}", "0".repeat(32));
    let process = world.open_sandbox_named(&half_made).await;
    let session = world.session().await;
    let _engine = world.engine().await;
    world.model.reply(bash("tiny"));
    world.model.reply(Reply::text("Done."));
    world.say(session, "Greet.").await;
    let log = world.log_after_turns(session, 1).await;
    assert_eq!(results(&log), ["gives pip 1.0\n"]);
    ended(process).await;
}

/// A package whose own code runs while it is installed, and never ends.
const ENDLESS: &str = r#"
import sys, tarfile, io
with tarfile.open(sys.argv[1] + "/endless-1.0.tar.gz", "w:gz") as archive:
    for name, text in {"setup.py": "import threading\nprint('here it stays', flush=True)\nthreading.Event().wait()\n",
                       "PKG-INFO": "Metadata-Version: 2.1\nName: endless\nVersion: 1.0\n"}.items():
        member = tarfile.TarInfo("endless-1.0/" + name)
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
"#;

#[tokio::test]
async fn an_installation_that_never_ends_is_ended_and_names_its_manager_and_package() {
    let mut world = World::new().await;
    let sources = world.folder.path().join("sources");
    fs::create_dir(&sources).unwrap();
    run("/usr/bin/python3", &["-c", ENDLESS, "."], &sources);
    world.packages.sources = Some(sources);
    world.packages.build_time_max = Duration::from_secs(3);
    let package = "/opt/package-sources/endless-1.0.tar.gz";
    let packages = json!({"pip": [package]});
    world.environment = json!({"name": "x", "config": {"type": "cloud", "packages": packages}});
    let session = world.session().await;
    let _engine = world.engine().await;
    world.model.reply(bash("true"));
    world.model.reply(Reply::text("I can't."));
    world.say(session, "Work.").await;
    let log = world.log_after_turns(session, 1).await;
    let [told] = results(&log).try_into().unwrap();
    let cannot = format!("the pip packages of the environment cannot be installed: {package}.");
    for words in [
        &cannot[..],
        "The next call tries again",
        "did not finish within",
    ] {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(layers(&world), 0);
}
