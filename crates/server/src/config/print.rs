//! The resolved configuration as TOML that could be a configuration file, each key with its origin.

use std::fmt::Write;

use super::RawConfig;
use super::resolve::segments;
use super::tree::{Node, Origin, Value, display_key};

/// Secrets are masked by their own type, so nothing here has to know which keys are secret.
pub(super) fn to_toml(raw: &RawConfig, tree: &Node) -> String {
    let mut text = String::from(
        "# The configuration that is in force. Behind each key stands where it came from.\n",
    );
    let Ok(root) = toml::Table::try_from(raw) else {
        return text;
    };
    for (section, value) in &root {
        let Some(fields) = value.as_table() else {
            continue;
        };
        match section.as_str() {
            "providers" => {
                for (name, provider) in fields {
                    let _ = write!(text, "\n[providers.{}]\n", display_key(name));
                    write_fields(&mut text, provider, &["providers", name], tree);
                }
            }
            "models" => {
                for (id, model) in fields {
                    text.push_str("\n[[models]]\n");
                    write_fields(&mut text, model, &["models", id], tree);
                }
            }
            name => {
                let _ = write!(text, "\n[{name}]\n");
                write_fields(&mut text, value, &[name], tree);
            }
        }
    }
    text
}

fn write_fields(text: &mut String, fields: &toml::Value, path: &[&str], tree: &Node) {
    for (key, value) in fields.as_table().into_iter().flatten() {
        let mut path = path.to_vec();
        path.push(key);
        let origin = tree
            .at(&segments(&path))
            .map_or(&Origin::Default, origin_of);
        let _ = writeln!(text, "{} = {value}  # {origin}", display_key(key));
    }
}

/// A table that several sources made together is shown with the first of them that is not a default.
fn origin_of(node: &Node) -> &Origin {
    match &node.value {
        Value::Table(fields) => {
            let mut origins = fields.values().map(origin_of);
            origins
                .find(|origin| **origin != Origin::Default)
                .unwrap_or(&node.origin)
        }
        Value::Text(_) | Value::Scalar(_) | Value::Array(_) => &node.origin,
    }
}
