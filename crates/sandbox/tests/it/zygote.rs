//! The process that the first processes of all sandboxes are forks of: what its end means, and what they
//! have in common.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use hostler_sandbox::{HostOptions, Spec};
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;

use crate::world::{World, bash, first_process, name, ok, options};

/// Has the zygote write its pid to the file that is returned, besides.
pub(crate) fn tell_pid(state: &TempDir, options: &mut HostOptions) -> PathBuf {
    let file = state.path().join("zygote");
    let wrapper = state.path().join("wrapper");
    let (program, place) = (options.launcher.display(), file.display());
    let script = format!("#!/bin/bash\necho $$ >> {place}\nexec -a hostler {program} \"$@\"\n");
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o700)).unwrap();
    options.launcher = wrapper;
    file
}

fn zygotes(file: &PathBuf) -> Vec<rustix::fd::OwnedFd> {
    let pids = fs::read_to_string(file).unwrap();
    let open = |pid: &str| {
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        pidfd_open(pid, PidfdFlags::empty())
    };
    pids.lines().filter_map(|pid| open(pid).ok()).collect()
}

fn wait_for_end(process: &rustix::fd::OwnedFd) {
    let mut end = [PollFd::new(process, PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut end, None), Ok(1));
}

#[tokio::test]
async fn its_death_ends_no_sandbox_and_another_one_takes_its_place() {
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&state);
    let pids = tell_pid(&state, &mut options);
    let world = World::with_options(state, options).await;
    world.sh("A=kept").await;
    let [zygote] = zygotes(&pids).try_into().unwrap();
    pidfd_send_signal(&zygote, Signal::KILL).unwrap();
    wait_for_end(&zygote);
    assert_eq!(world.sh("echo $A").await, "kept");
    let two = name("two");
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    ok(&bash(&opened.sandbox, "echo here").await, "here\n");
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn it_ends_with_its_server_and_no_sandbox_does() {
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&state);
    let pids = tell_pid(&state, &mut options);
    let world = World::with_options(state, options).await;
    let [zygote] = zygotes(&pids).try_into().unwrap();
    let (host, _state) = world.restart_server().await;
    wait_for_end(&zygote);
    let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
    ok(&bash(&opened.sandbox, "echo here").await, "here\n");
    host.destroy(&name("one")).await.unwrap();
}

/// It never reads what a sandbox is made with, so no sandbox begins with what is another's.
#[tokio::test]
async fn nothing_of_one_sandbox_is_in_the_memory_of_the_next() {
    if !rustix::process::geteuid().is_root() {
        // Nobody else may look.
        return;
    }
    let world = World::new().await;
    let secret = format!("a secret of {}", std::process::id());
    let mut spec = Spec::default();
    spec.environment.insert("SECRET".to_owned(), secret.clone());
    for (sandbox, spec) in [("two", spec), ("three", Spec::default())] {
        let opened = world.host.open(&name(sandbox), &spec).await.unwrap();
        ok(&bash(&opened.sandbox, "echo here").await, "here\n");
    }
    assert!(has_in_memory(&world, "two", &secret));
    assert!(!has_in_memory(&world, "three", &secret));
    for sandbox in ["two", "three"] {
        world.host.destroy(&name(sandbox)).await.unwrap();
    }
    world.end().await;
}

fn has_in_memory(world: &World, sandbox: &str, text: &str) -> bool {
    let pid = first_process(&world.on_host(&format!("../{sandbox}")));
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut memory = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut holds = |line: &str| {
        let (range, rights) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let start = u64::from_str_radix(start, 16).ok()?;
        let end = u64::from_str_radix(end, 16).ok()?;
        if !rights.starts_with("rw") {
            return None;
        }
        memory.seek(SeekFrom::Start(start)).ok()?;
        let mut bytes = Vec::new();
        (&mut memory)
            .take(end - start)
            .read_to_end(&mut bytes)
            .ok()?;
        let found = bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes());
        found.then_some(())
    };
    maps.lines().any(|line| holds(line).is_some())
}
