"""Sessions: creation in all its forms, updates, and what a session cannot be asked in its state."""

from __future__ import annotations

from typing import Any

from .case import Case

MISSING = "011CZkZ9X2dpNyB7HsEFoRfW"
UNSUPPORTED = "feature_not_supported"
TOOLSET = "agent_toolset_20260401"


def create(name: str, says: str, /, *, status: int = 400, code: str | None = None, **change: Any) -> Case:
    body = {k: v for k, v in ({"agent": "{agent}", "environment_id": "{env}"} | change).items() if v is not ...}
    return Case(f"session: {name}", "POST", "/v1/sessions", says, status, json=body, code=code)


def overrides(name: str, says: str, /, *, code: str | None = None, **change: Any) -> Case:
    return create(name, says, code=code, agent={"type": "agent_with_overrides", "id": "{agent}", **change})


def unsupported(name: str, says: str, /, **change: Any) -> Case:
    return create(f"later feature: {name}", says, code=UNSUPPORTED, **change)


def initial(name: str, says: str, *events: Any, code: str | None = None) -> Case:
    return create(f"initial events: {name}", says, initial_events=list(events), code=code)


def update(name: str, says: str, /, *, to: str = "{session}", code: str | None = None, **body: Any) -> Case:
    return Case(f"session update: {name}", "POST", f"/v1/sessions/{to}", says, json=body, code=code)


MESSAGE = {"type": "user.message", "content": [{"type": "text", "text": "x"}]}

CREATE = [
    create("no agent", "agent: Field required", agent=...),
    create("agent_id for agent", "agent_id: Extra inputs are not permitted", agent_id="{agent}"),
    create("no environment", "environment_id: Field required", environment_id=...),
    create("agent null", "agent: ", agent=None),
    create("agent number", "agent: ", agent=1),
    create("agent not found", "agent", agent=f"agent_{MISSING}", status=404),
    create("agent archived", "archived", agent="{archived_agent}"),
    create("agent no id at all", "agent", agent="robot", status=404),
    create("agent object without id", "agent.id: Field required", agent={"type": "agent"}),
    create("agent object type", "agent.type: ", agent={"type": "robot", "id": "{agent}"}),
    create("agent object unknown field", "agent.model: Extra inputs are not permitted",
           agent={"type": "agent", "id": "{agent}", "model": "m"}),
    create("agent version zero", "agent.version", agent={"type": "agent", "id": "{agent}", "version": 0}),
    create("agent version unknown", "", agent={"type": "agent", "id": "{agent}", "version": 99}, status=404),
    create("environment not found", "environment", environment_id=f"env_{MISSING}", status=404,
           code="environment_not_found"),
    create("environment archived", "archived", environment_id="{archived_env}", code="environment_archived"),
    create("environment number", "environment_id: ", environment_id=1),
    create("vault not found", "vault", vault_ids=[f"vlt_{MISSING}"], status=404),
    create("vault no id at all", "vault_ids.0: ", vault_ids=["prod"]),
    create("vaults no list", "vault_ids: ", vault_ids=f"vlt_{MISSING}"),
    create("vaults too many", "vault_ids: List should have at most 50", vault_ids=[f"vlt_{MISSING}"] * 51),
    create("title number", "title: ", title=1),
    create("title with NUL", "title: ", title="a\0"),
    create("metadata number", "metadata.k", metadata={"k": 1}),
    create("metadata too many", "metadata", metadata={str(i): "v" for i in range(17)}),
    create("unknown field", "workspace_id: Extra inputs are not permitted", workspace_id="wrkspc_1"),
    overrides("override model null", "model", code="agent_model_required", model=None),
    overrides("override unknown field", "agent.name: Extra inputs are not permitted", name="x"),
    overrides("override model wrong", "agent.model", model={"id": 1}),
    overrides("override system long", "agent.system", system="x" * 100_001),
    overrides("override tools wrong", "agent.tools.0.type: ", tools=[{"type": "?"}]),
    overrides("override mcp dangling", "mcp_server", tools=[{"type": "mcp_toolset", "mcp_server_name": "s"}]),
]

# Stored on the agent or the environment as documented; a session that would need it is refused by name.
LATER = [
    unsupported("budget", "budget", budget={"type": "limit", "max_list_cost": {"amount": "100", "currency": "USD"}}),
    unsupported("memory resource", "resource", resources=[
        {"type": "memory_store", "memory_store_id": f"memstore_{MISSING}"}]),
    unsupported("multiagent agent", "multiagent", agent="{multi_agent}"),
    unsupported("role agent", "aws_role", agent="{role_agent}"),
    unsupported("self-hosted environment", "self_hosted", environment_id="{self_hosted_env}"),
    initial("outcome", "outcome", {"type": "user.define_outcome", "description": "d",
                                   "rubric": {"type": "text", "content": "r"}}, code=UNSUPPORTED),
]



def resources(name: str, says: str, *given: Any) -> Case:
    return create(f"resources: {name}", says, resources=list(given))


