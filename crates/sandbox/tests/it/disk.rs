//! A sandbox whose disk is bounded as a whole, by a file system of its own in an image. Only root can
//! have that; for everybody else it is shown that it is refused and not pretended.

use std::fs;
use std::path::Path;

use hostler_sandbox::{
    Backend, Call, Checkpoint, DiskChoice, DiskLimit, Opened, Output, Provenance, Sandbox,
    SandboxHost, Spec, Tier, Tool, survey,
};
use serde_json::json;
use tempfile::TempDir;

use crate::checkpoint::Archive;
use crate::world::{CleanUp, World, bash, first_process, images_can_be_had, name, ok, options};

const DISK_BYTES: u64 = 64 << 20;
const DISK_FILES: u64 = 2_000;
/// What the image takes besides: records, the socket, directories.
const BESIDE_BYTES: u64 = 1 << 20;

fn small(state: &TempDir) -> hostler_sandbox::HostOptions {
    let mut options = options(state);
    options.limits.disk_bytes = Some(DISK_BYTES);
    options.limits.disk_files = Some(DISK_FILES);
    options.disk = DiskChoice::Image;
    options
}

async fn small_world() -> World {
    let state = tempfile::tempdir().unwrap();
    let options = small(&state);
    World::with_options(state, options).await
}

async fn open(host: &SandboxHost, named: &str) -> Opened {
    host.open(&name(named), &Spec::default()).await.unwrap()
}

/// Loop devices with files below `state`.
fn devices(state: &Path) -> Vec<String> {
    let state = state.to_str().unwrap();
    let blocks = fs::read_dir("/sys/block").unwrap();
    let backing = |entry: fs::DirEntry| {
        let file = entry.path().join("loop/backing_file");
        fs::read_to_string(file).ok()
    };
    let files = blocks.filter_map(|entry| backing(entry.unwrap()));
    files.filter(|file| file.starts_with(state)).collect()
}

const ATTEMPTS_MAX: usize = 1_000_000;

/// A process that is just being started has a copy of what holds a device, for a moment; and what is
/// under way goes on without its server, and ends.
#[track_caller]
pub(crate) fn until_devices_are(count: usize, state: &Path) {
    for _ in 0..ATTEMPTS_MAX {
        if devices(state).len() == count {
            return;
        }
        std::thread::yield_now();
    }
    panic!("{count} are expected: {:?}", devices(state));
}

async fn limited(sandbox: &Sandbox, command: &str) -> Output {
    let tool = Tool::Bash {
        command: command.to_owned(),
        timeout_ms: Some(120_000),
    };
    let id = "call_filler".to_owned();
    sandbox.run(Call { id, tool }).await.unwrap()
}

/// What fills a disk, and what must be in its result.
const FILLERS: &[(&str, &str)] = &[
    (
        "many files",
        "i=0; while head -c 1000000 /dev/zero > file$i; do i=$((i+1)); [ $i -lt 200 ] || break; done; echo $i",
    ),
    (
        "many files in every place",
        "for d in /workspace ~ /mnt/session/outputs; do i=0; while head -c 1000000 /dev/zero > $d/f$i && \
         [ $i -lt 100 ]; do i=$((i+1)); done; done",
    ),
    ("files without number", "seq 5000 | xargs touch"),
    (
        "directories without number",
        "seq 5000 | sed s/^/d/ | xargs mkdir",
    ),
    (
        "attributes without number",
        "/usr/bin/python3 -c 'import os\nfor i in range(1900):\n  open(f\"f{i}\", \"w\").close()\n  \
         for j in range(30): os.setxattr(f\"f{i}\", f\"user.{j}\", os.urandom(120))'; \
         head -c 70000000 /dev/zero > rest",
    ),
];

