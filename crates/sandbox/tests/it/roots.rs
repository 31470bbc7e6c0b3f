//! Root file systems of a sandbox's own, made of layers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hostler_sandbox::{
    Checkpoint, Losses, Provenance, Root, Sandbox, SandboxError, SandboxHost, Spec, layers_in_use,
};
use tempfile::TempDir;

use crate::root_tree;
use crate::world::{CleanUp, bash, first_process, name, ok, options};

struct LayeredWorld {
    _clean_up: CleanUp,
    host: SandboxHost,
    spec: Spec,
    layer: PathBuf,
    state: TempDir,
}

impl LayeredWorld {
    async fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let place = state.path().join("layers");
        fs::create_dir(&place).unwrap();
        let layer = root_tree::make(&place);
        let host = SandboxHost::start(options(&state)).await.unwrap();
        let spec = spec_of(vec![layer.clone()]);
        Self {
            _clean_up: CleanUp::of(&host),
            host,
            spec,
            layer,
            state,
        }
    }

    async fn open(&self) -> Sandbox {
        let opened = self.host.open(&name("one"), &self.spec).await;
        opened.expect("a sandbox").sandbox
    }

    fn box_directory(&self) -> PathBuf {
        self.state.path().join("state/boxes/one")
    }
}

fn spec_of(layers: Vec<PathBuf>) -> Spec {
    Spec {
        root: Root::Layers(layers),
        ..Spec::default()
    }
}

async fn sh(sandbox: &Sandbox, command: &str) -> String {
    let output = bash(sandbox, command).await;
    assert!(!output.is_error, "{command}: {output:?}");
    output.joined_text().trim_end().to_owned()
}

#[tokio::test]
async fn a_layer_is_the_root_and_takes_no_writes() {
    let world = LayeredWorld::new().await;
    let sandbox = world.open().await;
    assert_eq!(sh(&sandbox, "cat /etc/os-release").await, "ID=little");
    assert_eq!(sh(&sandbox, "id -u; pwd").await, "0\n/workspace");
    assert_eq!(
        sh(&sandbox, "stat -c '%u %g %U' /usr/bin/bash /opt/lower").await,
        "0 0 root\n0 0 root"
    );
    // Changes, removals and replacements of what is below stay above it.
    let change = "echo above > /opt/lower/file; rm -r /opt/lower; mkdir /opt/lower; ls /opt/lower; \
        touch /etc/own /usr/bin/own; ls /etc/own";
    assert_eq!(sh(&sandbox, change).await, "/etc/own");
    let below = fs::read_to_string(world.layer.join("opt/lower/file")).unwrap();
    assert_eq!(below, "from below\n");
    assert!(!world.layer.join("etc/own").exists());
    // What is mounted is ours, and the files that name the host are too.
    assert_eq!(
        sh(&sandbox, "ls -A /workspace /mnt/session; cat /etc/hostname").await,
        "/mnt/session:\noutputs\nuploads\n\n/workspace:\nsandbox"
    );
    assert!(sh(&sandbox, "cat /etc/hosts").await.contains("localhost"));
    let absent = "ls /home/* /var/log /boot /sys/kernel 2>/dev/null; echo nothing";
    assert_eq!(sh(&sandbox, absent).await, "nothing");
}

#[tokio::test]
async fn what_was_written_outlives_the_processes() {
    let world = LayeredWorld::new().await;
    let sandbox = world.open().await;
    sh(&sandbox, "echo kept > /opt/kept; rm /opt/lower/file").await;
    drop(sandbox);
    world.host.stop(&name("one")).await.unwrap();
    let opened = world.host.open(&name("one"), &world.spec).await.unwrap();
    assert_eq!(opened.provenance, Provenance::Restored(Losses::default()));
    ok(
        &bash(&opened.sandbox, "cat /opt/kept; ls /opt/lower").await,
        "kept\n",
    );
}

