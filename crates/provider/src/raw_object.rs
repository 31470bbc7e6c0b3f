//! A JSON object whose values stay raw: one field can be replaced while all others, known to us
//! or not, keep their bytes and their order.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::limits;

#[derive(Debug, Clone, Default)]
pub(crate) struct RawObject {
    fields: Vec<(String, Box<RawValue>)>,
}

impl RawObject {
    pub(crate) fn get(&self, name: &str) -> Option<&RawValue> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| &**value)
    }

    /// The value of a field that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    pub(crate) fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.fields.iter_mut().find(|(field, _)| field == name) {
            Some((_, old)) => *old = value,
            None => self.fields.push((name.to_owned(), value)),
        }
    }

    pub(crate) fn set_text(&mut self, name: &str, value: &str) {
        self.set(name, raw(value));
    }

    pub(crate) fn to_json(&self) -> Arc<RawValue> {
        Arc::from(raw(self))
    }
}

/// Anything of ours as JSON text.
#[expect(
    clippy::expect_used,
    reason = "strings and raw objects always have a JSON text"
)]
pub(crate) fn raw(value: &(impl serde::Serialize + ?Sized)) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("strings and raw objects have a JSON text")
}

impl serde::Serialize for RawObject {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RawObject;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut object = RawObject::default();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    object.set(&name, value);
                    if object.fields.len() > limits::BLOCK_FIELDS_MAX {
                        return Err(serde::de::Error::custom("a block has too many fields"));
                    }
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}
