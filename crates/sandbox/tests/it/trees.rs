//! Trees that one sandbox made and others get, whichever file system each of them has its files on.

use hostler_sandbox::{
    DiskChoice, InnerPath, Moved, Sandbox, SandboxError, SandboxHost, SandboxName, Spec,
};

use crate::world::{CleanUp, World, bash, images_can_be_had, in_an_image, name, ok, options};

const MAKE: &str = "mkdir -p made/inner && cd made && echo hello > inner/file && \
                    chmod 750 inner/file && ln -s /etc/passwd absolute && \
                    ln -s inner/file relative && cd ..";
const LOOK: &str = "cat inner/file && stat -c '%a %u' inner/file && readlink absolute relative";
const SEEN: &str = "hello\n750 0\n/etc/passwd\ninner/file\n";

fn path(text: &str) -> InnerPath {
    text.parse().unwrap()
}

fn maker() -> SandboxName {
    name("maker")
}

/// A sandbox of this name that ran `command`, and that nobody uses any more.
async fn made(host: &SandboxHost, named: &str, command: &str) {
    let opened = host.open(&name(named), &Spec::default()).await.unwrap();
    ok(&bash(&opened.sandbox, command).await, "(no output)");
}

async fn sees(sandbox: &Sandbox, place: &str) {
    let looked = bash(sandbox, &format!("(cd {place} && {LOOK})")).await;
    ok(&looked, SEEN);
}

/// Moves what `from` has at `made`.
async fn move_made(
    host: &SandboxHost,
    from: &str,
    to: &Sandbox,
    place: &str,
) -> Result<Moved, SandboxError> {
    let (from, made, place) = (name(from), path("made"), path(place));
    host.move_tree(&from, &made, to, &place).await
}

#[tokio::test]
async fn a_tree_is_kept_and_copied_and_moved() {
    let world = World::new().await;
    let (second, key) = (name("second"), name("key"));
    made(&world.host, "maker", MAKE).await;
    let kept = world.host.keep_tree(&maker(), &path("made"), &key).await;
    kept.unwrap();
    let trees = world.host.trees().await.unwrap();
    assert!(trees.len() == 1 && trees[0].bytes > 0, "{trees:?}");
    let place = path("made");
    let begun = world.host.begin_with_tree(&second, &key, &place).await;
    assert!(begun.unwrap());
    let opened = world.host.open(&second, &Spec::default()).await.unwrap();
    sees(&opened.sandbox, "made").await;
    drop(opened);
    assert!(world.sandbox.is_free(path("deep/place")).await.unwrap());
    let moved = move_made(&world.host, "second", &world.sandbox, "deep/place").await;
    assert_eq!(moved.unwrap(), Moved::Moved);
    sees(&world.sandbox, "deep/place").await;
    assert!(!world.sandbox.is_free(path("deep/place")).await.unwrap());
    world.end().await;
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_tree_stays() {
    let world = World::new().await;
    world
        .sh("mkdir here && echo mine > here/file && ln -s /tmp away")
        .await;
    for place in ["here", "here/file/below", "away/below"] {
        made(&world.host, "maker", MAKE).await;
        let moved = move_made(&world.host, "maker", &world.sandbox, place).await;
        assert_eq!(moved.unwrap(), Moved::Occupied, "{place}");
    }
    assert_eq!(world.sh("cat here/file; ls /tmp").await, "mine");
    world.end().await;
}

/// What a copy must not wait for, or fill a disk with.
const HOSTILE: &[(&str, &str)] = &[
    ("mkfifo made/pipe", "special file"),
    ("truncate -s 40M made/one made/other", "more than"),
];

#[tokio::test]
async fn hostile_trees_do_not_leave_an_image() {
    if !images_can_be_had() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let mut with_images = options(&state);
    in_an_image(&mut with_images);
    with_images.limits.disk_bytes = Some(64 << 20);
    let world = World::with_options(state, with_images).await;
    let files = "df --output=iused /workspace | tail -1";
    let used = world.sh(files).await;
    for (command, refusal) in HOSTILE {
        made(&world.host, "maker", &format!("mkdir made && {command}")).await;
        let (place, key) = (path("made"), name("key"));
        let kept = world.host.keep_tree(&maker(), &place, &key).await;
        let refused = kept.unwrap_err().to_string();
        assert!(refused.contains(refusal), "{refused}");
        let moved = move_made(&world.host, "maker", &world.sandbox, "made").await;
        let refused = moved.unwrap_err().to_string();
        assert!(refused.contains(refusal), "{refused}");
        world.host.destroy(&maker()).await.unwrap();
    }
    assert_eq!(world.host.trees().await.unwrap(), []);
    // Nothing of the copies is left, in sight or out of it.
    assert_eq!(world.sh(files).await, used);
    world.end().await;
}

#[tokio::test]
async fn trees_move_between_images_and_directories() {
    if !images_can_be_had() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let mut plain = options(&state);
    plain.disk = DiskChoice::PerFile;
    let mut with_images = plain.clone();
    in_an_image(&mut with_images);
    let host = SandboxHost::start(plain).await.unwrap();
    made(&host, "receiver", "true").await;
    made(&host, "maker", MAKE).await;
    drop(host);
    let host = SandboxHost::start(with_images).await.unwrap();
    let _clean_up = CleanUp::of(&host);
    let opened = host.open(&name("one"), &Spec::default()).await;
    let image = opened.unwrap().sandbox;
    let opened = host.open(&name("receiver"), &Spec::default()).await;
    let directory = opened.unwrap().sandbox;
    let moved = move_made(&host, "maker", &image, "made").await;
    assert_eq!(moved.unwrap(), Moved::Moved);
    sees(&image, "made").await;
    drop(image);
    let moved = move_made(&host, "one", &directory, "there").await;
    assert_eq!(moved.unwrap(), Moved::Moved);
    sees(&directory, "there").await;
}
