//! A way into one pod: connections to its agent, and its files.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream as BlockingStream;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::Cluster;
use crate::host::{Fingerprint, OutputScan, Upload, Why};
use crate::inner_path::InnerPath;
use crate::limits::{
    CHUNK_BYTES_MAX, FAR_ANSWER_TIME_MAX, FAR_STALL_TIME_MAX, OUTPUT_FILES_MAX,
    OUTPUT_PATH_BYTES_MAX, OUTPUTS_LEFT_OUT_NAMED_MAX, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX,
};
use crate::pod::{ChunkReader, ChunkWriter, KeeperAnswer, KeeperRequest};
use crate::wire::{encode, frame_length, read_frame};

#[derive(Clone)]
pub(in super::super::super) struct PodLink {
    pub(super) cluster: Arc<Cluster>,
    pub(super) pod: String,
}

impl std::fmt::Debug for PodLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PodLink({})", self.pod)
    }
}

/// What is read from a pod is a stranger's: never more than this is taken of one file.
pub(in super::super::super) struct FarOutput {
    pub(in super::super::super) fingerprint: Fingerprint,
    stream: BlockingStream,
}

impl PodLink {
    /// To the agent, as to one on this machine.
    pub(in super::super::super) async fn agent(&self) -> io::Result<UnixStream> {
        self.ask(&KeeperRequest::Agent).await
    }

    pub(in super::super::super) async fn keep_uploads(
        &self,
        wanted: Vec<Upload>,
    ) -> io::Result<Vec<Upload>> {
        let asked: Vec<Upload> = wanted.clone();
        let answer = self
            .exchange(&KeeperRequest::KeepUploads { wanted })
            .await?;
        let is_asked = |missing: &&Vec<Upload>| missing.iter().all(|one| asked.contains(one));
        match answer.missing().filter(is_asked) {
            Some(missing) => Ok(missing.clone()),
            None => Err(unexpected(&answer)),
        }
    }

    pub(in super::super::super) async fn place_upload(
        &self,
        upload: Upload,
        mut content: impl AsyncRead + Unpin,
    ) -> io::Result<()> {
        let mut stream = self.ask(&KeeperRequest::PlaceUpload { upload }).await?;
        let mut chunk = vec![0; CHUNK_BYTES_MAX];
        loop {
            let read = content.read(&mut chunk).await?;
            let length = u32::try_from(read).map_err(io::Error::other)?;
            let write = async {
                stream.write_all(&length.to_le_bytes()).await?;
                stream.write_all(&chunk[..read]).await
            };
            in_time(write).await?;
            if read == 0 {
                break;
            }
        }
        done(&answer_on(&mut stream).await?)
    }

    pub(in super::super::super) async fn link_in_workspace(
        &self,
        upload: InnerPath,
    ) -> io::Result<()> {
        done(
            &self
                .exchange(&KeeperRequest::LinkInWorkspace { upload })
                .await?,
        )
    }

    pub(in super::super::super) async fn scan_outputs(&self) -> io::Result<OutputScan> {
        let answer = self.exchange(&KeeperRequest::ScanOutputs).await?;
        match answer.outputs().filter(|scan| is_bounded(scan)) {
            Some(scan) => Ok(scan.clone()),
            None => Err(unexpected(&answer)),
        }
    }

    pub(in super::super::super) async fn read_output(
        &self,
        path: String,
    ) -> io::Result<Result<FarOutput, Why>> {
        let mut stream = self.ask(&KeeperRequest::ReadOutput { path }).await?;
        let answer = answer_on(&mut stream).await?;
        let opened = answer.output().ok_or_else(|| unexpected(&answer))?;
        match opened {
            Ok(fingerprint) => Ok(Ok(FarOutput {
                fingerprint,
                stream: blocking(stream)?,
            })),
            Err(why) => Ok(Err(why)),
        }
    }

    /// The archive of the pod's files, to be read off the async threads.
    pub(in super::super::super) async fn pack(&self) -> io::Result<impl Read + use<>> {
        let mut stream = self.ask(&KeeperRequest::Pack).await?;
        let answer = answer_on(&mut stream).await?;
        if !answer.is_archive() {
            return Err(unexpected(&answer));
        }
        Ok(ChunkReader::new(blocking(stream)?))
    }

