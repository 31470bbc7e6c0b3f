//! A sandbox that is packed on one host is the same on another.

use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use hostler_sandbox::{Checkpoint, Provenance, SandboxHost, SandboxUse, Spec, Stop};
use tempfile::TempDir;

use crate::uploads::place;
use crate::world::{CleanUp, World, bash, name, ok, options};

/// What was packed, for the test to look at.
#[derive(Clone, Default)]
pub(crate) struct Archive(Arc<Mutex<Vec<u8>>>);

impl Write for Archive {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Archive {
    pub(crate) fn reader(&self) -> Cursor<Vec<u8>> {
        Cursor::new(self.0.lock().unwrap().clone())
    }
}

pub(crate) async fn another_host() -> (SandboxHost, TempDir) {
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&state);
    // Other ids than on the first.
    options.uid_base = 700_000_000;
    (SandboxHost::start(options).await.unwrap(), state)
}

pub(crate) async fn pack(host: &SandboxHost, named: &str) -> (Archive, SystemTime) {
    let archive = Archive::default();
    let done = host
        .checkpoint(&name(named), "mark_1", None, archive.clone())
        .await;
    match done.unwrap() {
        Checkpoint::Packed { created_at, .. } => (archive, created_at),
        other @ (Checkpoint::InUse | Checkpoint::Absent) => panic!("{other:?}"),
    }
}

const FILL: &str = r#"
mkdir -p d/e 'name with
newline'; echo text > d/file; chmod 4750 d/file; ln d/file d/e/other; ln d/file third; ln -s ../file d/e/link
ln -s /etc/passwd absolute; truncate -s 3000000 sparse; printf x | dd of=sparse bs=1 seek=2000000 conv=notrunc 2>/dev/null
mkfifo pipe; mkdir closed; echo in > closed/in; chmod 000 closed/in; chmod 500 closed
python3 -c 'import os; os.setxattr("d/file", "user.note", b"a\nb\0c"); os.mkdir(b"\xff\xfe"); open("d/"+"n"*250, "w").write("long")'
touch -d '2020-01-02 03:04:05.123456789' d/file; touch -h -d @1000000000 d/e/link
echo home > ~/kept; mkdir -p /mnt/session/outputs; echo out > /mnt/session/outputs/out
chown 1000:1001 d/e 2>/dev/null || true
export A='kept
value'; cd d/e
"#;

const LOOK: &str = r#"
pwd; echo $A; cd /workspace
find . /root /mnt/session/outputs -printf '%p %y %m %U %G %T@ %l %n\n' | sort
find . -type f | sort | tr '\n' '\0' | xargs -0 sha256sum; stat -c %b sparse
python3 -c 'import os; print(os.getxattr("d/file", "user.note"))'; stat -c %i d/file d/e/other third | uniq | wc -l
"#;

#[tokio::test]
async fn what_is_packed_here_is_the_same_elsewhere() {
    let world = World::new().await;
    let opened = world
        .host
        .open(&name("two"), &Spec::default())
        .await
        .unwrap();
    assert!(!bash(&opened.sandbox, FILL).await.is_error);
    let before = bash(&opened.sandbox, LOOK).await;
    assert!(before.joined_text().contains(r"b'a\nb\x00c'"), "{before:?}");
    bash(&opened.sandbox, "cd d/e").await;
    assert_eq!(
        world
            .host
            .checkpoint(&name("two"), "mark_1", None, Archive::default())
            .await
            .unwrap(),
        Checkpoint::InUse
    );
    drop(opened);
    let (archive, created_at) = pack(&world.host, "two").await;
    world.host.destroy(&name("two")).await.unwrap();

    let (host, _state) = another_host().await;
    let _clean_up = CleanUp::of(&host);
    let restored = host
        .restore(&name("two"), "mark_1", created_at, archive.reader())
        .await;
    assert!(restored.unwrap().entries > 15);
    assert_eq!(
        host.mark(&name("two")).await.unwrap().as_deref(),
        Some("mark_1")
    );
    let listed = host.list().await.unwrap();
    assert_eq!(listed[0].created_at, created_at);
    let opened = host.open(&name("two"), &Spec::default()).await.unwrap();
    assert!(matches!(opened.provenance, Provenance::Restored(losses) if !losses.shell));
    let after = bash(&opened.sandbox, LOOK).await;
    assert_eq!(after.joined_text(), before.joined_text());
    // From its start on, the archive is an old one.
    assert_eq!(host.mark(&name("two")).await.unwrap(), None);
    drop(opened);
    world.end().await;
}

#[tokio::test]
async fn links_to_what_the_host_placed_go_with_the_workspace() {
    const LOOK: &str = "stat -c '%u %g %N' in in/a";
    let world = World::new().await;
    let two = name("two");
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    place(&opened.sandbox, "workspace/in/a", b"a").await;
    let path = "workspace/in/a".parse().unwrap();
    opened.sandbox.link_in_workspace(path).await.unwrap();
    let before = bash(&opened.sandbox, LOOK).await;
    assert!(before.joined_text().starts_with("0 0 "), "{before:?}");
    drop(opened);
    let (archive, created_at) = pack(&world.host, "two").await;
    world.host.destroy(&two).await.unwrap();

    let (host, _state) = another_host().await;
    let _clean_up = CleanUp::of(&host);
    let restored = host.restore(&two, "mark_1", created_at, archive.reader());
    restored.await.unwrap();
    let opened = host.open(&two, &Spec::default()).await.unwrap();
    let after = bash(&opened.sandbox, LOOK).await;
    assert_eq!(after.joined_text(), before.joined_text());
    drop(opened);
    world.end().await;
}

