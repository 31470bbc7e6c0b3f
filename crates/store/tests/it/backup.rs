//! Backups: what comes back, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use hostler_protocol::id::FileId;
use hostler_store::{
    Backup, BackupError, BackupPlace, BackupProgress, PostgresOptions, RestorePlace, Store,
    StoreOptions,
};
use hostler_testkit::bucket::new_bucket;
use hostler_testkit::database::database;
use hostler_testkit::open_store;
use serde_json::json;

use crate::blobs::{Place, bytes, places};

/// Places for backups, of each kind that this run has.
fn backup_places(folder: &Path) -> Vec<BackupPlace> {
    let bucket = new_bucket().map(BackupPlace::Bucket);
    let folder = BackupPlace::Folder(folder.join("backups"));
    [folder].into_iter().chain(bucket).collect()
}

async fn back_up(from: &Place, to: &BackupPlace) -> Result<(Backup, BackupProgress), BackupError> {
    let scratch = from.at.folder.path().join("scratch");
    fs::create_dir_all(&scratch).unwrap();
    let mut last = BackupProgress::default();
    let mut tell = |progress| last = progress;
    from.at.env.advance(std::time::Duration::from_secs(1));
    let program = ("0.1.0", from.at.env.now());
    let made = from
        .at
        .store
        .backup(to, &scratch, program, &mut tell)
        .await?;
    Ok((made, last))
}

/// An empty place to restore into.
struct Target(tempfile::TempDir);

impl Target {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn restore(&self, from: &BackupPlace) -> Result<Store, BackupError> {
        let folder = self.0.path();
        let scratch = folder.join("restore");
        let options = |address: String| PostgresOptions::new(address.parse().unwrap());
        let to = RestorePlace {
            data_folder: folder,
            database: database(folder).map(options),
            bucket: None,
            scratch: &scratch,
        };
        let restored = from.restore(None, to, &mut |_| {}).await;
        // The next try in this test is with another backup, not with what this one has left.
        let _ = fs::remove_dir_all(scratch);
        restored?;
        Ok(open_store(folder, StoreOptions::default()))
    }

    fn holds_rows(&self) -> bool {
        self.0.path().join("hostler.db").exists()
    }
}

/// Nothing of the bytes of an earlier try.
fn clear(target: &Target) {
    let _ = fs::remove_dir_all(target.0.path().join("blobs"));
}

async fn with_files(place: &Place) -> Vec<FileId> {
    let mut ids = Vec::new();
    for length in [0, 5, 9_000_000] {
        ids.push(place.keep(&bytes(length)).await);
    }
    ids
}

