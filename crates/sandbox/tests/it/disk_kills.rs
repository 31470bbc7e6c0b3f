//! Servers and launchers that are killed at every step of making a disk, mounting and unmounting it:
//! nothing is left that the next start does not clean.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use hostler_sandbox::{HostOptions, SandboxHost, Spec};

use crate::disk::until_devices_are;
use crate::world::{CleanUp, bash, images_can_be_had, in_an_image, name, ok, options};
use crate::zygote::tell_pid;

/// Where the server that is to be killed has its state: it is this suite, run once more.
const DOOMED: &str = "HOSTLER_TEST_DOOMED_STATE";
const STEPS: usize = 14;
/// Until a launcher must have been there.
const YIELDS_MAX: usize = 2_000_000;

#[expect(
    clippy::disallowed_methods,
    reason = "the harness of tests has no other way to pass something to a suite"
)]
fn doomed_state() -> Option<std::path::PathBuf> {
    std::env::var_os(DOOMED).map(Into::into)
}

fn options_at(state: &Path) -> HostOptions {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut options = options(&elsewhere);
    options.state_dir = state.join("state");
    in_an_image(&mut options);
    options
}

/// Tells of each step before it takes it.
#[tokio::test]
async fn a_server_that_is_to_be_killed() {
    let Some(state) = doomed_state() else { return };
    let mut number = 0;
    let mut step = |what: &str| {
        number += 1;
        eprintln!("step {number}: {what}");
    };
    step("start");
    let host = SandboxHost::start(options_at(&state)).await.unwrap();
    for named in ["one", "two"] {
        step("make");
        let opened = host.open(&name(named), &Spec::default()).await.unwrap();
        step("write");
        bash(
            &opened.sandbox,
            "echo x > x; head -c 5000000 /dev/zero > y; sync -f .",
        )
        .await;
        drop(opened);
        step("stop");
        host.stop(&name(named)).await.unwrap();
        step("look");
        drop(host.outputs(&name(named)).await.unwrap());
        step("start again");
        drop(host.open(&name(named), &Spec::default()).await.unwrap());
        step("destroy");
        if named == "one" {
            host.destroy(&name(named)).await.unwrap();
        }
    }
    step("end");
}

#[tokio::test]
async fn a_server_killed_at_any_step_leaves_nothing() {
    if !images_can_be_had() || doomed_state().is_some() {
        return;
    }
    for step in 1..=STEPS {
        let state = tempfile::tempdir().unwrap();
        let mut doomed = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "disk_kills::a_server_that_is_to_be_killed",
                "--nocapture",
            ])
            .env(DOOMED, state.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = BufReader::new(doomed.stderr.take().unwrap());
        let begins = format!("step {step}: ");
        let line = told
            .lines()
            .find(|line| line.as_ref().unwrap().starts_with(&begins));
        assert!(line.is_some(), "step {step} was not reached");
        // Not always at the very beginning of the step.
        for _ in 0..step * 7 {
            std::thread::yield_now();
        }
        doomed.kill().unwrap();
        doomed.wait().unwrap();
        let host = SandboxHost::start(options_at(state.path())).await.unwrap();
        let clean_up = CleanUp::of(&host);
        // Whatever became of them, they can be used.
        for named in ["one", "two"] {
            let opened = host.open(&name(named), &Spec::default()).await.unwrap();
            ok(&bash(&opened.sandbox, "echo y > y; cat y").await, "y\n");
        }
        let drafts = fs::read_dir(state.path().join("state/drafts"))
            .unwrap()
            .count();
        assert_eq!(drafts, 0, "step {step}");
        drop(clean_up);
        until_devices_are(0, state.path());
        let templates = fs::read_dir(state.path().join("state/templates"))
            .unwrap()
            .count();
        assert_eq!(templates, 1, "step {step}");
    }
}

/// Kills the first launcher that the zygote forks, a while after it is there.
fn kill_a_launcher(zygote: &str, while_of_yields: usize) -> bool {
    use rustix::process::{Pid, Signal, kill_process};
    let children = format!("/proc/{zygote}/task/{zygote}/children");
    for _ in 0..YIELDS_MAX {
        let found = fs::read_to_string(&children).unwrap_or_default();
        let Some(launcher) = found.split_ascii_whitespace().next() else {
            std::thread::yield_now();
            continue;
        };
        for _ in 0..while_of_yields {
            std::thread::yield_now();
        }
        let launcher = Pid::from_raw(launcher.parse().unwrap()).unwrap();
        return kill_process(launcher, Signal::KILL).is_ok();
    }
    false
}

#[tokio::test]
async fn a_launcher_killed_at_any_moment_leaves_nothing() {
    if !images_can_be_had() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let mut options = options_at(state.path());
    let zygotes = tell_pid(&state, &mut options);
    let host = SandboxHost::start(options).await.unwrap();
    let clean_up = CleanUp::of(&host);
    let mut killed = 0;
    for yields in [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000] {
        let pids = fs::read_to_string(&zygotes).unwrap();
        let zygote = pids.lines().last().unwrap().to_owned();
        let strike = tokio::task::spawn_blocking(move || kill_a_launcher(&zygote, yields));
        // It is made or it is not.
        drop(host.open(&name("one"), &Spec::default()).await);
        killed += usize::from(strike.await.unwrap());
        let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
        ok(&bash(&opened.sandbox, "echo y > y; cat y").await, "y\n");
        drop(opened);
        host.destroy(&name("one")).await.unwrap();
        until_devices_are(0, state.path());
    }
    assert!(killed > 0, "none was caught");
    drop(clean_up);
}
