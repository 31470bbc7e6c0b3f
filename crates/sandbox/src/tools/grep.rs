//! `grep`: lines by regular expression, as `rg -n` prints them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkMatch};

use super::files::open_regular;
use super::walk::{Next, Reached, Walk};
use super::{FileTools, Refusal};
use crate::limits::{
    GREP_FILES_MAX, GREP_HEAP_BYTES_MAX, GREP_LINE_BYTES_MAX, GREP_OUTPUT_BYTES_MAX,
};
use crate::output::Output;

pub(super) fn grep(
    tools: &FileTools<'_>,
    pattern: &str,
    path: Option<&str>,
) -> Result<Output, Refusal> {
    let matcher = RegexMatcherBuilder::new()
        .line_terminator(Some(b'\n'))
        .build(pattern)
        .map_err(|error| format!("`pattern` of grep is not a valid regular expression: {error}"))?;
    let shown = path.unwrap_or(".");
    let root = path.map_or_else(|| tools.workspace.to_owned(), |path| tools.resolve(path));
    let walk = Walk::of(&root, shown, shown);
    let mut search = Search {
        matcher,
        searcher: SearcherBuilder::new()
            .line_number(true)
            .binary_detection(BinaryDetection::quit(0))
            .heap_limit(Some(GREP_HEAP_BYTES_MAX))
            .build(),
        lines: Lines::default(),
        files: 0,
        deadline: walk.deadline,
    };
    let mut reached = walk.run(tools, |entry| search.file(tools, entry.path()))?;
    if search.files > GREP_FILES_MAX {
        reached = Reached::TooManyFiles;
    }
    if Instant::now() > search.deadline {
        reached = Reached::TimeUp;
    }
    Ok(Output::text(search.lines.into_text(reached)))
}

struct Search {
    matcher: RegexMatcher,
    searcher: Searcher,
    lines: Lines,
    files: usize,
    deadline: Instant,
}

/// What was found, up to the limit.
#[derive(Default)]
struct Lines {
    text: String,
    full: bool,
}

impl Search {
    fn file(&mut self, tools: &FileTools<'_>, path: &Path) -> Next {
        self.files += 1;
        if self.files > GREP_FILES_MAX {
            return Next::Stop;
        }
        let shown = tools.show(path);
        // A file that cannot be opened or that went away has no lines.
        if let Ok((file, _)) = open_regular(path, &shown) {
            let bounded = Bounded {
                file,
                deadline: self.deadline,
                cancelled: tools.cancelled,
            };
            let sink = Matches {
                shown: &shown,
                lines: &mut self.lines,
            };
            // An error is a line beyond the heap limit or the end of the time; the second is
            // noticed by the walk.
            let _ = self.searcher.search_reader(&self.matcher, bounded, sink);
        }
        if self.lines.full {
            Next::Stop
        } else {
            Next::Continue
        }
    }
}

/// A file whose reading ends when the time is up.
struct Bounded<'a> {
    file: File,
    deadline: Instant,
    cancelled: &'a dyn Fn() -> bool,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.deadline || (self.cancelled)() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.file.read(buffer)
    }
}

struct Matches<'a> {
    shown: &'a str,
    lines: &'a mut Lines,
}

impl Sink for Matches<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        let number = found.line_number().unwrap_or_default();
        let line = found.bytes();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let cut = line.len() > GREP_LINE_BYTES_MAX;
        let line = String::from_utf8_lossy(&line[..line.len().min(GREP_LINE_BYTES_MAX)]);
        let mark = if cut { " [line cut]" } else { "" };
        self.lines
            .push(&format!("{}:{number}:{line}{mark}\n", self.shown));
        Ok(!self.lines.full)
    }
}

impl Lines {
    fn push(&mut self, line: &str) {
        if self.text.len() + line.len() > GREP_OUTPUT_BYTES_MAX {
            self.full = true;
        } else {
            self.text.push_str(line);
        }
    }

    fn into_text(mut self, reached: Reached) -> String {
        if self.text.is_empty() {
            self.text.push_str("No matches found\n");
        }
        if self.full {
            let size = GREP_OUTPUT_BYTES_MAX >> 10;
            self.text.push_str(&format!(
                "[only the first {size} KiB of matches; use a narrower pattern or path]\n"
            ));
        }
        if let Some(note) = reached.note() {
            self.text.push_str(&note);
        }
        self.text.truncate(self.text.trim_end().len());
        self.text
    }
}
