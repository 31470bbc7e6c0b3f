//! The file system of a sandbox: an own small root, the host's `/usr` read-only, private
//! directories, and nothing else of the host.
//!
//! **Invariant:** host trees are never idmapped. On an idmapped bind a sandbox root that
//! still had CAP_SYS_ADMIN could turn read-only off and write the host's files.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount,
    mount_change, move_mount, open_tree, unmount,
};

use super::{Layers, Sources, etc_files, layered_root, links};
use crate::launcher::order::{At, Refused};
use crate::limits::Limits;
use crate::spec::Spec;
use crate::sys::mounts::{Depth, NO_DEVICES, NO_EXEC, NO_SUID, READ_ONLY, add_attributes};

const PRIVATE: u64 = NO_SUID | NO_DEVICES;
const HOST: u64 = READ_ONLY | NO_SUID | NO_DEVICES;

/// Top-level names that are links into `/usr` on current systems, directories on older ones.
const PROGRAM_DIRECTORIES: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];
const READ_ONLY_PROC: &[&str] = &["sys", "bus", "irq", "fs", "sysrq-trigger"];
const HIDDEN_PROC_FILES: &[&str] = &[
    "kcore",
    "keys",
    "key-users",
    "timer_list",
    "kpagecount",
    "kpageflags",
    "kpagecgroup",
    "kallsyms",
    "kmsg",
    "config.gz",
    "sched_debug",
];
const HIDDEN_PROC_DIRECTORIES: &[&str] = &["scsi", "acpi", "asound", "driver"];

/// A place whose file system lies on the directory that the new root is mounted on.
pub(super) const OVER_THE_HOST: &str = "/run";

/// What is mounted in this namespace from here on is seen in no other, nor the other way around.
pub(super) fn make_private() -> Result<(), Refused> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).at("make mounts private")
}

/// Builds the root and makes it the only file system of this process.
pub(super) fn enter_new_root(
    sources: &Sources,
    limits: &Limits,
    spec: &Spec,
) -> Result<(), Refused> {
    let devices = open_directory("/dev")?;
    let layered = match &sources.layers {
        Layers::Host => {
            new_root(sources.root.as_fd())?;
            add_host_programs()?;
            etc_files::write(spec.network)?;
            None
        }
        // From here on, no name of the layers can lead out of them.
        Layers::Own(layers) => Some(layered_root::enter(
            layers,
            sources.root.as_fd(),
            spec.network,
        )?),
    };
    add_private_directories(sources)?;
    sources.packages.mount()?;
    add_proc()?;
    add_devices(devices.as_fd())?;
    tmpfs(
        "dev/shm",
        "mode=1777,size=64m,nr_inodes=4096",
        MountFlags::NOEXEC,
    )?;
    let size = format!(
        "mode=1777,size={},nr_inodes={}",
        limits.tmp_bytes, limits.tmp_files
    );
    tmpfs("tmp", &size, MountFlags::empty())?;
    // When the directory below is deleted on the host, the kernel takes off what lies on it, and
    // that tells the agent. Nobody inside sees it before.
    bind(
        sources.root.as_fd(),
        "",
        "run",
        HOST | NO_EXEC,
        Depth::ThisMount,
    )?;
    tmpfs(
        "run",
        "mode=755,size=16m,nr_inodes=1024",
        MountFlags::empty(),
    )?;
    lock_proc()?;
    links::add(&spec.upload_links)?;
    match layered {
        Some(layered) => layered.go_back_out()?,
        None => {
            add_attributes(CWD, HOST, Depth::ThisMount).at("make the root read-only")?;
        }
    }
    // The old root ends up on top of the new one, at the same place, and is taken off.
    rustix::process::pivot_root(".", ".").at("change the root")?;
    unmount(".", UnmountFlags::DETACH).at("leave the host's root")?;
    rustix::process::chdir("/workspace").at("enter the workspace")
}

/// A small tmpfs that becomes the working directory, so that all names below are relative.
fn new_root(place: BorrowedFd<'_>) -> Result<(), Refused> {
    small_tmpfs(place)?;
    for name in [
        "usr", "etc", "proc", "dev", "tmp", "run", "root", "home", "var", "opt", "srv",
    ] {
        make_directory(name)?;
    }
    for name in [
        "workspace",
        "mnt/session/outputs",
        "mnt/session/uploads",
        "var/lib",
    ] {
        make_directory(name)?;
    }
    symlink("../tmp", "var/tmp").at("make /var/tmp")?;
    symlink("../run", "var/run").at("make /var/run")
}

/// Mounts it on `place` and makes it the working directory.
pub(super) fn small_tmpfs(place: BorrowedFd<'_>) -> Result<(), Refused> {
    let step = "mount the root";
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).at(step)?;
    for (key, value) in [("mode", "755"), ("size", "1m"), ("nr_inodes", "1024")] {
        fsconfig_set_string(context.as_fd(), key, value).at(step)?;
    }
    fsconfig_create(context.as_fd()).at(step)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let root = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).at(step)?;
    let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(root.as_fd(), "", place, "", whole).at(step)?;
    rustix::process::fchdir(root).at(step)
}

