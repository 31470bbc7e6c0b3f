//! What the model sent becomes a tool, or a sentence that tells it what to send.

use hostler_sandbox::{Network, SandboxName, Tool, tool_schemas};
use serde_json::{Value, json};

#[track_caller]
fn refused(tool: &str, input: Value, sentence: &str) {
    assert_eq!(Tool::parse(tool, &input), Err(sentence.to_owned()));
}

#[test]
fn good_inputs_are_taken() {
    let parse = |tool: &str, input: Value| Tool::parse(tool, &input).unwrap();
    assert_eq!(
        parse("bash", json!({"command": "ls", "timeout_ms": 0})),
        Tool::Bash {
            command: "ls".into(),
            timeout_ms: Some(0)
        }
    );
    assert_eq!(parse("bash", json!({"restart": true})), Tool::RestartShell);
    assert_eq!(
        parse("read", json!({"path": "a", "view_range": [1, -1]})),
        Tool::Read {
            file_path: "a".into(),
            view_range: Some((1, -1))
        }
    );
    assert_eq!(
        parse(
            "edit",
            json!({"file_path": "a", "old_str": "b", "new_str": "", "replace_all": null})
        ),
        Tool::Edit {
            file_path: "a".into(),
            old_string: "b".into(),
            new_string: String::new(),
            replace_all: false
        }
    );
    assert_eq!(
        parse("write", json!({"file_path": "a", "content": ""})),
        Tool::Write {
            file_path: "a".into(),
            content: String::new()
        }
    );
    assert_eq!(
        parse("grep", json!({"pattern": "x", "path": "/tmp"})),
        Tool::Grep {
            pattern: "x".into(),
            path: Some("/tmp".into())
        }
    );
}

#[test]
fn bad_inputs_are_refused_with_a_sentence() {
    refused(
        "bash",
        json!({}),
        "bash needs `command` (a string) or `restart: true`",
    );
    refused("bash", json!([]), "the input of bash must be a JSON object");
    refused(
        "bash",
        json!({"command": 1}),
        "`command` of bash must be a string",
    );
    refused(
        "bash",
        json!({"command": "ls", "restart": true}),
        "bash takes either `command` or `restart: true`, not both in one call",
    );
    refused(
        "bash",
        json!({"command": "a\u{0}b"}),
        "`command` of bash contains a NUL character, which no shell can take",
    );
    refused(
        "bash",
        json!({"command": "ls", "timeout_ms": -1}),
        "`timeout_ms` of bash must not be negative; 0 means the default",
    );
    refused(
        "read",
        json!({"file": "a"}),
        "read has no field `file`; it takes `file_path`, `path`, `view_range`",
    );
    refused("read", json!({}), "read needs `file_path` (a string)");
    refused(
        "read",
        json!({"file_path": "a", "path": "b"}),
        "read got both `file_path` and `path`; give only `file_path`",
    );
    refused(
        "read",
        json!({"file_path": "a", "view_range": [1]}),
        "`view_range` of read must be [start, end]: two line numbers, the first line is 1, an end \
         of -1 is the end of the file",
    );
    refused(
        "edit",
        json!({"file_path": "a", "old_string": "", "new_string": "b"}),
        "`old_string` of edit is empty; give the text to replace, or use write to make a file",
    );
    refused(
        "edit",
        json!({"file_path": "a", "old_string": "b", "new_string": "b"}),
        "`old_string` and `new_string` of edit are the same; nothing would change",
    );
    refused(
        "glob",
        json!({"pattern": ""}),
        "`pattern` of glob must be 1 to 10000 bytes long",
    );
    refused(
        "repl",
        json!({}),
        "there is no tool repl in the sandbox; it has bash, read, write, edit, glob and grep",
    );
}

#[test]
fn names_are_plain() {
    for good in ["a", "sesn_01AbZ", &"x".repeat(64)] {
        assert!(good.parse::<SandboxName>().is_ok(), "{good}");
    }
    for bad in ["", "a/b", "..", "a b", "ä", "a-b", &"x".repeat(65)] {
        assert!(bad.parse::<SandboxName>().is_err(), "{bad}");
    }
}

#[test]
fn the_schemas_are_json_and_tell_about_the_network() {
    let [without, with] = [Network::None, Network::Host].map(tool_schemas);
    let names: Vec<_> = without.iter().map(|schema| schema.name).collect();
    assert_eq!(names, ["bash", "read", "write", "edit", "glob", "grep"]);
    for schema in without {
        let parsed: Value = serde_json::from_str(schema.input_schema).unwrap();
        assert_eq!(parsed["type"], "object", "{}", schema.name);
    }
    assert!(without[0].description.contains("no network access"));
    assert!(!with[0].description.contains("no network access"));
}
