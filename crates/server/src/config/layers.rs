//! The sources, one tree each, laid over each other in their order.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::database::has_password;
use super::problem::Problem;
use super::reader::{Blame, Reader, array_from_text};
use super::tree::{Node, Origin, Segment, Table, Value};
use super::{Environment, Overrides, RawConfig, file};

/// The name of a configuration file that is found without being named.
const FILE_NAME: &str = "hostler.toml";
const MODELS: &str = "models";

/// The file of `--config`; else `hostler.toml` in the data folder, as far as flags and environment name
/// it; else `hostler.toml` in the working directory; else none.
pub(super) fn find_file(overrides: &Overrides, environment: &Environment) -> Option<PathBuf> {
    if let Some(file) = &overrides.config {
        return Some(file.clone());
    }
    let data_dir = overrides
        .data_dir
        .clone()
        .or_else(|| {
            environment
                .get("HOSTLER__SERVER__DATA_DIR")
                .map(PathBuf::from)
        })
        .unwrap_or_else(|| super::RawServer::default().data_dir);
    [data_dir.join(FILE_NAME), PathBuf::from(FILE_NAME)]
        .into_iter()
        .find(|file| file.is_file())
}

/// All sources as one tree.
pub(super) fn merge(
    config_file: Option<&Path>,
    overrides: &Overrides,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Node {
    let mut tree = defaults();
    if let Some(path) = config_file {
        let mut layer = file::read(path, problems);
        refuse_keys(&mut layer, problems);
        models_by_id(&mut layer, problems);
        tree.overlay(layer);
    }
    let mut layer = environment.settings(problems);
    models_by_id(&mut layer, problems);
    tree.overlay(layer);
    tree.overlay(flags(overrides));
    tree
}

/// Reads the tree into the sections. Each problem's node is taken out and reading begins anew, so that
/// one run finds them all; it ends, because the tree gets smaller each time.
pub(super) fn read(tree: &mut Node, problems: &mut Vec<Problem>) -> Option<RawConfig> {
    loop {
        let mismatch = match RawConfig::deserialize(Reader(tree)) {
            Ok(raw) => return Some(raw),
            Err(mismatch) => mismatch,
        };
        let path = mismatch.path();
        let node = tree.nearest(&path);
        let origin = match mismatch.blame {
            Blame::Key => &node.key_origin,
            Blame::Value => &node.origin,
        };
        problems.push(Problem::new(origin, &path, mismatch.message));
        if !tree.remove(&path) {
            return None;
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "the defaults are ours; a test reads them back"
)]
fn defaults() -> Node {
    let value = toml::Value::try_from(RawConfig::default()).expect("the defaults can be written");
    Node::from_toml(value, &Origin::Default)
}

fn flags(overrides: &Overrides) -> Node {
    let mut tree = Node::table(Origin::Flag("--"));
    let mut set = |path: [&str; 2], flag: &'static str, text: Option<String>| {
        if let Some(text) = text {
            tree.insert(
                &path.map(str::to_owned),
                Node::text(Origin::Flag(flag), text),
            );
        }
    };
    let data_dir = overrides
        .data_dir
        .as_ref()
        .map(|path| path.to_string_lossy().into_owned());
    set(["server", "listen"], "--listen", overrides.listen.clone());
    set(["server", "data_dir"], "--data-dir", data_dir);
    set(
        ["database", "url"],
        "--database",
        overrides.database.clone(),
    );
    set(
        ["sandbox", "mode"],
        "--sandbox",
        overrides.sandbox.map(|m| m.as_str().to_owned()),
    );
    set(
        ["log", "format"],
        "--log-format",
        overrides.log_format.map(|f| f.as_str().to_owned()),
    );
    tree
}

/// A configuration file is copied, shown and committed, so no key may be in it.
fn refuse_keys(layer: &mut Node, problems: &mut Vec<Problem>) {
    refuse_password(layer, problems);
    refuse_secret(layer, problems, ["blobs", "secret_access_key"]);
    refuse_secret(layer, problems, ["nats", "password"]);
    refuse_secret(layer, problems, ["nats", "token"]);
    refuse_secret(layer, problems, ["vaults", "master_key"]);
    refuse_secret(layer, problems, ["web", "search_key"]);
    let Some(providers) = child_table(layer, "providers") else {
        return;
    };
    for (name, provider) in providers {
        let Value::Table(fields) = &mut provider.value else {
            continue;
        };
        if let Some(node) = fields.remove("api_key") {
            let path = ["providers", name.as_str(), "api_key"].map(Segment::key);
            let variable = name.to_uppercase();
            let message = format!(
                "a key may not be in the configuration file, which is copied and shown to others; set the \
                 environment variable HOSTLER__PROVIDERS__{variable}__API_KEY, or put the key alone into a \
                 file and name it with `api_key_file`"
            );
            problems.push(Problem::new(&node.key_origin, &path, message));
        }
    }
}

fn refuse_password(layer: &mut Node, problems: &mut Vec<Problem>) {
    let Some(database) = child_table(layer, "database") else {
        return;
    };
    let url = database.get("url").map(|node| &node.value);
    if let Some(Value::Scalar(toml::Value::String(url))) = url
        && has_password(url)
        && let Some(node) = database.remove("url")
    {
        let message = "a password may not be in the configuration file, which is copied and shown to others; \
                       set the environment variable HOSTLER__DATABASE__URL, or put the address alone into \
                       a file and name it with `url_file`";
        let path = ["database", "url"].map(Segment::key);
        problems.push(Problem::new(&node.key_origin, &path, message));
    }
}

/// One that may come from the environment, or from a file of its own that `<key>_file` names.
fn refuse_secret(layer: &mut Node, problems: &mut Vec<Problem>, [section, key]: [&str; 2]) {
    let secret = child_table(layer, section).and_then(|section| section.remove(key));
    if let Some(node) = secret {
        let variable = format!("{section}__{key}").to_uppercase();
        let message = format!(
            "a secret may not be in the configuration file, which is copied and shown to others; set the \
             environment variable HOSTLER__{variable}, or put it alone into a file and name it with `{key}_file`"
        );
        let path = [section, key].map(Segment::key);
        problems.push(Problem::new(&node.key_origin, &path, message));
    }
}

/// Models are written as an array, and merged by their id: an entry for an id that exists changes only
/// what it says.
fn models_by_id(layer: &mut Node, problems: &mut Vec<Problem>) {
    let Value::Table(root) = &mut layer.value else {
        return;
    };
    let Some(models) = root.remove(MODELS) else {
        return;
    };
    let origin = models.origin.clone();
    let path = [Segment::key(MODELS)];
    let items = match models.value {
        Value::Array(items) => Ok(items),
        Value::Text(text) => array_from_text(&text, &origin).map(|node| match node.value {
            Value::Array(items) => items,
            Value::Text(_) | Value::Scalar(_) | Value::Table(_) => Vec::new(),
        }),
        Value::Scalar(_) | Value::Table(_) => {
            Err("expected an array of tables, each written as [[models]] with an `id`".to_owned())
        }
    };
    let items = match items {
        Ok(items) => items,
        Err(message) => return problems.push(Problem::new(&origin, &path, message)),
    };
    let mut by_id = Table::new();
    for (index, node) in items.into_iter().enumerate() {
        let place = [Segment::key(MODELS), Segment::Index(index)];
        match model_id(&node) {
            Some(id) if by_id.contains_key(&id) => {
                let message = format!("the id {id:?} is there twice");
                problems.push(Problem::new(&node.origin, &place, message));
            }
            Some(id) => {
                by_id.insert(id, node);
            }
            None => {
                let message = "a model needs an `id`, which is a string";
                problems.push(Problem::new(&node.origin, &place, message));
            }
        }
    }
    let node = Node {
        key_origin: models.key_origin,
        origin,
        value: Value::Table(by_id),
    };
    root.insert(MODELS.to_owned(), node);
}

fn model_id(node: &Node) -> Option<String> {
    match &node.at(&[Segment::key("id")])?.value {
        Value::Scalar(toml::Value::String(id)) if !id.is_empty() => Some(id.clone()),
        Value::Scalar(_) | Value::Text(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

fn child_table<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Table> {
    let Value::Table(root) = &mut node.value else {
        return None;
    };
    match &mut root.get_mut(key)?.value {
        Value::Table(table) => Some(table),
        Value::Text(_) | Value::Scalar(_) | Value::Array(_) => None,
    }
}