fn add_host_programs() -> Result<(), Refused> {
    bind(CWD, "/usr", "usr", HOST, Depth::WholeTree)?;
    for name in PROGRAM_DIRECTORIES {
        let on_host = Path::new("/").join(name);
        match fs::read_link(&on_host) {
            Ok(target) => symlink(target, name).at(&format!("link /{name}"))?,
            Err(_) if on_host.is_dir() => {
                make_directory(name)?;
                bind(CWD, &on_host, name, HOST, Depth::WholeTree)?;
            }
            Err(_) => {}
        }
    }
    Ok(())
}

fn add_private_directories(sources: &Sources) -> Result<(), Refused> {
    let this = Depth::ThisMount;
    bind(sources.workspace.as_fd(), "", "workspace", PRIVATE, this)?;
    bind(
        sources.outputs.as_fd(),
        "",
        "mnt/session/outputs",
        PRIVATE,
        this,
    )?;
    bind(
        sources.uploads.as_fd(),
        "",
        "mnt/session/uploads",
        PRIVATE | READ_ONLY,
        this,
    )?;
    bind(sources.home.as_fd(), "", "root", PRIVATE, this)
}

fn add_proc() -> Result<(), Refused> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "proc", "proc", flags, None).at("mount /proc")?;
    // Must happen before /proc/sys becomes read-only: no namespaces inside of ours.
    fs::write("proc/sys/user/max_user_namespaces", "0").at("forbid nested user namespaces")
}

fn lock_proc() -> Result<(), Refused> {
    let locked = HOST | NO_EXEC;
    // What a kernel lacks is left out below. This each has, unless what is there is not /proc.
    if !Path::new("proc/sys").is_dir() {
        return Err(std::io::Error::from(std::io::ErrorKind::NotFound))
            .at("find /proc/sys, which must be read-only");
    }
    for path in existing("proc", READ_ONLY_PROC) {
        bind(CWD, &path, &path, locked, Depth::ThisMount)?;
    }
    for path in existing("proc", HIDDEN_PROC_FILES) {
        bind(
            CWD,
            "dev/null",
            &path,
            locked & !NO_DEVICES,
            Depth::ThisMount,
        )?;
    }
    for path in existing("proc", HIDDEN_PROC_DIRECTORIES) {
        tmpfs(&path, "mode=555,size=4k,nr_inodes=2", MountFlags::RDONLY)?;
    }
    Ok(())
}

/// `source` is the host's `/dev`.
fn add_devices(source: BorrowedFd<'_>) -> Result<(), Refused> {
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount(
        "dev",
        "dev",
        "tmpfs",
        flags,
        Some(c"mode=755,size=64k,nr_inodes=64"),
    )
    .at("mount /dev")?;
    for name in DEVICES {
        let place = format!("dev/{name}");
        fs::write(&place, "").at(&format!("make /{place}"))?;
        bind(source, name, &place, NO_SUID | NO_EXEC, Depth::ThisMount)?;
    }
    make_directory("dev/shm")?;
    make_directory("dev/pts")?;
    mount(
        "devpts",
        "dev/pts",
        "devpts",
        flags,
        Some(c"newinstance,ptmxmode=0666,mode=620"),
    )
    .at("mount /dev/pts")?;
    let links = [
        ("pts/ptmx", "ptmx"),
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
    ];
    for (target, name) in links {
        symlink(target, format!("dev/{name}")).at(&format!("link /dev/{name}"))?;
    }
    let dev = open_directory("dev")?;
    add_attributes(dev.as_fd(), READ_ONLY, Depth::ThisMount).at("make /dev read-only")
}

fn existing(parent: &str, names: &[&str]) -> Vec<String> {
    let paths = names.iter().map(|name| format!("{parent}/{name}"));
    paths.filter(|path| Path::new(path).exists()).collect()
}

pub(super) fn make_directory(path: &str) -> Result<(), Refused> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path);
    made.at(&format!("make /{path}"))
}

/// Shows `source` (below `directory`, or that itself if empty) at `place` of the new root.
pub(super) fn bind(
    directory: BorrowedFd<'_>,
    source: impl AsRef<Path>,
    place: &str,
    attributes: u64,
    depth: Depth,
) -> Result<(), Refused> {
    let step = format!("bind /{place}");
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    if depth == Depth::WholeTree {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree = open_tree(directory, source.as_ref(), flags).at(&step)?;
    add_attributes(tree.as_fd(), attributes, depth).at(&step)?;
    move_mount(
        tree.as_fd(),
        "",
        CWD,
        place,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )
    .at(&step)
}

fn tmpfs(place: &str, options: &str, flags: MountFlags) -> Result<(), Refused> {
    let step = format!("mount /{place}");
    let options = std::ffi::CString::new(options)
        .map_err(std::io::Error::from)
        .at(&step)?;
    let flags = flags | MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", place, "tmpfs", flags, Some(options.as_c_str())).at(&step)
}

pub(super) fn open_directory(path: &str) -> Result<std::os::fd::OwnedFd, Refused> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty()).at(&format!("open {path}"))
}
