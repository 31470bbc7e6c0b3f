//! Metadata, which agents, environments and sessions have alike.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::{At, Invalid};

/// Metadata as created: at most 16 pairs, keys of 1 to 64 and values of up to 512 characters.
pub type Metadata = BTreeMap<String, String>;

const METADATA_PAIRS_MAX: usize = 16;
const METADATA_KEY_CHARS: RangeInclusive<usize> = 1..=64;
const METADATA_VALUE_CHARS: RangeInclusive<usize> = 0..=512;

/// Metadata of a create request.
pub fn metadata(at: &At<'_>) -> Result<Metadata, Invalid> {
    let changes = metadata_patch(at)?;
    let mut metadata = Metadata::new();
    for (key, value) in changes {
        let Some(value) = value else {
            let path = format!("{}.{key}", at.path);
            return Err(
                Invalid::new(path, "Input should be a valid string").with_code("invalid_metadata")
            );
        };
        metadata.insert(key, value);
    }
    check_metadata(metadata, &at.path)
}

/// Metadata of an update request: a string upserts, null deletes.
pub fn metadata_patch(at: &At<'_>) -> Result<Vec<(String, Option<String>)>, Invalid> {
    let invalid = |error: Invalid| error.with_code("invalid_metadata");
    let Value::Object(object) = at.value else {
        return Err(invalid(at.invalid("Input should be an object")));
    };
    let mut changes = Vec::with_capacity(object.len());
    for (key, value) in object {
        let shown: String = key.chars().take(64).collect();
        let here = at.child(value, shown);
        if !METADATA_KEY_CHARS.contains(&key.chars().count()) || key.contains('\0') {
            return Err(invalid(
                here.invalid("Key should have 1 to 64 characters and no NUL"),
            ));
        }
        let value = (!value.is_null())
            .then(|| here.text(METADATA_VALUE_CHARS).map_err(invalid))
            .transpose()?;
        changes.push((key.clone(), value));
    }
    Ok(changes)
}

/// Applies an update to stored metadata; the limits hold for the result.
pub fn patch_metadata(
    mut stored: Metadata,
    changes: Vec<(String, Option<String>)>,
    path: &str,
) -> Result<Metadata, Invalid> {
    for (key, value) in changes {
        match value {
            Some(value) => stored.insert(key, value),
            None => stored.remove(&key),
        };
    }
    check_metadata(stored, path)
}

fn check_metadata(metadata: Metadata, path: &str) -> Result<Metadata, Invalid> {
    if metadata.len() > METADATA_PAIRS_MAX {
        let message = format!("Dictionary should have at most {METADATA_PAIRS_MAX} items");
        return Err(Invalid::new(path, message).with_code("invalid_metadata"));
    }
    Ok(metadata)
}
