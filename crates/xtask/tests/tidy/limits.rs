//! A limit that nothing reads limits nothing.

use std::collections::BTreeMap;

use crate::tree::{assert_none, identifiers, rust_files};

#[test]
fn every_limit_is_enforced_somewhere() {
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for file in rust_files() {
        for word in identifiers(&file.text) {
            *uses.entry(word).or_default() += 1;
        }
    }
    let unused: Vec<String> = rust_files()
        .filter(|file| file.path.ends_with("/limits.rs") && !file.path.contains("/xtask/"))
        .flat_map(|file| file.text.lines().map(move |line| (file, line)))
        .filter_map(|(file, line)| Some((file, constant(line)?)))
        .filter(|(_, name)| uses.get(name).copied().unwrap_or_default() < 2)
        .map(|(file, name)| format!("{}: {name}", file.path))
        .collect();
    assert_none(
        &unused,
        "enforce the limit where the thing comes in, or take it out:",
    );
}

fn constant(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = [
        "pub const ",
        "pub(crate) const ",
        "pub(super) const ",
        "const ",
    ]
    .iter()
    .find_map(|start| line.strip_prefix(start))?;
    rest.split(':')
        .next()
        .map(str::trim)
        .filter(|name| *name != "fn" && !name.contains(' '))
}
