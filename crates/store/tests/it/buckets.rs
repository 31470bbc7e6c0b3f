//! A bucket that is not as it must be, in words for its owner.

use std::error::Error;
use std::time::Duration;

use hostler_domain::Env;
use hostler_store::{BucketAddress, BucketOptions, StoreError, Workspace, try_bucket};
use hostler_testkit::bucket::{bucket_at, new_bucket};
use tokio::net::TcpListener;

use crate::blobs::in_bucket;

/// What is said about it, causes included. It never holds the secret.
fn said(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    assert!(!text.contains("not-a-secret"), "{text}");
    text
}

#[test]
fn addresses() {
    let ok = [
        "s3://b",
        "s3://b/",
        "s3://my-bucket/some/prefix",
        "s3://b/p/",
    ];
    let shown = ["s3://b", "s3://b", "s3://my-bucket/some/prefix", "s3://b/p"];
    let read = ok.map(|text| text.parse::<BucketAddress>().unwrap().to_string());
    assert_eq!(read, shown);
    for text in [
        "",
        "b",
        "https://b/c",
        "s3://",
        "s3:///p",
        "s3://b/../c",
        "s3://b//c",
        "s3://b/ü",
    ] {
        assert!(text.parse::<BucketAddress>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn one_that_works_keeps_nothing_of_a_trial() {
    let Some(place) = in_bucket() else { return };
    try_bucket(place.bucket.as_ref().unwrap(), "one")
        .await
        .unwrap();
    assert_eq!(place.there(), (Vec::new(), 0));
}

#[tokio::test]
async fn one_that_is_not_there_is_named() {
    let Some(bucket) = new_bucket() else { return };
    let server = bucket.endpoint.unwrap();
    let missing = bucket_at(&server, "s3://no-such-bucket-anywhere/p");
    let said = said(&try_bucket(&missing, "one").await.unwrap_err());
    assert!(
        said.contains("s3://no-such-bucket-anywhere/p has no such bucket"),
        "{said}"
    );
    assert!(said.contains("blobs.url"), "{said}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_not_waited_for() {
    let said = said(
        &try_bucket(&bucket_at("http://127.0.0.1:1", "s3://b"), "one")
            .await
            .unwrap_err(),
    );
    assert!(said.contains("can't be reached"), "{said}");
    assert!(said.contains("blobs.endpoint"), "{said}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", silent.local_addr().unwrap());
    let options = BucketOptions {
        timeout: Duration::from_millis(50),
        ..bucket_at(&server, "s3://b")
    };
    let error = try_bucket(&options, "one").await.unwrap_err();
    assert!(
        matches!(error, StoreError::BlobsUnreachable(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn one_of_another_database_is_refused() {
    let Some(first) = in_bucket() else { return };
    for name in ["first", "another"] {
        first.make_workspace(name).await;
        first.at.env.advance(Duration::from_secs(1));
        first.at.store.claim_bucket("one").await.unwrap();
    }
    let mut second = in_bucket().unwrap();
    second.at.env = Env::fixed(2);
    let bucket = first.bucket.as_ref().unwrap();
    let records = second.at.folder.path().join("uploads");
    second.at.store = second.at.store.in_bucket(bucket, &records).unwrap();
    second.make_workspace("second").await;
    let said = said(&second.at.store.claim_bucket("two").await.unwrap_err());
    assert!(
        said.contains("holds the files of another database"),
        "{said}"
    );
    assert!(said.contains("blobs.url"), "{said}");
}

impl crate::blobs::Place {
    async fn make_workspace(&self, name: &str) {
        let workspace = Workspace {
            id: self.at.env.id(),
            name: name.to_owned(),
            created_at: self.at.env.now(),
        };
        self.at.store.create_workspace(workspace).await.unwrap();
    }
}
