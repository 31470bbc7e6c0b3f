//! Reads a request's JSON into types, with errors that name the path.
//!
//! Serde's derive loses the path inside tagged unions and words its errors for programmers, so
//! requests are read by hand (ADR 1): [`At`] is a value with its path, [`Fields`] an object whose
//! keys must all be known. Messages follow the hosted service: `tools.0.name: Field required`.
//!
//! What is stored or sent is plain serde; this module is for what comes from clients.

mod metadata;

use std::fmt;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

pub use metadata::{Metadata, metadata, metadata_patch, patch_metadata};

/// Why a request was refused: where, and what would have been right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Keys and positions joined by dots; empty for the body itself.
    pub path: String,
    pub message: String,
    /// A machine-readable reason, where the contract has one (`error.details.error_code`).
    pub code: Option<&'static str>,
}

impl Invalid {
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
            code: None,
        }
    }

    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// The path names something that Hostler does not do yet. It is never accepted and ignored.
    pub fn unsupported(path: impl Into<String>, feature: &str) -> Self {
        Self::new(
            path,
            format!("{feature} is not supported by this version of Hostler"),
        )
        .with_code("feature_not_supported")
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            formatter.write_str(&self.message)
        } else {
            write!(formatter, "{}: {}", self.path, self.message)
        }
    }
}

impl std::error::Error for Invalid {}

/// A field of an update: left out (keep), null (clear) or given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patch<T> {
    Absent,
    Null,
    Value(T),
}

impl<T> Patch<T> {
    /// What the field holds after the update, where null means "nothing".
    pub fn apply(self, current: Option<T>) -> Option<T> {
        match self {
            Self::Absent => current,
            Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }
}

/// A JSON value and where it stands in the request.
#[derive(Debug, Clone)]
pub struct At<'a> {
    pub value: &'a Value,
    pub path: String,
}

impl<'a> At<'a> {
    /// The body of a request.
    pub fn root(value: &'a Value) -> Self {
        Self {
            value,
            path: String::new(),
        }
    }

    pub fn invalid(&self, message: impl Into<String>) -> Invalid {
        Invalid::new(self.path.clone(), message)
    }

    fn child(&self, value: &'a Value, segment: impl fmt::Display) -> Self {
        let path = if self.path.is_empty() {
            segment.to_string()
        } else {
            format!("{}.{segment}", self.path)
        };
        Self { value, path }
    }

