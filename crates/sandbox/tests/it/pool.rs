//! Sandboxes that are made ahead: each is claimed once at most, is then like any other, and those that
//! nobody has claimed leave nothing.

use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use hostler_sandbox::{
    Ahead, HostOptions, Mode, NetworkAccess, Ownership, Provenance, SandboxHost, Spec, UploadLink,
    kill_one, pooled_names, survey,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::world::{
    CleanUp, World, bash, behind_a_gateway, first_process, images_can_be_had, in_an_image,
    is_running, name, ok, options,
};

const SIZE: usize = 3;

fn with_pool(state: &TempDir) -> HostOptions {
    let mut options = options(state);
    options.pool = SIZE;
    options
}

pub(crate) async fn fill(host: &SandboxHost, spec: &Spec) {
    while host.make_ahead(spec).await.unwrap() == Ahead::Made {}
}

struct Filled {
    _clean_up: CleanUp,
    host: SandboxHost,
    state: TempDir,
}

async fn filled(prepare: fn(&mut HostOptions)) -> Filled {
    let state = tempfile::tempdir().unwrap();
    let mut options = with_pool(&state);
    prepare(&mut options);
    let host = SandboxHost::start(options).await.unwrap();
    fill(&host, &Spec::default()).await;
    let _clean_up = CleanUp::of(&host);
    Filled {
        _clean_up,
        host,
        state,
    }
}

impl Filled {
    fn folder(&self) -> PathBuf {
        self.state.path().join("state")
    }

    fn pooled(&self) -> Vec<u64> {
        let folder = self.folder();
        let labels = pooled_names(&folder).unwrap();
        let directory = |label: &str| folder.join("pool").join(label);
        let pids = labels
            .iter()
            .map(|label| first_process(&directory(label.as_str())));
        pids.collect()
    }

    fn process_of(&self, named: &str) -> u64 {
        first_process(&self.folder().join("boxes").join(named))
    }
}

#[tokio::test]
async fn whoever_needs_one_claims_one_that_is_there() {
    let filled = filled(|_| ()).await;
    let before = filled.pooled();
    assert_eq!((before.len(), filled.host.pooled()), (SIZE, SIZE));
    let opened = filled.host.open(&name("one"), &Spec::default()).await;
    let opened = opened.unwrap();
    assert_eq!(opened.provenance, Provenance::Created);
    ok(
        &bash(&opened.sandbox, "ls -A; pwd; echo x > x").await,
        "/workspace\n",
    );
    assert!(before.contains(&filled.process_of("one")));
    assert_eq!(filled.host.pooled(), SIZE - 1);
    let listed = filled.host.list().await.unwrap();
    let names: Vec<_> = listed.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["one"]);
    let survey = survey(&filled.folder()).unwrap();
    let pooled = |one: &&hostler_sandbox::Surveyed| one.ownership == Ownership::Pooled;
    assert_eq!((survey.len(), survey.iter().filter(pooled).count()), (3, 2));
    assert_eq!(
        filled.host.make_ahead(&Spec::default()).await.unwrap(),
        Ahead::Made
    );
    assert_eq!(
        filled.host.make_ahead(&Spec::default()).await.unwrap(),
        Ahead::Enough
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_each_has_its_own() {
    let filled = filled(|_| ()).await;
    let mut opening = JoinSet::new();
    for number in 0..4 * SIZE {
        let host = filled.host.clone();
        opening.spawn(async move {
            let named = format!("many_{number}");
            let opened = host.open(&name(&named), &Spec::default()).await.unwrap();
            assert_eq!(opened.provenance, Provenance::Created);
            let command = format!("ls -A; echo {number} > mine; cat mine");
            ok(
                &bash(&opened.sandbox, &command).await,
                &format!("{number}\n"),
            );
            named
        });
    }
    let named = opening.join_all().await;
    let processes: HashSet<u64> = named.iter().map(|named| filled.process_of(named)).collect();
    assert_eq!((processes.len(), filled.host.pooled()), (4 * SIZE, 0));
}

#[tokio::test]
async fn who_needs_another_one_gets_it_made() {
    let filled = filled(|_| ()).await;
    let place = "srv/data/a.txt".parse().unwrap();
    let linked = Spec {
        upload_links: UploadLink::of(&place).into_iter().collect(),
        ..Spec::default()
    };
    let with_variables = Spec {
        environment: [("WHO".to_owned(), "me".to_owned())].into(),
        ..Spec::default()
    };
    for (named, spec) in [
        ("linked", linked),
        ("with_variables", with_variables),
        ("with_a_way", behind_a_gateway()),
    ] {
        let opened = filled.host.open(&name(named), &spec).await.unwrap();
        ok(&bash(&opened.sandbox, "ls -A").await, "(no output)");
        assert_eq!(filled.host.pooled(), SIZE, "{named}");
    }
    // One that was stopped has files, which no other one has.
    let one = name("one");
    drop(filled.host.open(&one, &Spec::default()).await.unwrap());
    filled.host.stop(&one).await.unwrap();
    fill(&filled.host, &Spec::default()).await;
    let again = filled.host.open(&one, &Spec::default()).await.unwrap();
    assert!(matches!(again.provenance, Provenance::Restored(_)));
    assert_eq!(filled.host.pooled(), SIZE);
}

#[tokio::test]
async fn another_template_takes_the_place_of_the_one_before() {
    let filled = filled(|_| ()).await;
    let before = filled.pooled();
    fill(&filled.host, &behind_a_gateway()).await;
    let after = filled.pooled();
    assert_eq!(after.len(), SIZE);
    assert!(before.iter().all(|pid| !is_running(&pid.to_string())));
    let opened = filled.host.open(&name("one"), &behind_a_gateway()).await;
    let sockets = opened.unwrap().sandbox.gateway_sockets().await.unwrap();
    assert!(sockets.is_some() && after.contains(&filled.process_of("one")));
}

#[tokio::test]
async fn one_that_has_died_is_given_to_nobody() {
    let filled = filled(|_| ()).await;
    let dead = filled.pooled();
    for label in pooled_names(&filled.folder()).unwrap() {
        assert!(kill_one(&filled.folder(), &label).unwrap());
    }
    let opened = filled.host.open(&name("one"), &Spec::default()).await;
    let opened = opened.unwrap();
    ok(&bash(&opened.sandbox, "echo here").await, "here\n");
    assert!(!dead.contains(&filled.process_of("one")));
    fill(&filled.host, &Spec::default()).await;
    assert!(filled.pooled().iter().all(|pid| !dead.contains(pid)));
}

/// Files, variables of the shell, and processes: what one has left is not what the next one begins with.
#[tokio::test]
async fn none_has_anything_of_another() {
    let filled = filled(|_| ()).await;
    let one = name("one");
    let opened = filled.host.open(&one, &Spec::default()).await.unwrap();
    let leave = "echo secret > /workspace/a; echo secret > /tmp/a; echo secret > ~/a; \
                 echo secret > /mnt/session/outputs/a; export A=secret; cd /tmp; sleep 1000 &";
    bash(&opened.sandbox, leave).await;
    drop(opened);
    filled.host.destroy(&one).await.unwrap();
    fill(&filled.host, &Spec::default()).await;
    for named in ["two", "three", "four"] {
        let opened = filled.host.open(&name(named), &Spec::default()).await;
        let opened = opened.unwrap();
        let look = "pwd; echo $A; ls -A /workspace /tmp ~ /mnt/session/outputs | grep a$; \
                    pgrep sleep; true";
        ok(&bash(&opened.sandbox, look).await, "/workspace\n\n");
    }
}

/// The cgroups of all sandboxes of the host with this state folder, wherever they are.
pub(crate) fn cgroups_of_host(folder: &Path) -> Vec<PathBuf> {
    let mut hasher = DefaultHasher::new();
    fs::canonicalize(folder).unwrap().hash(&mut hasher);
    let prefix = format!("hostler-{:016x}-", hasher.finish());
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(here) = open.pop() {
        for entry in fs::read_dir(here).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let name = entry.file_name();
            if name.to_string_lossy().starts_with(&prefix) {
                found.push(entry.path());
            } else if !name.to_string_lossy().starts_with("hostler-") || name == "hostler-sandboxes"
            {
                open.push(entry.path());
            }
        }
    }
    found
}

#[tokio::test]
async fn the_next_server_keeps_what_was_claimed_and_ends_the_rest() {
    for prepare in [|_: &mut HostOptions| (), in_an_image] {
        let state = tempfile::tempdir().unwrap();
        let mut options = with_pool(&state);
        if images_can_be_had() {
            prepare(&mut options);
        }
        let host = SandboxHost::start(options.clone()).await.unwrap();
        fill(&host, &Spec::default()).await;
        let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
        bash(&opened.sandbox, "A=kept; echo file > file").await;
        let folder = state.path().join("state");
        let labels = pooled_names(&folder).unwrap();
        let pooled = labels
            .iter()
            .map(|label| folder.join("pool").join(label.as_str()));
        let pooled: Vec<u64> = pooled.map(|directory| first_process(&directory)).collect();
        // As a server that was killed leaves them.
        drop((opened, host));
        let host = SandboxHost::start(options).await.unwrap();
        let clean_up = CleanUp::of(&host);
        assert!(pooled.iter().all(|pid| !is_running(&pid.to_string())));
        assert_eq!(pooled_names(&folder).unwrap(), []);
        // Its cgroups bear a label that a new one does not get.
        fill(&host, &Spec::default()).await;
        let opened = host.open(&name("one"), &Spec::default()).await.unwrap();
        assert_eq!(opened.provenance, Provenance::Attached);
        ok(
            &bash(&opened.sandbox, "echo $A; cat file").await,
            "kept\nfile\n",
        );
        drop(opened);
        host.empty_pool().await.unwrap();
        assert_eq!(pooled_names(&folder).unwrap(), []);
        drop(clean_up);
        assert_eq!(cgroups_of_host(&folder), [] as [PathBuf; 0]);
    }
}

#[tokio::test]
async fn what_can_not_be_isolated_is_not_made_ahead() {
    let state = tempfile::tempdir().unwrap();
    let mut options = with_pool(&state);
    options.backend = hostler_sandbox::Backend::UnsafeProcess;
    let host = SandboxHost::start(options).await.unwrap();
    assert_eq!(host.isolation().mode, Mode::UnsafeProcess);
    assert!(!host.has_pool());
    let made = host.make_ahead(&Spec::default()).await.unwrap();
    assert_eq!((made, host.pooled()), (Ahead::Enough, 0));
}

/// A claim that is given up at whatever point it waits at leaves the sandbox to its name, or to nobody.
#[tokio::test]
async fn a_claim_that_is_given_up_leaks_nothing() {
    let filled = filled(|_| ()).await;
    for polls in 0..12 {
        let spec = Spec::default();
        let one = name("one");
        let mut opening = Box::pin(filled.host.open(&one, &spec));
        for _ in 0..polls {
            tokio::select! {
                biased;
                opened = &mut opening => { drop(opened.unwrap()); break }
                () = tokio::task::yield_now() => {}
            }
        }
        drop(opening);
        let opened = filled.host.open(&one, &spec).await.unwrap();
        ok(&bash(&opened.sandbox, "ls -A; echo x | tee x").await, "x\n");
        drop(opened);
        filled.host.destroy(&one).await.unwrap();
        fill(&filled.host, &spec).await;
        assert_eq!(filled.pooled().len(), SIZE, "{polls}");
    }
}

/// World's own sandbox is claimed where its host has a pool.
#[tokio::test]
async fn a_world_with_a_pool_shows_a_claimed_one() {
    let state = tempfile::tempdir().unwrap();
    let options = with_pool(&state);
    let world = World::with_options(state, options).await;
    assert_eq!(world.host.pooled(), 0);
    assert_eq!(Spec::default().network, NetworkAccess::None);
    world.end().await;
}
