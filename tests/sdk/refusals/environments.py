"""Environments: configuration, life cycle, and the strictness about beta values that agents do not have."""

from __future__ import annotations

from typing import Any

from .case import Case

LIMITED = {"type": "limited"}


def create(name: str, says: str, /, **change: Any) -> Case:
    body = {k: v for k, v in ({"name": "e"} | change).items() if v is not ...}
    return Case(f"environment: {name}", "POST", "/v1/environments", says, json=body)


def cloud(name: str, says: str, /, **config: Any) -> Case:
    return create(name, says, config={"type": "cloud", **config})


def update(name: str, says: str, /, *, to: str = "{env}", status: int = 400, code: str | None = None,
           **body: Any) -> Case:
    return Case(f"environment update: {name}", "POST", f"/v1/environments/{to}", says, status, json=body, code=code)


CASES = [
    create("no name", "name: Field required", name=...),
    create("name empty", "name: ", name=""),
    create("name null", "name: ", name=None),
    create("name a list", "name: ", name=["e"]),
    create("unknown field", "image: Extra inputs are not permitted", image="ubuntu"),
    create("description number", "description: ", description=1),
    create("metadata list", "metadata: ", metadata=[]),
    create("metadata too many", "metadata", metadata={str(i): "v" for i in range(17)}),
    create("metadata value", "metadata.k", metadata={"k": {}}),
    create("scope account", "scope", scope="account"),
    create("scope unknown", "scope", scope="planet"),
    create("config a string", "config: ", config="cloud"),
    create("config without type", "config.type: Field required", config={}),
    create("config type unknown", "config.type: ", config={"type": "mainframe"}),
    create("self_hosted with members", "config.networking: Extra inputs are not permitted",
           config={"type": "self_hosted", "networking": {"type": "unrestricted"}}),
    cloud("unknown member", "config.setup_script: Extra inputs are not permitted", setup_script="true"),
    cloud("networking a word", "config.networking: ", networking="unrestricted"),
    cloud("networking without type", "config.networking.type: Field required", networking={}),
    cloud("networking type", "config.networking.type: ", networking={"type": "airgapped"}),
    cloud("unrestricted with hosts", "config.networking.allowed_hosts: Extra inputs are not permitted",
          networking={"type": "unrestricted", "allowed_hosts": []}),
    cloud("hosts a string", "config.networking.allowed_hosts: ", networking={**LIMITED, "allowed_hosts": "a.com"}),
    *[cloud(f"host {bad!r}", "config.networking.allowed_hosts.0", networking={**LIMITED, "allowed_hosts": [bad]})
      for bad in ["https://a.com", "a.com:443", "a.com/x", "", "a.*.com", "a b.com", 7]],
    cloud("allow_mcp_servers word", "config.networking.allow_mcp_servers: ",
          networking={**LIMITED, "allow_mcp_servers": "yes"}),
    cloud("limited unknown member", "config.networking.ports: Extra inputs are not permitted",
          networking={**LIMITED, "ports": [1]}),
    cloud("packages a list", "config.packages: ", packages=["graphviz"]),
    cloud("packages unknown manager", "config.packages.brew: Extra inputs are not permitted", packages={"brew": []}),
    cloud("packages apt a string", "config.packages.apt: ", packages={"apt": "graphviz"}),
    cloud("packages entry a number", "config.packages.pip.0", packages={"pip": [1]}),
    *[cloud(f"package {manager} {bad!r}", f"config.packages.{manager}.0: Input should be one package", packages={manager: [bad]})
      for manager in ["apt", "cargo", "gem", "go", "npm", "pip"]
      for bad in ["--index-url=https://a.com", "-e.", "six;touch$IFS/x", "six touch", "six\ntouch", "six\ttouch",
                  "six\u2028touch", "six\x1btouch", "$(touch)", "`touch`", "six|touch", "six'touch", 'six"touch']],
    cloud("packages type", "config.packages.type: ", packages={"type": "things"}),
    cloud("packages under limited", "allow_package_managers", networking=LIMITED, packages={"pip": ["pandas"]}),
    update("type change", "config.type", code="invalid_config_type_change", config={"type": "self_hosted"}),
    update("archived", "archived", to="{archived_env}", code="environment_archived", name="x"),
    update("unknown field", "colour: Extra inputs are not permitted", colour="red"),
    update("name empty", "name: ", name=""),
    update("networking type", "config.networking.type: ",
           config={"type": "cloud", "networking": {"type": "airgapped"}}),
    update("not found", "", to="env_011CZkZ9X2dpNyB7HsEFoRfW", status=404, name="x"),
    Case("environment: not found", "GET", "/v1/environments/env_011CZkZ9X2dpNyB7HsEFoRfW", "", 404),
    Case("environment: nonsense id", "GET", "/v1/environments/..%2f..%2fetc", "", 404),
    Case("environment delete: in use", "DELETE", "/v1/environments/{env}", "session", 409),
    Case("environment delete: not found", "DELETE", "/v1/environments/env_011CZkZ9X2dpNyB7HsEFoRfW", "", 404),
    Case("environment archive: not found", "POST", "/v1/environments/env_011CZkZ9X2dpNyB7HsEFoRfW/archive", "", 404),
    Case("environment: unknown beta value", "GET", "/v1/environments", "made-up-2026-01-01",
         headers={"anthropic-beta": "managed-agents-2026-04-01,made-up-2026-01-01"}),
]
