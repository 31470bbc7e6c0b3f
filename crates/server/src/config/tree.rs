//! The settings as a tree in which every node remembers where it came from.
//!
//! Each source (defaults, file, environment, flags) becomes one tree; later trees are laid over earlier
//! ones. Nothing here knows which settings exist: that is what the section structs say.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File {
        path: Arc<Path>,
        line: usize,
        column: usize,
    },
    Env(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line, column } => {
                write!(f, "{}:{line}:{column}", path.display())
            }
            Origin::Env(variable) => write!(f, "environment variable {variable}"),
            Origin::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One setting, or a table of them. Not `Debug`: the text may be a secret.
#[derive(Clone)]
pub(super) struct Node {
    /// The place of the key, which is where an unknown key is reported.
    pub(super) key_origin: Origin,
    /// The place of the value, which is where a wrong value is reported.
    pub(super) origin: Origin,
    pub(super) value: Value,
}

#[derive(Clone)]
pub(super) enum Value {
    /// Text from the environment or a flag: the field that receives it decides its type.
    Text(String),
    /// A value that the file has typed already.
    Scalar(toml::Value),
    Array(Vec<Node>),
    Table(Table),
}

pub(super) type Table = BTreeMap<String, Node>;

impl Node {
    pub(super) fn table(origin: Origin) -> Self {
        Self {
            key_origin: origin.clone(),
            origin,
            value: Value::Table(Table::new()),
        }
    }

    pub(super) fn text(origin: Origin, text: String) -> Self {
        Self {
            key_origin: origin.clone(),
            origin,
            value: Value::Text(text),
        }
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self.value, Value::Text(_))
    }

    /// A tree in which everything has the same origin.
    pub(super) fn from_toml(value: toml::Value, origin: &Origin) -> Self {
        let value = match value {
            toml::Value::Table(table) => Value::Table(
                table
                    .into_iter()
                    .map(|(k, v)| (k, Self::from_toml(v, origin)))
                    .collect(),
            ),
            toml::Value::Array(items) => Value::Array(
                items
                    .into_iter()
                    .map(|v| Self::from_toml(v, origin))
                    .collect(),
            ),
            scalar @ (toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)) => Value::Scalar(scalar),
        };
        Self {
            key_origin: origin.clone(),
            origin: origin.clone(),
            value,
        }
    }

    /// Lays `over` on top of this tree: tables are merged key by key, anything else is replaced.
    pub(super) fn overlay(&mut self, over: Node) {
        match (&mut self.value, over.value) {
            (Value::Table(under), Value::Table(upper)) => {
                for (key, node) in upper {
                    match under.get_mut(&key) {
                        Some(existing) => existing.overlay(node),
                        None => {
                            under.insert(key, node);
                        }
                    }
                }
            }
            (_, value) => {
                *self = Node {
                    key_origin: over.key_origin,
                    origin: over.origin,
                    value,
                };
            }
        }
    }

    /// The node at `path`, or none when the path leaves the tree.
    pub(super) fn at(&self, path: &[Segment]) -> Option<&Node> {
        path.iter()
            .try_fold(self, |node, segment| match (&node.value, segment) {
                (Value::Table(table), Segment::Key(key)) => table.get(key),
                (Value::Array(items), Segment::Index(index)) => items.get(*index),
                (Value::Table(_) | Value::Array(_) | Value::Text(_) | Value::Scalar(_), _) => None,
            })
    }

    /// The deepest node on the way to `path`: the best place there is for a message about it.
    pub(super) fn nearest(&self, path: &[Segment]) -> &Node {
        (0..=path.len())
            .rev()
            .find_map(|end| self.at(&path[..end]))
            .unwrap_or(self)
    }

    /// Takes the node at `path` out, so that reading can go on and find the next problem.
    /// An element of an array takes its whole array with it, so that no index shifts.
    pub(super) fn remove(&mut self, path: &[Segment]) -> bool {
        let keys: Vec<&String> = path
            .iter()
            .map_while(|segment| match segment {
                Segment::Key(key) => Some(key),
                Segment::Index(_) => None,
            })
            .collect();
        let Some((last, parents)) = keys.split_last() else {
            return false;
        };
        let parent = parents
            .iter()
            .try_fold(self, |node, key| match &mut node.value {
                Value::Table(table) => table.get_mut(*key),
                Value::Array(_) | Value::Text(_) | Value::Scalar(_) => None,
            });
        match parent.map(|node| &mut node.value) {
            Some(Value::Table(table)) => table.remove(*last).is_some(),
            Some(Value::Array(_) | Value::Text(_) | Value::Scalar(_)) | None => false,
        }
    }

    /// Puts `node` at a path of keys, making the tables in between.
    pub(super) fn insert(&mut self, path: &[String], node: Node) {
        let mut over = node;
        for key in path.iter().rev() {
            let mut table = Node::table(over.origin.clone());
            table.value = Value::Table(Table::from([(key.clone(), over)]));
            over = table;
        }
        self.overlay(over);
    }
}

/// One step of a key path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

impl Segment {
    pub(super) fn key(name: impl Into<String>) -> Self {
        Self::Key(name.into())
    }
}

/// A key path the way it is written in TOML: `providers.anthropic.base_url`, `models."gpt-4.1".price`.
pub(super) fn display_path(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Index(index) => text.push_str(&format!("[{index}]")),
            Segment::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&display_key(key));
            }
        }
    }
    text
}

/// A key, in quotes when TOML wants them.
pub(super) fn display_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        toml::Value::String(key.to_owned()).to_string()
    }
}
