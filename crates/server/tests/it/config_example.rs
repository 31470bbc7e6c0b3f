//! `docs/hostler.example.toml` holds every key with its documentation, which is the doc comment of its
//! field. This test writes the file anew with `UPDATE_EXAMPLE=1`, and otherwise compares.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use hostler_server::config::{Environment, RawConfig};

use crate::configuration::ConfigFile;

const HEADER: &str = "\
# Every setting of Hostler. What is commented out is the default, or an example where there is none.
#
# Hostler reads the file of `--config`; else `hostler.toml` in the data folder; else `./hostler.toml`.
# Then the environment wins over the file (HOSTLER__SERVER__LISTEN sets server.listen), and flags win
# over the environment. `hostler serve --print-config` shows what is in force and where it came from.
# Paths in this file are relative to this file.
";

/// Section in the file, source file, struct, and where its defaults are in the printed defaults.
const SECTIONS: [(&str, &str, &str, &[&str]); 18] = [
    ("[server]", "server.rs", "RawServer", &["server"]),
    ("[database]", "database.rs", "RawDatabase", &["database"]),
    ("[blobs]", "blobs.rs", "RawBlobs", &["blobs"]),
    ("[nats]", "nats.rs", "RawNats", &["nats"]),
    ("[log]", "log.rs", "RawLog", &["log"]),
    (
        "[rate_limits]",
        "rate_limits.rs",
        "RawRateLimits",
        &["rate_limits"],
    ),
    ("[sandbox]", "sandbox.rs", "RawSandbox", &["sandbox"]),
    (
        "[sandbox.docker]",
        "docker.rs",
        "RawDocker",
        &["sandbox", "docker"],
    ),
    (
        "[sandbox.kubernetes]",
        "kubernetes.rs",
        "RawKubernetes",
        &["sandbox", "kubernetes"],
    ),
    ("[network]", "network.rs", "RawNetwork", &["network"]),
    (
        "[repositories]",
        "repositories.rs",
        "RawRepositories",
        &["repositories"],
    ),
    ("[vaults]", "vaults.rs", "RawVaults", &["vaults"]),
    ("[mcp]", "mcp.rs", "RawMcp", &["mcp"]),
    ("[web]", "web.rs", "RawWeb", &["web"]),
    ("[engine]", "engine.rs", "RawEngine", &["engine"]),
    (
        "[permissions]",
        "permissions.rs",
        "RawPermissions",
        &["permissions"],
    ),
    (
        "[providers.anthropic]",
        "providers.rs",
        "RawProvider",
        &["providers", "anthropic"],
    ),
    ("[[models]]", "models.rs", "RawModel", &["models", "gpt-*"]),
];

/// What the example shows for keys of `[[models]]`, which have no defaults of their own.
const MODEL_VALUES: [(&str, &str); 12] = [
    ("id", "\"gpt-*\""),
    ("provider", "\"openai\""),
    ("upstream_id", "\"openai/gpt-*\""),
    ("display_name", "\"GPT\""),
    ("context_window", "200000"),
    ("max_output_tokens", "32000"),
    ("default_effort", "\"high\""),
    ("efforts", "[\"low\", \"medium\", \"high\"]"),
    (
        "price",
        "{ input = 3.0, output = 15.0, cache_read = 0.3, cache_write_5m = 3.75, cache_write_1h = 6.0 }",
    ),
    ("adaptive_thinking", "false"),
    ("supports_fast", "false"),
    ("system_messages", "true"),
];

#[test]
fn the_example_file_is_current() {
    let path = repository().join("docs/hostler.example.toml");
    let expected = example();
    if Environment::of_process().get("UPDATE_EXAMPLE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let actual = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "{} is not current: run with UPDATE_EXAMPLE=1",
        path.display()
    );
}