def add(name: str, says: str, /, *, code: str | None = None, **body: Any) -> Case:
    return Case(f"session resource: {name}", "POST", "/v1/sessions/{session}/resources", says, json=body, code=code)


def mounted(path: Any, file: str = "{file}") -> dict[str, Any]:
    return {"type": "file", "file_id": file, "mount_path": path}


def repository(name: str, says: str, /, **given: Any) -> Case:
    given = {"type": "github_repository", "url": "https://github.com/a/b"} | given
    return resources(f"repository {name}", says, {k: v for k, v in given.items() if v is not ...})


def address(url: Any, says: str = "URL should") -> Case:
    return repository(f"at {url!r}"[:60], f"resources.0.url: {says}", url=url)


def checkout(name: str, says: str, given: Any) -> Case:
    return repository(f"checkout {name}", f"resources.0.checkout{says}", checkout=given)


def placed(path: Any, says: str = "") -> Case:
    return repository(f"path {path!r}"[:60], f"resources.0.mount_path: {says}", mount_path=path)


CLONED = {"type": "github_repository", "url": "https://github.com/a/b"}

REPOSITORIES = [
    repository("token number", "resources.0.authorization_token: ", authorization_token=1),
    repository("token empty", "resources.0.authorization_token: ", authorization_token=""),
    repository("token of two lines", "resources.0.authorization_token: String should not contain line breaks",
               authorization_token="a\nb"),
    repository("no url", "resources.0.url: Field required", url=...),
    repository("unknown field", "resources.0.branch: Extra inputs are not permitted", branch="main"),
    address(1, "Input should be a valid string"),
    address("", "URL scheme should be 'https'"),
    address("git@github.com:a/b", "URL scheme should be 'https'"),
    address("ssh://git@github.com/a/b", "URL scheme should be 'https'"),
    address("file:///etc/passwd", "URL scheme should be 'https'"),
    address("ext::sh -c id", "URL scheme should be 'https'"),
    address("--upload-pack=id", "URL scheme should be 'https'"),
    address("https://user:pass@github.com/a/b", "URL should not contain a user or a password"),
    address("https://github.com/a"),
    address("https://github.com/a/b.git", "URL should be https://github.com/<owner>/<repo>, without .git"),
    address("https://github.com/a/b/"),
    address("https://github.com/a/../b"),
    address("https://127.0.0.1/a/b", "URL should have the name of a host, not an address"),
    address("https://[::1]/a/b", "URL should have the name of a host, not an address"),
    address("http://github.com/a/b", "repositories of http://github.com are not permitted"),
    address("https://git.example.org/a", "repositories of https://git.example.org are not permitted"),
    address("https://github.com:8443/a/b", "repositories of https://github.com:8443 are not permitted"),
    address("https://github.com.example.org/a/b", "repositories of https://github.com.example.org are not permitted"),
    checkout("text", ": Input should be an object", "main"),
    checkout("type", ".type: 'tag' is not one of", {"type": "tag", "name": "v1"}),
    checkout("no name", ".name: Field required", {"type": "branch"}),
    checkout("option", ".name: Input should be the name of a Git branch", {"type": "branch", "name": "--orphan"}),
    checkout("range", ".name: Input should be the name of a Git branch", {"type": "branch", "name": "a..b"}),
    checkout("short hash", ".sha: Input should be the whole hash", {"type": "commit", "sha": "0123abc"}),
    checkout("no hash", ".sha: Input should be the whole hash", {"type": "commit", "sha": "x" * 40}),
    placed(1, "Input should be a valid string"),
    placed("tool", "Input should be an absolute path below /workspace"),
    placed("/etc", "Input should be an absolute path below /workspace"),
    placed("/workspace", "Input should be an absolute path below /workspace"),
    placed("/workspace/../etc"),
    placed("/workspace/a/.git", "Input should have no directory named .git"),
    resources("two repositories at one place", "resources.1.mount_path: another resource", CLONED, CLONED),
    resources("repository in a repository", "resources.1.mount_path: another resource", CLONED,
              CLONED | {"mount_path": "/workspace/b/c"}),
    resources("file in a repository", "resources.1.mount_path: another resource", CLONED, mounted("/workspace/b/x")),
    resources("repository around a file", "resources.1.mount_path: another resource", mounted("/workspace/b/x"),
              CLONED),
    resources("too many repositories", "resources: a session can have at most 20 repositories",
              *[CLONED | {"mount_path": f"/workspace/{n}"} for n in range(21)]),
    resources("file behind a repository", "resources.1.file_id: no such file", CLONED, mounted("/a", f"file_{MISSING}")),
]