    pub fn fields(self) -> Result<Fields<'a>, Invalid> {
        let Value::Object(object) = self.value else {
            return Err(self.invalid("Input should be an object"));
        };
        Ok(Fields {
            at: self,
            object,
            known: Vec::new(),
        })
    }

    /// A string without NUL, its length counted in characters.
    pub fn text(&self, length: RangeInclusive<usize>) -> Result<String, Invalid> {
        let text = self
            .value
            .as_str()
            .ok_or_else(|| self.invalid("Input should be a valid string"))?;
        if text.contains('\0') {
            return Err(self.invalid("String should not contain NUL characters"));
        }
        let characters = text.chars().count();
        if characters < *length.start() {
            let least = length.start();
            let plural = if *least == 1 { "" } else { "s" };
            return Err(self.invalid(format!(
                "String should have at least {least} character{plural}"
            )));
        }
        if characters > *length.end() {
            return Err(self.invalid(format!(
                "String should have at most {} characters",
                length.end()
            )));
        }
        Ok(text.to_owned())
    }

    pub fn boolean(&self) -> Result<bool, Invalid> {
        self.value
            .as_bool()
            .ok_or_else(|| self.invalid("Input should be a valid boolean"))
    }

    pub fn integer(&self, range: RangeInclusive<i64>) -> Result<i64, Invalid> {
        let number = self
            .value
            .as_i64()
            .ok_or_else(|| self.invalid("Input should be a valid integer"))?;
        if number < *range.start() {
            return Err(self.invalid(format!(
                "Input should be greater than or equal to {}",
                range.start()
            )));
        }
        if number > *range.end() {
            return Err(self.invalid(format!(
                "Input should be less than or equal to {}",
                range.end()
            )));
        }
        Ok(number)
    }

    /// One of a closed set of words.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Invalid> {
        let given = self.value.as_str();
        words
            .iter()
            .find(|(word, _)| Some(*word) == given)
            .map(|(_, meaning)| *meaning)
            .ok_or_else(|| {
                let list: Vec<String> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
                self.invalid(format!("Input should be {}", list.join(", ")))
            })
    }

    pub fn list<T>(
        &self,
        length: RangeInclusive<usize>,
        item: impl Fn(At<'a>) -> Result<T, Invalid>,
    ) -> Result<Vec<T>, Invalid> {
        let values = self
            .value
            .as_array()
            .ok_or_else(|| self.invalid("Input should be a valid array"))?;
        if values.len() < *length.start() {
            return Err(self.invalid(format!(
                "List should have at least {} item(s)",
                length.start()
            )));
        }
        if values.len() > *length.end() {
            return Err(self.invalid(format!("List should have at most {} items", length.end())));
        }
        values
            .iter()
            .enumerate()
            .map(|(position, value)| item(self.child(value, position)))
            .collect()
    }

    /// An id in a body. `FromStr` decides; the message doesn't repeat the client's text.
    pub fn id<T: std::str::FromStr>(&self) -> Result<T, Invalid>
    where
        T::Err: fmt::Display,
    {
        let text = self
            .value
            .as_str()
            .ok_or_else(|| self.invalid("Input should be a valid string"))?;
        text.parse()
            .map_err(|error: T::Err| self.invalid(error.to_string()))
    }
}

/// The keys of an object. Each is taken once; [`Fields::finish`] refuses what nobody took.
#[derive(Debug)]
pub struct Fields<'a> {
    at: At<'a>,
    object: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub fn at(&self) -> &At<'a> {
        &self.at
    }

    /// The value of a key, null included; `None` if the key is absent.
    pub fn take(&mut self, key: &'static str) -> Option<At<'a>> {
        self.known.push(key);
        self.object.get(key).map(|value| self.at.child(value, key))
    }

    pub fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(At<'a>) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        match self.take(key) {
            Some(at) => read(at),
            None => {
                let given = self.object.keys().map(String::as_str);
                let others: Vec<&str> = given.filter(|given| !self.known.contains(given)).collect();
                let hint = match nearest(key, &others) {
                    Some(given) => format!(" (did you mean it by '{given}'?)"),
                    None => String::new(),
                };
                let message = format!("Field required{hint}");
                Err(self.at.child(&Value::Null, key).invalid(message))
            }
        }
    }

    /// Absent is fine, null is not.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(At<'a>) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Invalid> {
        self.take(key).map(read).transpose()
    }

    /// Absent and null mean the same.
    pub fn nullable<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(At<'a>) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Invalid> {
        self.take(key)
            .filter(|at| !at.value.is_null())
            .map(read)
            .transpose()
    }

    /// Absent keeps, null clears.
    pub fn patch<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(At<'a>) -> Result<T, Invalid>,
    ) -> Result<Patch<T>, Invalid> {
        match self.take(key) {
            None => Ok(Patch::Absent),
            Some(at) if at.value.is_null() => Ok(Patch::Null),
            Some(at) => read(at).map(Patch::Value),
        }
    }

    /// The `type` key of a tagged union.
    pub fn tag(&mut self) -> Result<&'a str, Invalid> {
        self.required("type", |at| {
            at.value
                .as_str()
                .ok_or_else(|| at.invalid("Input should be a valid string"))
        })
    }

    /// The error for a `type` that is none of `expected`.
    pub fn unknown_tag(&self, given: &str, expected: &[&str]) -> Invalid {
        let given: String = given.chars().take(64).collect();
        let path = self.at.child(&Value::Null, "type").path;
        Invalid::new(
            path,
            format!("'{given}' is not one of '{}'", expected.join("', '")),
        )
    }

    pub fn finish(self) -> Result<(), Invalid> {
        let Some(extra) = self
            .object
            .keys()
            .find(|key| !self.known.contains(&key.as_str()))
        else {
            return Ok(());
        };
        let shown: String = extra.chars().take(64).collect();
        let hint = match nearest(extra, &self.known) {
            Some(known) => format!(" (did you mean '{known}'?)"),
            None => String::new(),
        };
        Err(self
            .at
            .child(&Value::Null, shown)
            .invalid(format!("Extra inputs are not permitted{hint}")))
    }
}

