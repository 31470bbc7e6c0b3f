"""Agents: every field, wrong in the ways that a hand-written request is wrong."""

from __future__ import annotations

from typing import Any

from .case import Case

MINIMUM = {"name": "n", "model": "claude-opus-5-5"}
TOOLSET = "agent_toolset_20260401"
SCHEMA = {"type": "object"}


def create(name: str, says: str, /, *, without: str | None = None, code: str | None = None, **change: Any) -> Case:
    body = {k: v for k, v in MINIMUM.items() if k != without} | change
    return Case(f"agent: {name}", "POST", "/v1/agents", says, json=body, code=code)


def tools(name: str, says: str, *tools: Any) -> Case:
    return create(name, says, tools=list(tools))


def config(name: str, says: str, tool: str, /, **fields: Any) -> Case:
    return tools(name, says, {"type": TOOLSET, "configs": [{"name": tool, **fields}]})


def update(name: str, says: str, /, *, status: int = 400, **body: Any) -> Case:
    return Case(f"agent update: {name}", "POST", "/v1/agents/{agent}", says, status, json=body)


FIELDS = [
    create("no model", "model: Field required", without="model"),
    create("no name", "name: Field required", without="name"),
    create("unknown field", "colour: Extra inputs are not permitted", colour="red"),
    create("name null", "name: ", name=None),
    create("name a number", "name: Input should be a valid string", name=7),
    create("name empty", "name: String should have at least 1", name=""),
    create("name too long", "name: String should have at most 256", name="x" * 257),
    create("name with NUL", "name: ", name="a\0b"),
    create("description too long", "description: String should have at most 2048", description="x" * 2049),
    create("description an object", "description: ", description={}),
    create("system too long", "system: String should have at most 100000", system="x" * 100_001),
    create("system a list", "system: ", system=["a"]),
    create("system with NUL", "system: ", system="\0"),
    create("model a number", "model: ", model=1),
    create("model null", "model: ", model=None),
    create("model empty", "model", model=""),
    create("model an array", "model: ", model=[]),
    create("model without id", "model.id: Field required", model={}),
    create("model id null", "model.id: ", model={"id": None}),
    create("model unknown field", "model.top_k: Extra inputs are not permitted", model={"id": "m", "top_k": 1}),
    create("model effort word", "model.effort", model={"id": "claude-opus-5-5", "effort": "huge"}),
    create("model effort object", "model.effort", model={"id": "claude-opus-5-5", "effort": {"type": "huge"}}),
    create("model effort number", "model.effort", model={"id": "claude-opus-5-5", "effort": 3}),
    create("model speed", "model.speed", model={"id": "claude-opus-5-5", "speed": "slow"}),
    create("model speed number", "model.speed", model={"id": "claude-opus-5-5", "speed": 1}),
    create("model inference_geo number", "model.inference_geo", model={"id": "claude-opus-5-5", "inference_geo": 1}),
    create("metadata a list", "metadata: ", metadata=[]),
    create("metadata value number", "metadata.k", metadata={"k": 1}),
    create("metadata value null", "metadata.k", metadata={"k": None}),
    create("metadata too many", "metadata", metadata={str(i): "v" for i in range(17)}, code="invalid_metadata"),
    create("metadata key too long", "metadata", metadata={"k" * 65: "v"}, code="invalid_metadata"),
    create("metadata value too long", "metadata", metadata={"k": "v" * 513}, code="invalid_metadata"),
    create("metadata key empty", "metadata", metadata={"": "v"}),
    create("execution identity type", "execution_identity", execution_identity={"type": "root"}),
    create("execution identity no type", "execution_identity.type: Field required", execution_identity={}),
    create("execution identity a string", "execution_identity: ", execution_identity="service_account"),
    create("aws_role without arn", "execution_identity.role_arn: Field required",
           execution_identity={"type": "aws_role"}),
    create("aws_role arn too long", "execution_identity.role_arn",
           execution_identity={"type": "aws_role", "role_arn": "a" * 2049}),
    create("service_account with arn", "execution_identity.role_arn: Extra inputs are not permitted",
           execution_identity={"type": "service_account", "role_arn": "a"}),
]

