//! `hostler sandboxes` beside a host that is at work.

mod exec;

use std::path::{Path, PathBuf};

use hostler_sandbox::{Call, HostOptions, Opened, SandboxHost, Spec, Tool, kill_all};
use serde_json::Value;

use rustix::process::Signal;

use super::serve::Server;
use super::{hostler_in, stderr, stdout};

const NAME: &str = "sesn_011CZkZAtmR3yMPDzynEDxu7";

/// A data folder with one sandbox, whose processes end with this.
struct Place {
    folder: tempfile::TempDir,
    host: SandboxHost,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = kill_all(&self.folder.path().join("data/sandboxes"));
    }
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = HostOptions::new(folder.path().join("data/sandboxes"));
        options.launcher = PathBuf::from(env!("CARGO_BIN_EXE_hostler"));
        let host = SandboxHost::start(options).await.unwrap();
        Self { folder, host }
    }

    async fn open(&self) -> Opened {
        let name = NAME.parse().unwrap();
        self.host.open(&name, &Spec::default()).await.unwrap()
    }

    fn sandboxes(&self, arguments: &[&str]) -> std::process::Output {
        sandboxes(self.folder.path(), arguments)
    }
}

fn sandboxes(folder: &Path, arguments: &[&str]) -> std::process::Output {
    let all = [&["sandboxes"], arguments, &["--data-dir", "data"]].concat();
    hostler_in(folder, &all)
}

async fn bash(opened: &Opened, command: &str) {
    let tool = Tool::Bash {
        command: command.to_owned(),
        timeout_ms: None,
    };
    let id = "call".to_owned();
    opened.sandbox.run(Call { id, tool }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_listed_with_what_they_use() {
    let place = Place::new().await;
    let opened = place.open().await;
    bash(&opened, "head -c 3000000 /dev/urandom > big").await;
    let table = stdout(&place.sandboxes(&["list"]));
    let line = table.lines().find(|line| line.starts_with(NAME)).unwrap();
    assert!(line.contains("running") && line.contains("MiB"), "{table}");
    let list: Value = serde_json::from_str(&stdout(&place.sandboxes(&["list", "--json"]))).unwrap();
    let one = &list[0];
    assert_eq!(
        (&one["name"], &one["state"]),
        (&NAME.into(), &"running".into())
    );
    assert!(one["disk_bytes"].as_u64().unwrap() >= 3_000_000, "{one}");
    drop(opened);
    place.host.stop(&NAME.parse().unwrap()).await.unwrap();
    let table = stdout(&place.sandboxes(&["list"]));
    assert!(table.contains("stopped"), "{table}");
}

/// Those of a server that is killed stay for the next one, which ends them.
#[test]
fn those_made_ahead_are_shown_and_end_with_their_server() {
    let folder = tempfile::tempdir().unwrap();
    let pooled = || {
        let list = stdout(&sandboxes(folder.path(), &["list", "--json"]));
        let list: Vec<Value> = serde_json::from_str(&list).unwrap();
        assert!(list.iter().all(|one| one["state"] == "pooled"), "{list:?}");
        let pids = list.iter().filter_map(|one| one["pid"].as_u64());
        pids.collect::<Vec<_>>()
    };
    let full = |others: &[u64]| loop {
        let pids = pooled();
        if pids.len() == 3 && !pids.iter().any(|pid| others.contains(pid)) {
            return pids;
        }
    };
    let settings = [("HOSTLER__SANDBOX__POOL", "3")];
    let server = Server::isolated(folder.path(), &settings);
    let first = full(&[]);
    server.kill();
    // They are made one by one. The last one may have been shown before the server had heard that it is
    // ready, and a launch that nobody waits for any more is undone.
    let left = pooled();
    assert!(first.starts_with(&left), "{left:?} of {first:?}");
    assert!(left.len() >= 2, "{left:?} of {first:?}");
    let server = Server::isolated(folder.path(), &settings);
    let second = full(&first);
    let label = stdout(&sandboxes(folder.path(), &["list"]));
    let label = label
        .lines()
        .last()
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    let page = stdout(&sandboxes(folder.path(), &["inspect", &label]));
    assert!(page.contains("state             pooled"), "{page}");
    let inside = sandboxes(folder.path(), &["exec", &label, "--", "true"]);
    assert!(
        stderr(&inside).contains("there is no sandbox"),
        "{}",
        stderr(&inside)
    );
    assert_eq!(second.len(), 3);
    assert_eq!(server.stop(Signal::TERM), Some(0));
    assert_eq!(pooled(), [] as [u64; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_is_looked_at_closely_and_its_names_are_plain() {
    let place = Place::new().await;
    let opened = place.open().await;
    bash(
        &opened,
        r#"exec -a $'evil\e]52;c;x\a\nname' sleep 1000 & cp /bin/sleep ./'sl eep'"#,
    )
    .await;
    let page = stdout(&place.sandboxes(&["inspect", NAME]));
    for expected in [
        "system calls      filtered",
        "evil?]52;c;x??name 1000",
        " /workspace ",
    ] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    let json = stdout(&place.sandboxes(&["inspect", NAME, "--json"]));
    let page: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(page["no_new_privileges"], true);
    assert_eq!(page["seccomp"], 2);
    assert!(page["processes"].as_array().unwrap().len() >= 3, "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_one_keeps_its_files() {
    let place = Place::new().await;
    let opened = place.open().await;
    bash(&opened, "echo file > kept").await;
    let killed = place.sandboxes(&["kill", NAME]);
    assert!(killed.status.success());
    assert!(stdout(&killed).contains("its files are kept"));
    let again = place.sandboxes(&["kill", NAME]);
    assert_eq!(stdout(&again), format!("{NAME} had no processes.\n"));
    let kept = place.folder.path().join("data/sandboxes/boxes").join(NAME);
    assert!(kept.join("workspace/kept").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_there_is_answered_with_the_nearest() {
    let place = Place::new().await;
    let _opened = place.open().await;
    let near = NAME.replace("CZ", "CS");
    let output = place.sandboxes(&["inspect", &near]);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("the nearest of 1 are: {NAME}");
    assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    let nothing = tempfile::tempdir().unwrap();
    let output = sandboxes(nothing.path(), &["list"]);
    assert_eq!(stdout(&output), "There are no sandboxes.\n");
}