#[test]
fn the_example_file_is_valid_as_it_is_and_with_every_key_set() {
    let example = example();
    ConfigFile::new(&example).load([]).unwrap();
    // The example is of an Anthropic provider, and these are for other kinds.
    let other_kinds = ["script = ", "vendor = "];
    // And it shows each of three ways into NATS, of which one can be used.
    let other_ways = [
        "credentials_file = ",
        "token_file = \"/run/secrets/hostler-nats",
    ];
    let others = [other_kinds, other_ways].concat();
    let all: String = example
        .lines()
        .filter_map(|line| match line.strip_prefix("#: ") {
            Some(setting) if others.iter().any(|key| setting.starts_with(key)) => None,
            Some(setting) => Some(format!("{setting}\n")),
            None if line.starts_with('#') => None,
            None => Some(format!("{line}\n")),
        })
        .collect();
    let keys = [
        "/etc/hostler/anthropic.key",
        "/etc/hostler/search.key",
        "/run/secrets/hostler-bucket",
        "/run/secrets/hostler-nats",
    ];
    let all = keys.iter().fold(all, |all, key| all.replace(key, "key"));
    let file = ConfigFile::new(&all);
    std::fs::write(file.folder.path().join("key"), "sk-x").unwrap();
    file.load([]).unwrap();
}

fn example() -> String {
    let defaults = toml::Table::try_from(RawConfig::default()).unwrap();
    let mut text = HEADER.to_owned();
    for (header, source, name, default_path) in SECTIONS {
        let source = repository().join("crates/server/src/config").join(source);
        let source = std::fs::read_to_string(source).unwrap();
        writeln!(text, "\n{}{header}", about(&source)).unwrap();
        let values = default_path
            .iter()
            .fold(toml::Value::Table(defaults.clone()), |value, key| {
                value.get(key).unwrap().clone()
            });
        for field in fields(&source, name) {
            // Each has a section of its own.
            if field.name == "docker" || field.name == "kubernetes" {
                continue;
            }
            for line in &field.doc {
                writeln!(text, "# {line}").unwrap();
            }
            if [
                "api_key",
                "secret_access_key",
                "master_key",
                "search_key",
                "password",
                "token",
            ]
            .contains(&field.name.as_str())
            {
                continue;
            }
            let model_value = MODEL_VALUES.iter().find(|(key, _)| *key == field.name);
            let setting = match (header, values.get(&field.name), &field.example) {
                ("[[models]]", _, _) => format!("{} = {}", field.name, model_value.unwrap().1),
                (_, _, Some(example)) => example.clone(),
                (_, Some(value), None) => format!("{} = {value}", field.name),
                (_, None, None) => panic!("{name}.{} needs an `Example:` line", field.name),
            };
            // A model without an id would be refused, so the first key of the array stays in force.
            let mark = if field.name == "id" { "" } else { "#: " };
            writeln!(text, "{mark}{setting}\n").unwrap();
        }
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// The first paragraph of a file's head, behind the name of the section.
fn about(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//! "));
    let mut text = String::new();
    for (index, line) in lines.enumerate() {
        let line = if index == 0 {
            capitalised(line.split_once(": ").unwrap().1)
        } else {
            line.to_owned()
        };
        writeln!(text, "# {line}").unwrap();
    }
    text
}

struct Field {
    name: String,
    doc: Vec<String>,
    example: Option<String>,
}

/// The public fields of a struct, read from its source: the doc comments are the manual.
fn fields(source: &str, name: &str) -> Vec<Field> {
    let start = source.find(&format!("pub struct {name} {{")).unwrap();
    let body = source[start..].split_once("\n}").unwrap().0;
    let mut fields = Vec::new();
    let (mut doc, mut example) = (Vec::new(), None);
    for line in body.lines().skip(1).map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            match comment.trim().strip_prefix("Example: ") {
                Some(setting) => example = Some(setting.to_owned()),
                None => doc.push(comment.trim().to_owned()),
            }
        } else if let Some(field) = line.strip_prefix("pub ") {
            let name = field.split_once(':').unwrap().0.to_owned();
            assert!(!doc.is_empty(), "{name} has no documentation");
            fields.push(Field {
                name,
                doc: std::mem::take(&mut doc),
                example: example.take(),
            });
        }
    }
    fields
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>())
        .unwrap_or_default()
        + letters.as_str()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}
