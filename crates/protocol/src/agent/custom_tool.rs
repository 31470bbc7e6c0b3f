//! Tools that the client runs itself: name, description and the schema of the input.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::toolset::BuiltinTool;
use crate::decode::{At, Fields, Invalid};
use crate::limits::{
    CUSTOM_TOOL_DESCRIPTION_CHARS, CUSTOM_TOOL_NAME_CHARS, CUSTOM_TOOL_PROPERTY_CHARS,
    RESULT_DEADLINE_SECONDS,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CustomTool {
    pub name: String,
    pub description: String,
    /// A JSON schema of `type: "object"`, kept as it was given.
    #[schema(value_type = Object)]
    pub input_schema: Map<String, Value>,
}

/// A key of the schema that is ours and not the model's: seconds that the client has for a result.
/// It stands there because a schema is the one place of a tool where SDKs pass on unknown keys.
const DEADLINE_KEY: &str = "x-hostler-deadline-seconds";
/// Prefixes that name tools of MCP servers and tools of the service's own.
const RESERVED_PREFIXES: [&str; 2] = ["mcp__", "ant__"];
/// Keywords that the models' providers don't take at the top of a schema.
const REFUSED_AT_TOP: [&str; 3] = ["oneOf", "anyOf", "allOf"];
/// Keywords whose value is a schema, or a list of schemas.
const HOLDS_SCHEMAS: [&str; 15] = [
    "items",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
];
/// Keywords whose value maps names to schemas.
const MAPS_TO_SCHEMAS: [&str; 5] = [
    "properties",
    "patternProperties",
    "dependentSchemas",
    "$defs",
    "definitions",
];

impl CustomTool {
    /// The rest of an object whose `type` has been read.
    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            name: fields.required("name", |at| tool_name(&at))?,
            description: fields
                .required("description", |at| at.text(CUSTOM_TOOL_DESCRIPTION_CHARS))?,
            input_schema: fields.required("input_schema", |at| input_schema(&at))?,
        })
    }

    /// How long the client has for the result of a call; for ever if the tool does not say.
    pub fn deadline(&self) -> Option<Duration> {
        let seconds = self.input_schema.get(DEADLINE_KEY)?.as_u64()?;
        Some(Duration::from_secs(seconds))
    }

    /// The schema that a model is shown.
    pub fn shown_schema(&self) -> Map<String, Value> {
        let mut schema = self.input_schema.clone();
        schema.remove(DEADLINE_KEY);
        schema
    }
}

fn tool_name(at: &At<'_>) -> Result<String, Invalid> {
    let name = at.text(CUSTOM_TOOL_NAME_CHARS)?;
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.bytes().all(in_alphabet) {
        return Err(at.invalid("String should contain only letters, digits, '_' and '-'"));
    }
    if BuiltinTool::from_name(&name).is_some() {
        return Err(at.invalid(format!("'{name}' is the name of a built-in tool")));
    }
    match RESERVED_PREFIXES
        .iter()
        .find(|prefix| name.starts_with(**prefix))
    {
        Some(prefix) => Err(at.invalid(format!("the prefix '{prefix}' is reserved"))),
        None => Ok(name),
    }
}

fn input_schema(at: &At<'_>) -> Result<Map<String, Value>, Invalid> {
    let Value::Object(schema) = at.value else {
        return Err(at.invalid("Input should be an object"));
    };
    let below = |key: &str, message: &str| Err(Invalid::new(format!("{}.{key}", at.path), message));
    match schema.get("type") {
        Some(Value::String(kind)) if kind == "object" => {}
        Some(_) => return below("type", "Input should be 'object'"),
        None => return below("type", "Field required"),
    }
    if let Some(keyword) = REFUSED_AT_TOP
        .into_iter()
        .find(|key| schema.contains_key(*key))
    {
        return below(
            keyword,
            "is not supported at the top level of a tool's schema",
        );
    }
    match schema.get("required") {
        None | Some(Value::Null) => {}
        Some(Value::Array(names)) if names.iter().all(Value::is_string) => {}
        Some(_) => return below("required", "Input should be a list of property names"),
    }
    if let Some(value) = schema.get(DEADLINE_KEY) {
        let path = format!("{}.{DEADLINE_KEY}", at.path);
        At { value, path }.integer(RESULT_DEADLINE_SECONDS)?;
    }
    check_schema(schema, &at.path)?;
    Ok(schema.clone())
}

/// Walks a schema and the schemas in it. The depth is that of the request's JSON, which its
/// parser bounds.
fn check_schema(schema: &Map<String, Value>, path: &str) -> Result<(), Invalid> {
    for (key, value) in schema {
        let shown: String = key.chars().take(64).collect();
        let path = format!("{path}.{shown}");
        if key == "$ref" {
            return Err(Invalid::new(
                path,
                "$ref is not supported in a tool's schema",
            ));
        }
        if MAPS_TO_SCHEMAS.contains(&key.as_str()) {
            check_map(key, value, &path)?;
        } else if HOLDS_SCHEMAS.contains(&key.as_str()) {
            check_held(value, &path)?;
        }
    }
    Ok(())
}

fn check_map(keyword: &str, value: &Value, path: &str) -> Result<(), Invalid> {
    if value.is_null() {
        return Ok(());
    }
    let Some(members) = value.as_object() else {
        return Err(Invalid::new(path, "Input should be an object"));
    };
    for (name, member) in members {
        let shown: String = name.chars().take(64).collect();
        let path = format!("{path}.{shown}");
        let length = name.chars().count();
        if keyword == "properties" && !CUSTOM_TOOL_PROPERTY_CHARS.contains(&length) {
            let message = format!(
                "property names should have {} to {} characters",
                CUSTOM_TOOL_PROPERTY_CHARS.start(),
                CUSTOM_TOOL_PROPERTY_CHARS.end()
            );
            return Err(Invalid::new(path, message));
        }
        match member.as_object() {
            Some(schema) => check_schema(schema, &path)?,
            None if member.is_boolean() => {}
            None => return Err(Invalid::new(path, "Input should be a schema")),
        }
    }
    Ok(())
}

fn check_held(value: &Value, path: &str) -> Result<(), Invalid> {
    if let Some(schema) = value.as_object() {
        return check_schema(schema, path);
    }
    for (position, schema) in value.as_array().into_iter().flatten().enumerate() {
        check_held(schema, &format!("{path}.{position}"))?;
    }
    Ok(())
}
