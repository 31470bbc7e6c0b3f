//! The store: what is there, what is made once, and what goes.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hostler_image::{ImageStore, Progress, Source};
use tokio::task::JoinSet;

use crate::packing::{Bench, contents};

fn made_directory(bench: &Bench) -> Source {
    let place = bench.path("rootfs");
    fs::create_dir_all(place.join("usr/bin")).unwrap();
    fs::write(place.join("usr/bin/tool"), "a program").unwrap();
    std::os::unix::fs::symlink("usr/bin", place.join("bin")).unwrap();
    format!("dir:{}", place.display()).parse().unwrap()
}

#[tokio::test]
async fn a_directory_is_copied_and_known_from_then_on() {
    let bench = Bench::new();
    let source = made_directory(&bench);
    assert_eq!(bench.store.find(&source).unwrap(), None);
    let first = bench.store.get(&source, Arc::new(|_| {})).await.unwrap();
    let expected = [
        "bin -> usr/bin",
        "usr/",
        "usr/bin/",
        "usr/bin/tool: a program",
    ];
    assert_eq!(contents(&first.root), expected);
    // A change of the source is taken up by the next pull, and by nothing else.
    fs::write(bench.path("rootfs/usr/bin/tool"), "another one").unwrap();
    assert_eq!(
        bench.store.get(&source, Arc::new(|_| {})).await.unwrap(),
        first
    );
    let second = bench.store.pull(&source, Arc::new(|_| {})).await.unwrap();
    assert_ne!(first.digest, second.digest);
    assert_eq!(bench.store.find(&source).unwrap(), Some(second.clone()));
    assert_eq!(contents(&first.root), expected);
    bench.assert_trees(2);
    // The store is the same for the next server.
    let again = ImageStore::open(&bench.path("images")).unwrap();
    assert_eq!(again.find(&source).unwrap(), Some(second));
}

#[tokio::test]
async fn those_who_want_one_image_at_once_share_it() {
    let bench = Bench::new();
    let source = made_directory(&bench);
    let unpacked = Arc::new(AtomicUsize::new(0));
    let tar = bench.path("rootfs.tar");
    let mut packed = tar::Builder::new(fs::File::create(&tar).unwrap());
    packed.append_dir_all(".", bench.path("rootfs")).unwrap();
    packed.finish().unwrap();
    drop(source);
    let source: Source = format!("tar:{}", tar.display()).parse().unwrap();
    let mut getting = JoinSet::new();
    for _ in 0..8 {
        let (store, source, unpacked) =
            (bench.store.clone(), source.clone(), Arc::clone(&unpacked));
        getting.spawn(async move {
            let report = move |progress| {
                if matches!(progress, Progress::Unpacking { .. }) {
                    unpacked.fetch_add(1, Ordering::Relaxed);
                }
            };
            store.get(&source, Arc::new(report)).await.unwrap()
        });
    }
    let images = getting.join_all().await;
    assert!(images.iter().all(|image| *image == images[0]));
    assert_eq!(unpacked.load(Ordering::Relaxed), 1);
    bench.assert_trees(1);
}

#[tokio::test]
async fn what_is_in_use_stays_and_the_rest_can_go() {
    let bench = Bench::new();
    let source = made_directory(&bench);
    let image = bench.store.get(&source, Arc::new(|_| {})).await.unwrap();
    let [stored] = bench.store.list().unwrap().try_into().unwrap();
    assert_eq!(stored.digest, image.digest);
    assert_eq!(stored.sources, [source.to_string()]);
    assert_eq!(stored.bytes, "a program".len() as u64);
    let in_use = BTreeSet::from([image.root.clone()]);
    let refused = bench
        .store
        .remove(&source.to_string(), &in_use)
        .unwrap_err();
    assert!(refused.to_string().contains("is in use"), "{refused}");
    assert!(bench.store.remove("sha256:", &BTreeSet::new()).is_err());
    assert!(
        bench
            .store
            .remove("ffff0000ffff", &BTreeSet::new())
            .is_err()
    );
    bench
        .store
        .remove(&image.digest.hex()[..12], &BTreeSet::new())
        .unwrap();
    assert_eq!(bench.store.list().unwrap(), []);
    assert_eq!(bench.store.find(&source).unwrap(), None);
    bench.assert_trees(0);
}

#[tokio::test]
async fn what_a_crash_left_is_deleted() {
    let bench = Bench::new();
    let drafts = bench.path("images/drafts");
    fs::create_dir_all(drafts.join("1-0/root/half")).unwrap();
    fs::write(drafts.join("1-0.lock"), "").unwrap();
    fs::create_dir_all(bench.path("images/trees").join("0".repeat(64))).unwrap();
    let store = ImageStore::open(&bench.path("images")).unwrap();
    assert_eq!(fs::read_dir(drafts).unwrap().count(), 0);
    // A tree without its record does not count.
    assert_eq!(store.list().unwrap(), []);
}

#[test]
fn what_cannot_be_deleted_keeps_nobody_from_starting() {
    let bench = Bench::new();
    let drafts = bench.path("images/drafts");
    // Not a directory, so the sweep fails to remove it as one.
    fs::write(drafts.join("1-0"), "").unwrap();
    fs::create_dir_all(drafts.join("2-0/root/half")).unwrap();
    let store = ImageStore::open(&bench.path("images")).unwrap();
    assert_eq!(store.list().unwrap(), []);
    assert!(!drafts.join("2-0").exists());
}

#[test]
fn sources_are_read_and_written() {
    for text in [
        "dir:/srv/root",
        "tar:/srv/root.tar.zst",
        "oci-layout:/srv/image",
        "oci:docker.io/library/debian:12",
        "oci:localhost:5000/team/image:v1",
    ] {
        assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
    }
    let full: Source = "oci:debian".parse().unwrap();
    assert_eq!(full.to_string(), "oci:docker.io/library/debian:latest");
    let pinned = format!("oci:ghcr.io/a/b@sha256:{}", "0".repeat(64));
    assert_eq!(pinned.parse::<Source>().unwrap().to_string(), pinned);
    for wrong in [
        "",
        "host",
        "dir:relative",
        "tar:",
        "http://example.com",
        "oci:UPPER/case",
        "oci:a/../b",
        "oci:name:bad tag",
        "oci:name@md5:00",
        "oci:name@sha256:short",
    ] {
        assert!(wrong.parse::<Source>().is_err(), "{wrong}");
    }
}
