//! Blobs as objects of a bucket that any server of the database reaches, over the S3 protocol.
//!
//! Every request has an end and few repetitions. What goes wrong is said with the settings that
//! may be the reason, and never with a key.

use std::path::Path as FolderPath;
use std::str::FromStr;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig,
};
use zeroize::Zeroizing;

use super::unfinished::Unfinished;
use crate::StoreError;
use crate::limits::{
    BUCKET_CONNECT, BUCKET_PAUSE_MAX, BUCKET_PAUSE_MIN, BUCKET_RETRIES, BUCKET_RETRY_TIME,
};

/// The name of the object that says whose blobs these are.
const OWNER: &str = "hostler-owner";
/// The name of the objects that trials write, read and delete.
const TRIAL: &str = "hostler-trial";

/// `s3://bucket` or `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketAddress {
    bucket: String,
    prefix: Path,
}

/// Why a text is no address of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be s3://BUCKET or s3://BUCKET/PREFIX, of letters, digits and the characters - _ . /")]
pub struct BucketAddressError;

impl FromStr for BucketAddress {
    type Err = BucketAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("s3://").ok_or(BucketAddressError)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let is_part = |part: &str| {
            !part.is_empty() && part.chars().all(is_plain) && part != "." && part != ".."
        };
        if !is_part(bucket) || !(prefix.is_empty() || prefix.split('/').all(is_part)) {
            return Err(BucketAddressError);
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: Path::from(prefix),
        })
    }
}

impl std::fmt::Display for BucketAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "s3://{}", self.bucket)?;
        match self.prefix.as_ref() {
            "" => Ok(()),
            prefix => write!(formatter, "/{prefix}"),
        }
    }
}

/// Who asks.
#[derive(Clone)]
pub struct BucketKey {
    pub id: String,
    pub secret: Zeroizing<String>,
}

impl std::fmt::Debug for BucketKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "BucketKey({}, ***)", self.id)
    }
}

/// A bucket, and how it is reached.
#[derive(Debug, Clone)]
pub struct BucketOptions {
    pub address: BucketAddress,
    /// `None`: Amazon's own, in the region.
    pub endpoint: Option<String>,
    pub region: String,
    /// The bucket is in the path of each request, not in its host name.
    pub path_style: bool,
    pub key: BucketKey,
    /// How long a request may go without an answer, or an answer without a byte.
    pub timeout: Duration,
}

/// What is wrong with a bucket, in words for its owner.
#[derive(Debug, thiserror::Error)]
#[error("the blob store {address} {what}")]
pub struct BucketError {
    address: String,
    what: String,
    #[source]
    source: Option<object_store::Error>,
}

pub(crate) struct Bucket {
    objects: AmazonS3,
    address: BucketAddress,
    unfinished: Unfinished,
}

impl Bucket {
    /// Asks nothing yet.
    pub(super) fn open(options: &BucketOptions, records: &FolderPath) -> Result<Self, StoreError> {
        let address = options.address.clone();
        let objects = connect(options).map_err(|error| {
            let what = "can't be used; see the settings in [blobs]".to_owned();
            failed(&address, what, Some(error))
        })?;
        Ok(Self {
            objects,
            unfinished: Unfinished::new(records),
            address,
        })
    }

    pub(super) fn objects(&self) -> &dyn ObjectStore {
        &self.objects
    }

    pub(super) fn in_parts(&self) -> &dyn MultipartStore {
        &self.objects
    }

    pub(super) fn unfinished(&self) -> &Unfinished {
        &self.unfinished
    }

    pub(super) fn key(&self, name: &Path) -> Path {
        self.address.prefix.parts().chain(name.parts()).collect()
    }

    /// The name of a blob that was listed.
    pub(super) fn name(&self, key: &Path) -> Path {
        match key.prefix_match(&self.address.prefix) {
            Some(rest) => rest.collect(),
            None => key.clone(),
        }
    }

