//! The environment of the process, read once and passed on as a value.
//!
//! `HOSTLER__SECTION__FIELD` (two underscores between the levels, any case) sets `section.field`. Names
//! with one underscore, such as `HOSTLER_API_KEY`, are not settings and are left to those who ask for them.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::problem::Problem;
use super::tree::{Node, Origin, Segment};

const PREFIX: &str = "HOSTLER__";

/// The variables, as they were when the process started.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    pub fn from_pairs<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// A variable that is set, is not empty and is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(std::ffi::OsStr::new(name))?
            .to_str()
            .filter(|value| !value.is_empty())
    }

    /// The settings among the variables, each to be typed by the field that it reaches.
    pub(super) fn settings(&self, problems: &mut Vec<Problem>) -> Node {
        let mut tree = Node::table(Origin::Env(format!("{PREFIX}*")));
        for (name, value) in &self.0 {
            let Some(name) = name.to_str() else { continue };
            let Some(keys) = strip_prefix_any_case(name) else {
                continue;
            };
            let origin = Origin::Env(name.to_owned());
            let path: Vec<String> = keys.split("__").map(str::to_lowercase).collect();
            if path.iter().any(String::is_empty) {
                let message = "the name has an empty part; write HOSTLER__SECTION__FIELD";
                problems.push(Problem::new(&origin, &[], message));
                continue;
            }
            let above = (1..path.len())
                .find(|end| tree.at(&segments(&path[..*end])).is_some_and(Node::is_text));
            if above.is_some() {
                let message =
                    "another variable sets the table that this field is in, as if it were text";
                problems.push(Problem::new(&origin, &segments(&path), message));
                continue;
            }
            match value.to_str() {
                Some(text) => tree.insert(&path, Node::text(origin, text.to_owned())),
                None => {
                    let message = "the value is not valid UTF-8";
                    problems.push(Problem::new(&origin, &segments(&path), message));
                }
            }
        }
        tree
    }
}

fn segments(path: &[String]) -> Vec<Segment> {
    path.iter().map(Segment::key).collect()
}

fn strip_prefix_any_case(name: &str) -> Option<&str> {
    let (prefix, rest) = name.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(rest)
}
