//! A bucket of a test's own on the S3 server of this run, where `HOSTLER_TEST_S3` names one
//! (`tests/with-s3`).

#![expect(clippy::expect_used, reason = "a test that has no bucket should stop")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hostler_store::{BucketKey, BucketOptions};

static MADE: AtomicU32 = AtomicU32::new(0);

/// The server of this run, if it is one with S3: `http://127.0.0.1:port`.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no configuration to ask"
)]
pub fn s3_server() -> Option<String> {
    let server = std::env::var("HOSTLER_TEST_S3").ok();
    if server.is_none() {
        eprintln!("this run has no S3 server: see tests/with-s3");
    }
    server
}

/// A new bucket, with a prefix.
///
/// # Panics
/// When it can't be made.
#[must_use]
pub fn new_bucket() -> Option<BucketOptions> {
    let server = s3_server()?;
    let number = MADE.fetch_add(1, Ordering::SeqCst);
    let name = format!("test-{}-{number}", std::process::id());
    let made = request(&server, "PUT", &format!("/{name}"));
    assert!(made.starts_with("HTTP/1.1 200"), "{made}");
    Some(bucket_at(&server, &format!("s3://{name}/some/prefix")))
}

/// How a bucket is reached there.
///
/// # Panics
/// When it is no address.
#[must_use]
pub fn bucket_at(server: &str, address: &str) -> BucketOptions {
    BucketOptions {
        address: address.parse().expect("an address"),
        endpoint: Some(server.to_owned()),
        region: "us-east-1".to_owned(),
        path_style: true,
        key: BucketKey {
            id: "tester".to_owned(),
            secret: "not-a-secret".to_owned().into(),
        },
        timeout: Duration::from_secs(30),
    }
}

/// What the server itself says, without a word of ours between: the answer, head and body.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn request(server: &str, method: &str, path: &str) -> String {
    send(server, method, path, b"")
}

/// As [`request`], with something to keep.
///
/// # Panics
/// As [`request`].
#[must_use]
pub fn put(server: &str, path: &str, body: &[u8]) -> String {
    send(server, "PUT", path, body)
}

fn send(server: &str, method: &str, path: &str, body: &[u8]) -> String {
    let host = server.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("the S3 server of the tests");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\nconnection: close\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=tester/20260101/us-east-1/s3/aws4_request, \
         SignedHeaders=host, Signature=0\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("a request");
    stream.write_all(body).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}