TOOLS = [
    create("tools an object", "tools: ", tools={}),
    tools("tool a string", "tools.0: ", "bash"),
    tools("tool without type", "tools.0.type: Field required", {}),
    tools("tool type unknown", "tools.0.type: ", {"type": "agent_toolset_19990101"}),
    tools("second tool wrong", "tools.1.type: ", {"type": TOOLSET}, {"type": "?"}),
    tools("toolset unknown field", "tools.0.name: Extra inputs are not permitted", {"type": TOOLSET, "name": "x"}),
    tools("default_config unknown field", "tools.0.default_config.x: Extra inputs are not permitted",
          {"type": TOOLSET, "default_config": {"x": 1}}),
    tools("default_config enabled word", "tools.0.default_config.enabled: ",
          {"type": TOOLSET, "default_config": {"enabled": "yes"}}),
    tools("default policy unknown", "tools.0.default_config.permission_policy",
          {"type": TOOLSET, "default_config": {"permission_policy": {"type": "sometimes"}}}),
    tools("default policy a string", "tools.0.default_config.permission_policy: ",
          {"type": TOOLSET, "default_config": {"permission_policy": "always_allow"}}),
    tools("configs an object", "tools.0.configs: ", {"type": TOOLSET, "configs": {}}),
    tools("config without name", "tools.0.configs.0.name: Field required", {"type": TOOLSET, "configs": [{}]}),
    config("config name unknown", "tools.0.configs.0.name: ", "repl"),
    config("config type differs", "tools.0.configs.0", "bash", type="read"),
    config("config unknown field", "tools.0.configs.0.x: Extra inputs are not permitted", "bash", x=1),
    config("config enabled number", "tools.0.configs.0.enabled: ", "bash", enabled=1),
    config("config policy without type", "tools.0.configs.0.permission_policy.type: Field required", "bash",
           permission_policy={}),
    config("domains on bash", "tools.0.configs.0.allowed_domains: Extra inputs are not permitted", "bash",
           allowed_domains=["example.com"]),
    config("max_content_tokens on search", "tools.0.configs.0.max_content_tokens", "web_search", max_content_tokens=5),
    config("user_location on fetch", "tools.0.configs.0.user_location", "web_fetch", user_location=None),
    tools("config twice", "bash", {"type": TOOLSET, "configs": [{"name": "bash"}, {"name": "bash"}]}),
    tools("toolset twice", "tools", {"type": TOOLSET}, {"type": TOOLSET}),
    create("too many tools", "tools", tools=[{"type": "custom", "name": f"t{i}", "description": "d",
                                              "input_schema": SCHEMA} for i in range(257)]),
    tools("custom without description", "tools.0.description: Field required",
          {"type": "custom", "name": "t", "input_schema": SCHEMA}),
    tools("custom without schema", "tools.0.input_schema: Field required",
          {"type": "custom", "name": "t", "description": "d"}),
    tools("custom without name", "tools.0.name: Field required",
          {"type": "custom", "description": "d", "input_schema": SCHEMA}),
    tools("custom name with blank", "tools.0.name: ",
          {"type": "custom", "name": "a b", "description": "d", "input_schema": SCHEMA}),
    tools("custom name too long", "tools.0.name: ",
          {"type": "custom", "name": "a" * 129, "description": "d", "input_schema": SCHEMA}),
    tools("custom name reserved", "tools.0.name: ",
          {"type": "custom", "name": "ant__x", "description": "d", "input_schema": SCHEMA}),
    tools("custom name twice", "tools.1.name: ",
          {"type": "custom", "name": "t", "description": "d", "input_schema": SCHEMA},
          {"type": "custom", "name": "t", "description": "d", "input_schema": SCHEMA}),
    tools("custom description empty", "tools.0.description: ",
          {"type": "custom", "name": "t", "description": "", "input_schema": SCHEMA}),
    tools("custom schema an array type", "tools.0.input_schema.type: ",
          {"type": "custom", "name": "t", "description": "d", "input_schema": {"type": "array"}}),
    tools("custom schema a string", "tools.0.input_schema: ",
          {"type": "custom", "name": "t", "description": "d", "input_schema": "{}"}),
    tools("custom unknown field", "tools.0.cost: Extra inputs are not permitted",
          {"type": "custom", "name": "t", "description": "d", "input_schema": SCHEMA, "cost": 1}),
]