#[tokio::test]
async fn layers_lie_over_each_other() {
    let world = LayeredWorld::new().await;
    let upper = world.state.path().join("layers/second");
    fs::create_dir_all(upper.join("opt/lower")).unwrap();
    fs::write(upper.join("opt/lower/file"), "from the second\n").unwrap();
    let mut spec = world.spec.clone();
    spec.root = Root::Layers(vec![world.layer.clone(), upper.clone()]);
    spec.environment = [("GREETING".to_owned(), "hello".to_owned())].into();
    let opened = world.host.open(&name("two"), &spec).await.unwrap();
    ok(
        &bash(
            &opened.sandbox,
            "cat /opt/lower/file /etc/os-release; echo $GREETING",
        )
        .await,
        "from the second\nID=little\nhello\n",
    );
    let in_use = layers_in_use(&world.state.path().join("state")).unwrap();
    assert_eq!(in_use, [world.layer.clone(), upper].into());
}

#[tokio::test]
async fn a_sandbox_keeps_the_root_that_it_was_made_with() {
    let world = LayeredWorld::new().await;
    sh(&world.open().await, "touch /opt/mine").await;
    world.host.stop(&name("one")).await.unwrap();
    let other = world
        .host
        .open(&name("one"), &Spec::default())
        .await
        .unwrap();
    ok(
        &bash(&other.sandbox, "cat /etc/os-release; ls /opt").await,
        "ID=little\nlower\nmine\n",
    );
    drop(other);
    world.host.stop(&name("one")).await.unwrap();
    fs::rename(&world.layer, world.state.path().join("away")).unwrap();
    let refused = world
        .host
        .open(&name("one"), &world.spec)
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, SandboxError::Unavailable { reason } if reason.contains("does not exist")),
        "{refused}"
    );
}