#[tokio::test]
async fn each_filler_ends_with_a_result_and_the_neighbour_writes_on() {
    if !images_can_be_had() {
        return;
    }
    let world = small_world().await;
    let neighbour = open(&world.host, "two").await.sandbox;
    let state = world.state.path().join("state");
    for (attempt, command) in FILLERS {
        let beside = async {
            for number in 0..5 {
                let write = format!("echo {number} > kept; sync; cat kept");
                ok(&bash(&neighbour, &write).await, &format!("{number}\n"));
            }
        };
        let (output, ()) = tokio::join!(limited(&world.sandbox, command), beside);
        let text = output.joined_text();
        assert!(
            text.contains("No space left on device"),
            "{attempt}: {text:?}"
        );
        ok(
            &bash(
                &neighbour,
                "head -c 9000000 /dev/zero > more; rm more; echo wrote",
            )
            .await,
            "wrote\n",
        );
        world.sh("sync -f .").await;
        for surveyed in survey(&state).unwrap() {
            let used = surveyed.disk;
            assert!(
                used.bytes <= DISK_BYTES + BESIDE_BYTES,
                "{attempt}: {used:?}"
            );
            assert!(used.files <= DISK_FILES + 100, "{attempt}: {used:?}");
        }
        world
            .sh("rm -rf /workspace/* ~/* /mnt/session/outputs/*; echo usable > x; rm x")
            .await;
    }
    drop(neighbour);
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_full_disk_is_told_by_each_tool() {
    if !images_can_be_had() {
        return;
    }
    let world = small_world().await;
    let full = "head -c 100000000 /dev/zero > filler; echo > small; seq 3000 | xargs touch";
    assert!(world.bash(full).await.is_error);
    let long = json!({"file_path": "other", "content": "text\n".repeat(100_000)});
    let written = world.tool("write", long).await;
    assert!(written.is_error, "{written:?}");
    let told = written.joined_text();
    assert!(told.contains("no space is left there"), "{told}");
    ok(
        &world.bash("rm filler; echo again > other; cat other").await,
        "again\n",
    );
    world.end().await;
}

/// What a deleted file took is given back to the host.
#[tokio::test]
async fn what_is_deleted_inside_is_free_outside() {
    if !images_can_be_had() {
        return;
    }
    let world = small_world().await;
    let image = world.state.path().join("state/boxes/one/disk.img");
    let taken = || std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&image).unwrap()) * 512;
    world
        .sh("head -c 40000000 /dev/urandom > file; sync -f .")
        .await;
    assert!(taken() >= 40_000_000, "{}", taken());
    world.sh("rm file; sync -f .").await;
    // The file system gives blocks back after the commit that forgets them.
    let mut attempts = 0;
    while taken() >= 20_000_000 && attempts < 100 {
        world.sh("sync -f .").await;
        attempts += 1;
    }
    assert!(taken() < 20_000_000, "{}", taken());
    world.end().await;
}

#[tokio::test]
async fn the_next_server_reaches_the_files_of_living_and_resting_ones() {
    if !images_can_be_had() {
        return;
    }
    let world = small_world().await;
    let put = "echo living > /mnt/session/outputs/a; A=5";
    world.sh(put).await;
    let resting = open(&world.host, "rests").await;
    ok(
        &bash(
            &resting.sandbox,
            "echo resting > /mnt/session/outputs/a; echo kept > x",
        )
        .await,
        "(no output)",
    );
    drop(resting);
    world.host.stop(&name("rests")).await.unwrap();
    let place = world.state.path().join("state");
    until_devices_are(1, &place);
    let seen = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(
        !seen.contains(place.join("boxes").to_str().unwrap()),
        "{seen}"
    );
    let (host, _state) = world.restart_server().await;
    let clean_up = CleanUp::of(&host);
    for (named, text) in [("one", "living\n"), ("rests", "resting\n")] {
        let outputs = host.outputs(&name(named)).await.unwrap().unwrap();
        let scan = outputs.scan().await.unwrap();
        assert_eq!(scan.files.len(), 1, "{named}");
        let (file, _) = outputs.read("a".to_owned()).await.unwrap().unwrap();
        assert_eq!(std::io::read_to_string(file).unwrap(), text);
    }
    until_devices_are(1, &place);
    let again = open(&host, "one").await;
    assert_eq!(again.provenance, Provenance::Attached);
    ok(&bash(&again.sandbox, "echo $A").await, "5\n");
    let again = open(&host, "rests").await;
    ok(&bash(&again.sandbox, "cat x").await, "kept\n");
    drop((again, clean_up));
    until_devices_are(0, &place);
}

