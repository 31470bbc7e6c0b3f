//! The other side of a reader: a process is started for each page, given its bytes, and ended with the time.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::READER_COMMAND;
use crate::error::FetchError;
use crate::limits::{
    READER_ANSWER_BYTES_MAX, READER_CPU_SECONDS, READER_MEMORY_BYTES, READER_TIMEOUT,
    READER_WAIT_MAX, READERS_MAX,
};
use crate::media::Media;

/// What a reader may take of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderLimits {
    pub memory_bytes: u64,
    pub cpu_seconds: u64,
}

impl Default for ReaderLimits {
    fn default() -> Self {
        Self {
            memory_bytes: READER_MEMORY_BYTES,
            cpu_seconds: READER_CPU_SECONDS,
        }
    }
}

/// Starts readers, so many at once and no more.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    program: PathBuf,
    limits: ReaderLimits,
    places: Arc<Semaphore>,
}

/// A page that is to become text.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) media: Media,
    pub(crate) charset: Option<String>,
    /// What addresses in the page are relative to.
    pub(crate) url: String,
    pub(crate) body: Vec<u8>,
}

/// The first line of what a reader is given; the page's bytes follow.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Heading {
    pub(crate) media: Media,
    pub(crate) charset: Option<String>,
    pub(crate) url: String,
    pub(crate) limits: ReaderLimits,
}

/// What a reader answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Read(Read),
    /// Why it can't be read, for the model.
    Failed(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Read {
    pub(crate) title: Option<String>,
    pub(crate) text: String,
}

/// How a reader ended that gave no answer.
enum Death {
    /// It had the time of the processor that it may have.
    CpuTime,
    /// It was not done in all the time that there is.
    Time,
    /// It got no more memory, or no more stack.
    Memory,
    Other,
}

/// What stands for a page without a word.
const NOTHING: &str = "(The page holds no text.)";

impl Readers {
    pub(crate) fn new(program: PathBuf, limits: ReaderLimits) -> Self {
        Self {
            program,
            limits,
            places: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }

    pub(crate) async fn read(&self, task: Task) -> Result<Read, FetchError> {
        let place = timeout(READER_WAIT_MAX, self.places.acquire()).await;
        // Nobody closes the places.
        let _place = place.map_err(|_elapsed| {
            let message = "all readers of pages are busy: try it again later";
            FetchError::Unavailable(message.to_owned())
        })?;
        let mut child = self
            .start()
            .map_err(|error| FetchError::Unavailable(format!("no reader: {error}")))?;
        let media = task.media;
        // Dropping the child ends it.
        let answer = timeout(READER_TIMEOUT, asked(&mut child, task, self.limits)).await;
        match answer.unwrap_or(Err(Death::Time)) {
            Ok(Answer::Read(mut read)) => {
                if read.text.trim().is_empty() {
                    NOTHING.clone_into(&mut read.text);
                }
                Ok(read)
            }
            Ok(Answer::Failed(why)) => Err(FetchError::NotAccessible(why)),
            Err(death) => Err(FetchError::NotAccessible(death.sentence(media))),
        }
    }

    fn start(&self) -> std::io::Result<Child> {
        Command::new(&self.program)
            .arg(READER_COMMAND)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }
}

async fn asked(child: &mut Child, task: Task, limits: ReaderLimits) -> Result<Answer, Death> {
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (mut input, output) = pipes.ok_or(Death::Other)?;
    let heading = Heading {
        media: task.media,
        charset: task.charset,
        url: task.url,
        limits,
    };
    let mut first = serde_json::to_vec(&heading).map_err(|_| Death::Other)?;
    first.push(b'\n');
    let given = async {
        input.write_all(&first).await?;
        input.write_all(&task.body).await?;
        // Closing it is the end of the page.
        drop(input);
        std::io::Result::Ok(())
    };
    let mut answer = Vec::new();
    let limit = u64::try_from(READER_ANSWER_BYTES_MAX).unwrap_or(u64::MAX);
    let mut output = output.take(limit);
    // Whether either failed is seen by what there is of an answer.
    let _ = tokio::join!(given, output.read_to_end(&mut answer));
    // One that has more to say than is taken is not waited for.
    drop(output);
    let status = child.wait().await.map_err(|_| Death::Other)?;
    match status.success() {
        true => serde_json::from_slice(&answer).map_err(|_| Death::Other),
        false => Err(Death::of(status)),
    }
}

impl Death {
    fn of(status: ExitStatus) -> Self {
        let is_by = |signal: Signal| status.signal() == Some(signal.as_raw());
        if is_by(Signal::XCPU) {
            Self::CpuTime
        } else if is_by(Signal::ABORT) || is_by(Signal::SEGV) {
            Self::Memory
        } else {
            Self::Other
        }
    }

    fn sentence(&self, media: Media) -> String {
        let (what, other) = match media {
            Media::Pdf => ("PDF", "it is damaged, or too much for its reader"),
            Media::Html | Media::Text => ("page", "it is too much for its reader"),
        };
        let why = match self {
            Self::CpuTime => "it takes more time of the processor than there is for one",
            Self::Time => "it takes too long",
            Self::Memory => "it takes more memory than there is for one",
            Self::Other => other,
        };
        format!("the {what} can't be read: {why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn readers_that_stay_busy_are_not_waited_for_for_ever() {
        let readers = Readers::new("/bin/false".into(), ReaderLimits::default());
        let busy = u32::try_from(READERS_MAX).unwrap();
        let _busy = readers.places.acquire_many(busy).await.unwrap();
        let task = Task {
            media: Media::Text,
            charset: None,
            url: String::new(),
            body: Vec::new(),
        };
        let refused = readers.read(task).await.unwrap_err();
        assert_eq!(refused.code(), "unavailable");
    }
}
