//! What the host places for commands to read.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use hostler_sandbox::{Sandbox, Spec, Stop, Upload, UploadLink};

use crate::world::{World, name};

fn upload(path: &str, id: &str, content: &[u8]) -> Upload {
    Upload {
        path: path.parse().unwrap(),
        id: id.to_owned(),
        size: content.len() as u64,
        is_executable: false,
    }
}

pub(crate) async fn place(sandbox: &Sandbox, path: &str, content: &[u8]) -> Upload {
    let upload = upload(path, path, content);
    sandbox
        .place_upload(upload.clone(), content)
        .await
        .expect("it can be placed");
    upload
}

#[tokio::test]
async fn an_upload_is_there_to_read_and_nothing_else() {
    let world = World::new().await;
    place(&world.sandbox, "deep/er/data.csv", b"1,2\n").await;
    let path = "/mnt/session/uploads/deep/er/data.csv";
    assert_eq!(world.sh(&format!("cat {path}")).await, "1,2");
    for command in [
        format!("echo 3 >> {path}"),
        format!("rm -f {path}"),
        format!("chmod 666 {path}"),
        "touch /mnt/session/uploads/new".to_owned(),
        "mv /mnt/session/uploads/deep /mnt/session/uploads/other".to_owned(),
        "mount -o remount,rw /mnt/session/uploads".to_owned(),
    ] {
        assert!(world.bash(&command).await.is_error, "{command}");
    }
    let placed = fs::metadata(world.on_host("uploads/deep/er/data.csv")).unwrap();
    assert_eq!(placed.permissions().mode() & 0o7777, 0o444);
    assert_eq!(placed.uid(), rustix::process::geteuid().as_raw());
    world.end().await;
}

#[tokio::test]
async fn what_is_not_wanted_any_more_is_taken_away() {
    let world = World::new().await;
    let kept = place(&world.sandbox, "a/kept.txt", b"kept").await;
    place(&world.sandbox, "a/gone.txt", b"gone").await;
    place(&world.sandbox, "b/c/gone.txt", b"gone").await;
    let new = upload("b", "new", b"new");
    let wanted = vec![kept, new.clone()];
    let missing = world.sandbox.keep_uploads(wanted.clone()).await.unwrap();
    assert_eq!(missing, std::slice::from_ref(&new));
    let list = "cd /mnt/session/uploads && find . -type f | sort && ls";
    assert_eq!(world.sh(list).await, "./a/kept.txt\na");
    world.sandbox.place_upload(new, &b"new"[..]).await.unwrap();
    assert_eq!(world.sandbox.keep_uploads(wanted).await.unwrap(), []);
    assert_eq!(world.sh(list).await, "./a/kept.txt\n./b\na\nb");
    world.end().await;
}

#[tokio::test]
async fn another_file_at_the_same_path_is_placed_anew() {
    let world = World::new().await;
    place(&world.sandbox, "data", b"old").await;
    let new = upload("data", "another", b"new");
    let missing = world.sandbox.keep_uploads(vec![new.clone()]).await.unwrap();
    assert_eq!(missing, std::slice::from_ref(&new));
    world.sandbox.place_upload(new, &b"new"[..]).await.unwrap();
    assert_eq!(world.sh("cat /mnt/session/uploads/data").await, "new");
    world.end().await;
}