#[tokio::test]
async fn a_root_that_cannot_be_used_is_explained() {
    let world = LayeredWorld::new().await;
    let empty = world.state.path().join("layers/empty");
    fs::create_dir(&empty).unwrap();
    let roots = [
        (vec![], "1 to 32 layers"),
        (vec![PathBuf::from("relative")], "not an absolute path"),
        (vec![PathBuf::from("/nowhere/at/all")], "does not exist"),
        (vec![empty], "/bin/bash"),
    ];
    for (number, (layers, words)) in roots.into_iter().enumerate() {
        let spec = spec_of(layers);
        let refused = world.host.open(&name(&format!("bad{number}")), &spec).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

/// Links of a layer over the names that we mount and write at.
#[tokio::test]
async fn no_link_of_a_layer_leads_to_the_host() {
    let world = LayeredWorld::new().await;
    let trap = world.state.path().join("trap");
    fs::create_dir(&trap).unwrap();
    let target = Path::new("/").join(trap.strip_prefix("/").unwrap());
    let etc = world.layer.join("etc");
    fs::remove_file(etc.join("hosts")).unwrap();
    for link in ["etc/passwd", "etc/hosts", "etc/resolv.conf"] {
        std::os::unix::fs::symlink(target.join(link.replace('/', "-")), world.layer.join(link))
            .unwrap();
    }
    std::os::unix::fs::symlink("/proc/1/root/etc/escaped", etc.join("hostname")).unwrap();
    std::os::unix::fs::symlink("../../../../../../../../opt/lower", world.layer.join("tmp"))
        .unwrap();
    let opened = world.host.open(&name("links"), &world.spec).await.unwrap();
    ok(
        &bash(&opened.sandbox, "touch /tmp/x && cat /etc/hostname").await,
        "sandbox\n",
    );
    assert_eq!(fs::read_dir(&trap).unwrap().count(), 0);
    assert!(!Path::new("/opt/lower").exists() && !world.layer.join("opt/lower/x").exists());
}

/// Links of a layer over the names that we mount at, into each other and away.
#[tokio::test]
async fn no_link_of_a_layer_moves_what_is_mounted() {
    let world = LayeredWorld::new().await;
    for name in ["tmp", "opt/p"] {
        fs::create_dir_all(world.layer.join(name)).unwrap();
    }
    for (target, link) in [
        ("tmp/p", "proc"),
        ("/opt/p", "tmp/p"),
        ("/proc/sys", "run"),
        ("opt", "mnt"),
        ("/nowhere", "workspace"),
        ("/tmp", "root"),
    ] {
        std::os::unix::fs::symlink(target, world.layer.join(link)).unwrap();
    }
    // Again in what the sandbox wrote, which is above the layer from then on.
    for _ in 0..2 {
        let sandbox = world.open().await;
        let places = "for place in /proc /proc/sys /tmp /run /root /workspace /mnt/session/outputs \
            /mnt/session/uploads; do [ -L $place ] || stat -c '%n %F' $place; done; ls -A /opt/p /tmp";
        let expected = "/proc directory\n/proc/sys directory\n/tmp directory\n/run directory\n\
            /root directory\n/workspace directory\n/mnt/session/outputs directory\n\
            /mnt/session/uploads directory\n/opt/p:\n\n/tmp:";
        assert_eq!(sh(&sandbox, places).await, expected);
        let locked = "while read -r _ _ _ _ place options _; do \
            case $place in /proc/sys) echo ${options%%,*};; esac; done < /proc/self/mountinfo";
        assert_eq!(sh(&sandbox, locked).await, "ro");
        sh(&sandbox, "mv /mnt /moved && ln -s /opt /mnt").await;
        drop(sandbox);
        world.host.stop(&name("one")).await.unwrap();
    }
}

/// With every capability of its user namespace, as after a mistake of ours: an idmapped layer that
/// could be reached would be writable for the asking.
#[tokio::test]
async fn no_remount_opens_a_layer() {
    let world = LayeredWorld::new().await;
    let sandbox = world.open().await;
    sh(&sandbox, "touch /opt/ready").await;
    let mounts = sh(&sandbox, "cat /proc/self/mountinfo").await;
    assert!(!mounts.contains("/layers/"), "{mounts}");
    if !rustix::process::geteuid().is_root() {
        // Nobody else can enter a sandbox with capabilities.
        return;
    }
    let pid = first_process(&world.box_directory()).to_string();
    let attack = r#"
        while read -r _ _ _ _ place _; do
            mount -o remount,rw,bind "$place"; mount -o remount,rw "$place"
        done < /proc/self/mountinfo
        echo overwritten > /opt/lower/file; echo "$(</opt/lower/file)"
        echo overwritten > /usr/bin/cat
        while umount -l /; do echo overwritten > /opt/lower/file; done
    "#;
    let entered = Command::new("nsenter")
        .args([
            "-t",
            &pid,
            "-U",
            "-m",
            "-r",
            "-w",
            "--",
            "/bin/bash",
            "-c",
            attack,
        ])
        .output()
        .expect("nsenter runs");
    let told = String::from_utf8_lossy(&entered.stdout);
    assert!(
        told.contains("overwritten"),
        "it had no chance: {entered:?}"
    );
    let below = fs::read_to_string(world.layer.join("opt/lower/file")).unwrap();
    assert_eq!(below, "from below\n");
    assert!(fs::metadata(world.layer.join("usr/bin/cat")).unwrap().len() > 1000);
}

#[tokio::test]
async fn one_over_layers_keeps_its_files_here() {
    let world = LayeredWorld::new().await;
    drop(world.open().await);
    let one = name("one");
    let packed = world
        .host
        .checkpoint(&one, "mark_1", None, std::io::sink())
        .await;
    assert!(matches!(packed.unwrap(), Checkpoint::Packed { .. }));
    assert!(!world.host.evict(&one, "mark_1").await.unwrap());
    let in_use = layers_in_use(&world.state.path().join("state")).unwrap();
    assert!(in_use.contains(&world.layer), "{in_use:?}");
}
