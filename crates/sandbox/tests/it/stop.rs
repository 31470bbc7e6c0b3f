//! How sandboxes are stopped without being destroyed, and what ends those that nobody can stop.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::Duration;

use hostler_sandbox::{Backend, Call, Losses, Provenance, SandboxHost, Spec, Stop, Tool, kill_all};
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::world::{CleanUp, World, bash, first_process, is_running, name, ok, on_host, options};

fn watch(pid: u64) -> OwnedFd {
    let pid = Pid::from_raw(pid as i32).unwrap();
    pidfd_open(pid, PidfdFlags::empty()).unwrap()
}

/// Waits for the end of a process.
async fn ended(process: OwnedFd) {
    let wait = move || rustix::event::poll(&mut [PollFd::new(&process, PollFlags::IN)], None);
    assert_eq!(tokio::task::spawn_blocking(wait).await.unwrap(), Ok(1));
}

#[tokio::test]
async fn one_in_use_is_not_stopped() {
    let World {
        host,
        sandbox,
        state,
        clean_up: _clean_up,
        ..
    } = World::new().await;
    let one = name("one");
    bash(&sandbox, "A=5; mkfifo go").await;
    let workspace = on_host(&state.path().join("state/boxes/one"), "workspace");
    let tool = Tool::Bash {
        command: "cat go; echo A=$A".into(),
        timeout_ms: None,
    };
    let call = Call {
        id: "call".into(),
        tool,
    };
    let meanwhile = async {
        assert_eq!(host.stop(&one).await.unwrap(), Stop::InUse);
        let go = move || fs::write(workspace.join("go"), "went\n");
        tokio::task::spawn_blocking(go).await.unwrap().unwrap();
    };
    let (output, ()) = tokio::join!(sandbox.run(call), meanwhile);
    ok(&output.unwrap(), "went\nA=5\n");
    let in_use = host.hold(&one);
    drop(sandbox);
    assert_eq!(host.stop(&one).await.unwrap(), Stop::InUse);
    drop(in_use);
    assert_eq!(host.stop(&one).await.unwrap(), Stop::Stopped);
    let opened = host.open(&one, &Spec::default()).await.unwrap();
    assert_eq!(opened.provenance, Provenance::Restored(Losses::default()));
}

/// An isolated sandbox takes its jobs along, an unsafe process has to look for them.
async fn deleted_directory_ends_it(backend: Backend) {
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&state);
    options.backend = backend.clone();
    if backend == Backend::UnsafeProcess {
        // Nothing tells it.
        options.orphan_check = Duration::from_millis(50);
    }
    let host = SandboxHost::start(options).await.unwrap();
    let _clean_up = CleanUp::of(&host);
    let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
    let job = bash(&opened.sandbox, "sleep 1000 & echo $!").await;
    let directory = state.path().join("state/boxes/one");
    let first = watch(first_process(&directory));
    // It looked often by now, and is still there.
    ok(
        &bash(&opened.sandbox, "sleep 0.3; echo here").await,
        "here\n",
    );
    let job = (backend == Backend::UnsafeProcess)
        .then(|| watch(job.joined_text().trim().parse().unwrap()));
    fs::remove_dir_all(directory).unwrap();
    ended(first).await;
    if let Some(job) = job {
        ended(job).await;
    }
}

#[tokio::test]
async fn one_whose_directory_was_deleted_ends_itself() {
    deleted_directory_ends_it(Backend::Local).await;
}

#[tokio::test]
async fn so_does_an_unsafe_process() {
    deleted_directory_ends_it(Backend::UnsafeProcess).await;
}

async fn killed_without_a_server(backend: Backend) {
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&state);
    options.backend = backend.clone();
    let host = SandboxHost::start(options.clone()).await.unwrap();
    let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
    let job = bash(&opened.sandbox, "echo file > kept; sleep 1000 & echo $!").await;
    let job = (backend == Backend::UnsafeProcess)
        .then(|| watch(job.joined_text().trim().parse().unwrap()));
    let first = first_process(&state.path().join("state/boxes/one"));
    drop((host, opened));
    let state_dir = options.state_dir.clone();
    let kill = move || (kill_all(&state_dir).unwrap(), kill_all(&state_dir).unwrap());
    assert_eq!(tokio::task::spawn_blocking(kill).await.unwrap(), (1, 0));
    assert!(!is_running(&first.to_string()));
    if let Some(job) = job {
        ended(job).await;
    }
    let host = SandboxHost::start(options).await.unwrap();
    let _clean_up = CleanUp::of(&host);
    let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
    assert_eq!(opened.provenance, Provenance::Replaced);
    ok(&bash(&opened.sandbox, "cat kept").await, "file\n");
}

#[tokio::test]
async fn all_of_a_state_directory_are_killed_at_once() {
    killed_without_a_server(Backend::Local).await;
    let nothing = tempfile::tempdir().unwrap();
    assert_eq!(kill_all(nothing.path()).unwrap(), 0);
}

#[tokio::test]
async fn with_the_jobs_of_unsafe_processes() {
    killed_without_a_server(Backend::UnsafeProcess).await;
}