#[tokio::test]
async fn everything_comes_back_and_a_second_backup_copies_nothing_twice() {
    for source in places() {
        let ids = with_files(&source).await;
        let agent = source
            .at
            .create_agent(json!({"name": "kept", "model": "big"}))
            .await;
        for to in backup_places(source.at.folder.path()) {
            let (_, first) = back_up(&source, &to).await.unwrap();
            assert_eq!((first.files, first.files_reused), (3, 0));
            let more = source.keep(b"more").await;
            let (backup, second) = back_up(&source, &to).await.unwrap();
            assert_eq!((second.files_done, second.files_reused), (4, 3));
            assert_eq!(
                (backup.manifest.files, backup.manifest.file_bytes),
                (4, 9_000_009)
            );

            let target = Target::new();
            let restored = Place {
                at: source.at.beside(target.restore(&to).await.unwrap()),
                bucket: None,
            };
            for id in ids.iter().chain([&more]) {
                assert!(restored.read(*id).await.unwrap() == source.read(*id).await.unwrap());
            }
            assert_eq!(
                restored.at.agent(agent.id, None).await.as_ref(),
                Some(&agent)
            );
            source
                .at
                .store
                .delete_file(source.at.workspace, more)
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn one_flipped_bit_in_any_file_of_a_backup_is_found_and_named() {
    let source = places().remove(0);
    with_files(&source).await;
    let folder = source.at.folder.path().join("backups");
    let place = BackupPlace::Folder(folder.clone());
    back_up(&source, &place).await.unwrap();
    let files = files_in(&folder);
    // Three of bytes, one of rows, one of names, and the last one.
    assert_eq!(files.len(), 6, "{files:?}");
    let target = Target::new();
    for file in &files {
        let whole = fs::read(file).unwrap();
        let Some(at) = whole.len().checked_sub(1) else {
            continue;
        };
        let mut flipped = whole.clone();
        flipped[at / 2] ^= 4;
        fs::write(file, &flipped).unwrap();
        let error = target.restore(&place).await.unwrap_err();
        let name = file.strip_prefix(&folder).unwrap().display().to_string();
        assert!(error.to_string().contains(&name), "{error}: {name}");
        assert!(!target.holds_rows());
        fs::write(file, &whole).unwrap();
        clear(&target);
    }
    target.restore(&place).await.unwrap();
}

#[tokio::test]
async fn a_missing_file_of_a_backup_is_named() {
    let source = places().remove(0);
    with_files(&source).await;
    let folder = source.at.folder.path().join("backups");
    let place = BackupPlace::Folder(folder.clone());
    back_up(&source, &place).await.unwrap();
    let target = Target::new();
    for kind in ["blobs", "lists", "databases"] {
        let file = files_in(&folder.join(kind)).remove(0);
        let aside = folder.join("aside");
        fs::rename(&file, &aside).unwrap();
        let error = target.restore(&place).await.unwrap_err().to_string();
        assert!(
            error.contains(kind) && error.contains("is missing"),
            "{error}"
        );
        fs::rename(&aside, &file).unwrap();
        clear(&target);
    }
    fs::remove_dir_all(folder.join("backups")).unwrap();
    let error = target.restore(&place).await.unwrap_err();
    assert!(matches!(error, BackupError::NoBackup), "{error}");
}

#[tokio::test]
async fn nothing_is_restored_over_anything() {
    let source = places().remove(0);
    with_files(&source).await;
    let place = BackupPlace::Folder(source.at.folder.path().join("backups"));
    back_up(&source, &place).await.unwrap();
    let target = Target::new();
    target.restore(&place).await.unwrap();
    let error = target.restore(&place).await.unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty(_)), "{error}");

    let target = Target::new();
    fs::create_dir_all(target.0.path().join("blobs/files")).unwrap();
    fs::write(target.0.path().join("blobs/files/x"), "mine").unwrap();
    let error = target.restore(&place).await.unwrap_err();
    assert!(error.to_string().contains("blobs is not empty"), "{error}");
    let mine = fs::read_to_string(target.0.path().join("blobs/files/x"));
    assert_eq!(mine.unwrap(), "mine");
}

#[tokio::test]
async fn a_backup_of_a_newer_version_is_refused() {
    let source = places().remove(0);
    let folder = source.at.folder.path().join("backups");
    let place = BackupPlace::Folder(folder.clone());
    let (backup, _) = back_up(&source, &place).await.unwrap();
    for (key, said) in [("schema", "schema version 9999"), ("format", "format 9999")] {
        let mut manifest = serde_json::to_value(&backup.manifest).unwrap();
        manifest[key] = json!(9999);
        let text = manifest.to_string();
        let sum = digest::digest(&digest::SHA256, text.as_bytes());
        let sum: String = sum
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let newest = folder.join(format!("backups/9999-{sum}"));
        fs::write(&newest, text).unwrap();
        let error = Target::new().restore(&place).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        fs::remove_file(newest).unwrap();
    }
}

#[tokio::test]
async fn bytes_that_are_not_what_they_were_are_no_part_of_a_backup() {
    for source in places() {
        let ids = with_files(&source).await;
        source.spoil(ids[1]).await;
        for to in backup_places(source.at.folder.path()) {
            let error = back_up(&source, &to).await.unwrap_err().to_string();
            assert!(error.contains(&ids[1].to_string()), "{error}");
            let error = Target::new().restore(&to).await.unwrap_err();
            assert!(matches!(error, BackupError::NoBackup), "{error}");
        }
    }
}

/// On a file only: there the test can delete while the backup copies.
#[tokio::test]
async fn a_file_that_goes_while_others_are_copied_is_not_in_the_backup_nor_in_its_way() {
    let source = places().remove(0);
    let ids = with_files(&source).await;
    let file = source.at.folder.path().join("hostler.db");
    if !file.exists() {
        return;
    }
    // In the order in which they are copied.
    let mut ids: Vec<String> = ids.iter().map(FileId::to_string).collect();
    ids.sort_unstable();
    let (going, blobs) = (ids[2].clone(), source.at.folder.path().join("blobs/files"));
    let mut is_gone = false;
    let mut tell = |_| {
        if !std::mem::replace(&mut is_gone, true) {
            let rows = rusqlite::Connection::open(&file).unwrap();
            let gone = rows.execute("delete from files where id = ?1", [&going]);
            assert_eq!(gone.unwrap(), 1);
            fs::remove_file(blobs.join(&going)).unwrap();
        }
    };
    let place = BackupPlace::Folder(source.at.folder.path().join("backups"));
    let scratch = source.at.folder.path().join("scratch");
    fs::create_dir_all(&scratch).unwrap();
    let program = ("0.1.0", source.at.env.now());
    let backup = source
        .at
        .store
        .backup(&place, &scratch, program, &mut tell)
        .await;
    assert_eq!(backup.unwrap().manifest.files, 2);
    let target = Target::new();
    target.restore(&place).await.unwrap();
    let mut names: Vec<String> = files_in(&target.0.path().join("blobs/files"))
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ids[..2]);
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_in(&path)),
            false => files.push(path),
        }
    }
    files
}