RESOURCES = [
    create("resources no list", "resources: Input should be a valid array", resources={}),
    resources("no type", "resources.0.type: Field required", {"file_id": "{file}"}),
    resources("unknown type", "resources.0.type: 'directory' is not one of", {"type": "directory"}),
    resources("no file", "resources.0.file_id: Field required", {"type": "file"}),
    resources("no file's id", "resources.0.file_id: not a valid file id", {"type": "file", "file_id": "x"}),
    resources("unknown file", "resources.1.file_id: no such file", mounted("/a"), mounted("/b", f"file_{MISSING}")),
    resources("unknown field", "resources.0.path: Extra inputs are not permitted", {**mounted("/a"), "path": "/a"}),
    resources("path a number", "resources.0.mount_path: Input should be a valid string", mounted(1)),
    resources("path relative", "resources.0.mount_path: Input should be an absolute path", mounted("a.csv")),
    resources("path empty", "resources.0.mount_path: Input should be an absolute path", mounted("")),
    resources("path up", "resources.0.mount_path: ", mounted("/a/../../b")),
    resources("path of a directory", "resources.0.mount_path: ", mounted("/a/")),
    resources("path of the root", "resources.0.mount_path: ", mounted("/")),
    resources("path in the outputs", "resources.0.mount_path: ", mounted("/mnt/session/outputs/a")),
    resources("path with a line break", "resources.0.mount_path: ", mounted("/a\nb")),
    resources("name too long", "resources.0.mount_path: ", mounted("/" + "n" * 256)),
    resources("path too deep", "resources.0.mount_path: ", mounted("/a" * 33)),
    resources("same path", "resources.1.mount_path: another resource", mounted("/a"), mounted("/mnt/session/uploads/a")),
    resources("same default path", "resources.1.mount_path: another resource", mounted(None), mounted(None)),
    resources("path below a file", "resources.1.mount_path: another resource", mounted("/a"), mounted("/a/b")),
    resources("too many", "resources: List should have at most 500 items", *[mounted(f"/{n}") for n in range(501)]),
    add("no file", "file_id: Field required", type="file"),
    add("unknown file", "file_id: no such file", type="file", file_id=f"file_{MISSING}"),
    add("path relative", "mount_path: Input should be an absolute path", **mounted("a")),
    add("repository", "type: a repository can only be given when the session is made", type="github_repository",
        url="https://github.com/a/b"),
    add("memory store", "memory store resource", type="memory_store", memory_store_id=f"memstore_{MISSING}",
        code=UNSUPPORTED),
    Case("session resource: terminated", "POST", "/v1/sessions/{archived_session}/resources", "terminated session",
         json=mounted("/a")),
    Case("session resource: no such session", "POST", f"/v1/sessions/sesn_{MISSING}/resources", "", 404,
         json=mounted("/a")),
    Case("session resource: not found", "GET", f"/v1/sessions/{{session}}/resources/sesrsc_{MISSING}", "", 404),
    Case("session resource: no id", "GET", "/v1/sessions/{session}/resources/x", "", 404),
    Case("session resource delete: not found", "DELETE", f"/v1/sessions/{{session}}/resources/sesrsc_{MISSING}", "",
         404),
]

INITIAL = [
    create("initial events an object", "initial_events: ", initial_events={}),
    create("initial events too many", "initial_events", initial_events=[MESSAGE] * 51),
    initial("wrong type", "initial_events.0.type", {"type": "agent.message", "content": []}),
    initial("interrupt", "initial_events.0.type", {"type": "user.interrupt"}),
    initial("second is wrong", "initial_events.1.content", MESSAGE, {"type": "user.message", "content": []}),
    initial("without content", "initial_events.0.content: Field required", {"type": "user.message"}),
    initial("an id", "initial_events.0.id: Extra inputs are not permitted", {**MESSAGE, "id": "sevt_1"}),
]

UPDATE = [
    update("title number", "title: ", title=1),
    update("metadata list", "metadata: ", metadata=[]),
    update("metadata too many", "metadata", metadata={str(i): "v" for i in range(17)}),
    update("unknown field", "status: Extra inputs are not permitted", status="running"),
    update("vault ids", "vault_ids", vault_ids=[]),
    update("budget", "budget", budget={"type": "limit", "max_list_cost": {"amount": "1", "currency": "USD"}},
           code=UNSUPPORTED),
    update("agent system", "agent.system: Extra inputs are not permitted", agent={"system": "x"}),
    update("agent a string", "agent: ", agent="{agent}"),
    update("agent tools wrong", "agent.tools.0.type: ", agent={"tools": [{"type": "?"}]}),
    update("archived", "", to="{archived_session}", title="x"),
]

STATE = [
    Case("session: not found", "GET", f"/v1/sessions/sesn_{MISSING}", "", 404),
    Case("session update: not found", "POST", f"/v1/sessions/sesn_{MISSING}", "", 404, json={"title": "x"}),
    Case("session delete: not found", "DELETE", f"/v1/sessions/sesn_{MISSING}", "", 404),
    Case("session archive: not found", "POST", f"/v1/sessions/sesn_{MISSING}/archive", "", 404),
    Case("session resources: not found", "GET", f"/v1/sessions/sesn_{MISSING}/resources", "", 404),
    Case("session: id of another kind", "GET", "/v1/sessions/{agent}", "", 404),
]

CASES = CREATE + LATER + REPOSITORIES + RESOURCES + INITIAL + UPDATE + STATE
