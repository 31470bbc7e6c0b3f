//! Servers that are killed at every step of making sandboxes ahead, of claiming them and of ending the
//! rest: the next one finds a sandbox that is whole under its name or none, and nothing else.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use hostler_sandbox::{HostOptions, Provenance, SandboxHost, Spec, pooled_names};

use crate::disk::until_devices_are;
use crate::pool::{cgroups_of_host, fill};
use crate::world::{CleanUp, bash, images_can_be_had, in_an_image, name, ok, options};

/// Where the server that is to be killed has its state, and whether with images: it is this suite, run
/// once more.
const DOOMED: &str = "HOSTLER_TEST_DOOMED_POOL";
const IN_AN_IMAGE: &str = "HOSTLER_TEST_DOOMED_POOL_IMAGE";
const STEPS: usize = 12;
const CLAIMS: [usize; 2] = [4, 7];
/// How far into a step the kill comes, in turns of the processor that are given up before.
const MOMENTS: [usize; 5] = [0, 30, 100, 300, 900];
/// Until a launcher has undone what it had begun.
const YIELDS_MAX: usize = 2_000_000;

#[expect(
    clippy::disallowed_methods,
    reason = "the harness of tests has no other way to pass something to a suite"
)]
fn passed(variable: &str) -> Option<std::path::PathBuf> {
    std::env::var_os(variable).map(Into::into)
}

fn options_at(state: &Path, prepare: fn(&mut HostOptions)) -> HostOptions {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut options = options(&elsewhere);
    options.state_dir = state.join("state");
    options.pool = 2;
    prepare(&mut options);
    options
}

/// Tells of each step before it takes it.
#[tokio::test]
async fn a_server_that_is_to_be_killed() {
    let Some(state) = passed(DOOMED) else { return };
    let prepare = match passed(IN_AN_IMAGE) {
        Some(_) => in_an_image,
        None => |_: &mut HostOptions| (),
    };
    let mut number = 0;
    let mut step = |what: &str| {
        number += 1;
        eprintln!("step {number}: {what}");
    };
    let (one, two, spec) = (name("one"), name("two"), Spec::default());
    step("start");
    let host = SandboxHost::start(options_at(&state, prepare))
        .await
        .unwrap();
    step("make one ahead");
    host.make_ahead(&spec).await.unwrap();
    step("make another one");
    host.make_ahead(&spec).await.unwrap();
    step("claim");
    let opened = host.open(&one, &spec).await.unwrap();
    step("write");
    bash(&opened.sandbox, "echo x > x; sync -f .").await;
    drop(opened);
    step("make one ahead again");
    host.make_ahead(&spec).await.unwrap();
    step("claim another one");
    drop(host.open(&two, &spec).await.unwrap());
    step("stop it");
    host.stop(&two).await.unwrap();
    step("destroy the other one");
    host.destroy(&one).await.unwrap();
    step("another template");
    let other = crate::world::behind_a_gateway();
    host.make_ahead(&other).await.unwrap();
    step("empty the pool");
    host.empty_pool().await.unwrap();
    step("end");
}

/// Kills it some way into a step, and gives the state that it leaves.
fn killed_at(step: usize, moment: usize, image: Option<&str>) -> tempfile::TempDir {
    let state = tempfile::tempdir().unwrap();
    let mut doomed = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "pool_kills::a_server_that_is_to_be_killed",
            "--nocapture",
        ])
        .env(DOOMED, state.path())
        .envs(image.map(|image| (IN_AN_IMAGE, image)))
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
    for _ in 0..moment {
        std::thread::yield_now();
    }
    doomed.kill().unwrap();
    doomed.wait().unwrap();
    state
}

async fn the_next_one_has_no_trouble(
    state: &Path,
    prepare: fn(&mut HostOptions),
    killed: (usize, usize),
) {
    let host = SandboxHost::start(options_at(state, prepare))
        .await
        .unwrap();
    let clean_up = CleanUp::of(&host);
    let folder = state.join("state");
    assert_eq!(pooled_names(&folder).unwrap(), [], "{killed:?}");
    fill(&host, &Spec::default()).await;
    for named in ["one", "two"] {
        let was_there = folder.join("boxes").join(named).exists();
        let opened = host.open(&name(named), &Spec::default()).await.unwrap();
        // What a claim has left is a sandbox that goes on, or nothing.
        let begun_now = opened.provenance == Provenance::Created;
        assert_eq!(begun_now, !was_there, "{killed:?}: {:?}", opened.provenance);
        ok(&bash(&opened.sandbox, "echo y > y; cat y").await, "y\n");
    }
    drop(clean_up);
    drop(host);
    until_devices_are(0, state);
    for _ in 0..YIELDS_MAX {
        if cgroups_of_host(&folder).is_empty() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("{killed:?}: {:?}", cgroups_of_host(&folder));
}

async fn at_every_step(prepare: fn(&mut HostOptions), image: Option<&str>) {
    for step in 1..=STEPS {
        let moments = match CLAIMS.contains(&step) {
            true => &MOMENTS[..],
            false => &MOMENTS[1..2],
        };
        for moment in moments {
            let state = killed_at(step, *moment, image);
            the_next_one_has_no_trouble(state.path(), prepare, (step, *moment)).await;
        }
    }
}

#[tokio::test]
async fn a_server_killed_at_any_step_leaves_nothing_of_its_pool() {
    if passed(DOOMED).is_none() {
        at_every_step(|_| (), None).await;
    }
}

#[tokio::test]
async fn nor_does_one_with_images() {
    if passed(DOOMED).is_none() && images_can_be_had() {
        at_every_step(in_an_image, Some("yes")).await;
    }
}