#[tokio::test]
async fn what_a_crash_left_is_placed_again() {
    let world = World::new().await;
    let whole = place(&world.sandbox, "whole", b"whole").await;
    let short = place(&world.sandbox, "short", b"short").await;
    let unsaid = place(&world.sandbox, "unsaid", b"unsaid").await;
    fs::write(world.on_host("upload.partial"), "half").unwrap();
    let placed = world.on_host("uploads/short");
    fs::set_permissions(&placed, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(placed, "sh").unwrap();
    let record = fs::read_to_string(world.on_host("uploads.jsonl")).unwrap();
    let torn = record.find("{\"path\":\"unsaid").unwrap() + 10;
    fs::write(world.on_host("uploads.jsonl"), &record[..torn]).unwrap();
    let wanted = vec![whole, short.clone(), unsaid.clone()];
    let missing = world.sandbox.keep_uploads(wanted.clone()).await.unwrap();
    assert_eq!(missing, [short, unsaid]);
    place(&world.sandbox, "short", b"short").await;
    place(&world.sandbox, "unsaid", b"unsaid").await;
    assert_eq!(world.sandbox.keep_uploads(wanted).await.unwrap(), []);
    world.end().await;
}

#[tokio::test]
async fn content_of_another_size_is_refused() {
    let world = World::new().await;
    for content in [&b"123"[..], &b"12345"[..]] {
        let upload = upload("data", "data", b"1234");
        let refused = world.sandbox.place_upload(upload, content).await;
        assert!(refused.is_err());
    }
    assert_eq!(world.sh("ls /mnt/session/uploads | wc -l").await, "0");
    world.end().await;
}

#[tokio::test]
async fn a_link_among_the_uploads_leads_nowhere() {
    let world = World::new().await;
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), world.on_host("uploads/out")).unwrap();
    let upload = upload("out/data", "data", b"1234");
    let placed = world
        .sandbox
        .place_upload(upload.clone(), &b"1234"[..])
        .await;
    assert!(placed.is_err());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    // Nobody has asked for it, so it goes, and what it led to stays.
    fs::write(elsewhere.path().join("stays"), "").unwrap();
    assert_eq!(
        world
            .sandbox
            .keep_uploads(vec![upload.clone()])
            .await
            .unwrap(),
        [upload]
    );
    assert!(fs::symlink_metadata(world.on_host("uploads/out")).is_err());
    assert!(elsewhere.path().join("stays").exists());
    world.end().await;
}

#[tokio::test]
async fn an_upload_is_good_at_its_own_path() {
    let world = World::new().await;
    let early = ["data/a.csv", "mnt/user-data/uploads/b.csv", "top.csv"];
    let links = early.map(|path| UploadLink::of(&path.parse().unwrap()).unwrap());
    let World { host, sandbox, .. } = &world;
    for path in early {
        place(sandbox, path, path.as_bytes()).await;
    }
    world.sh("test ! -e /data").await;
    assert_eq!(host.stop(&name("one")).await.unwrap(), Stop::InUse);
    let World {
        host,
        sandbox,
        clean_up,
        state,
        ..
    } = world;
    drop(sandbox);
    assert_eq!(host.stop(&name("one")).await.unwrap(), Stop::Stopped);
    let mut spec = Spec::default();
    spec.upload_links.extend(links);
    let opened = host.open(&name("one"), &spec).await.unwrap();
    let sh = async |command: &str| {
        let output = crate::world::bash(&opened.sandbox, command).await;
        assert!(!output.is_error, "{command}: {output:?}");
        output.joined_text().trim_end().to_owned()
    };
    for path in early {
        assert_eq!(sh(&format!("cat /{path}")).await, path);
    }
    // What comes later below a link needs no link of its own.
    place(&opened.sandbox, "data/later/c.csv", b"later").await;
    assert_eq!(sh("cat /data/later/c.csv").await, "later");
    let refused = crate::world::bash(&opened.sandbox, "rm /data || echo x > /data/new").await;
    assert!(refused.is_error);
    drop((opened, host, clean_up, state));
}

#[tokio::test]
async fn a_path_in_the_workspace_is_good_too_and_leads_nowhere_else() {
    let world = World::new().await;
    let host = tempfile::tempdir().unwrap();
    let out = format!(
        "ln -s {} out; mkdir mine; touch taken",
        host.path().display()
    );
    world.sh(&out).await;
    for path in [
        "workspace/in/a",
        "workspace/mine/b",
        "workspace/out/c",
        "workspace/taken",
        "data/d",
    ] {
        place(&world.sandbox, path, path.as_bytes()).await;
        let linked = world.sandbox.link_in_workspace(path.parse().unwrap());
        linked.await.unwrap();
    }
    assert_eq!(world.sh("cat /workspace/in/a").await, "workspace/in/a");
    assert_eq!(world.sh("cat mine/b").await, "workspace/mine/b");
    // The directories are the workspace's, and what was there is as it was.
    assert_eq!(
        world.sh("touch in/new && rm -r in && ls").await,
        "mine\nout\ntaken"
    );
    assert_eq!(world.sh("wc -c < taken").await, "0");
    assert_eq!(fs::read_dir(host.path()).unwrap().count(), 0);
    world.end().await;
}