#[tokio::test]
async fn a_sandbox_keeps_the_disk_that_it_was_made_with() {
    if !images_can_be_had() {
        return;
    }
    let size = "df -k --output=size /workspace | tail -n 1 | tr -d ' '";
    let state = tempfile::tempdir().unwrap();
    let mut options = small(&state);
    let host = SandboxHost::start(options.clone()).await.unwrap();
    let old = bash(&open(&host, "old").await.sandbox, size)
        .await
        .joined_text();
    host.stop(&name("old")).await.unwrap();
    drop(host);
    options.limits.disk_bytes = Some(2 * DISK_BYTES);
    let host = SandboxHost::start(options.clone()).await.unwrap();
    ok(&bash(&open(&host, "old").await.sandbox, size).await, &old);
    let new = bash(&open(&host, "new").await.sandbox, size)
        .await
        .joined_text();
    let kib = |text: &str| text.trim().parse::<u64>().unwrap();
    assert!(kib(&new) > kib(&old) * 3 / 2, "{old} {new}");
    host.stop(&name("old")).await.unwrap();
    drop(host);
    // Also where new ones get none.
    options.disk = DiskChoice::PerFile;
    let host = SandboxHost::start(options.clone()).await.unwrap();
    assert_eq!(host.isolation().disk_limit, DiskLimit::PerFile);
    ok(&bash(&open(&host, "old").await.sandbox, size).await, &old);
    bash(&open(&host, "plain").await.sandbox, "echo plain > x").await;
    for named in ["plain", "old"] {
        host.stop(&name(named)).await.unwrap();
    }
    drop(host);
    options.disk = DiskChoice::Auto;
    let mut unsafe_process = options.clone();
    unsafe_process.backend = Backend::UnsafeProcess;
    let host = SandboxHost::start(unsafe_process).await.unwrap();
    let refused = host.open(&name("old"), &Spec::default()).await;
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("its files are in an image"), "{refused}");
    drop(host);
    options.require = Some(Tier::Full);
    let host = SandboxHost::start(options).await.unwrap();
    let _clean_up = CleanUp::of(&host);
    let refused = host.open(&name("plain"), &Spec::default()).await;
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("a bound on the disk"), "{refused}");
}

/// After a power cut a new image may have a name and a size, and nothing else.
#[tokio::test]
async fn an_image_that_was_never_written_is_made_anew() {
    if !images_can_be_had() {
        return;
    }
    let world = small_world().await;
    world.host.stop(&name("two")).await.unwrap();
    bash(&open(&world.host, "two").await.sandbox, "echo x > x").await;
    world.host.stop(&name("two")).await.unwrap();
    let image = world.state.path().join("state/boxes/two/disk.img");
    let size = fs::metadata(&image).unwrap().len();
    fs::File::create(&image).unwrap().set_len(size).unwrap();
    let opened = open(&world.host, "two").await;
    ok(
        &bash(&opened.sandbox, "ls; echo usable > x").await,
        "(no output)",
    );
    drop(opened);
    world.host.destroy(&name("two")).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn the_highest_tier_is_given_where_it_can_be_and_refused_elsewhere() {
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&state);
    options.limits.disk_bytes = Some(DISK_BYTES);
    options.disk = DiskChoice::Auto;
    options.require = Some(Tier::Full);
    let started = SandboxHost::start(options.clone()).await;
    if images_can_be_had() {
        let host = started.unwrap();
        let report = host.isolation();
        assert_eq!(report.tier(), Tier::Full, "{report:?}");
        assert_eq!(
            (report.disk_limit, report.inode_limit),
            (DiskLimit::Image, DiskLimit::Image)
        );
        drop(host);
    } else {
        let refused = started.err().unwrap().to_string();
        assert!(
            refused.contains("a bound on the disk of a whole sandbox"),
            "{refused}"
        );
    }
    options.disk = DiskChoice::PerFile;
    let refused = SandboxHost::start(options).await.err().unwrap();
    assert!(
        refused
            .reason
            .contains("a bound on the number of its files"),
        "{refused}"
    );
    assert!(refused.hint.contains("sandbox.disk"), "{refused}");
}

