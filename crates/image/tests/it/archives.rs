//! What honest archives become, and what hostile ones do not.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tar::EntryType;

use crate::packing::{Bench, Tar, contents, gzip};

#[tokio::test]
async fn an_archive_becomes_a_tree() {
    let bench = Bench::new();
    let tar = Tar::new()
        .directory("./")
        .directory("./etc")
        .file("./etc/motd", "hello")
        .symlink("./bin", "usr/bin")
        .file("./usr/share/made/on/the/way", "x")
        .link(EntryType::Link, "./etc/again", "./etc/motd")
        .bytes();
    let plain = bench.tar(&tar).await.unwrap();
    let expected = [
        "bin -> usr/bin",
        "etc/",
        "etc/again: hello",
        "etc/motd: hello",
        "usr/",
        "usr/share/",
        "usr/share/made/",
        "usr/share/made/on/",
        "usr/share/made/on/the/",
        "usr/share/made/on/the/way: x",
    ];
    assert_eq!(contents(&plain.root), expected);
    for packed in [gzip(&tar), zstd::encode_all(tar.as_slice(), 1).unwrap()] {
        let image = bench.tar(&packed).await.unwrap();
        assert_eq!(contents(&image.root), expected);
    }
    bench.assert_trees(3);
    let mode = fs::metadata(bench.path("images"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn links_are_followed_within_the_tree_only() {
    let bench = Bench::new();
    let outside = bench.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    let there = outside.display().to_string();
    let up = format!("../../../../../../../../../../../..{there}");
    let tar = Tar::new()
        .directory("real")
        .symlink("inner", "/real")
        .file("inner/file", "lands in real")
        .symlink("over", &format!("{there}/planted"))
        .file("over", "takes the link's place")
        .symlink("dir", &there)
        .directory("dir")
        .file("dir/file", "in a directory now")
        .file("/absolute", "beneath")
        .bytes();
    let image = bench.tar(&tar).await.unwrap();
    let expected = [
        "absolute: beneath",
        "dir/",
        "dir/file: in a directory now",
        "inner -> /real",
        "over: takes the link's place",
        "real/",
        "real/file: lands in real",
    ];
    assert_eq!(contents(&image.root), expected);
    for target in [there.as_str(), up.as_str()] {
        let through = Tar::new().symlink("out", target).file("out/planted", "x");
        assert!(bench.tar(&through.bytes()).await.is_err(), "{target}");
        let linked =
            Tar::new()
                .symlink("out", target)
                .link(EntryType::Link, "stolen", "out/secret");
        assert!(bench.tar(&linked.bytes()).await.is_err(), "{target}");
    }
    let found: Vec<_> = fs::read_dir(&outside).unwrap().collect();
    assert_eq!(found.len(), 1);
    assert_eq!(fs::metadata(outside.join("secret")).unwrap().nlink(), 1);
    bench.assert_trees(1);
}

/// Names that lead out, or to what cannot be.
fn bad_names() -> Vec<(&'static str, Tar, &'static str)> {
    let link = EntryType::Link;
    let passwd = "../../../../../../../../etc/passwd";
    let deep = "d/".repeat(135);
    let deep_header = Tar::header(EntryType::GNULongName, "././@LongLink", deep.len() as u64);
    let deep = Tar::new().raw(&deep_header, deep.as_bytes()).file("x", "");
    vec![
        ("climbs", Tar::new().file("../out", "x"), "leads out of it"),
        (
            "climbs later",
            Tar::new().file("a/../../out", "x"),
            "leads out of it",
        ),
        (
            "hard link out",
            Tar::new().link(link, "x", passwd),
            "leads out of it",
        ),
        (
            "hard link to the host",
            Tar::new().link(link, "x", "/etc/passwd"),
            "linking to",
        ),
        (
            "hard link to the root",
            Tar::new().link(link, "x", "/"),
            "its own root",
        ),
        ("empty link", Tar::new().symlink("x", ""), "not a path"),
        ("deep", deep, "deeper than"),
        ("deep through links", ladder(), "links lead deeper than"),
        (
            "made deep through a link",
            missing_below(),
            "links lead deeper than",
        ),
        (
            "root is a file",
            Tar::new().file(".", "x"),
            "root is not a directory",
        ),
        (
            "below a file",
            Tar::new().file("x", "").file("x/y", ""),
            "unpacking",
        ),
    ]
}

/// Short names that lead deeper and deeper, each through a link to the end of the last.
fn ladder() -> Tar {
    let steps = 30;
    let mut tar = Tar::new();
    let mut below = String::new();
    for step in 0..steps {
        let end = format!("{below}{}", "d/".repeat(40));
        tar = tar.directory(&end).symlink(&format!("s{step}"), &end);
        below = format!("s{step}/");
    }
    tar
}

/// The end of a link is deep, and what is below is made on the way to the file.
fn missing_below() -> Tar {
    let deep = "d/".repeat(45);
    let middle = format!("a/{deep}");
    Tar::new()
        .directory(&deep)
        .symlink("a", &deep)
        .directory(&middle)
        .symlink("b", &middle)
        .file(&format!("b/{deep}file"), "")
}

/// Sizes and extensions that are not what they seem.
fn bad_sizes() -> Vec<(&'static str, Tar, &'static str)> {
    let sparse = Tar::header(EntryType::GNUSparse, "sparse", 0);
    let huge = Tar::header(EntryType::Regular, "huge", 1 << 40);
    let long = Tar::header(EntryType::GNULongName, "././@LongLink", 2 << 20);
    let name = [b'n'; 150];
    let named = Tar::header(EntryType::GNULongName, "././@LongLink", 150);
    // With its name it is too much.
    let whole = Tar::header(EntryType::Regular, "whole", 64 << 30);
    let size = b"15 size=100000\n";
    let size_header = Tar::header(EntryType::XHeader, "pax", size.len() as u64);
    let version = b"22 GNU.sparse.major=1\n";
    let version_header = Tar::header(EntryType::XHeader, "pax", version.len() as u64);
    vec![
        ("sparse", Tar::new().raw(&sparse, &[]), "sparse"),
        (
            "sparse by extension",
            Tar::new().raw(&version_header, version),
            "sparse",
        ),
        ("huge", Tar::new().raw(&huge, b"x"), "more than 64 GiB"),
        (
            "huge with its name",
            Tar::new().raw(&named, &name).raw(&whole, b"x"),
            "more than 64 GiB",
        ),
        (
            "long name",
            Tar::new().raw(&long, &vec![b'a'; 2 << 20]),
            "too long",
        ),
        (
            "two sizes",
            Tar::new().raw(&size_header, size).file("x", "x"),
            "two sizes",
        ),
    ]
}

#[tokio::test]
async fn hostile_archives_are_refused_with_a_reason() {
    let bench = Bench::new();
    for (what, tar, words) in bad_names().into_iter().chain(bad_sizes()) {
        let refused = bench.tar(&tar.bytes()).await;
        let told = refused
            .map(|image| contents(&image.root))
            .expect_err(what)
            .to_string();
        assert!(told.contains(words), "{what}: {told}");
    }
    let whole = Tar::new().file("a", "content").bytes();
    assert!(bench.tar(&whole[..515]).await.is_err());
    assert!(bench.tar(&gzip(&whole)[..30]).await.is_err());
    assert!(
        bench
            .tar(b"not a tar at all, but long enough to be read as one")
            .await
            .is_err()
    );
    bench.assert_trees(0);
}

#[tokio::test]
async fn devices_and_attributes_are_left_out_and_the_last_word_counts() {
    let bench = Bench::new();
    let attribute = b"38 SCHILY.xattr.user.overlay.opaque=y\n";
    let pax = Tar::header(EntryType::XHeader, "pax", attribute.len() as u64);
    let mut setuid = Tar::header(EntryType::Regular, "setuid", 0);
    setuid.set_mode(0o4755);
    setuid.set_uid(0);
    setuid.set_cksum();
    let mut stranger = Tar::header(EntryType::Regular, "stranger", 0);
    stranger.set_uid(2_000_000);
    stranger.set_gid(7);
    stranger.set_cksum();
    let tar = Tar::new()
        .raw(&Tar::header(EntryType::Block, "disk", 0), &[])
        .raw(&Tar::header(EntryType::Char, "null", 0), &[])
        .raw(&Tar::header(EntryType::Fifo, "pipe", 0), &[])
        .file("twice", "first")
        .file("twice", "second")
        .directory("was/a/directory")
        .file("was", "a file now")
        .raw(&pax, attribute)
        .directory("opaque")
        .raw(&setuid, &[])
        .raw(&stranger, &[])
        .file(".wh.name", "of a plain archive")
        .bytes();
    let image = bench.tar(&tar).await.unwrap();
    let expected = [
        ".wh.name: of a plain archive",
        "opaque/",
        "setuid: ",
        "stranger: ",
        "twice: second",
        "was: a file now",
    ];
    assert_eq!(contents(&image.root), expected);
    let mut list = [0_u8; 256];
    let attributes = rustix::fs::listxattr(image.root.join("opaque"), &mut list).unwrap();
    assert_eq!(attributes, 0);
    let of = |name: &str| fs::metadata(image.root.join(name)).unwrap();
    assert_eq!(of("setuid").mode() & 0o7777, 0o4755);
    if rustix::process::geteuid().is_root() {
        assert_eq!((of("stranger").uid(), of("stranger").gid()), (65_534, 7));
    } else {
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(of("stranger").uid(), own);
    }
}
