//! Tools: what they are normalised to and what is refused.

use serde_json::{Value, json};

use super::{create, minimal, with};
use crate::agent::Tool;
use crate::decode::At;

fn tools(tools: &Value) -> Result<Value, String> {
    create(&with(&minimal(), &json!({ "tools": tools })))
        .map(|config| serde_json::to_value(config.tools).unwrap())
}

const ALLOW: &str = "always_allow";

fn policy(kind: &str) -> Value {
    json!({ "type": kind })
}

#[test]
fn the_built_in_toolset_reads_back_with_the_given_entries_only() {
    for given in [
        json!({"type": "agent_toolset_20260401"}),
        json!({"type": "agent_toolset_20260401", "default_config": null, "configs": null}),
        json!({"type": "agent_toolset_20260401", "default_config": {"enabled": null, "permission_policy": null}}),
    ] {
        assert_eq!(
            tools(&json!([given])),
            Ok(json!([{
                "type": "agent_toolset_20260401",
                "default_config": {"enabled": true, "permission_policy": policy(ALLOW)},
                "configs": [],
            }]))
        );
    }
}

#[test]
fn entries_resolve_against_the_default_and_carry_their_web_fields() {
    let given = json!([{
        "type": "agent_toolset_20260401",
        "default_config": {"enabled": false, "permission_policy": policy("always_ask")},
        "configs": [
            {"name": "bash", "enabled": true},
            {"name": "read", "type": "read", "permission_policy": policy("auto")},
            {"name": "web_fetch", "allowed_domains": ["A.com"], "max_content_tokens": 5,
             "url_sources": {"user_input": "all", "server_tool_results":
                {"type": "only", "tools": [{"type": "tool_reference", "name": "web_search"}]}}},
            {"name": "web_search", "blocked_domains": ["b.com/x"], "user_location":
                {"type": "approximate", "country": "DE", "timezone": "Europe/Berlin", "city": null}},
        ],
    }]);
    assert_eq!(
        tools(&given),
        Ok(json!([{
            "type": "agent_toolset_20260401",
            "default_config": {"enabled": false, "permission_policy": policy("always_ask")},
            "configs": [
                {"type": "bash", "name": "bash", "enabled": true, "permission_policy": policy("always_ask")},
                {"type": "read", "name": "read", "enabled": false, "permission_policy": policy("auto")},
                {"type": "web_fetch", "name": "web_fetch", "enabled": false,
                 "permission_policy": policy("always_ask"), "allowed_domains": ["a.com"],
                 "max_content_tokens": 5,
                 "url_sources": {"user_input": {"type": "all"}, "client_tool_results": null,
                    "server_tool_results": {"type": "only", "tools":
                        [{"type": "tool_reference", "name": "web_search"}]}}},
                {"type": "web_search", "name": "web_search", "enabled": false,
                 "permission_policy": policy("always_ask"), "blocked_domains": ["b.com/x"],
                 "user_location": {"type": "approximate", "country": "DE", "timezone": "Europe/Berlin"}},
            ],
        }]))
    );
}

