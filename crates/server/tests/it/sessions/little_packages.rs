//! Packages of one line each, made by nothing but the tools that make such packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

/// A program of the host, which must succeed.
pub(super) fn run(program: &str, arguments: &[&str], at: &Path) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(at)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
}

/// Whether the tests of something that needs this program can run; if not, it is said.
pub(super) fn is_here(program: &str) -> bool {
    let is_here = Path::new("/usr/bin").join(program).exists();
    if !is_here {
        eprintln!("{program} is not in /usr/bin: NOT TESTED");
    }
    is_here
}

const MAKE_WHEEL: &str = r#"
import sys, zipfile
version = sys.argv[2]
info = f"tiny_thing-{version}.dist-info/"
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("tiny_thing.py", f"answer = 42\ndef main():\n    print('pip {version}')\n")
    wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: tiny-thing\nVersion: {version}\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "entry_points.txt", "[console_scripts]\ntiny = tiny_thing:main\n")
    wheel.writestr(info + "RECORD", "")
"#;

/// A wheel of one module and one program, and its file name.
pub(super) fn wheel(folder: &Path, version: &str) -> String {
    fs::create_dir_all(folder).unwrap();
    let name = format!("tiny_thing-{version}-py3-none-any.whl");
    run(
        "/usr/bin/python3",
        &["-c", MAKE_WHEEL, &name, version],
        folder,
    );
    name
}

/// A tarball of npm's with one module and one program.
pub(super) fn npm(folder: &Path, version: &str) -> String {
    let package = folder.join("package");
    fs::create_dir_all(&package).unwrap();
    let about = json!({"name": "tiny-thing", "version": version, "main": "index.js",
        "bin": {"tiny": "tiny.js"}});
    fs::write(package.join("package.json"), about.to_string()).unwrap();
    fs::write(package.join("index.js"), "module.exports = 42\n").unwrap();
    let program = format!("#!/usr/bin/env node\nconsole.log('npm {version}')\n");
    fs::write(package.join("tiny.js"), program).unwrap();
    let name = format!("tiny-thing-{version}.tgz");
    run("tar", &["czf", &name, "package"], folder);
    name
}

/// A package of Debian's with one program.
pub(super) fn deb(folder: &Path, version: &str) {
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    fs::create_dir_all(tree.join("usr/bin")).unwrap();
    let control = format!(
        "Package: tiny-thing\nVersion: {version}\nArchitecture: all\nMaintainer: t <t@t>\n\
         Description: a test\n"
    );
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    executable(
        &tree.join("usr/bin/tiny"),
        &format!("#!/bin/bash\necho apt {version}\n"),
    );
    let name = format!("tiny-thing_{version}_all.deb");
    run(
        "dpkg-deb",
        &["--build", "--root-owner-group", "tree", &name],
        folder,
    );
    fs::remove_dir_all(tree).unwrap();
}

/// A gem with one program.
pub(super) fn gem(folder: &Path, version: &str) {
    fs::create_dir_all(folder.join("bin")).unwrap();
    executable(
        &folder.join("bin/tiny"),
        &format!("#!/usr/bin/env ruby\nputs 'gem {version}'\n"),
    );
    let about = format!(
        "Gem::Specification.new do |s|\n s.name = 'tiny-thing'\n s.version = '{version}'\n \
         s.summary = 't'\n s.authors = ['t']\n s.files = ['bin/tiny']\n s.executables = ['tiny']\nend\n"
    );
    fs::write(folder.join("tiny.gemspec"), about).unwrap();
    fs::create_dir_all(folder.join("gems")).unwrap();
    let built = format!("gems/tiny-thing-{version}.gem");
    run(
        "gem",
        &["build", "--silent", "--output", &built, "tiny.gemspec"],
        folder,
    );
}

/// A module with one program, as a proxy of Go's has it: below `module/@v`.
pub(super) fn go(folder: &Path, module: &str, version: &str) {
    let place = folder.join(module).join("@v");
    fs::create_dir_all(&place).unwrap();
    let about = format!("module {module}\n\ngo 1.18\n");
    let info = json!({"Version": version, "Time": "2020-01-01T00:00:00Z"});
    fs::write(place.join(format!("{version}.info")), info.to_string()).unwrap();
    fs::write(place.join(format!("{version}.mod")), &about).unwrap();
    let source = format!("{module}@{version}");
    let program = format!("package main\n\nfunc main() {{ println(\"go {version}\") }}\n");
    let make = "import sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[1], 'w') as archive:\n\
        \x20   archive.writestr(sys.argv[2] + '/go.mod', sys.argv[3])\n\
        \x20   archive.writestr(sys.argv[2] + '/main.go', sys.argv[4])\n";
    let archive = format!("{version}.zip");
    run(
        "/usr/bin/python3",
        &["-c", make, &archive, &source, &about, &program],
        &place,
    );
}

/// A crate with one program, and its line in an index.
pub(super) fn cargo(folder: &Path, version: &str) -> String {
    let place = format!("tiny-thing-{version}");
    let source = folder.join(&place).join("src");
    fs::create_dir_all(&source).unwrap();
    let about = format!(
        "[package]\nname = \"tiny-thing\"\nversion = \"{version}\"\n\n[[bin]]\nname = \"tiny\"\n\
         path = \"src/main.rs\"\n"
    );
    fs::write(folder.join(&place).join("Cargo.toml"), about).unwrap();
    let program = format!("fn main() {{ println!(\"cargo {version}\"); }}\n");
    fs::write(source.join("main.rs"), program).unwrap();
    let archive = format!("{place}.crate");
    run("tar", &["czf", &archive, &place], folder);
    let sum = Command::new("sha256sum")
        .arg(folder.join(&archive))
        .output()
        .unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    let line = json!({"name": "tiny-thing", "vers": version, "deps": [], "features": {},
        "yanked": false, "cksum": sum.split_whitespace().next().unwrap()});
    format!("{line}\n")
}

fn executable(path: &PathBuf, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
