//! What a sandbox leaves for its user, read from outside while strangers write it.

use std::fs;
use std::io::Read;

use hostler_sandbox::{OutputScan, Outputs, Why};

use crate::world::{World, name};

async fn outputs(world: &World) -> Outputs {
    world.host.outputs(&name("one")).await.unwrap().unwrap()
}

fn paths(scan: &OutputScan) -> Vec<&str> {
    scan.files.iter().map(|file| file.path.as_str()).collect()
}

fn left_out(scan: &OutputScan) -> Vec<(&str, Why)> {
    let mut left: Vec<_> = scan
        .left_out
        .iter()
        .map(|left| (left.path.as_str(), left.why))
        .collect();
    left.sort_by_key(|(path, _)| *path);
    left
}

async fn read(outputs: &Outputs, path: &str) -> Result<String, Why> {
    let (mut file, _) = outputs.read(path.to_owned()).await.unwrap()?;
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    Ok(text)
}

#[tokio::test]
async fn regular_files_are_shown_and_nothing_else() {
    let world = World::new().await;
    let outputs = outputs(&world).await;
    assert!(outputs.is_empty().unwrap());
    let empty = outputs.scan().await.unwrap();
    assert!(empty.is_complete && empty.files.is_empty());
    world
        .sh("cd /mnt/session/outputs && echo 1 > report.txt && mkdir -p a/b && echo 2 > a/b/deep.txt \
             && ln -s /etc/passwd passwd && ln -s a linked && mkfifo pipe && ln report.txt second \
             && touch $'\\xff' && touch $'line\\nbreak'")
        .await;
    let scan = outputs.scan().await.unwrap();
    assert!(scan.is_complete && !outputs.is_empty().unwrap());
    assert_eq!(
        paths(&scan),
        ["a/b/deep.txt", "line\nbreak", "report.txt", "second"]
    );
    assert_eq!(
        left_out(&scan),
        [
            ("linked", Why::NotAFile),
            ("passwd", Why::NotAFile),
            ("pipe", Why::NotAFile),
            ("\u{fffd}", Why::Unnameable),
        ]
    );
    assert_eq!(read(&outputs, "a/b/deep.txt").await.as_deref(), Ok("2\n"));
    for (path, why) in [
        ("passwd", Why::NotAFile),
        ("linked/b/deep.txt", Why::NotAFile),
        ("pipe", Why::NotAFile),
        ("a", Why::NotAFile),
        ("nothing", Why::Gone),
        ("../process.json", Why::NotAFile),
        ("/etc/passwd", Why::NotAFile),
    ] {
        assert_eq!(read(&outputs, path).await, Err(why), "{path}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_change_shows_in_the_fingerprint() {
    let world = World::new().await;
    let outputs = outputs(&world).await;
    world.sh("echo one > /mnt/session/outputs/f").await;
    let first = outputs.scan().await.unwrap();
    assert_eq!(outputs.scan().await.unwrap(), first);
    world.sh("echo two > /mnt/session/outputs/f").await;
    let second = outputs.scan().await.unwrap();
    assert_ne!(second.files, first.files);
    let (_, opened) = outputs.read("f".to_owned()).await.unwrap().unwrap();
    assert_eq!(opened, second.files[0].fingerprint);
    world.end().await;
}

#[tokio::test]
async fn a_flood_of_names_and_of_depth_is_bounded() {
    let world = World::new().await;
    let outputs = outputs(&world).await;
    world
        .sh("cd /mnt/session/outputs && echo 1 > first && for i in $(seq 40); do mkdir d && cd d; done \
             && echo 2 > hidden")
        .await;
    let scan = outputs.scan().await.unwrap();
    assert_eq!(paths(&scan), ["first"]);
    assert_eq!(left_out(&scan).len(), 1);
    assert_eq!(left_out(&scan)[0].1, Why::TooDeep);
    world
        .sh("cd /mnt/session/outputs && mkdir many && cd many && seq 1200 | xargs touch")
        .await;
    let scan = outputs.scan().await.unwrap();
    assert_eq!((scan.files.len(), scan.is_complete), (1000, false));
    assert_eq!(scan.files[0].path, "first");
    world.end().await;
}

#[tokio::test]
async fn a_hard_link_to_a_file_of_the_host_is_not_read() {
    if !rustix::process::geteuid().is_root() {
        // Without a range of uids all files are the user's own, and no link leads in from inside.
        return;
    }
    let world = World::new().await;
    let outputs = outputs(&world).await;
    let secret = world.on_host("secret");
    fs::write(&secret, "secret").unwrap();
    fs::hard_link(&secret, world.on_host("outputs/secret")).unwrap();
    let scan = outputs.scan().await.unwrap();
    assert_eq!(left_out(&scan), [("secret", Why::Unreadable)]);
    assert_eq!(read(&outputs, "secret").await, Err(Why::Unreadable));
    world.end().await;
}

#[tokio::test]
async fn no_race_leads_out_of_the_directory() {
    let world = World::new().await;
    let outputs = outputs(&world).await;
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("file"), "of the host").unwrap();
    fs::create_dir(host.path().join("below")).unwrap();
    fs::write(host.path().join("below/file"), "of the host").unwrap();
    let place = host.path().display();
    // Two loops: one swaps a directory for a link to the host's, one a file for a link or a pipe.
    world
        .sh(&format!(
            "cd /mnt/session/outputs && mkdir -p dir/below swap && echo inside > dir/below/file \
             && echo inside > dir/file && ln -s {place} swap/link && echo inside > swap/plain \
             && ln -s {place}/file swap/leads && mkfifo swap/pipe && \
             (while :; do mv -T dir swap/away; mv -T swap/link dir; mv -T dir swap/link; \
             mv -T swap/away dir; done >/dev/null 2>&1 &) ; \
             (while :; do for kind in plain leads pipe; do mv -T swap/$kind file; mv -T file swap/$kind; \
             done; done >/dev/null 2>&1 &)"
        ))
        .await;
    let (mut inside, mut refused, mut attempts) = (0, 0, 0);
    while inside < 300 || refused < 300 {
        for path in ["dir/below/file", "dir/file", "file"] {
            match read(&outputs, path).await {
                Ok(text) => {
                    assert!(text.is_empty() || text == "inside\n", "{path}: {text}");
                    inside += 1;
                }
                Err(Why::NotAFile) => refused += 1,
                Err(Why::Gone) => {}
                Err(why) => panic!("{path}: {why}"),
            }
        }
        if attempts % 64 == 0 {
            outputs.scan().await.unwrap();
        }
        attempts += 1;
        assert!(attempts < 1_000_000, "{inside} inside, {refused} refused");
    }
    world.end().await;
}
