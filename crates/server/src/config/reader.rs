//! Reads a settings tree into the section structs by serde.
//!
//! A deserializer of our own, because it must do three things that TOML's cannot: give text from the
//! environment the type of its field, keep the key path of each error, and tell an unknown key from a
//! wrong value.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

use super::problem::unknown_name;
use super::tree::{Node, Origin, Segment, Value};

/// Why a tree does not fit its struct, and where.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// Innermost segment first, since it is collected on the way out.
    reversed_path: Vec<Segment>,
    pub(super) blame: Blame,
    pub(super) message: String,
}

/// Which half of `key = value` is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    Key,
    Value,
}

impl Mismatch {
    fn value(message: String) -> Self {
        Self {
            reversed_path: Vec::new(),
            blame: Blame::Value,
            message,
        }
    }

    fn below(mut self, segment: Segment) -> Self {
        self.reversed_path.push(segment);
        self
    }

    pub(super) fn path(&self) -> Vec<Segment> {
        self.reversed_path.iter().rev().cloned().collect()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mismatch {}

impl Error for Mismatch {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::value(message.to_string())
    }

    fn invalid_type(
        unexpected: serde::de::Unexpected<'_>,
        expected: &dyn serde::de::Expected,
    ) -> Self {
        Self::value(format!(
            "expected {}, found {unexpected}",
            plainly(expected)
        ))
    }

    fn invalid_value(
        unexpected: serde::de::Unexpected<'_>,
        expected: &dyn serde::de::Expected,
    ) -> Self {
        Self::value(format!(
            "expected {}, found {unexpected}",
            plainly(expected)
        ))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let message = unknown_name("key", field, expected);
        Self {
            reversed_path: Vec::new(),
            blame: Blame::Key,
            message,
        }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::value(format!(
            "`{variant}`: {}",
            unknown_name("value", variant, expected)
        ))
    }
}

/// What serde expects, in words for someone who does not write Rust.
fn plainly(expected: &dyn serde::de::Expected) -> String {
    match expected.to_string().as_str() {
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number from 0".to_owned(),
        "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "an array".to_owned(),
        other if other.starts_with("struct ") || other == "a map" => "a table".to_owned(),
        other => other.to_owned(),
    }
}

/// The deserializer over one node.
pub(super) struct Reader<'a>(pub(super) &'a Node);

impl Reader<'_> {
    /// Text is read as the type that its field wants; everything else says its own type.
    fn typed<'de, V: Visitor<'de>, T: std::str::FromStr>(
        self,
        visitor: V,
        wanted: &str,
        visit: impl FnOnce(V, T) -> Result<V::Value, Mismatch>,
    ) -> Result<V::Value, Mismatch> {
        match &self.0.value {
            Value::Text(text) => match text.trim().parse::<T>() {
                Ok(value) => visit(visitor, value),
                Err(_) => Err(Mismatch::value(format!(
                    "expected {wanted}, found {text:?}"
                ))),
            },
            Value::Scalar(_) | Value::Array(_) | Value::Table(_) => self.deserialize_any(visitor),
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &self.0.value {
            Value::Text(text) => visitor.visit_str(text),
            Value::Scalar(toml::Value::String(text)) => visitor.visit_str(text),
            Value::Scalar(toml::Value::Integer(number)) => visitor.visit_i64(*number),
            Value::Scalar(toml::Value::Float(number)) => visitor.visit_f64(*number),
            Value::Scalar(toml::Value::Boolean(flag)) => visitor.visit_bool(*flag),
            Value::Scalar(other) => visitor.visit_str(&other.to_string()),
            Value::Array(items) => visitor.visit_seq(Items {
                items: items.iter(),
                index: 0,
            }),
            Value::Table(table) => visitor.visit_map(Entries {
                entries: table.iter(),
                value: None,
            }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match &self.0.value {
            Value::Text(text) | Value::Scalar(toml::Value::String(text)) => {
                let text: StrDeserializer<'_, Mismatch> = text.as_str().into_deserializer();
                visitor.visit_enum(text)
            }
            Value::Scalar(_) | Value::Array(_) | Value::Table(_) => {
                Err(Mismatch::value("expected a string".to_owned()))
            }
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &self.0.value {
            Value::Text(text) => {
                let array = array_from_text(text, &self.0.origin).map_err(Mismatch::value)?;
                Reader(&array).deserialize_any(visitor)
            }
            Value::Scalar(_) | Value::Array(_) | Value::Table(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &self.0.value {
            // The text is not repeated: it may be a key that was meant for a field of the table.
            Value::Text(_) => Err(Mismatch::value(
                "is a table, so its fields are set one by one, with `__` and the name of the field \
                 behind this name"
                    .to_owned(),
            )),
            Value::Scalar(_) | Value::Array(_) | Value::Table(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_map(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.typed(visitor, "true or false", |visitor, value: bool| {
            visitor.visit_bool(value)
        })
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.typed(visitor, "a whole number", |visitor, value: u64| {
            visitor.visit_u64(value)
        })
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.typed(visitor, "a whole number", |visitor, value: u64| {
            visitor.visit_u64(value)
        })
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.typed(visitor, "a whole number", |visitor, value: u64| {
            visitor.visit_u64(value)
        })
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.typed(visitor, "a whole number", |visitor, value: i64| {
            visitor.visit_i64(value)
        })
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.typed(visitor, "a number", |visitor, value: f64| {
            visitor.visit_f64(value)
        })
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 f32 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct identifier ignored_any
    }
}

/// Arrays are written as TOML in the environment: `["a", "b"]`.
pub(super) fn array_from_text(text: &str, origin: &Origin) -> Result<Node, String> {
    match text.parse::<toml::Value>() {
        Ok(value @ toml::Value::Array(_)) => Ok(Node::from_toml(value, origin)),
        Ok(_) => Err("expected an array written as TOML, such as [\"a\", \"b\"]".to_owned()),
        Err(error) => Err(format!(
            "expected an array written as TOML: {}",
            error.message()
        )),
    }
}

struct Items<'a> {
    items: std::slice::Iter<'a, Node>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mismatch> {
        let Some(node) = self.items.next() else {
            return Ok(None);
        };
        let index = self.index;
        self.index += 1;
        seed.deserialize(Reader(node))
            .map(Some)
            .map_err(|e| e.below(Segment::Index(index)))
    }
}

struct Entries<'a> {
    entries: std::collections::btree_map::Iter<'a, String, Node>,
    value: Option<(&'a String, &'a Node)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        let Some((key, node)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some((key, node));
        let reader: StrDeserializer<'_, Mismatch> = key.as_str().into_deserializer();
        seed.deserialize(reader)
            .map(Some)
            .map_err(|e| e.below(Segment::key(key)))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        let Some((key, node)) = self.value.take() else {
            return Err(Mismatch::value(
                "a value was asked for before its key".to_owned(),
            ));
        };
        seed.deserialize(Reader(node))
            .map_err(|e| e.below(Segment::key(key)))
    }
}