WEB = [
    config(f"domain {bad!r}", "allowed_domains.0", "web_fetch", allowed_domains=[bad])
    for bad in ["https://example.com", "example.com:80", "*.example.com", "com", "co.uk", "localhost", "a.localhost",
                "a.local", "a.internal", "a.invalid", "127.0.0.1", "[::1]", "0x7f.1", "exa mple.com", "müller.de",
                "user@example.com", "x" * 256, "", "example.com/path"]
] + [
    config("search path with query", "blocked_domains.0", "web_search", blocked_domains=["example.com/a?b"]),
    config("both lists", "Only one of allowed_domains or blocked_domains may be set.", "web_search",
           allowed_domains=["example.com"], blocked_domains=["example.org"]),
    config("domains empty", "allowed_domains", "web_search", allowed_domains=[]),
    config("domains too many", "allowed_domains", "web_search", allowed_domains=[f"a{i}.com" for i in range(65)]),
    config("domain twice", "allowed_domains.1", "web_search", allowed_domains=["example.com", "EXAMPLE.com/"]),
    config("domain a number", "allowed_domains.0", "web_search", allowed_domains=[1]),
    config("max_content_tokens zero", "max_content_tokens", "web_fetch", max_content_tokens=0),
    config("max_content_tokens half", "max_content_tokens", "web_fetch", max_content_tokens=1.5),
    config("location type", "user_location.type", "web_search", user_location={"type": "exact"}),
    config("location country", "user_location.country", "web_search",
           user_location={"type": "approximate", "country": "usa"}),
    config("location timezone", "user_location.timezone", "web_search",
           user_location={"type": "approximate", "timezone": "Mars/Olympus"}),
    config("url_sources unknown key", "url_sources.model: Extra inputs are not permitted", "web_fetch",
           url_sources={"model": "all"}),
    config("url_sources word", "url_sources.user_input", "web_fetch", url_sources={"user_input": "some"}),
    config("url_sources all none", "url_sources", "web_fetch",
           url_sources={"user_input": "none", "client_tool_results": "none", "server_tool_results": "none"}),
    config("url_sources unknown tool", "url_sources.server_tool_results", "web_fetch", url_sources={
        "server_tool_results": {"type": "only", "tools": [{"type": "tool_reference", "name": "bash"}]}}),
]

SERVER = {"type": "url", "name": "s", "url": "https://example.com/mcp"}
MCP = {"type": "mcp_toolset", "mcp_server_name": "s"}

