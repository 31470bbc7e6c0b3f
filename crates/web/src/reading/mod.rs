//! A reader: the process that turns one page into text, and can do nothing else.
//!
//! Its libraries read what strangers have written, and some of them panic, overflow their stack or never end. So it
//! opens no file and no socket, has so much memory and time, and whoever started it takes its death for an answer.

mod charset;
mod html;
mod pdf;

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};

use hostler_protocol::plain::plain;

use crate::limits::{PAGE_BYTES_MAX, READER_STACK_BYTES, TITLE_CHARS_MAX};
use crate::media::Media;
use crate::reader::{Answer, Heading, Read, ReaderLimits};

/// Reads a page from standard input and writes its text to standard output.
pub fn reader_main() -> ExitCode {
    let reading = std::thread::Builder::new()
        .stack_size(READER_STACK_BYTES)
        .spawn(|| {
            shut_off()?;
            read_page()
        });
    let read = reading.map(std::thread::JoinHandle::join);
    match read {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        // A panic has no words for anybody.
        Ok(Ok(Err(_)) | Err(_)) | Err(_) => ExitCode::FAILURE,
    }
}

/// From here on nothing can be opened.
fn shut_off() -> std::io::Result<()> {
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Fsize, 0, 0)?;
    // Standard input, output and error are open already; one of them that is closed makes room for nothing else.
    limit(Resource::Nofile, 0, 0)
}

/// What is taken from here on is bounded.
fn bound(limits: ReaderLimits) -> std::io::Result<()> {
    let cpu = limits.cpu_seconds;
    // The end by the lower one has a signal of its own, so that the cause can be told.
    limit(Resource::Cpu, cpu, cpu + 1)?;
    limit(Resource::As, limits.memory_bytes, limits.memory_bytes)
}

fn limit(resource: Resource, current: u64, maximum: u64) -> std::io::Result<()> {
    let limit = Rlimit {
        current: Some(current),
        maximum: Some(maximum),
    };
    Ok(setrlimit(resource, limit)?)
}

fn read_page() -> std::io::Result<()> {
    let mut given = Vec::new();
    // The heading is short beside the page.
    let most = u64::try_from(PAGE_BYTES_MAX * 2).unwrap_or(u64::MAX);
    std::io::stdin().lock().take(most).read_to_end(&mut given)?;
    let end = given.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or(std::io::ErrorKind::InvalidData)?;
    let heading: Heading = serde_json::from_slice(&given[..end])?;
    // Nobody has looked at the page until here.
    bound(heading.limits)?;
    let answer = answer(&heading, &given[end + 1..]);
    let mut out = std::io::stdout().lock();
    out.write_all(&serde_json::to_vec(&answer)?)?;
    out.flush()
}

fn answer(heading: &Heading, page: &[u8]) -> Answer {
    let charset = heading.charset.as_deref();
    let untitled = |text| Read { title: None, text };
    let read = match heading.media {
        Media::Html => Ok(html::read(&charset::decode(page, charset), &heading.url)),
        Media::Text => Ok(untitled(charset::decode(page, charset))),
        Media::Pdf => pdf::read(page).map(untitled),
    };
    match read {
        Ok(Read { title, text }) => Answer::Read(Read {
            title: title.as_deref().map(plain),
            text: plain(&text),
        }),
        Err(why) => Answer::Failed(why),
    }
}

/// One line, and not a long one.
fn title(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let title: String = words.join(" ").chars().take(TITLE_CHARS_MAX).collect();
    (!title.is_empty()).then_some(title)
}