#[tokio::test]
async fn only_files_that_are_packed_as_they_are_go() {
    let world = World::new().await;
    let two = name("two");
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    bash(&opened.sandbox, "echo file > kept").await;
    drop(opened);
    let (archive, created_at) = pack(&world.host, "two").await;
    assert!(!world.host.evict(&two, "mark_0").await.unwrap());
    drop(world.host.open(&two, &Spec::default()).await.unwrap());
    assert!(!world.host.evict(&two, "mark_1").await.unwrap());
    assert!(world.host.has_files(&two).await);
    let absent = world
        .host
        .checkpoint(&name("three"), "mark_1", None, Archive::default())
        .await;
    assert_eq!(absent.unwrap(), Checkpoint::Absent);
    pack(&world.host, "two").await;
    assert!(world.host.evict(&two, "mark_1").await.unwrap());
    assert!(!world.host.has_files(&two).await);
    world
        .host
        .restore(&two, "mark_1", created_at, archive.reader())
        .await
        .unwrap();
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    ok(&bash(&opened.sandbox, "cat kept").await, "file\n");
    drop(opened);
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn whoever_asks_during_an_eviction_hears_of_its_end() {
    let world = World::new().await;
    let two = name("two");
    drop(world.host.open(&two, &Spec::default()).await.unwrap());
    pack(&world.host, "two").await;
    let has_files = async {
        let _in_use = world.host.hold(&two);
        world.host.has_files(&two).await
    };
    // The eviction has the sandbox first. It may see that it is used, or it may be too late.
    let (evicted, has_files) = tokio::join!(world.host.evict(&two, "mark_1"), has_files);
    assert_ne!(evicted.unwrap(), has_files);
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn one_that_is_elsewhere_may_be_expired_by_its_own_user() {
    let world = World::new().await;
    let two = name("two");
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    bash(&opened.sandbox, "echo file > kept").await;
    // With files here it stays.
    world.host.begin_expired(&two).await.unwrap();
    let in_use = world.host.hold(&two);
    drop(opened);
    let forgetting = async { panic!("it is in use") };
    let stop = world.host.expire(&two, forgetting).await.unwrap();
    assert_eq!(stop, Stop::InUse);
    drop(in_use);
    pack(&world.host, "two").await;
    assert!(world.host.evict(&two, "mark_1").await.unwrap());
    let _in_use = world.host.hold(&two);
    world.host.begin_expired(&two).await.unwrap();
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    assert_eq!(opened.provenance, Provenance::Expired);
    ok(&bash(&opened.sandbox, "ls").await, "(no output)");
    drop(opened);
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}

/// The last bytes of an archive that somebody else has changed: its sum is wrong.
struct RefusedAtTheEnd(Cursor<Vec<u8>>);

impl Read for RefusedAtTheEnd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("its sum is wrong")),
            length => Ok(length),
        }
    }
}

#[tokio::test]
async fn one_that_breaks_off_or_is_refused_leaves_what_was_there() {
    let world = World::new().await;
    let two = name("two");
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    bash(&opened.sandbox, "head -c 300000 /dev/urandom > big").await;
    drop(opened);
    let (archive, created_at) = pack(&world.host, "two").await;
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    bash(&opened.sandbox, "echo newer > big").await;
    drop(opened);
    let whole = archive.reader().into_inner();
    for length in [0, 10, 1000, whole.len() / 2, whole.len() - 1] {
        let part = Cursor::new(whole[..length].to_vec());
        let restored = world.host.restore(&two, "mark_1", created_at, part).await;
        assert!(restored.is_err(), "{length} of {} bytes", whole.len());
    }
    let restored = world
        .host
        .restore(
            &two,
            "mark_1",
            created_at,
            RefusedAtTheEnd(archive.reader()),
        )
        .await;
    assert!(
        restored
            .unwrap_err()
            .to_string()
            .contains("its sum is wrong")
    );
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    ok(&bash(&opened.sandbox, "cat big").await, "newer\n");
    drop(opened);
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}

/// The archive of somebody who comes back while it is written.
struct ComesBack(SandboxHost, Arc<Mutex<Option<SandboxUse>>>);

impl Write for ComesBack {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let held = &mut *self.1.lock().unwrap();
        held.get_or_insert_with(|| self.0.hold(&name("two")));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn whoever_comes_back_does_not_wait_for_the_archive() {
    let world = World::new().await;
    let two = name("two");
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    // More than is compressed before the first bytes are written.
    bash(
        &opened.sandbox,
        "head -c 30000000 /dev/urandom > big; export A=5",
    )
    .await;
    drop(opened);
    let held = Arc::default();
    let out = ComesBack(world.host.clone(), Arc::clone(&held));
    let packed = world.host.checkpoint(&two, "mark_1", None, out).await;
    assert_eq!(packed.unwrap(), Checkpoint::InUse);
    assert_eq!(world.host.mark(&two).await.unwrap(), None);
    let opened = world.host.open(&two, &Spec::default()).await.unwrap();
    ok(
        &bash(&opened.sandbox, "wc -c < big; echo $A").await,
        "30000000\n5\n",
    );
    drop((opened, held));
    pack(&world.host, "two").await;
    world.host.destroy(&two).await.unwrap();
    world.end().await;
}
