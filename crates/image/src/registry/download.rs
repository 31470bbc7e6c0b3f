//! One blob into a file, going on where an earlier attempt ended.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use reqwest::{Response, StatusCode};
use rustix::fs::{FlockOperation, flock};

use super::client::{Client, causes};
use crate::digest::Digest;
use crate::error::{ImageError, While};
use crate::limits::{DOWNLOAD_ATTEMPTS_MAX, REPORT_BYTES};
use crate::oci::{Descriptor, expect};

/// The checked file of the blob. It is there already if an earlier pull was interrupted later.
pub(super) async fn blob(
    client: &mut Client,
    descriptor: &Descriptor,
    folder: &Path,
    report: &(dyn Fn(u64) + Sync),
) -> Result<PathBuf, ImageError> {
    let digest = &descriptor.digest;
    let place = folder.join(digest.hex());
    let doing = || format!("writing {}", place.display());
    if place.exists() {
        report(descriptor.size);
        return Ok(place);
    }
    let partial = folder.join(format!("{}.part", digest.hex()));
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&partial)
        .doing(doing)?;
    // Two processes that wrote to it at once would both spoil it.
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(ImageError::Invalid(format!(
            "{digest} is being downloaded by another process"
        )));
    }
    for attempt in 1.. {
        let had = file.seek(SeekFrom::End(0)).doing(doing)?;
        let ended = fetch(client, descriptor, &mut file, had, report).await;
        let has = file.seek(SeekFrom::End(0)).doing(doing)?;
        if has == descriptor.size {
            break;
        }
        if has > descriptor.size {
            std::fs::remove_file(&partial).doing(doing)?;
            return Err(client.failed(format!("{digest} is longer than the manifest says")));
        }
        // One that brings nothing will not do so next time either.
        if has <= had || attempt == DOWNLOAD_ATTEMPTS_MAX {
            return Err(ended.err().unwrap_or_else(|| {
                client.failed(format!(
                    "{digest} ends after {has} of {} bytes",
                    descriptor.size
                ))
            }));
        }
    }
    let check = move || -> Result<(File, Digest), std::io::Error> {
        file.sync_all()?;
        file.seek(SeekFrom::Start(0))?;
        let found = Digest::of_stream(&file)?;
        Ok((file, found))
    };
    let checked = tokio::task::spawn_blocking(check).await;
    let (_locked, found) = checked
        .map_err(std::io::Error::other)
        .doing(doing)?
        .doing(doing)?;
    if let Err(error) = expect(digest, &found) {
        std::fs::remove_file(&partial).doing(doing)?;
        return Err(error);
    }
    std::fs::rename(&partial, &place).doing(doing)?;
    Ok(place)
}

/// Appends what comes. An error leaves what came before it.
async fn fetch(
    client: &mut Client,
    descriptor: &Descriptor,
    file: &mut File,
    had: u64,
    report: &(dyn Fn(u64) + Sync),
) -> Result<(), ImageError> {
    if had >= descriptor.size {
        return Ok(());
    }
    let doing = || format!("writing {}", descriptor.digest);
    let mut response: Response = client.blob(&descriptor.digest.to_string(), had).await?;
    let mut length = had;
    if had > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
        // It cannot go on in the middle and starts again.
        file.set_len(0).doing(doing)?;
        file.seek(SeekFrom::Start(0)).doing(doing)?;
        length = 0;
    }
    let mut reported = length;
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| client.failed(causes(&error)))?
    {
        file.write_all(&chunk).doing(doing)?;
        length += chunk.len() as u64;
        if length > descriptor.size {
            return Ok(());
        }
        if length - reported >= REPORT_BYTES || length == descriptor.size {
            report(length);
            reported = length;
        }
    }
    Ok(())
}
