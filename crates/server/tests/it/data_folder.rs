//! The data folder: private, locked, and refused with a sentence where it cannot be used.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostler_server::data_folder::{DataFolder, Holder, holder};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn it_is_made_for_its_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a/b");
    let folder = DataFolder::open(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("LOCK")), 0o600);
    assert_eq!(
        folder.database(),
        path.canonicalize().unwrap().join("hostler.db")
    );
}

#[test]
fn a_second_server_is_refused_and_told_who_is_first() {
    let parent = tempfile::tempdir().unwrap();
    let first = DataFolder::open(parent.path()).unwrap();
    let error = DataFolder::open(parent.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the data folder {} is in use by the server with process id {}; stop it, or choose another \
             folder with --data-dir",
            parent.path().display(),
            std::process::id()
        )
    );
    assert_eq!(
        holder(parent.path()).unwrap(),
        Holder::Server(Some(std::process::id()))
    );
    drop(first);
    assert_eq!(holder(parent.path()).unwrap(), Holder::Nobody);
    DataFolder::open(parent.path()).unwrap();
}

#[test]
fn looking_at_a_folder_does_not_make_one() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("none");
    assert_eq!(holder(&path).unwrap(), Holder::Nobody);
    assert!(!path.exists());
}

#[test]
fn a_place_that_is_no_folder_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("file");
    std::fs::write(&path, "").unwrap();
    let error = DataFolder::open(&path).unwrap_err();
    let expected = format!("the data folder {} cannot be made", path.display());
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    // A folder in place of the lock file stops root too, whom permissions do not stop.
    let parent = tempfile::tempdir().unwrap();
    std::fs::create_dir(parent.path().join("LOCK")).unwrap();
    let error = DataFolder::open(parent.path()).unwrap_err();
    let shown = parent.path().display();
    assert_eq!(
        error.to_string(),
        format!("the data folder {shown} cannot be written to by the user of this process")
    );
}