/// A known key that differs from `given` by little, for "did you mean".
fn nearest<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    if given.len() > 64 {
        return None;
    }
    known
        .iter()
        .map(|key| (distance(given, key), *key))
        .filter(|(edits, key)| *edits <= 2.max(key.len() / 3) || given.starts_with(key))
        .min()
        .map(|(_, key)| key)
}

/// Levenshtein's distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, here) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, there) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(here != *there);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<(String, Vec<bool>), Invalid> {
        let mut fields = At::root(&value).fields()?;
        let name = fields.required("name", |at| at.text(1..=3))?;
        let flags = fields.optional("flags", |at| at.list(0..=2, |item| item.boolean()))?;
        fields.finish()?;
        Ok((name, flags.unwrap_or_default()))
    }

    fn refusal(value: Value) -> String {
        read(value).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_the_path() {
        assert_eq!(
            read(json!({"name": "abc", "flags": [true]})),
            Ok(("abc".into(), vec![true]))
        );
        assert_eq!(refusal(json!([])), "Input should be an object");
        assert_eq!(refusal(json!({})), "name: Field required");
        assert_eq!(
            refusal(json!({"name": 1})),
            "name: Input should be a valid string"
        );
        assert_eq!(
            refusal(json!({"name": ""})),
            "name: String should have at least 1 character"
        );
        assert_eq!(
            refusal(json!({"name": "äöüß"})),
            "name: String should have at most 3 characters"
        );
        assert_eq!(
            refusal(json!({"name": "a\u{0}"})),
            "name: String should not contain NUL characters"
        );
        assert_eq!(
            refusal(json!({"name": "a", "flags": [true, 1]})),
            "flags.1: Input should be a valid boolean"
        );
        assert_eq!(
            refusal(json!({"name": "a", "flags": null})),
            "flags: Input should be a valid array"
        );
        assert_eq!(
            refusal(json!({"name": "a", "flag": []})),
            "flag: Extra inputs are not permitted (did you mean 'flags'?)"
        );
        assert_eq!(
            refusal(json!({"nmae": "a"})),
            "name: Field required (did you mean it by 'nmae'?)"
        );
        assert_eq!(refusal(json!({"colour": 1})), "name: Field required");
        // What is known and was read is not meant for another.
        assert_eq!(
            refusal(json!({"name": "a", "colour": []})),
            "colour: Extra inputs are not permitted"
        );
    }

    #[test]
    fn metadata_has_its_own_code_and_limits() {
        let many: Map<String, Value> = (0..17).map(|n| (n.to_string(), json!(""))).collect();
        for bad in [
            json!([]),
            json!({"a": 1}),
            json!({"": "x"}),
            json!({"a": null}),
            Value::Object(many),
        ] {
            assert_eq!(
                metadata(&At::root(&bad)).unwrap_err().code,
                Some("invalid_metadata"),
                "{bad}"
            );
        }
        let stored = Metadata::from([("a".into(), "1".into()), ("b".into(), "2".into())]);
        let changes = metadata_patch(&At::root(&json!({"a": null, "c": "3"}))).unwrap();
        let patched = patch_metadata(stored, changes, "metadata").unwrap();
        assert_eq!(
            patched,
            Metadata::from([("b".into(), "2".into()), ("c".into(), "3".into())])
        );
    }
}
