//! What a traced server asked of its disk and told its clients, in the order in which it happened.

use std::collections::HashMap;
use std::path::Path;

/// One call. It took place somewhere between its two moments, which are lines of the trace.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) begun: usize,
    pub(super) ended: usize,
    pub(super) act: Act,
}

/// Paths are relative to the data folder.
#[derive(Debug)]
pub(super) enum Act {
    Make {
        path: String,
    },
    Write {
        path: String,
        offset: usize,
        data: Vec<u8>,
    },
    Truncate {
        path: String,
        length: usize,
    },
    Sync {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Link {
        from: String,
        to: String,
    },
    Remove {
        path: String,
    },
    /// Bytes on a socket, whoever is at its other end.
    Send {
        data: Vec<u8>,
    },
}

/// Of a descriptor that is written to where it stands.
type Positions = HashMap<(String, String), usize>;

/// Calls in the order of their ends.
pub(super) fn read(trace: &str, data_folder: &Path) -> Vec<Call> {
    let folder = format!("{}/", data_folder.display());
    let mut begun: HashMap<&str, (usize, &str)> = HashMap::new();
    let mut positions = Positions::new();
    let mut calls = Vec::new();
    for (line, text) in trace.lines().enumerate() {
        let Some((thread, call)) = text.split_once(char::is_whitespace) else {
            continue;
        };
        let call = call.trim_start();
        if let Some(first) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (line, first));
            continue;
        }
        let (start, whole) = match call.strip_prefix("<... ") {
            Some(resumed) => {
                let Some((start, first)) = begun.remove(thread) else {
                    continue;
                };
                let rest = resumed.split_once("resumed>").map_or("", |(_, rest)| rest);
                (start, format!("{first}{rest}"))
            }
            None => (line, call.to_owned()),
        };
        if let Some(act) = act(&whole, &folder, &mut positions) {
            calls.push(Call {
                begun: start,
                ended: line,
                act,
            });
        }
    }
    calls
}

fn act(call: &str, folder: &str, positions: &mut Positions) -> Option<Act> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    if result.starts_with('-') || result.starts_with('?') {
        return None;
    }
    let number = |text: &str| text.trim_end_matches(')').trim().parse::<usize>().ok();
    let last = || number(arguments.trim_end().rsplit_once(", ")?.1);
    let strings = strings(arguments);
    let named = |position: usize| {
        let path = String::from_utf8_lossy(strings.get(position)?).into_owned();
        path.strip_prefix(folder).map(str::to_owned)
    };
    match name {
        "openat" => {
            let path = named(0)?;
            let (descriptor, _) = result.split_once('<')?;
            positions.insert((descriptor.to_owned(), path.clone()), 0);
            arguments.contains("O_CREAT").then_some(Act::Make { path })
        }
        "rename" | "renameat" | "renameat2" => Some(Act::Rename {
            from: named(0)?,
            to: named(1)?,
        }),
        "link" | "linkat" => Some(Act::Link {
            from: named(0)?,
            to: named(1)?,
        }),
        "unlink" | "unlinkat" => Some(Act::Remove { path: named(0)? }),
        "fsync" | "fdatasync" => Some(Act::Sync {
            path: descriptor(arguments, folder)?.1,
        }),
        "ftruncate" => Some(Act::Truncate {
            path: descriptor(arguments, folder)?.1,
            length: last()?,
        }),
        "lseek" => {
            let key = descriptor(arguments, folder)?;
            positions.insert(key, number(result)?);
            None
        }
        "pwrite64" | "write" | "writev" | "sendto" | "sendmsg" => {
            let data = strings.concat();
            let Some(key) = descriptor(arguments, folder) else {
                return is_socket(arguments).then_some(Act::Send { data });
            };
            let data = data.get(..number(result)?)?.to_vec();
            let offset = match name {
                "pwrite64" => last()?,
                _ => {
                    let position = positions.entry(key.clone()).or_default();
                    let offset = *position;
                    *position += data.len();
                    offset
                }
            };
            let path = key.1;
            Some(Act::Write { path, offset, data })
        }
        _ => None,
    }
}

/// The number of the descriptor that a call is made on, and its file in the data folder.
fn descriptor(arguments: &str, folder: &str) -> Option<(String, String)> {
    let (number, rest) = arguments.split_once('<')?;
    let path = String::from_utf8(unescaped(rest.split_once('>')?.0)).ok()?;
    // The folder itself is synced, too.
    let path = format!("{path}/");
    let path = path.strip_prefix(folder)?.trim_end_matches('/');
    Some((number.to_owned(), path.to_owned()))
}

fn is_socket(arguments: &str) -> bool {
    let described = arguments
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    described.is_some_and(|(path, _)| unescaped(path).starts_with(b"socket:"))
}

/// Every quoted string of the arguments. All bytes are written as `\x..`, so no quote is in one.
fn strings(arguments: &str) -> Vec<Vec<u8>> {
    let parts = arguments.split('"').skip(1).step_by(2);
    parts.map(unescaped).collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
    if !text.starts_with("\\x") {
        return text.as_bytes().to_vec();
    }
    let bytes = text.as_bytes().chunks_exact(4);
    bytes
        .map(|escape| digit(escape[2]) << 4 | digit(escape[3]))
        .collect()
}
