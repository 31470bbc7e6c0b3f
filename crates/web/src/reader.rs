//! The other side of a reader: a process is started for each page, given its bytes, and ended with the time.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::READER_COMMAND;
use crate::error::FetchError;
use crate::limits::{READER_ANSWER_BYTES_MAX, READER_TIMEOUT, READERS_MAX};
use crate::media::Media;

/// Starts readers, so many at once and no more.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    program: PathBuf,
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

/// What stands for a page without a word.
const NOTHING: &str = "(The page holds no text.)";

impl Readers {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self {
            program,
            places: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }

    pub(crate) async fn read(&self, task: Task) -> Result<Read, FetchError> {
        // Nobody closes the places.
        let _place = self.places.acquire().await;
        let mut child = self
            .start()
            .map_err(|error| FetchError::Unavailable(format!("no reader: {error}")))?;
        let media = task.media;
        // Dropping the child ends it.
        let answer = timeout(READER_TIMEOUT, asked(&mut child, task)).await;
        let answer = answer.ok().flatten();
        match answer {
            Some(Answer::Read(mut read)) => {
                if read.text.trim().is_empty() {
                    NOTHING.clone_into(&mut read.text);
                }
                Ok(read)
            }
            Some(Answer::Failed(why)) => Err(FetchError::NotAccessible(why)),
            None => Err(FetchError::NotAccessible(
                match media {
                    Media::Pdf => {
                        "the PDF can't be read: it is damaged, or too much for its reader"
                    }
                    Media::Html | Media::Text => {
                        "the page can't be read: it is too much for its reader"
                    }
                }
                .to_owned(),
            )),
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

async fn asked(child: &mut Child, task: Task) -> Option<Answer> {
    let (mut input, output) = (child.stdin.take()?, child.stdout.take()?);
    let heading = Heading {
        media: task.media,
        charset: task.charset,
        url: task.url,
    };
    let mut first = serde_json::to_vec(&heading).ok()?;
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
    let (given, taken) = tokio::join!(given, output.read_to_end(&mut answer));
    given.and(taken.map(drop)).ok()?;
    child.wait().await.ok()?;
    serde_json::from_slice(&answer).ok()
}
