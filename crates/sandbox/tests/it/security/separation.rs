//! One sandbox beside another, as the host sees both.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use hostler_sandbox::Spec;

use crate::world::{World, bash, name};

fn owner_of_files(world: &World, sandbox: &str) -> u32 {
    let uploads = world.on_host(&format!("../{sandbox}/uploads"));
    fs::metadata(uploads).unwrap().uid()
}

/// Root gives each sandbox a range of ids; an ordinary user has one id to give.
#[tokio::test]
async fn each_sandbox_has_ids_of_its_own() {
    let world = World::new().await;
    for other in ["two", "three"] {
        world
            .host
            .open(&name(other), &Spec::default())
            .await
            .unwrap();
    }
    let owners: BTreeSet<u32> = ["one", "two", "three"]
        .iter()
        .map(|sandbox| owner_of_files(&world, sandbox))
        .collect();
    if rustix::process::geteuid().is_root() {
        assert_eq!(owners.len(), 3);
        assert!(
            owners.iter().all(|owner| (owner - 300_000) % 65_536 == 0),
            "{owners:?}"
        );
    } else {
        assert_eq!(
            owners,
            BTreeSet::from([rustix::process::geteuid().as_raw()])
        );
    }
    for other in ["two", "three"] {
        world.host.destroy(&name(other)).await.unwrap();
    }
    world.end().await;
}

/// Ids are given again only when the files of the one before are gone.
#[tokio::test]
async fn ids_outlive_the_server_and_return_after_deletion() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new().await;
    let two = name("two");
    world.host.open(&two, &Spec::default()).await.unwrap();
    world.sh("touch mine; chown 1000:1000 mine").await;
    let first = owner_of_files(&world, "one");
    let mine = fs::metadata(world.on_host("workspace/mine")).unwrap().uid();
    assert_eq!(mine, first + 1000);
    let (host, state) = world.restart_server().await;
    let _clean_up = crate::world::CleanUp::of(&host);
    let owner = |sandbox: &str| {
        let uploads = state.path().join(format!("state/boxes/{sandbox}/uploads"));
        fs::metadata(uploads).unwrap().uid()
    };
    let freed = owner("two");
    host.open(&name("three"), &Spec::default()).await.unwrap();
    let living = BTreeSet::from([first, freed, owner("three")]);
    assert_eq!((owner("one"), living.len()), (first, 3));
    host.destroy(&two).await.unwrap();
    let opened = host.open(&name("four"), &Spec::default()).await.unwrap();
    assert!(owner("four") <= freed && owner("four") != first);
    let inside = bash(&opened.sandbox, "stat -c %u .").await;
    assert_eq!(inside.joined_text(), "0\n");
}

/// A range is free when its files are gone, and not when they were only meant to go.
#[tokio::test]
async fn files_that_cannot_be_thrown_away_keep_their_ids() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new().await;
    let two = name("two");
    world.host.open(&two, &Spec::default()).await.unwrap();
    let trash = world.state.path().join("state/trash");
    world.host.empty_trash().await.unwrap();
    fs::remove_dir(&trash).unwrap();
    fs::write(&trash, "nothing can be moved here").unwrap();
    world.host.throw_away(&two).await.unwrap_err();
    fs::remove_file(&trash).unwrap();
    fs::create_dir(&trash).unwrap();
    world.host.empty_trash().await.unwrap();
    assert!(world.host.has_files(&two).await);
    // One of them may get what the host's own trial had.
    for other in ["three", "four"] {
        world
            .host
            .open(&name(other), &Spec::default())
            .await
            .unwrap();
    }
    let owners: BTreeSet<u32> = ["one", "two", "three", "four"]
        .iter()
        .map(|sandbox| owner_of_files(&world, sandbox))
        .collect();
    assert_eq!(owners.len(), 4);
    for other in ["two", "three", "four"] {
        world.host.destroy(&name(other)).await.unwrap();
    }
    world.end().await;
}

/// What a server that dies, or a disk that refuses, leaves of a sandbox in the trash.
#[tokio::test]
async fn files_that_are_deleted_halfway_keep_their_ids() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new().await;
    let two = name("two");
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    // Deeper than what is deleted in its place, and with names before and behind it.
    bash(
        &opened.sandbox,
        "mkdir -p a/b/c/held z; touch a/file z/file ~/file",
    )
    .await;
    drop(opened);
    world.host.stop(&two).await.unwrap();
    let held = world
        .state
        .path()
        .join("state/boxes/two/workspace/a/b/c/held");
    let mount = ["-t", "tmpfs", "none"];
    let mounted = Command::new("mount").args(mount).arg(&held).status();
    assert!(mounted.unwrap().success());
    let of_two = owner_of_files(&world, "two");
    world.host.throw_away(&two).await.unwrap();
    // The directory that something is mounted on can't go.
    world.host.empty_trash().await.unwrap_err();
    let (host, state) = world.restart_server().await;
    let _clean_up = crate::world::CleanUp::of(&host);
    let owner = |sandbox: &str| {
        let boxes = state.path().join("state/boxes");
        fs::metadata(boxes.join(sandbox).join("workspace"))
            .unwrap()
            .uid()
    };
    for other in ["three", "four"] {
        host.open(&name(other), &Spec::default()).await.unwrap();
        assert_ne!(owner(other), of_two);
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let trash = state.path().join("state/trash");
    let place = mounts
        .split(' ')
        .find(|place| Path::new(place).starts_with(&trash));
    let unmounted = Command::new("umount").arg(place.unwrap()).status();
    assert!(unmounted.unwrap().success());
    host.empty_trash().await.unwrap();
    assert_eq!(fs::read_dir(trash).unwrap().count(), 0);
}
