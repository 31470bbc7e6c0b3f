//! How sandboxes begin, outlive their server, get lost, are replaced, and end.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use hostler_sandbox::{
    Call, GatewayPorts, LimitSource, Mode, Network, Packages, Provenance, SandboxError,
    SandboxHost, Spec, Tool, UserNamespace,
};
use serde_json::Value;

use rustix::event::{PollFd, PollFlags};

use crate::world::{World, bash, first_process, is_running, name, ok, options};

pub(crate) fn kill(pid: u64) {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let process = pidfd_open(Pid::from_raw(pid as i32).unwrap(), PidfdFlags::empty()).unwrap();
    pidfd_send_signal(&process, Signal::KILL).unwrap();
    // One that is about to die would still be taken for alive.
    let mut end = [PollFd::new(&process, PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut end, None), Ok(1));
}

fn make_deep(directory: &Path, depth: usize) {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
    let open = |at: std::os::fd::BorrowedFd<'_>, name: &Path| {
        openat(at, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    };
    let mut here = open(CWD, directory);
    for _ in 0..depth {
        mkdirat(&here, "d", Mode::RWXU).unwrap();
        here = open(here.as_fd(), Path::new("d"));
    }
}

/// The cgroups on this host that carry a name of ours.
fn cgroups_of(directory: &Path) -> Vec<PathBuf> {
    let record = fs::read_to_string(directory.join("process.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let paths = record["cgroups"].as_array().unwrap();
    paths
        .iter()
        .map(|path| PathBuf::from(path.as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn the_report_says_what_separates() {
    let world = World::new().await;
    let report = world.host.isolation().clone();
    let ports = GatewayPorts::All;
    assert_eq!(
        (report.mode, report.network),
        (Mode::Isolated, Network::Gateway { ports })
    );
    assert!(report.seccomp && report.no_new_privileges);
    let root = rustix::process::geteuid().is_root();
    let expected = if root {
        UserNamespace::Range {
            base: 300_000,
            size: 65_536,
        }
    } else {
        UserNamespace::Single
    };
    assert_eq!(report.user_namespace, expected);
    assert_ne!(report.memory_limit, LimitSource::None);
    assert_ne!(report.process_limit, LimitSource::None);
    world.end().await;
}

#[tokio::test]
async fn a_killed_sandbox_is_lost_then_replaced_with_its_files() {
    let world = World::new().await;
    world.sh("echo file > kept; A=5; mkfifo started").await;
    let directory = world.on_host("");
    let pid = first_process(&directory);
    let tool = Tool::Bash {
        command: "echo x > started; sleep 1000".into(),
        timeout_ms: None,
    };
    let run = world.sandbox.run(Call {
        id: "mid".into(),
        tool,
    });
    let path = world.on_host("workspace/started");
    let strike = async {
        tokio::task::spawn_blocking(move || fs::read(path))
            .await
            .unwrap()
            .unwrap();
        kill(pid);
    };
    let (result, ()) = tokio::join!(run, strike);
    assert!(
        matches!(result, Err(SandboxError::Lost { .. })),
        "{result:?}"
    );
    let opened = world
        .host
        .open(&name("one"), &Spec::default())
        .await
        .unwrap();
    assert_eq!(opened.provenance, Provenance::Replaced);
    ok(
        &bash(&opened.sandbox, "cat kept; echo A=$A").await,
        "file\nA=\n",
    );
    world.end().await;
}

/// Nothing of a sandbox is synced. After a loss of power, a file that was begun shortly before is empty.
#[tokio::test]
async fn a_sandbox_whose_root_was_lost_with_the_power_begins_anew() {
    let world = World::new().await;
    world.sh("echo file > gone").await;
    kill(first_process(&world.on_host("")));
    for record in ["root.json", "extras.json"] {
        fs::write(world.on_host(record), "").unwrap();
    }
    let opened = world.open_again().await;
    assert_eq!(opened.provenance, Provenance::Created);
    ok(&bash(&opened.sandbox, "ls").await, "(no output)");
    world.end().await;
}

#[tokio::test]
async fn a_sandbox_whose_packages_were_lost_with_the_power_keeps_its_files() {
    let world = World::new().await;
    world.sh("echo file > kept").await;
    kill(first_process(&world.on_host("")));
    fs::write(world.on_host("extras.json"), [0; 4096]).unwrap();
    let made_with = world.host.made_with(&name("one")).await.unwrap();
    assert_eq!(made_with, None);
    let opened = world.open_again().await;
    assert_eq!(opened.provenance, Provenance::Replaced);
    ok(&bash(&opened.sandbox, "cat kept").await, "file\n");
    world.end().await;
}

#[tokio::test]
async fn destroying_leaves_nothing() {
    let world = World::new().await;
    // Deeper than the stack and than descriptors, and without any right on the way.
    world
        .sh(
            "setsid sleep 1000 & mkdir -p locked/in; touch locked/in/x; ln -s /etc link; \
             chmod 0 locked/in locked",
        )
        .await;
    make_deep(&world.on_host("workspace"), 2000);
    let directory = world.on_host("");
    let (pid, cgroups) = (first_process(&directory), cgroups_of(&directory));
    world.host.destroy(&name("one")).await.unwrap();
    assert!(!directory.exists());
    assert!(!is_running(&pid.to_string()));
    for cgroup in cgroups {
        assert!(!cgroup.exists(), "{}", cgroup.display());
    }
    let trash = world.state.path().join("state/trash");
    assert_eq!(fs::read_dir(trash).unwrap().count(), 0);
    assert!(Path::new("/etc/passwd").exists());
    // What does not exist is destroyed already.
    world.host.destroy(&name("one")).await.unwrap();
}

#[tokio::test]
async fn a_damaged_directory_is_replaced_not_trusted() {
    let world = World::new().await;
    world.sh("echo mine > file").await;
    kill(first_process(&world.on_host("")));
    // A damaged record says nothing; the files are whole.
    fs::write(world.on_host("process.json"), "{").unwrap();
    let opened = world
        .host
        .open(&name("one"), &Spec::default())
        .await
        .unwrap();
    assert_eq!(opened.provenance, Provenance::Replaced);
    ok(&bash(&opened.sandbox, "cat file").await, "mine\n");
    // A directory that is a link now is not entered.
    kill(first_process(&world.on_host("")));
    fs::remove_dir(world.on_host("outputs")).unwrap();
    std::os::unix::fs::symlink("/etc", world.on_host("outputs")).unwrap();
    let opened = world
        .host
        .open(&name("one"), &Spec::default())
        .await
        .unwrap();
    assert_eq!(opened.provenance, Provenance::Created);
    ok(
        &bash(&opened.sandbox, "ls -A /workspace /mnt/session/outputs").await,
        "/mnt/session/outputs:\n\n/workspace:\n",
    );
    assert!(Path::new("/etc/passwd").exists());
    world.end().await;
}

#[tokio::test]
async fn a_record_of_somebody_elses_process_kills_nobody() {
    let mut bystander = std::process::Command::new("sleep")
        .arg("1000")
        .spawn()
        .unwrap();
    let world = World::new().await;
    let path = world.on_host("process.json");
    let mut record: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    kill(first_process(&world.on_host("")));
    record["pid"] = bystander.id().into();
    fs::write(&path, record.to_string()).unwrap();
    world.host.destroy(&name("one")).await.unwrap();
    assert!(bystander.try_wait().unwrap().is_none(), "it was killed");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

/// It never ran a command, so there is none whose shell could be gone.
#[tokio::test]
async fn a_sandbox_that_never_became_ready_was_not_lost() {
    let world = World::new().await;
    let nowhere = Some(PathBuf::from("/dev/null/nowhere"));
    let impossible = Spec {
        packages: Packages::Building { sources: nowhere },
        ..Spec::default()
    };
    let two = name("two");
    let failed = world.host.open(&two, &impossible).await.unwrap_err();
    assert!(
        failed.to_string().contains("inside the new sandbox"),
        "{failed}"
    );
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    assert_eq!(opened.provenance, Provenance::Created);
    assert!(opened.news.is_none(), "{:?}", opened.news);
    // From here on it has something to lose, also when one attempt to start it again fails.
    drop(opened);
    kill(first_process(&world.on_host("").with_file_name("two")));
    world.host.open(&two, &impossible).await.unwrap_err();
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    assert_eq!(opened.provenance, Provenance::Replaced);
    drop(opened);
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn one_state_directory_has_one_server() {
    let world = World::new().await;
    let second = SandboxHost::start(options(&world.state)).await;
    let Err(unavailable) = second else {
        panic!("two servers on one directory")
    };
    assert!(
        unavailable.reason.ends_with("another server uses it"),
        "{unavailable}"
    );
    world.end().await;
}

#[tokio::test]
async fn a_launcher_that_cannot_is_explained() {
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&state);
    options.launcher = "/bin/false".into();
    let Err(unavailable) = SandboxHost::start(options).await else {
        panic!("it started")
    };
    assert!(
        unavailable
            .reason
            .contains("said nothing and ended with exit status: 1")
    );
    assert!(unavailable.hint.contains("unsafe-process"));
}
