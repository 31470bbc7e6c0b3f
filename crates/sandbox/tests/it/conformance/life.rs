//! How a sandbox begins, is found again, is lost, replaced, stopped and destroyed.

use std::fs;

use hostler_sandbox::{
    Call, Losses, Opened, Provenance, SandboxError, SandboxHost, Spec, Stop, Tool,
};

use crate::world::{CleanUp, World, bash, error, name, ok};

async fn open(host: &SandboxHost, named: &str) -> Opened {
    host.open(&name(named), &Spec::default()).await.unwrap()
}

pub(super) async fn a_new_one_is_empty_and_is_attached_to_again(world: World) {
    ok(&world.bash("ls -A; ls -A ~; A=5").await, "(no output)");
    let again = open(&world.host, "one").await;
    assert_eq!(again.provenance, Provenance::Attached);
    ok(&bash(&again.sandbox, "echo A=$A").await, "A=5\n");
    drop(again);
    world.end().await;
}

pub(super) async fn the_next_server_finds_the_shell_as_it_was(world: World) {
    world.sh("A=kept; cd /tmp; sleep 1000 &").await;
    let (host, _state) = world.restart_server().await;
    let _clean_up = CleanUp::of(&host);
    let opened = open(&host, "one").await;
    assert_eq!(opened.provenance, Provenance::Attached);
    ok(
        &bash(&opened.sandbox, "echo $A; pwd; kill -0 $! && echo job").await,
        "kept\n/tmp\njob\n",
    );
}

pub(super) async fn one_that_died_is_replaced_with_its_files(world: World) {
    world.sh("echo file > kept; A=5").await;
    world.kill().await;
    let tool = Tool::Bash {
        command: "echo nobody is there".to_owned(),
        timeout_ms: None,
    };
    let id = "late".to_owned();
    let lost = world.sandbox.run(Call { id, tool }).await;
    assert!(matches!(lost, Err(SandboxError::Lost { .. })), "{lost:?}");
    let opened = open(&world.host, "one").await;
    assert_eq!(opened.provenance, Provenance::Replaced);
    ok(
        &bash(&opened.sandbox, "cat kept; echo A=$A").await,
        "file\nA=\n",
    );
    drop(opened);
    world.end().await;
}

pub(super) async fn a_stopped_one_keeps_its_files_and_its_shell(world: World) {
    let two = name("two");
    let opened = open(&world.host, "two").await;
    let place = world.inside_of(&two);
    let commands = "echo file > kept; echo file > ~/kept; A=5; cd /tmp; sleep 1000 &";
    bash(&opened.sandbox, commands).await;
    drop(opened);
    assert_eq!(world.host.stop(&two).await.unwrap(), Stop::Stopped);
    let listed = world.host.list().await.unwrap();
    let alive: Vec<_> = listed.iter().map(|listed| listed.is_alive).collect();
    assert_eq!(alive, [true, false]);
    // Once more is fine, and so is what never was.
    assert_eq!(world.host.stop(&two).await.unwrap(), Stop::Stopped);
    let never = world.host.stop(&name("three")).await;
    assert_eq!(never.unwrap(), Stop::Stopped);
    let opened = open(&world.host, "two").await;
    let Provenance::Restored(losses) = opened.provenance else {
        panic!("{:?}", opened.provenance);
    };
    assert_eq!((losses.processes, losses.shell), (true, false));
    let look = format!("cat {place}/kept ~/kept; pwd; echo A=$A; jobs");
    ok(
        &bash(&opened.sandbox, &look).await,
        "file\nfile\n/tmp\nA=5\n",
    );
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}

pub(super) async fn one_in_use_is_not_stopped(world: World) {
    let one = name("one");
    assert_eq!(world.host.stop(&one).await.unwrap(), Stop::InUse);
    world.sh("A=5").await;
    let in_use = world.host.hold(&one);
    let (host, _state, _clean_up) = world.let_go();
    assert_eq!(host.stop(&one).await.unwrap(), Stop::InUse);
    drop(in_use);
    assert_eq!(host.stop(&one).await.unwrap(), Stop::Stopped);
    let provenance = open(&host, "one").await.provenance;
    assert_eq!(provenance, Provenance::Restored(Losses::default()));
}

pub(super) async fn those_who_open_one_at_once_get_the_same(world: World) {
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let host = world.host.clone();
        opening.spawn(async move {
            let opened = open(&host, "two").await;
            bash(&opened.sandbox, "echo $$ $((x += 1)) >> log").await;
            opened.provenance
        });
    }
    let provenances = opening.join_all().await;
    let created = provenances.iter().filter(|p| **p == Provenance::Created);
    assert_eq!((created.count(), provenances.len()), (1, 8));
    let opened = open(&world.host, "two").await;
    let look = "cut -d' ' -f1 log | uniq | wc -l; tail -n1 log | cut -d' ' -f2";
    ok(&bash(&opened.sandbox, look).await, "1\n8\n");
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
}

pub(super) async fn opening_and_stopping_at_once_loses_no_call(world: World) {
    let mut work = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (opener, stopper) = (world.host.clone(), world.host.clone());
        work.spawn(async move {
            let opened = open(&opener, "two").await;
            ok(&bash(&opened.sandbox, "echo here").await, "here\n");
        });
        work.spawn(async move {
            stopper.stop(&name("two")).await.unwrap();
        });
    }
    work.join_all().await;
    assert_eq!(world.host.stop(&name("two")).await.unwrap(), Stop::Stopped);
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
}

pub(super) async fn a_destroyed_one_is_gone(world: World) {
    let locked = "mkdir -p locked/in; touch locked/in/x; ln -s /etc link; chmod 0 locked/in locked";
    world
        .sh(&format!("setsid sleep 1000 & A=5; {locked}"))
        .await;
    let directory = world.on_host("");
    // Also while it is in use, and then once more.
    world.host.destroy(&name("one")).await.unwrap();
    assert!(!directory.exists());
    let trash = world.state.path().join("state/trash");
    assert_eq!(fs::read_dir(trash).unwrap().count(), 0);
    world.host.destroy(&name("one")).await.unwrap();
    let opened = open(&world.host, "one").await;
    assert_eq!(opened.provenance, Provenance::Created);
    ok(&bash(&opened.sandbox, "ls -A; echo A=$A").await, "A=\n");
    drop(opened);
    world.end().await;
}

pub(super) async fn two_do_not_see_each_other(world: World) {
    let other = open(&world.host, "other").await;
    assert_eq!(other.provenance, Provenance::Created);
    world
        .sh(
            "echo mine > secret; echo mine > /tmp/secret; echo mine > /dev/shm/secret; \
             sleep 1234 &",
        )
        .await;
    let look = "cat /workspace/secret /tmp/secret /dev/shm/secret 2>/dev/null; \
                cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 123[4]'";
    error(&bash(&other.sandbox, look).await, "0\nexit code 1");
    world.host.destroy(&name("other")).await.unwrap();
    world.end().await;
}
