//! A small root file system for tests: a few programs of this machine and what they link to.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `programs` are names in `/usr/bin`, or paths.
pub(super) fn write(root: &Path, programs: &[&str]) {
    for name in ["usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(Path::new("usr").join(name), root.join(name)).unwrap();
    }
    let mut files = BTreeSet::new();
    for program in programs {
        let program = Path::new("/usr/bin").join(program);
        files.extend(libraries_of(&program));
        files.insert(program);
    }
    for file in files {
        copy(&file, root);
    }
    fs::write(root.join("etc/os-release"), "ID=little\n").unwrap();
}

/// One file of this machine, at the same place.
pub(super) fn copy(file: &Path, root: &Path) {
    let place = root.join(file.strip_prefix("/").unwrap());
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::copy(file, place).unwrap();
}

fn libraries_of(program: &Path) -> Vec<PathBuf> {
    let told = Command::new("ldd").arg(program).output().unwrap().stdout;
    let told = String::from_utf8(told).unwrap();
    let words = told.split_whitespace().filter(|word| word.starts_with('/'));
    words.map(PathBuf::from).collect()
}