    /// Hands the files over that the sandbox begins with. `write` is done off the async threads.
    pub(in super::super::super) async fn unpack(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let stream = blocking(self.ask(&KeeperRequest::Unpack).await?)?;
        let written = tokio::task::spawn_blocking(move || {
            let mut chunks = ChunkWriter(&stream);
            let sent = write(&mut chunks).and_then(|()| chunks.finish().map(drop));
            // If it takes no more it may have said why.
            match read_frame(&mut &stream, RESPONSE_BYTES_MAX) {
                Ok(Some(answer)) => done(&answer).and(sent),
                Ok(None) => sent.and(Err(io::ErrorKind::UnexpectedEof.into())),
                Err(error) => sent.and(Err(error)),
            }
        });
        written.await.map_err(io::Error::other)?
    }

    async fn ask(&self, request: &KeeperRequest) -> io::Result<UnixStream> {
        let frame = encode(request, REQUEST_BYTES_MAX)?;
        let mut stream = self.cluster.connect(&self.pod).await?;
        in_time(stream.write_all(&frame)).await?;
        Ok(stream)
    }

    async fn exchange(&self, request: &KeeperRequest) -> io::Result<KeeperAnswer> {
        let mut stream = self.ask(request).await?;
        answer_on(&mut stream).await
    }
}

impl FarOutput {
    /// All of it, as long as its keeper said that it is.
    pub(in super::super::super) fn copy_to(self, to: &mut impl Write) -> io::Result<()> {
        let size = self.fingerprint.size;
        let mut content = ChunkReader::new(self.stream).take(size.saturating_add(1));
        let copied = io::copy(&mut content, to)?;
        if copied > size {
            return Err(io::Error::other("there is more of it than was said"));
        }
        Ok(())
    }
}

async fn answer_on(stream: &mut UnixStream) -> io::Result<KeeperAnswer> {
    let read = async {
        let mut header = [0; 4];
        stream.read_exact(&mut header).await?;
        let length = frame_length(&header, RESPONSE_BYTES_MAX)?;
        let mut body = Vec::new();
        let read = stream.take(length as u64).read_to_end(&mut body).await?;
        if read != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_slice(&body)?)
    };
    let answer = timeout(FAR_ANSWER_TIME_MAX, read).await;
    answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn in_time(work: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let done = timeout(FAR_STALL_TIME_MAX, work).await;
    done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// For what reads or writes files, which is not done on an async thread.
fn blocking(stream: UnixStream) -> io::Result<BlockingStream> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(FAR_STALL_TIME_MAX))?;
    stream.set_write_timeout(Some(FAR_STALL_TIME_MAX))?;
    Ok(stream)
}

fn done(answer: &KeeperAnswer) -> io::Result<()> {
    if answer.is_done() {
        return Ok(());
    }
    Err(unexpected(answer))
}

fn unexpected(answer: &KeeperAnswer) -> io::Error {
    match answer {
        KeeperAnswer::Failed { reason } => {
            let reason: String = reason.chars().take(500).collect();
            invalid(&format!("in its pod: {reason}"))
        }
        KeeperAnswer::Done
        | KeeperAnswer::Missing(_)
        | KeeperAnswer::Outputs(_)
        | KeeperAnswer::Output(_)
        | KeeperAnswer::NoOutput(_)
        | KeeperAnswer::Archive => invalid("its pod answers what was not asked"),
    }
}

/// It would not be another answer the next time.
fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// What no look of ours would have found.
fn is_bounded(scan: &OutputScan) -> bool {
    let is_good = |path: &str| {
        let mut names = path.split('/');
        path.len() <= OUTPUT_PATH_BYTES_MAX
            && names.all(|name| !matches!(name, "" | "." | "..") && !name.contains('\0'))
    };
    scan.files.len() <= OUTPUT_FILES_MAX
        && scan.left_out.len() <= OUTPUTS_LEFT_OUT_NAMED_MAX
        && scan.files.iter().all(|file| is_good(&file.path))
}
