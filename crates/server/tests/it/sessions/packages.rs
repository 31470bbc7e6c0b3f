//! Packages of an environment, from its configuration to a tool that uses them.

use std::fs;
use std::path::Path;
use std::process::Command;

use hostler_protocol::event::{Event, Recorded};
use hostler_testkit::Reply;
use serde_json::json;

use super::shown::public;
use super::world::World;
use super::world_sandboxes::ended;

fn bash(command: &str) -> Reply {
    Reply::tool_use("bash", json!({"command": command}))
}

/// A wheel with one module, made of nothing but a zip.
pub(super) fn write_wheel(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let make = r#"
import sys, zipfile
info = "hostler_greeting-1.0.dist-info/"
with zipfile.ZipFile(sys.argv[1] + "/hostler_greeting-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("hostler_greeting.py", "def main():\n    print('hello from a package')\n")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: hostler-greeting\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "entry_points.txt", "[console_scripts]\ngreet = hostler_greeting:main\n")
    wheel.writestr(info + "RECORD", "")
"#;
    let made = Command::new("python3")
        .args(["-c", make])
        .arg(folder)
        .status();
    assert!(made.unwrap().success());
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

pub(super) const LOCAL_WHEEL: &str = "/opt/package-sources/hostler_greeting-1.0-py3-none-any.whl";

#[tokio::test]
async fn packages_are_installed_once_for_all_sessions_that_want_them() {
    let mut world = World::new().await;
    let sources = world.folder.path().join("wheels");
    write_wheel(&sources);
    world.packages.sources = Some(sources);
    world.environment = json!({"name": "greeting", "config": {
        "type": "cloud", "packages": {"pip": [LOCAL_WHEEL]},
    }});
    let _engine = world.engine().await;
    for _ in 0..2 {
        let session = world.session().await;
        world.model.reply(bash(
            "greet; python3 -c 'import hostler_greeting; hostler_greeting.main()'; \
             touch /opt/packages/x 2>&1 | grep -o 'Read-only'; ls /opt",
        ));
        world.model.reply(Reply::text("Done."));
        world.say(session, "Greet.").await;
        let log = world.log_after_turns(session, 1).await;
        let expected = "gives hello from a package\nhello from a package\nRead-only\npackages\n";
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
    write_wheel(&sources);
    world.packages.sources = Some(sources);
    world.environment = json!({"name": "greeting", "config": {
        "type": "cloud", "packages": {"pip": [LOCAL_WHEEL]},
    }});
    let half_made = format!("build_{}", "0".repeat(32));
    let process = world.open_sandbox_named(&half_made).await;
    let session = world.session().await;
    let _engine = world.engine().await;
    world.model.reply(bash("greet"));
    world.model.reply(Reply::text("Done."));
    world.say(session, "Greet.").await;
    let log = world.log_after_turns(session, 1).await;
    assert_eq!(results(&log), ["gives hello from a package\n"]);
    ended(process).await;
}
