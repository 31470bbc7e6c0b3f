//! A small root file system for tests: a few programs of this machine and what they link to.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAMS: &[&str] = &[
    "bash", "cat", "chown", "env", "id", "ls", "mkdir", "mv", "rm", "stat", "touch", "unshare",
    "mount", "umount", "sleep", "ln",
];

/// Layers of tests, closed to everybody else as layers must be.
pub(crate) fn make(place: &Path) -> PathBuf {
    let root = place.join("layer");
    for name in ["usr/bin", "usr/lib", "usr/lib64", "etc", "var", "opt/lower"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    fs::set_permissions(place, fs::Permissions::from_mode(0o700)).unwrap();
    for (target, name) in [
        ("usr/bin", "bin"),
        ("usr/lib", "lib"),
        ("usr/lib64", "lib64"),
    ] {
        symlink(target, root.join(name)).unwrap();
    }
    let mut files = BTreeSet::new();
    for program in PROGRAMS {
        let program = PathBuf::from("/usr/bin").join(program);
        files.extend(libraries_of(&program));
        let copy = root.join(program.strip_prefix("/").unwrap());
        fs::copy(&program, copy).unwrap();
    }
    for file in files {
        // The linker names them below /lib, which leads to /usr/lib here as it does there.
        let copy = root.join(file.strip_prefix("/").unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(&file, copy).unwrap();
    }
    fs::write(root.join("etc/os-release"), "ID=little\n").unwrap();
    fs::write(root.join("opt/lower/file"), "from below\n").unwrap();
    // An image may say anything about names that we write to.
    symlink("/workspace/caught", root.join("etc/hosts")).unwrap();
    root
}

fn libraries_of(program: &Path) -> Vec<PathBuf> {
    let told = Command::new("ldd").arg(program).output().expect("ldd runs");
    let told = String::from_utf8(told.stdout).unwrap();
    let words = told.split_whitespace();
    words
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}