    /// Gives up what was begun in parts and is not under way.
    pub(super) async fn abort_unfinished(&self) -> Result<(), StoreError> {
        for left in self.unfinished.left().await? {
            let key = Path::from(left.key.as_str());
            match self.objects.abort_multipart(&key, &left.upload).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => left.forget().await?,
                Err(error) => return Err(self.failure(error)),
            }
        }
        Ok(())
    }

    /// Writes, reads, lists and deletes, as a server does. `trial` is in the name of the object.
    pub(crate) async fn try_out(&self, trial: &str) -> Result<(), StoreError> {
        let key = self.key(&Path::from_iter([TRIAL, trial]));
        let put = self.objects.put(&key, trial.to_owned().into()).await;
        put.map_err(|error| self.failure(error))?;
        let seen = async {
            let found = self.objects.get(&key).await?.bytes().await?;
            let listed = self
                .objects
                .list_with_delimiter(Some(&self.key(&Path::from(TRIAL))))
                .await?;
            let is_listed = listed.objects.iter().any(|object| object.location == key);
            Ok::<_, object_store::Error>(found == trial.as_bytes() && is_listed)
        };
        let seen = seen.await;
        let deleted = self.objects.delete(&key).await;
        let is_same = seen.map_err(|error| self.failure(error))?;
        deleted.map_err(|error| self.failure(error))?;
        match is_same {
            true => Ok(()),
            false => Err(self.unfit("does not give back what was written to it".to_owned())),
        }
    }

    /// Makes these the blobs of the database with this name, for good. Blobs without a row are
    /// deleted some day, and rows are in one database.
    pub(crate) async fn claim(&self, database: &str) -> Result<(), StoreError> {
        let key = self.key(&Path::from(OWNER));
        let mine = format!("{database}\n");
        let mode = PutOptions::from(PutMode::Create);
        let owner = match self.owner(&key).await? {
            Some(owner) => owner,
            None => match self.objects.put_opts(&key, mine.clone().into(), mode).await {
                Ok(_) => return Ok(()),
                Err(object_store::Error::AlreadyExists { .. }) => {
                    self.owner(&key).await?.unwrap_or_default()
                }
                Err(error) => return Err(self.failure(error)),
            },
        };
        if owner == mine {
            return Ok(());
        }
        Err(self.unfit(format!(
            "holds the files of another database ({}); give this one a bucket or a prefix of its \
             own in blobs.url",
            owner.trim()
        )))
    }

    async fn owner(&self, key: &Path) -> Result<Option<String>, StoreError> {
        let read = async { self.objects.get(key).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failure(error)),
        }
    }

    pub(super) fn unfit(&self, what: String) -> StoreError {
        failed(&self.address, what, None)
    }

    pub(super) fn failure(&self, error: object_store::Error) -> StoreError {
        use object_store::Error;
        let what = match &error {
            Error::Unauthenticated { .. } | Error::PermissionDenied { .. } => {
                "refuses the key; see blobs.access_key_id, blobs.secret_access_key and what the key \
                 may do there"
            }
            Error::NotFound { .. } => {
                "has no such bucket, or lost an object; see blobs.url and blobs.region"
            }
            // Whatever is left when repeating did not help.
            Error::Generic { .. } | Error::JoinError { .. } => {
                let what =
                    "can't be reached; see blobs.endpoint, blobs.region and blobs.path_style";
                return StoreError::BlobsUnreachable(bucket_error(&self.address, what, error));
            }
            Error::InvalidPath { .. }
            | Error::NotSupported { .. }
            | Error::AlreadyExists { .. }
            | Error::Precondition { .. }
            | Error::NotModified { .. }
            | Error::NotImplemented { .. }
            | Error::UnknownConfigurationKey { .. }
            | _ => "did not do what was asked",
        };
        StoreError::Blob(bucket_error(&self.address, what, error))
    }
}

fn bucket_error(
    address: &BucketAddress,
    what: &str,
    source: object_store::Error,
) -> Box<BucketError> {
    Box::new(BucketError {
        address: address.to_string(),
        what: what.to_owned(),
        source: Some(source),
    })
}

fn failed(
    address: &BucketAddress,
    what: String,
    source: Option<object_store::Error>,
) -> StoreError {
    StoreError::Blob(Box::new(BucketError {
        address: address.to_string(),
        what,
        source,
    }))
}

fn connect(options: &BucketOptions) -> Result<AmazonS3, object_store::Error> {
    let client = ClientOptions::new()
        .with_connect_timeout(BUCKET_CONNECT.min(options.timeout))
        .with_read_timeout(options.timeout)
        // A whole archive may take as long as it takes, while something arrives.
        .with_timeout_disabled();
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: BUCKET_PAUSE_MIN,
            max_backoff: BUCKET_PAUSE_MAX,
            base: 2.0,
        },
        max_retries: BUCKET_RETRIES,
        retry_timeout: BUCKET_RETRY_TIME,
    };
    let bucket = &options.address.bucket;
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(retry)
        .with_bucket_name(bucket)
        .with_region(&options.region)
        .with_access_key_id(&options.key.id)
        .with_secret_access_key(options.key.secret.as_str())
        .with_virtual_hosted_style_request(!options.path_style)
        // Not every server of the protocol knows how to delete many at once.
        .with_disable_bulk_delete(true);
    if let Some(endpoint) = &options.endpoint {
        builder = builder
            .with_allow_http(endpoint.starts_with("http://"))
            .with_endpoint(match options.path_style {
                true => endpoint.clone(),
                false => with_host(endpoint, bucket),
            });
    }
    builder.build()
}

/// The endpoint with the bucket in front of its host.
fn with_host(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{bucket}.{rest}"),
        None => endpoint.to_owned(),
    }
}
