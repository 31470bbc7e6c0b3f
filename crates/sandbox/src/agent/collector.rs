//! Gathers the output of one call in bounded memory.
//!
//! Above the limit of characters all of it goes to a file in the sandbox, up to a size, and
//! the result is a preview that says truthfully what is where.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};

use crate::limits::{OUTPUT_CHARS_MAX, PREVIEW_HEAD_CHARS, PREVIEW_TAIL_CHARS, SPILL_BYTES_MAX};
use crate::output::{Block, Output};
use crate::text_cleaner::TextCleaner;

/// The directory that long outputs go to.
#[derive(Debug, Clone)]
pub(super) struct SpillDirectory(pub(super) PathBuf);

pub(super) struct Collector<'a> {
    directory: &'a SpillDirectory,
    call_id: &'a str,
    cleaner: TextCleaner,
    chars: usize,
    /// All of the text, until there is too much of it.
    text: String,
    spilled: Option<Spilled>,
}

struct Spilled {
    head: String,
    /// The end of the text; longer than it needs to be between two trims.
    tail: String,
    path: PathBuf,
    file: io::Result<File>,
    written: u64,
    /// Whether the file has all of the text.
    complete: bool,
}

impl SpillDirectory {
    /// Replaces texts of a result that are too long.
    pub(super) fn bound(&self, call_id: &str, mut output: Output) -> Output {
        for block in &mut output.blocks {
            if let Block::Text(text) = block {
                let mut collector = Collector::new(self, call_id);
                collector.push_text(text);
                *text = collector.finish();
            }
        }
        output
    }

    /// A new file: not what somebody inside put there under its name.
    fn create(&self, call_id: &str) -> (PathBuf, io::Result<File>) {
        let path = self.0.join(format!("{call_id}.txt"));
        let open = || {
            fs::create_dir_all(&self.0)?;
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            Ok(File::from(rustix::fs::open(
                &path,
                flags,
                Mode::from_raw_mode(0o644),
            )?))
        };
        let file = open();
        (path, file)
    }
}

impl<'a> Collector<'a> {
    pub(super) fn new(directory: &'a SpillDirectory, call_id: &'a str) -> Self {
        Self {
            directory,
            call_id,
            cleaner: TextCleaner::default(),
            chars: 0,
            text: String::new(),
            spilled: None,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut text = String::with_capacity(bytes.len());
        self.cleaner.push(bytes, &mut text);
        self.push_text(&text);
    }

    fn push_text(&mut self, text: &str) {
        self.chars += text.chars().count();
        match &mut self.spilled {
            Some(spilled) => spilled.push(text),
            None => {
                self.text.push_str(text);
                if self.chars > OUTPUT_CHARS_MAX {
                    self.spill();
                }
            }
        }
    }

    fn spill(&mut self) {
        let text = std::mem::take(&mut self.text);
        let (path, file) = self.directory.create(self.call_id);
        let head = first_chars(&text, PREVIEW_HEAD_CHARS).to_owned();
        let tail = String::new();
        let mut spilled = Spilled {
            head,
            tail,
            path,
            file,
            written: 0,
            complete: true,
        };
        spilled.push(&text);
        self.spilled = Some(spilled);
    }

    /// Whether the part of the text that will be shown satisfies `test`.
    pub(super) fn shows(&self, test: impl Fn(&str) -> bool) -> bool {
        match &self.spilled {
            None => test(&self.text),
            Some(spilled) => test(&spilled.head) || test(&spilled.tail),
        }
    }

    /// The text itself, or its preview.
    pub(super) fn finish(mut self) -> String {
        let mut rest = String::new();
        self.cleaner.finish(&mut rest);
        self.push_text(&rest);
        match self.spilled {
            None => self.text,
            Some(spilled) => spilled.preview(self.chars),
        }
    }
}

impl Spilled {
    fn push(&mut self, text: &str) {
        self.keep(text.as_bytes());
        self.tail.push_str(text);
        // Trimmed rarely, so that each character is moved once or twice and not every time.
        if self.tail.len() > 16 * PREVIEW_TAIL_CHARS {
            self.tail = last_chars(&self.tail, PREVIEW_TAIL_CHARS).to_owned();
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let Ok(file) = &mut self.file else {
            return;
        };
        let room = SPILL_BYTES_MAX - self.written;
        let fitting = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        match file.write_all(&bytes[..fitting]) {
            Ok(()) => {
                self.written += fitting as u64;
                self.complete &= fitting == bytes.len();
            }
            Err(error) => self.file = Err(error),
        }
    }

    fn preview(self, chars: usize) -> String {
        let path = self.path.display();
        let tail = last_chars(&self.tail, PREVIEW_TAIL_CHARS);
        let omitted = chars.saturating_sub(PREVIEW_HEAD_CHARS + PREVIEW_TAIL_CHARS);
        let whereabouts = match self.file {
            Ok(_) if self.complete => format!(
                "All of it is in {path}; read parts of it with `read` and `view_range`, or \
                 search it with `grep`."
            ),
            Ok(_) => format!(
                "Only its first {} bytes are in {path}; the rest was dropped.",
                self.written
            ),
            Err(error) => format!("It could not be kept in {path}: {error}."),
        };
        format!(
            "{}\n\n[… {omitted} characters left out …]\n\n{tail}\n\n[The output has {chars} \
             characters, which is too long to show. {whereabouts}]",
            self.head
        )
    }
}

fn first_chars(text: &str, count: usize) -> &str {
    text.char_indices()
        .nth(count)
        .map_or(text, |(end, _)| &text[..end])
}

fn last_chars(text: &str, count: usize) -> &str {
    let last = count
        .checked_sub(1)
        .and_then(|skipped| text.char_indices().nth_back(skipped));
    last.map_or(text, |(start, _)| &text[start..])
}
