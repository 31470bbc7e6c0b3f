//! Section `[blobs]`: a bucket in place of the folder `blobs` in the data folder, and how buckets are
//! reached.

use std::path::PathBuf;
use std::time::Duration;

use hostler_store::{BucketAddress, BucketKey, BucketOptions};
use serde::{Deserialize, Serialize};

use super::key_file::read_key;
use super::problem::Problem;
use super::quantity::Span;
use super::resolve::Resolving;
use super::secret::Secret;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawBlobs {
    /// A bucket, over the S3 protocol, that keeps uploaded files, outputs and archives of sandboxes. Servers
    /// that share a database share it, too; each database has a bucket or a prefix of its own. Without it
    /// they are in the data folder.
    /// Example: url = "s3://my-bucket/hostler"
    pub url: Option<String>,
    /// The address of a server that speaks S3. Without it, it is Amazon's in the region. With `http://`
    /// everything can be read on the way.
    /// Example: endpoint = "https://minio.example.com"
    pub endpoint: Option<String>,
    /// Where the bucket is. Most servers that are not Amazon's take any.
    pub region: String,
    /// Whether the bucket is in the path of a request, or (false) in front of the host's name. As a rule
    /// true with an endpoint, and false without.
    /// Example: path_style = true
    pub path_style: Option<bool>,
    /// Who asks. Roles of a machine are not supported: a key is needed.
    /// Example: access_key_id = "hostler"
    pub access_key_id: Option<String>,
    /// Not for this file: set HOSTLER__BLOBS__SECRET_ACCESS_KEY, or name a file.
    pub secret_access_key: Option<Secret>,
    /// A file that holds the secret and nothing else.
    /// Example: secret_access_key_file = "/run/secrets/hostler-bucket"
    pub secret_access_key_file: Option<PathBuf>,
    /// How long a request may go without an answer, or an answer without a byte. It is tried three times
    /// more, for 20 seconds at most.
    pub timeout: Span,
}

impl Default for RawBlobs {
    fn default() -> Self {
        Self {
            url: None,
            endpoint: None,
            region: "us-east-1".to_owned(),
            path_style: None,
            access_key_id: None,
            secret_access_key: None,
            secret_access_key_file: None,
            timeout: Span(Duration::from_secs(30)),
        }
    }
}

/// More than this and a request of a client waits for too long.
const TIMEOUT_MAX: Duration = Duration::from_secs(300);

/// The resolved section.
#[derive(Debug, Clone)]
pub struct BlobOptions {
    /// None: the data folder.
    pub address: Option<BucketAddress>,
    endpoint: Option<String>,
    region: String,
    path_style: bool,
    key: Option<BucketKey>,
    timeout: Duration,
}

impl BlobOptions {
    /// The bucket that the server uses.
    pub fn bucket(&self) -> Option<BucketOptions> {
        self.reach(self.address.clone()?)
    }

    /// How another one is reached, with the same key. None: there is no key.
    pub fn reach(&self, address: BucketAddress) -> Option<BucketOptions> {
        Some(BucketOptions {
            address,
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            path_style: self.path_style,
            key: self.key.clone()?,
            timeout: self.timeout,
        })
    }
}

impl RawBlobs {
    pub(super) fn resolve(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> BlobOptions {
        let secret = self.secret(at, problems);
        let mut refuse = |key: &str, message: String| {
            problems.push(at.problem(&["blobs", key], message));
        };
        let mut address = None;
        if let Some(url) = &self.url {
            match url.parse::<BucketAddress>() {
                Ok(read) => address = Some(read),
                Err(error) => refuse("url", error.to_string()),
            }
            if self.access_key_id.is_none() {
                let message =
                    "blobs.access_key_id is needed, too; HOSTLER__BLOBS__ACCESS_KEY_ID sets it";
                refuse("url", message.to_owned());
            }
            if self.secret_access_key.is_none() && self.secret_access_key_file.is_none() {
                let message = "a secret is needed, too: set HOSTLER__BLOBS__SECRET_ACCESS_KEY, or name a \
                               file with `secret_access_key_file`";
                refuse("url", message.to_owned());
            }
        }
        if let Some(endpoint) = &self.endpoint
            && !is_origin(endpoint)
        {
            let message = "must be https://HOST, https://HOST:PORT, or the same with http";
            refuse("endpoint", message.to_owned());
        }
        if self.region.is_empty() {
            refuse("region", "must not be empty".to_owned());
        }
        if self.timeout.0.is_zero() || self.timeout.0 > TIMEOUT_MAX {
            let message = format!("must be more than 0 and at most {}", Span(TIMEOUT_MAX));
            refuse("timeout", message);
        }
        let key = self.access_key_id.clone().zip(secret);
        BlobOptions {
            address,
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            path_style: self.path_style.unwrap_or(self.endpoint.is_some()),
            key: key.map(|(id, secret)| BucketKey {
                id,
                secret: secret.expose().to_owned().into(),
            }),
            timeout: self.timeout.0,
        }
    }

    /// The secret itself wins over the file, as everywhere.
    fn secret(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> Option<Secret> {
        let path = ["blobs", "secret_access_key_file"];
        match (&self.secret_access_key, &self.secret_access_key_file) {
            (Some(secret), _) => Some(secret.clone()),
            (None, Some(file)) => read_key(&at.path(&path, file))
                .map_err(|message| problems.push(at.problem(&path, message)))
                .ok(),
            (None, None) => None,
        }
    }
}

/// A scheme and a host, with nothing behind and nobody's name in front.
fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        !host.is_empty() && host.chars().all(is_plain)
    })
}
