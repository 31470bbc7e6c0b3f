//! Control groups: what bounds a sandbox as a whole, and that none stays behind.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use hostler_sandbox::{LimitSource, Opened, SandboxHost, Spec};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::Value;

use crate::world::{CleanUp, World, bash, name, ok, options};

/// The directories on the record of a sandbox.
fn recorded(world: &World, sandbox: &str) -> Vec<PathBuf> {
    let record = fs::read_to_string(world.on_host(&format!("../{sandbox}/process.json"))).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    serde_json::from_value(record["cgroups"].clone()).unwrap()
}

#[tokio::test]
async fn a_creation_that_was_cut_short_leaves_none_for_long() {
    let world = World::new().await;
    let cgroups = recorded(&world, "one");
    // What a server leaves that is killed while it makes a sandbox named `lost`.
    let lost: Vec<PathBuf> = cgroups
        .iter()
        .map(|cgroup| {
            let name = cgroup.file_name().unwrap().to_string_lossy();
            cgroup.with_file_name(name.replace("-one", "-lost"))
        })
        .collect();
    for cgroup in &lost {
        fs::create_dir(cgroup).unwrap();
    }
    let (host, _state) = world.restart_server().await;
    let _clean_up = CleanUp::of(&host);
    assert!(lost.iter().all(|cgroup| !cgroup.exists()), "{lost:?}");
    assert!(cgroups.iter().all(|cgroup| cgroup.exists()), "{cgroups:?}");
    let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
    ok(&bash(&opened.sandbox, "echo here").await, "here\n");
    host.destroy(&name("one")).await.unwrap();
    assert!(cgroups.iter().all(|cgroup| !cgroup.exists()), "{cgroups:?}");
}

/// The directory of a server was deleted, and with it its sandboxes. The next server on this machine
/// removes what they leave, and nothing of a server whose directory is there.
#[tokio::test]
async fn those_of_a_directory_that_is_gone_are_removed_by_another_server() {
    let (gone, there) = (World::new().await, World::new().await);
    // Its cgroups are empty, and its server will come back to them.
    crate::life::kill(crate::world::first_process(&there.on_host("")));
    let [left, kept] = [&gone, &there].map(|world| recorded(world, "one"));
    let first = pidfd(crate::world::first_process(&gone.on_host("")));
    let (host, state, clean_up) = gone.let_go();
    clean_up.forgotten();
    drop((host, state));
    assert_eq!(poll(&mut [PollFd::new(&first, PollFlags::IN)], None), Ok(1));
    let Some(taken) = left.first() else { return };
    // Somebody else is in one of them, for whatever reason.
    let mut guest = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    let tools = taken.join("agent");
    let place = if tools.exists() { &tools } else { taken };
    fs::write(place.join("cgroup.procs"), guest.id().to_string()).unwrap();
    let another = World::new().await;
    another.host.remove_abandoned_cgroups().await.unwrap();
    assert!(left[1..].iter().all(|cgroup| !cgroup.exists()), "{left:?}");
    assert!(taken.exists() && kept.iter().all(|cgroup| cgroup.exists()));
    ok(&another.bash("echo here").await, "here\n");
    guest.kill().unwrap();
    guest.wait().unwrap();
    another.host.remove_abandoned_cgroups().await.unwrap();
    assert!(!taken.exists() && kept.iter().all(|cgroup| cgroup.exists()));
}

fn pidfd(pid: u64) -> OwnedFd {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    pidfd_open(pid, PidfdFlags::empty()).unwrap()
}

/// The agent answers in its own cgroup, the shell runs in that of tools.
#[tokio::test]
async fn tools_leave_room_for_the_agent() {
    let world = World::new().await;
    if world.host.isolation().process_limit == LimitSource::Rlimit {
        return;
    }
    let shell = world.sh("cat /proc/$$/cgroup").await;
    let first = crate::world::first_process(&world.on_host(""));
    let agent = fs::read_to_string(format!("/proc/{first}/cgroup")).unwrap();
    assert!(
        shell.lines().any(|line| line.ends_with("/tools")),
        "{shell}"
    );
    assert!(
        !agent.lines().any(|line| line.ends_with("/tools")),
        "{agent}"
    );
    world.end().await;
}

#[tokio::test]
async fn cpu_time_is_bounded_where_it_was_asked_for() {
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&state);
    // Less than even a busy machine gives to one process.
    options.limits.cpu_percent = Some(5);
    let host = SandboxHost::start(options).await.unwrap();
    let _clean_up = CleanUp::of(&host);
    let Opened { sandbox, .. } = host.open(&name("one"), &Spec::default()).await.unwrap();
    ok(&bash(&sandbox, "echo here").await, "here\n");
    let report = host.isolation().cpu_limit;
    if report == LimitSource::None {
        return;
    }
    // Throttling is counted by the kernel, whatever the load of this machine.
    let record = fs::read_to_string(state.path().join("state/boxes/one/process.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let cgroups: Vec<PathBuf> = serde_json::from_value(record["cgroups"].clone()).unwrap();
    let throttled = || {
        let stat = cgroups.iter().find_map(|cgroup| {
            let stat = fs::read_to_string(cgroup.join("cpu.stat")).ok()?;
            let line = stat.lines().find(|line| line.starts_with("nr_throttled"))?;
            line.split(' ').nth(1)?.parse::<u64>().ok()
        });
        stat.unwrap()
    };
    // Until it happens: a busy machine may give less than the bound for a while.
    let busy = "for i in {1..200000}; do :; done";
    while throttled() == 0 {
        bash(&sandbox, busy).await;
    }
}
