//! The configuration file: TOML text into a settings tree that knows the line of everything.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use super::tree::{Node, Origin, Segment, Table, Value};
use crate::limits::CONFIG_FILE_BYTES_MAX;

/// Reads the file at `path`; whatever is wrong with its syntax is added to `problems`.
pub(super) fn read(path: &Path, problems: &mut Vec<Problem>) -> Node {
    let place: Arc<Path> = path.into();
    match read_text(path) {
        Ok(text) => parse(&text, &place, problems),
        Err(message) => {
            let place = place.display().to_string();
            problems.push(Problem {
                place,
                key: String::new(),
                message,
            });
            Node::table(Origin::Default)
        }
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
    let mut text = String::new();
    // One byte more than allowed tells a file that is too long from one that just fits.
    file.take(CONFIG_FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|e| format!("cannot be read: {e}"))?;
    if text.len() as u64 > CONFIG_FILE_BYTES_MAX {
        return Err(format!("is longer than {CONFIG_FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

pub(super) fn parse(text: &str, path: &Arc<Path>, problems: &mut Vec<Problem>) -> Node {
    let places = Places {
        path: Arc::clone(path),
        text,
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let origin = places.origin(error.span().unwrap_or(0..0));
        problems.push(Problem::new(
            &origin,
            &[],
            error.message().trim().to_owned(),
        ));
    }
    let root = places.origin(0..0);
    let value = Value::Table(places.table(document.into_inner(), &mut Vec::new(), problems));
    Node {
        key_origin: root.clone(),
        origin: root,
        value,
    }
}

struct Places<'a> {
    path: Arc<Path>,
    text: &'a str,
}

impl Places<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Origin::File {
            path: Arc::clone(&self.path),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn table(
        &self,
        table: DeTable<'_>,
        path: &mut Vec<Segment>,
        problems: &mut Vec<Problem>,
    ) -> Table {
        let mut nodes = Table::new();
        for (key, value) in table {
            let key_origin = self.origin(key.span());
            let name = key.into_inner().into_owned();
            let origin = self.origin(value.span());
            path.push(Segment::key(&name));
            if let Some(value) = self.value(value.into_inner(), &origin, path, problems) {
                nodes.insert(
                    name,
                    Node {
                        key_origin,
                        origin,
                        value,
                    },
                );
            }
            path.pop();
        }
        nodes
    }

    fn value(
        &self,
        value: DeValue<'_>,
        origin: &Origin,
        path: &mut Vec<Segment>,
        problems: &mut Vec<Problem>,
    ) -> Option<Value> {
        let scalar = match value {
            DeValue::Table(table) => {
                return Some(Value::Table(self.table(table, path, problems)));
            }
            DeValue::Array(items) => {
                let mut nodes = Vec::new();
                for (index, item) in items.into_iter().enumerate() {
                    let origin = self.origin(item.span());
                    path.push(Segment::Index(index));
                    if let Some(value) = self.value(item.into_inner(), &origin, path, problems) {
                        nodes.push(Node {
                            key_origin: origin.clone(),
                            origin,
                            value,
                        });
                    }
                    path.pop();
                }
                return Some(Value::Array(nodes));
            }
            DeValue::String(text) => Ok(toml::Value::String(text.into_owned())),
            DeValue::Boolean(flag) => Ok(toml::Value::Boolean(flag)),
            DeValue::Datetime(time) => Ok(toml::Value::Datetime(time)),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map(toml::Value::Integer)
                .map_err(|_| "the number is too large"),
            DeValue::Float(number) => number
                .as_str()
                .parse()
                .map(toml::Value::Float)
                .map_err(|_| "the number cannot be represented"),
        };
        match scalar {
            Ok(scalar) => Some(Value::Scalar(scalar)),
            Err(message) => {
                problems.push(Problem::new(origin, path, message));
                None
            }
        }
    }
}