#[test]
fn unset_url_sources_read_back_null() {
    let config = json!([{"type": "agent_toolset_20260401", "configs": [{"name": "web_fetch"}]}]);
    let read = tools(&config).unwrap();
    assert_eq!(
        read[0]["configs"][0],
        json!({"type": "web_fetch", "name": "web_fetch", "enabled": true,
               "permission_policy": policy(ALLOW), "url_sources": null})
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn refusals_of_built_in_entries() {
    for (entry, message) in [
        (json!({}), "name: Field required"),
        (
            json!({"name": "sed"}),
            "name: Input should be 'bash', 'read', 'write', 'edit', 'glob', 'grep', 'web_fetch', 'web_search'",
        ),
        (
            json!({"name": "bash", "type": "read"}),
            "type: Input should be 'bash'",
        ),
        (
            json!({"name": "bash", "enabled": 1}),
            "enabled: Input should be a valid boolean",
        ),
        (
            json!({"name": "bash", "permission_policy": {"type": "never"}}),
            "permission_policy.type: 'never' is not one of 'always_allow', 'always_ask', 'auto'",
        ),
        (
            json!({"name": "bash", "allowed_domains": ["a.com"]}),
            "allowed_domains: Extra inputs are not permitted",
        ),
        (
            json!({"name": "web_search", "max_content_tokens": 1}),
            "max_content_tokens: Extra inputs are not permitted",
        ),
        (
            json!({"name": "web_fetch", "max_content_tokens": 0}),
            "max_content_tokens: Input should be greater than or equal to 1",
        ),
        (
            json!({"name": "web_fetch", "allowed_domains": ["a.com/x"]}),
            "allowed_domains.0: domain should not have a path",
        ),
        (
            json!({"name": "web_search", "user_location": {"type": "approximate", "country": "de"}}),
            "user_location.country: Input should be an ISO 3166-1 alpha-2 country code in upper case",
        ),
        (
            json!({"name": "web_search", "user_location": {"type": "approximate", "timezone": "Mars/Base"}}),
            "user_location.timezone: Input should be the name of an IANA time zone",
        ),
        (
            json!({"name": "web_search", "user_location": {"type": "exact"}}),
            "user_location.type: 'exact' is not one of 'approximate'",
        ),
        (
            json!({"name": "web_fetch", "url_sources": {"user_input": {"type": "only", "tools": []}}}),
            "url_sources.user_input.type: 'only' is not one of 'all', 'none'",
        ),
        (
            json!({"name": "web_fetch", "url_sources": {"server_tool_results": "some"}}),
            "url_sources.server_tool_results: Input should be 'all', 'none'",
        ),
        (
            json!({"name": "web_fetch", "url_sources": {"server_tool_results":
                {"type": "except", "tools": [{"type": "tool_reference", "name": "bash"}]}}}),
            "url_sources.server_tool_results.tools.0.name: Input should be the name of web_search or web_fetch",
        ),
        (
            json!({"name": "web_fetch", "url_sources": {"client_tool_results":
                {"type": "only", "tools": [{"type": "tool_reference", "name": "lookup"}]}}}),
            "url_sources.client_tool_results.tools.0.name: Input should be the name of a custom tool of this agent",
        ),
        (
            json!({"name": "web_fetch", "url_sources": {"client_tool_results": {"type": "only", "tools": []}}}),
            "url_sources.client_tool_results.tools: List should have at least 1 item(s)",
        ),
        (
            json!({"name": "web_fetch", "url_sources":
                {"user_input": "none", "client_tool_results": "none", "server_tool_results": {"type": "none"}}}),
            "url_sources: at least one source should not be 'none'",
        ),
    ] {
        let list = json!([{"type": "agent_toolset_20260401", "configs": [entry]}]);
        assert_eq!(
            tools(&list).unwrap_err(),
            format!("tools.0.configs.0.{message}")
        );
    }
    let both =
        json!({"name": "web_fetch", "allowed_domains": ["a.com"], "blocked_domains": ["b.com"]});
    let list = json!([{"type": "agent_toolset_20260401", "configs": [both]}]);
    assert_eq!(
        tools(&list).unwrap_err(),
        "tools.0.configs.0: Only one of allowed_domains or blocked_domains may be set."
    );
    let twice = json!([{"type": "agent_toolset_20260401", "configs": [{"name": "bash"}, {"name": "bash"}]}]);
    assert_eq!(
        tools(&twice).unwrap_err(),
        "tools.0.configs.1.name: 'bash' is configured twice"
    );
}

fn custom(changes: &Value) -> Value {
    let plain = json!({"type": "custom", "name": "lookup", "description": "Looks up.",
                       "input_schema": {"type": "object"}});
    with(&plain, changes)
}

#[test]
fn custom_tools_are_kept_as_given() {
    let schema = json!({
        "type": "object",
        "properties": {"$ref": {"type": "string", "default": {"$ref": "x"}}, "n": true},
        "required": ["n"],
        "additionalProperties": false,
        "x-own": [1, {"$ref": 2}],
    });
    let tool = custom(&json!({ "input_schema": schema }));
    assert_eq!(tools(&json!([tool.clone()])), Ok(json!([tool])));
    let nulls =
        custom(&json!({"input_schema": {"type": "object", "properties": null, "required": null}}));
    assert_eq!(tools(&json!([nulls.clone()])), Ok(json!([nulls])));
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn refusals_of_custom_tools() {
    for (changes, message) in [
        (
            json!({"name": "a b"}),
            "name: String should contain only letters, digits, '_' and '-'",
        ),
        (
            json!({"name": "bash"}),
            "name: 'bash' is the name of a built-in tool",
        ),
        (
            json!({"name": "mcp__x"}),
            "name: the prefix 'mcp__' is reserved",
        ),
        (
            json!({"name": "ant__x"}),
            "name: the prefix 'ant__' is reserved",
        ),
        (
            json!({"name": "n".repeat(129)}),
            "name: String should have at most 128 characters",
        ),
        (
            json!({"description": ""}),
            "description: String should have at least 1 character",
        ),
        (
            json!({"description": "d".repeat(4097)}),
            "description: String should have at most 4096 characters",
        ),
        (
            json!({"input_schema": null}),
            "input_schema: Input should be an object",
        ),
        (
            json!({"input_schema": {}}),
            "input_schema.type: Field required",
        ),
        (
            json!({"input_schema": {"type": "array"}}),
            "input_schema.type: Input should be 'object'",
        ),
        (
            json!({"input_schema": {"type": "object", "anyOf": []}}),
            "input_schema.anyOf: is not supported at the top level of a tool's schema",
        ),
        (
            json!({"input_schema": {"type": "object", "required": [1]}}),
            "input_schema.required: Input should be a list of property names",
        ),
        (
            json!({"input_schema": {"type": "object", "properties": {"": {}}}}),
            "input_schema.properties.: property names should have 1 to 64 characters",
        ),
        (
            json!({"input_schema": {"type": "object", "properties": {"a": 1}}}),
            "input_schema.properties.a: Input should be a schema",
        ),
        (
            json!({"input_schema": {"type": "object", "properties":
                {"a": {"type": "array", "items": {"anyOf": [{"type": "null"}, {"$ref": "#/x"}]}}}}}),
            "input_schema.properties.a.items.anyOf.1.$ref: $ref is not supported in a tool's schema",
        ),
        (
            json!({"strict": true}),
            "strict: Extra inputs are not permitted",
        ),
    ] {
        assert_eq!(
            tools(&json!([custom(&changes)])).unwrap_err(),
            format!("tools.0.{message}")
        );
    }
}

#[test]
fn lists_have_limits_and_no_doubles() {
    let toolset = json!({"type": "agent_toolset_20260401"});
    let many: Vec<Value> = (0..249)
        .map(|number| custom(&json!({ "name": format!("t{number}") })))
        .collect();
    assert!(tools(&json!(many[..249])).is_ok());
    let mut with_toolset = many;
    with_toolset.push(toolset.clone());
    for (list, message) in [
        (
            json!(with_toolset),
            "tools: an agent should have at most 256 tools in total",
        ),
        (
            json!(vec![custom(&json!({})); 257]),
            "tools: List should have at most 256 items",
        ),
        (
            json!([custom(&json!({})), custom(&json!({}))]),
            "tools.1.name: tool names should be distinct",
        ),
        (
            json!([toolset, toolset]),
            "tools.1.type: the toolset is listed twice",
        ),
        (
            json!([{"type": "bash"}]),
            "tools.0.type: 'bash' is not one of 'agent_toolset_20260401', 'mcp_toolset', 'custom'",
        ),
        (json!([{"name": "x"}]), "tools.0.type: Field required"),
    ] {
        assert_eq!(tools(&list).unwrap_err(), message);
    }
}

#[test]
fn mcp_servers_and_toolsets_belong_together() {
    let server = json!({"type": "url", "name": "s", "url": "https://mcp.example.com/x"});
    let toolset = json!({"type": "mcp_toolset", "mcp_server_name": "s",
                         "configs": [{"name": "search", "permission_policy": policy(ALLOW)}]});
    let body = with(
        &minimal(),
        &json!({"mcp_servers": [server], "tools": [toolset]}),
    );
    let config = create(&body).unwrap();
    assert_eq!(
        serde_json::to_value(&config.mcp_servers).unwrap(),
        json!([server])
    );
    assert_eq!(
        serde_json::to_value(&config.tools).unwrap(),
        json!([{
            "type": "mcp_toolset",
            "mcp_server_name": "s",
            "default_config": {"enabled": true, "permission_policy": policy("always_ask")},
            "configs": [{"name": "search", "enabled": true, "permission_policy": policy(ALLOW)}],
        }])
    );
    let address = |url: &str| json!({"mcp_servers": [{"type": "url", "name": "s", "url": url}]});
    let bad_url = "mcp_servers.0.url: Input should be a valid http or https URL";
    for (changes, message) in [
        (
            json!({"mcp_servers": []}),
            "tools.0.mcp_server_name: no server of this name is in mcp_servers",
        ),
        (
            json!({"tools": []}),
            "mcp_servers.0.name: no mcp_toolset in tools names this server",
        ),
        (
            json!({"mcp_servers": [server, server]}),
            "mcp_servers.1.name: server names should be distinct",
        ),
        (
            json!({"tools": [toolset, toolset]}),
            "tools.1.mcp_server_name: there is already a toolset for this server",
        ),
        (
            json!({"tools": [{"type": "mcp_toolset", "mcp_server_name": "s", "configs": [{"name": "a"}, {"name": "a"}]}]}),
            "tools.0.configs.1.name: tool is configured twice",
        ),
        (
            json!({"tools": [{"type": "mcp_toolset", "mcp_server_name": "s", "configs": [{"name": "a", "type": "a"}]}]}),
            "tools.0.configs.0.type: Extra inputs are not permitted",
        ),
        (address("ftp://x"), bad_url),
        (address("https://"), bad_url),
        (address("https://a b"), bad_url),
        (
            address("https://me:secret@example.com"),
            "mcp_servers.0.url: URL should not contain credentials",
        ),
        (
            json!({"mcp_servers": [{"type": "stdio", "name": "s"}]}),
            "mcp_servers.0.type: 'stdio' is not one of 'url'",
        ),
    ] {
        assert_eq!(create(&with(&body, &changes)).unwrap_err(), message);
    }
}

#[test]
fn a_custom_tool_may_have_a_deadline_that_models_are_not_shown() {
    let tool = |seconds: Value| {
        let schema =
            json!({"type": "object", "properties": {}, "x-hostler-deadline-seconds": seconds});
        json!([{"type": "custom", "name": "c", "description": "d", "input_schema": schema}])
    };
    let read = |seconds: Value| Tool::decode_list(&At::root(&tool(seconds)));
    let tools = read(json!(90)).unwrap();
    let Tool::Custom(custom) = &tools[0] else {
        panic!("a custom tool");
    };
    assert_eq!(custom.deadline(), Some(std::time::Duration::from_secs(90)));
    assert_eq!(
        serde_json::to_string(&custom.shown_schema()).unwrap(),
        r#"{"type":"object","properties":{}}"#
    );
    // Clients read back what they sent.
    assert_eq!(custom.input_schema["x-hostler-deadline-seconds"], json!(90));
    for wrong in [
        json!(0),
        json!("90"),
        json!(1.5),
        json!(2_592_001),
        json!(null),
    ] {
        let refusal = read(wrong.clone()).unwrap_err();
        assert_eq!(
            refusal.path, "0.input_schema.x-hostler-deadline-seconds",
            "{wrong}"
        );
    }
}