#[tokio::test]
async fn an_image_that_was_asked_for_is_not_replaced_by_less() {
    let state = tempfile::tempdir().unwrap();
    let mut unsafe_process = small(&state);
    unsafe_process.backend = Backend::UnsafeProcess;
    let mut unbounded = small(&state);
    unbounded.limits.disk_bytes = None;
    let mut refused = vec![
        (unsafe_process, "only an isolated sandbox can have one"),
        (
            unbounded,
            if images_can_be_had() {
                "no bound was set"
            } else {
                "not root"
            },
        ),
    ];
    if !images_can_be_had() {
        refused.push((small(&state), "the server is not root"));
    }
    for (options, reason) in refused {
        let error = SandboxHost::start(options).await.err().unwrap().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let mut auto = small(&state);
    auto.disk = DiskChoice::Auto;
    let host = SandboxHost::start(auto).await.unwrap();
    let expected = if images_can_be_had() {
        DiskLimit::Image
    } else {
        DiskLimit::PerFile
    };
    assert_eq!(host.isolation().disk_limit, expected);
}

/// An archive is the same whichever disk it comes from, and goes to whichever there is.
#[tokio::test]
async fn an_archive_goes_from_disk_to_disk() {
    if !images_can_be_had() {
        return;
    }
    let world = small_world().await;
    let fill = "mkdir -p d/e; seq 500 | xargs -I{} touch d/e/{}; head -c 20000000 /dev/urandom > big; \
                ln big other; echo out > /mnt/session/outputs/out; export A=5; cd d; sha256sum ../big";
    let sum = world.sh(fill).await;
    let (host, _state, _clean_up) = world.let_go();
    let archive = Archive::default();
    let one = name("one");
    let packed = host.checkpoint(&one, "mark", None, archive.clone()).await;
    let Checkpoint::Packed { created_at, .. } = packed.unwrap() else {
        panic!("somebody uses it");
    };
    assert!(host.evict(&one, "mark").await.unwrap());
    for disk in [DiskChoice::PerFile, DiskChoice::Image] {
        let state = tempfile::tempdir().unwrap();
        let mut options = small(&state);
        options.disk = disk;
        let other = SandboxHost::start(options).await.unwrap();
        let _clean_up = CleanUp::of(&other);
        let restored = other.restore(&one, "mark", created_at, archive.reader());
        restored.await.unwrap();
        let look = "sha256sum ../big; ls e | wc -l; cat /mnt/session/outputs/out; echo $A";
        let opened = open(&other, "one").await;
        let expected = format!("{sum}\n500\nout\n5\n");
        ok(&bash(&opened.sandbox, look).await, &expected);
    }
    let state = tempfile::tempdir().unwrap();
    let mut options = small(&state);
    options.limits.disk_bytes = Some(16 << 20);
    let smaller = SandboxHost::start(options).await.unwrap();
    let restored = smaller.restore(&one, "mark", created_at, archive.reader());
    let refused = restored.await.err().unwrap().to_string();
    assert!(refused.contains("does not fit"), "{refused}");
    assert_eq!(smaller.list().await.unwrap(), []);
    until_devices_are(0, state.path());
}

/// Processes that end without a word, also in the middle of what they were writing.
#[tokio::test]
async fn a_killed_sandbox_leaves_no_device_and_keeps_its_files() {
    if !images_can_be_had() {
        return;
    }
    let world = small_world().await;
    let place = world.state.path().join("state");
    world.sh("echo kept > kept; sync -f .; (while :; do head -c 3000000 /dev/zero > busy; done) & sleep 0").await;
    let first = first_process(&place.join("boxes/one"));
    crate::life::kill(first);
    let again = open(&world.host, "one").await;
    assert_eq!(again.provenance, Provenance::Replaced);
    ok(&bash(&again.sandbox, "cat kept").await, "kept\n");
    drop(again);
    world.end().await;
}
