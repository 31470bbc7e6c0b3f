//! `hostler doctor`: what it finds, what it advises, and that it never shows a key.

use std::net::TcpListener;

use hostler_server::data_folder::DataFolder;
use hostler_server::doctor::{Check, Verdict, examine, report};

use crate::configuration::ConfigFile;

/// A configuration whose address is free and whose data folder is not made yet.
fn config(more: &str) -> ConfigFile {
    ConfigFile::new(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"data\"\n{more}"
    ))
}

async fn check(file: &ConfigFile, name: &str) -> Check {
    let checks = examine(&file.load([]).unwrap().config).await;
    checks.into_iter().find(|check| check.name == name).unwrap()
}

#[track_caller]
fn fails(check: &Check) {
    assert!(matches!(check.verdict, Verdict::Fail { .. }), "{check:?}");
}

#[tokio::test]
async fn a_folder_that_is_not_there_yet_is_fine_and_stays_so() {
    let file = config("");
    let found = check(&file, "data folder").await;
    assert_eq!(found.verdict, Verdict::Ok);
    assert!(
        found
            .detail
            .ends_with("data, which the first start will make"),
        "{found:?}"
    );
    assert!(!file.folder.path().join("data").exists());
}

#[tokio::test]
async fn a_running_server_is_no_fault() {
    let file = config("");
    let _server = DataFolder::open(&file.folder.path().join("data")).unwrap();
    let found = check(&file, "data folder").await;
    assert_eq!(found.verdict, Verdict::Ok);
    let pid = std::process::id();
    assert!(
        found
            .detail
            .ends_with(&format!("in use by the server with process id {pid}"))
    );
}

#[tokio::test]
async fn a_file_in_place_of_the_folder_fails() {
    let file = config("");
    std::fs::write(file.folder.path().join("data"), "").unwrap();
    fails(&check(&file, "data folder").await);
}

#[tokio::test]
async fn an_address_that_another_program_has_fails() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let text = format!("[server]\nlisten = \"{address}\"\ndata_dir = \"data\"\n");
    let found = check(&ConfigFile::new(&text), "address").await;
    fails(&found);
    assert_eq!(
        found.detail,
        format!("{address} is in use by another program")
    );
}

#[tokio::test]
async fn an_address_for_everybody_is_warned_about() {
    let file = ConfigFile::new("[server]\nlisten = \"0.0.0.0:0\"\ndata_dir = \"data\"\n");
    assert!(matches!(
        check(&file, "address").await.verdict,
        Verdict::Warn { .. }
    ));
}

#[tokio::test]
async fn providers_are_told_by_whether_they_have_a_key() {
    let file =
        config("[providers.local]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\n");
    let variable = [("HOSTLER__PROVIDERS__OPENAI__API_KEY", "canary")];
    let text = report(&examine(&file.load(variable).unwrap().config).await);
    for line in [
        "warn  provider anthropic  https://api.anthropic.com, no key",
        "ok    provider local      http://127.0.0.1:1/v1, without a key",
        "ok    provider openai     https://api.openai.com/v1, key present",
        "ok    provider scripted   the script of the demo",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no line {line:?} in:\n{text}"
        );
    }
    assert!(
        text.contains("set HOSTLER__PROVIDERS__ANTHROPIC__API_KEY"),
        "{text}"
    );
    assert!(!text.contains("canary"));
}

#[tokio::test]
async fn a_script_that_is_none_fails() {
    let file = config("[providers.scripted]\nscript = \"script.json\"\n");
    fails(&check(&file, "provider scripted").await);
    std::fs::write(file.folder.path().join("script.json"), "{\"turn\": []}").unwrap();
    fails(&check(&file, "provider scripted").await);
    std::fs::write(
        file.folder.path().join("script.json"),
        "{\"turns\": [{\"blocks\": [{\"type\": \"text\", \"text\": \"hello\"}]}]}",
    )
    .unwrap();
    assert_eq!(check(&file, "provider scripted").await.verdict, Verdict::Ok);
}

#[tokio::test]
async fn a_bucket_that_is_not_reached_fails_and_none_is_no_matter() {
    let checks = examine(&config("").load([]).unwrap().config).await;
    assert!(checks.iter().all(|check| check.name != "blobs"));
    let file = config(
        "[blobs]\nurl = \"s3://b\"\nendpoint = \"http://127.0.0.1:1\"\naccess_key_id = \"a\"\n",
    );
    let secret = [("HOSTLER__BLOBS__SECRET_ACCESS_KEY", "not-a-secret")];
    let loaded = file.load(secret).unwrap();
    let checks = examine(&loaded.config).await;
    let found = checks.iter().find(|check| check.name == "blobs").unwrap();
    fails(found);
    assert!(found.detail.contains("blobs.endpoint"), "{found:?}");
    assert!(!report(&checks).contains("not-a-secret"));
}

#[tokio::test]
async fn a_bucket_that_works_is_told() {
    let Some(bucket) = hostler_testkit::bucket::new_bucket() else {
        return;
    };
    let (address, endpoint) = (bucket.address, bucket.endpoint.unwrap());
    let file = config(&format!(
        "[blobs]\nurl = \"{address}\"\nendpoint = \"{endpoint}\"\naccess_key_id = \"a\"\n"
    ));
    let secret = [("HOSTLER__BLOBS__SECRET_ACCESS_KEY", "not-a-secret")];
    let checks = examine(&file.load(secret).unwrap().config).await;
    let found = checks.iter().find(|check| check.name == "blobs").unwrap();
    assert_eq!(found.verdict, Verdict::Ok, "{found:?}");
}

#[tokio::test]
async fn a_server_of_nats_that_is_not_reached_is_warned_about_and_no_secret_is_shown() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let file = config(&format!(
        "[database]\nurl = \"postgres://h@localhost/h\"\n[nats]\nurl = \"nats://{address}\"\n"
    ));
    let variables = [("HOSTLER__NATS__TOKEN", "hidden-word")];
    let checks = examine(&file.load(variables).unwrap().config).await;
    let found = checks.iter().find(|check| check.name == "nats").unwrap();
    // A server starts all the same.
    assert!(matches!(found.verdict, Verdict::Warn { .. }), "{found:?}");
    assert!(found.detail.contains(&address.to_string()), "{found:?}");
    assert!(!report(&checks).contains("hidden-word"));
}
