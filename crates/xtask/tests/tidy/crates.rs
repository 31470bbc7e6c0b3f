//! Who may know whom: the table of the architecture, read against each crate's manifest.

use std::collections::BTreeSet;

use crate::tree::{FILES, assert_none};

/// A crate, the crates of ours that it may depend on, and what it must never see.
struct Rule {
    name: &'static str,
    ours: &'static [&'static str],
    never: &'static [&'static str],
}

const SQL: &str = "rusqlite tokio-postgres sqlx libsqlite3-sys";
const ASYNC: &str = "tokio tokio-util tokio-stream futures async-stream async-trait";
const WEB: &str = "axum tower tower-http hyper hyper-util";

const RULES: &[Rule] = &[
    Rule {
        name: "protocol",
        ours: &[],
        never: &[SQL, ASYNC, WEB, "reqwest object_store"],
    },
    Rule {
        name: "vault",
        ours: &[],
        never: &[SQL, ASYNC, WEB, "reqwest object_store"],
    },
    Rule {
        name: "skill",
        ours: &[],
        never: &[SQL, ASYNC, WEB, "reqwest object_store"],
    },
    Rule {
        name: "domain",
        ours: &["protocol"],
        never: &[SQL, ASYNC, WEB, "reqwest object_store"],
    },
    Rule {
        name: "store",
        ours: &["protocol", "domain", "vault"],
        never: &[WEB, "reqwest"],
    },
    Rule {
        name: "provider",
        ours: &["protocol"],
        never: &[SQL, WEB, "object_store"],
    },
    Rule {
        name: "sandbox",
        ours: &["protocol"],
        // reqwest asks the API of a cluster: docs/adr/0016.
        never: &[SQL, WEB, "object_store"],
    },
    Rule {
        name: "egress",
        ours: &[],
        never: &[SQL, "axum tower reqwest object_store"],
    },
    Rule {
        name: "image",
        ours: &[],
        never: &[SQL, WEB, "object_store"],
    },
    Rule {
        name: "mcp",
        ours: &["protocol"],
        never: &[SQL, "object_store"],
    },
    Rule {
        name: "web",
        // The rules about addresses are the gateway's.
        ours: &["protocol", "egress"],
        never: &[SQL, WEB, "object_store"],
    },
    Rule {
        name: "relay",
        ours: &[],
        never: &[SQL, WEB, "reqwest object_store"],
    },
    Rule {
        name: "engine",
        ours: &[
            "protocol", "domain", "store", "provider", "sandbox", "egress", "image", "mcp", "web",
            "skill", "vault",
        ],
        never: &[SQL, WEB, "reqwest object_store"],
    },
    Rule {
        name: "http",
        ours: &["protocol", "domain", "store", "skill", "vault"],
        never: &[SQL, "reqwest object_store"],
    },
    Rule {
        name: "server",
        ours: &[
            "protocol", "domain", "store", "provider", "sandbox", "egress", "image", "mcp", "web",
            "skill", "vault", "relay", "engine", "http",
        ],
        never: &["sqlx"],
    },
    Rule {
        name: "testkit",
        ours: &[
            "protocol", "domain", "store", "provider", "sandbox", "egress", "image", "mcp", "web",
            "skill", "vault", "relay", "engine", "http", "server",
        ],
        never: &[],
    },
    Rule {
        name: "bench",
        ours: &["protocol", "server", "testkit"],
        never: &[],
    },
    Rule {
        name: "xtask",
        ours: &[],
        never: &[SQL, ASYNC, WEB, "reqwest serde serde_json"],
    },
];

#[test]
fn crates_depend_only_where_the_river_flows() {
    let mut offences = Vec::new();
    for (name, manifest) in manifests() {
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            offences.push(format!(
                "{name}: no rule; a new crate is a decision, add its line to RULES"
            ));
            continue;
        };
        for dependency in dependencies(manifest) {
            if let Some(ours) = dependency.strip_prefix("hostler-") {
                if !rule.ours.contains(&ours) {
                    offences.push(format!("{name} must not depend on {ours}"));
                }
            } else if rule
                .never
                .iter()
                .any(|list| list.split(' ').any(|n| n == dependency))
            {
                offences.push(format!("{name} must never see {dependency}"));
            }
        }
    }
    assert_none(
        &offences,
        "take the dependency out, or move the code to the crate that may have it; changing the table needs an ADR:",
    );
}

#[test]
fn tls_is_one_stack() {
    let lock = FILES.iter().find(|file| file.path == "Cargo.lock");
    let names: BTreeSet<&str> = lock
        .iter()
        .flat_map(|file| file.text.lines())
        .filter_map(|line| line.strip_prefix("name = "))
        .collect();
    let banned: Vec<String> = [
        "\"openssl\"",
        "\"openssl-sys\"",
        "\"native-tls\"",
        "\"sqlx\"",
    ]
    .iter()
    .filter(|name| names.contains(**name))
    .map(|name| (*name).to_owned())
    .collect();
    assert_none(
        &banned,
        "find who brings these in (cargo tree -i) and choose its rustls feature, or another crate:",
    );
}

/// The short name of each crate and the text of its manifest.
fn manifests() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(|file| {
        let name = file
            .path
            .strip_prefix("crates/")?
            .strip_suffix("/Cargo.toml")?;
        Some((name, file.text.as_str()))
    })
}

/// The names below `[dependencies]` and `[target.….dependencies]`. Development and build are free.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let normal = section == "dependencies" || section.ends_with(".dependencies");
            inside = normal;
            if let Some(name) = section.strip_prefix("dependencies.") {
                names.push(name);
            }
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let end = line.find(['.', '=', ' ']).unwrap_or(line.len());
            names.push(&line[..end]);
        }
    }
    names
}

#[test]
fn manifests_are_read_as_cargo_reads_them() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\n# why\na.workspace = true\nb = \"1\"\n\n\
                    [dev-dependencies]\nc = \"1\"\n[target.'cfg(unix)'.dependencies]\nd={version=\"1\"}\n[dependencies.e]\nversion = \"1\"\n";
    assert_eq!(dependencies(manifest), ["a", "b", "d", "e"]);
}
