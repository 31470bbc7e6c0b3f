//! `hostler images`, without a server.

use std::fs;

use super::{hostler_in, stderr, stdout};

#[test]
fn images_are_pulled_listed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let images = |arguments: &[&str]| {
        let all = [&["images"], arguments, &["--data-dir", "data"]].concat();
        hostler_in(folder.path(), &all)
    };
    let none = stdout(&images(&["list"]));
    assert!(none.starts_with("There are no images."), "{none}");
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("usr/bin")).unwrap();
    fs::write(root.join("usr/bin/tool"), "a program").unwrap();
    let source = format!("dir:{}", root.display());
    let pulled = images(&["pull", &source]);
    assert!(pulled.status.success(), "{}", stderr(&pulled));
    let told = stdout(&pulled);
    assert!(
        told.contains(&format!("HOSTLER__SANDBOX__ROOT='{source}'")),
        "{told}"
    );
    let listed = stdout(&images(&["list"]));
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert!(lines[1].ends_with(&source), "{listed}");
    let digits = lines[1].split_whitespace().next().unwrap();
    // A sandbox that is made of it keeps it.
    let tree = fs::read_dir(folder.path().join("data/images/trees"))
        .unwrap()
        .next()
        .unwrap();
    let tree = fs::canonicalize(tree.unwrap().path().join("root")).unwrap();
    let sandbox = folder.path().join("data/sandboxes/boxes/one");
    fs::create_dir_all(&sandbox).unwrap();
    let record = serde_json::json!({"layers": [tree]});
    fs::write(sandbox.join("root.json"), record.to_string()).unwrap();
    let refused = images(&["remove", digits]);
    assert!(
        stderr(&refused).contains("is in use"),
        "{}",
        stderr(&refused)
    );
    fs::remove_dir_all(&sandbox).unwrap();
    assert!(images(&["remove", digits]).status.success());
    assert!(stdout(&images(&["list"])).starts_with("There are no images."));
}

#[test]
fn what_is_no_image_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let refused = hostler_in(
        folder.path(),
        &["images", "pull", "debian", "--data-dir", "data"],
    );
    assert_eq!(refused.status.code(), Some(1));
    let told = stderr(&refused);
    assert!(
        told.contains("write dir:/path, tar:/path.tar.zst, oci-layout:/path or oci:"),
        "{told}"
    );
    let help = stdout(&hostler_in(folder.path(), &["images", "--help"]));
    assert!(
        help.contains("hostler images pull oci:") && help.contains("/bin/bash"),
        "{help}"
    );
}