/// A folder that one backup after the other was made into, each with one file more and one less.
async fn with_three_backups(source: &Place, folder: &Path) -> (BackupPlace, Vec<FileId>) {
    let place = BackupPlace::Folder(folder.to_owned());
    let mut ids = Vec::new();
    for text in ["of the first", "of the second", "of the third"] {
        if let Some(before) = ids.last() {
            let (store, workspace) = (&source.at.store, source.at.workspace);
            store.delete_file(workspace, *before).await.unwrap();
        }
        ids.push(source.keep(text.as_bytes()).await);
        back_up(source, &place).await.unwrap();
    }
    (place, ids)
}

#[tokio::test]
async fn old_backups_go_with_what_only_they_needed_and_the_others_stay_whole() {
    let source = places().remove(0);
    let always = source.keep(b"of all").await;
    let folder = source.at.folder.path().join("backups");
    let (place, ids) = with_three_backups(&source, &folder).await;
    let own = ["backups/notes.txt", "blobs/readme"].map(|name| folder.join(name));
    own.iter().for_each(|file| fs::write(file, "mine").unwrap());
    let before = files_in(&folder).len();
    let (scratch, two) = (
        source.at.folder.path().join("scratch"),
        2.try_into().unwrap(),
    );
    let pruned = place.prune(two, &scratch).await.unwrap();
    // The manifest, and beside it rows, names and bytes.
    assert_eq!((pruned.backups, pruned.files), (1, 3));
    assert_eq!(files_in(&folder).len(), before - 4);
    assert!(own.iter().all(|file| file.exists()));
    let target = Target::new();
    let restored = Place {
        at: source.at.beside(target.restore(&place).await.unwrap()),
        bucket: None,
    };
    for id in [always, ids[2]] {
        assert!(restored.read(id).await.unwrap() == source.read(id).await.unwrap());
    }
    // Whatever is kept is whole, the older one too.
    assert_eq!(place.prune(two, &scratch).await.unwrap().backups, 0);
    let one = 1.try_into().unwrap();
    assert_eq!(place.prune(one, &scratch).await.unwrap().files, 3);
    clear(&target);
    Target::new().restore(&place).await.unwrap();
}

#[tokio::test]
async fn nothing_is_deleted_where_something_that_is_kept_is_not_as_it_was() {
    let source = places().remove(0);
    let folder = source.at.folder.path().join("backups");
    let (place, _) = with_three_backups(&source, &folder).await;
    let (scratch, two) = (
        source.at.folder.path().join("scratch"),
        2.try_into().unwrap(),
    );
    let mut newest = files_in(&folder.join("backups"));
    newest.sort();
    let manifest = newest.pop().unwrap();
    let text: serde_json::Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let list = folder
        .join("lists")
        .join(text["list"]["sha256"].as_str().unwrap());
    for file in [manifest, list] {
        let whole = fs::read(&file).unwrap();
        fs::write(&file, "changed").unwrap();
        let before = files_in(&folder);
        let refused = place.prune(two, &scratch).await.unwrap_err();
        assert!(matches!(refused, BackupError::NotWhole { .. }), "{refused}");
        assert_eq!(files_in(&folder), before);
        fs::write(&file, whole).unwrap();
    }
    if let Some(bucket) = new_bucket() {
        let refused = BackupPlace::Bucket(bucket).prune(two, &scratch).await;
        assert!(matches!(refused, Err(BackupError::SharedPlace)));
    }
}