CONNECTIONS = [
    create("mcp server without url", "mcp_servers.0.url: Field required", mcp_servers=[{"type": "url", "name": "s"}]),
    create("mcp server type", "mcp_servers.0.type: ", mcp_servers=[{**SERVER, "type": "stdio"}]),
    create("mcp server unknown field", "mcp_servers.0.token: Extra inputs are not permitted",
           mcp_servers=[{**SERVER, "token": "x"}]),
    create("mcp server url long", "mcp_servers.0.url", mcp_servers=[{**SERVER, "url": "https://e.com/" + "a" * 2048}]),
    create("mcp server url no url", "mcp_servers.0.url", mcp_servers=[{**SERVER, "url": "not a url"}]),
    create("mcp server twice", "mcp_servers.1.name", mcp_servers=[SERVER, SERVER], tools=[MCP]),
    create("mcp server unused", "mcp_servers", mcp_servers=[SERVER]),
    create("mcp servers too many", "mcp_servers", mcp_servers=[{**SERVER, "name": f"s{i}"} for i in range(21)]),
    tools("mcp toolset without server", "tools.0.mcp_server_name", MCP),
    tools("mcp toolset without name", "tools.0.mcp_server_name: Field required", {"type": "mcp_toolset"}),
    tools("mcp toolset config with type", "tools.0.configs.0.type: Extra inputs are not permitted",
          {**MCP, "configs": [{"name": "t", "type": "t"}]}),
    create("skill type", "skills.0.type: ", skills=[{"type": "other", "skill_id": "x"}]),
    create("skill without id", "skills.0.skill_id: Field required", skills=[{"type": "anthropic"}]),
    create("skill unknown field", "skills.0.x: Extra inputs are not permitted",
           skills=[{"type": "anthropic", "skill_id": "xlsx", "x": 1}]),
    create("skills without read", "read", skills=[{"type": "anthropic", "skill_id": "xlsx", "version": "1"}]),
    create("multiagent type", "multiagent.type: ", multiagent={"type": "swarm"}),
    create("multiagent a string", "multiagent: ", multiagent="coordinator"),
    create("coordinator without agents", "multiagent.agents: Field required", multiagent={"type": "coordinator"}),
    create("coordinator empty", "multiagent.agents", multiagent={"type": "coordinator", "agents": []}),
    create("coordinator two selves", "multiagent.agents",
           multiagent={"type": "coordinator", "agents": [{"type": "self"}, {"type": "self"}]}),
    create("coordinator unknown agent", "multiagent.agents.0",
           multiagent={"type": "coordinator", "agents": ["agent_011CZkZ9X2dpNyB7HsEFoRfW"]}),
    create("coordinator archived agent", "multiagent.agents.0",
           multiagent={"type": "coordinator", "agents": ["{archived_agent}"]}),
    create("coordinator entry type", "multiagent.agents.0", multiagent={"type": "coordinator", "agents": [{"type": "x"}]}),
    create("advisor without model", "multiagent.advisor.model: Field required",
           multiagent={"type": "multiagent_20261001", "advisor": {"type": "enabled"}}),
    create("advisor type", "multiagent.advisor.type: ",
           multiagent={"type": "multiagent_20261001", "advisor": {"type": "maybe"}}),
    create("subagents with nobody", "multiagent.subagents", multiagent={
        "type": "multiagent_20261001",
        "subagents": {"type": "enabled", "inline_agents": {"type": "disabled"}, "predefined_agents": []}}),
    create("multiagent unknown field", "multiagent.x: Extra inputs are not permitted",
           multiagent={"type": "multiagent_20261001", "x": 1}),
]

UPDATES = [
    update("version zero", "version: ", version=0),
    update("version a string", "version: ", version="1"),
    update("stale version", "", status=409, version=99),
    update("name null", "name: ", name=None),
    update("name empty", "name: ", name=""),
    update("model null", "model: ", model=None),
    update("unknown field", "id: Extra inputs are not permitted", id="agent_x"),
    update("tools wrong", "tools.0.type: ", tools=[{"type": "?"}]),
    update("metadata number", "metadata.k", metadata={"k": 7}),
    update("metadata too many", "metadata", metadata={str(i): "v" for i in range(17)}),
    Case("agent update: archived", "POST", "/v1/agents/{archived_agent}", "archived", json={"name": "x"}),
    Case("agent update: not found", "POST", "/v1/agents/agent_011CZkZ9X2dpNyB7HsEFoRfW", "", 404, json={"name": "x"}),
    Case("agent: not found", "GET", "/v1/agents/agent_011CZkZ9X2dpNyB7HsEFoRfW", "", 404),
    Case("agent: no id", "GET", "/v1/agents/nonsense", "", 404),
    Case("agent: id of another kind", "GET", "/v1/agents/{env}", "", 404),
    Case("agent: id too long", "GET", "/v1/agents/agent_" + "1" * 500, "", 404),
    Case("agent: unknown version", "GET", "/v1/agents/{agent}", "", 404, query=[("version", "99")]),
    Case("agent: version zero", "GET", "/v1/agents/{agent}", "version", query=[("version", "0")]),
    Case("agent: version a word", "GET", "/v1/agents/{agent}", "version", query=[("version", "new")]),
    Case("agent archive: not found", "POST", "/v1/agents/agent_011CZkZ9X2dpNyB7HsEFoRfW/archive", "", 404),
    Case("agent archive: a field", "POST", "/v1/agents/{agent}/archive", "x: Extra inputs are not permitted",
         json={"x": 1}),
    Case("agent versions: not found", "GET", "/v1/agents/agent_011CZkZ9X2dpNyB7HsEFoRfW/versions", "", 404),
]

CASES = FIELDS + TOOLS + WEB + CONNECTIONS + UPDATES
