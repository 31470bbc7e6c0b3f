"""Files of a session: those that are mounted into it, and those that it makes."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from fake_model import FakeModel, Reply, tool_use
from subscriber import settle
from wire import Wire


def sh(wire: Wire, model: FakeModel, session_id: str, command: str) -> str:
    """What a command prints in the session's sandbox, in a turn of its own."""
    model.say(Reply([tool_use("bash", command=command)]), "Done.")
    events = settle(wire, session_id, "Go.")
    [result] = [e for e in events if e["type"] == "agent.tool_result"][-1:]
    return result["content"][0]["text"]


def test_a_mounted_file_is_a_copy_that_belongs_to_the_session(client: anthropic.Anthropic, wire: Wire, model: FakeModel,
                                                              agent: dict[str, Any],
                                                              environment: dict[str, Any]) -> None:
    file = client.beta.files.upload(file=("data.csv", b"a,b\n1,2\n", "text/csv"))
    session = client.beta.sessions.create(agent=agent["id"], environment_id=environment["id"], resources=[
        {"type": "file", "file_id": file.id, "mount_path": "/mnt/user-data/uploads/data.csv"},
        {"type": "file", "file_id": file.id},
    ])
    named, default = session.resources
    assert named.mount_path == "/mnt/session/uploads/mnt/user-data/uploads/data.csv"
    assert default.mount_path == f"/mnt/session/uploads/{file.id}"
    assert len({file.id, named.file_id, default.file_id}) == 3
    scoped = list(client.beta.files.list(scope_id=session.id, betas=["managed-agents-2026-04-01"]))
    assert {f.id for f in scoped} == {named.file_id, default.file_id}
    assert all(f.scope and f.scope.id == session.id and f.filename == "data.csv" for f in scoped)
    # The session's copies stay when the file goes.
    client.beta.files.delete(file.id)
    command = f"cat /mnt/user-data/uploads/data.csv {default.mount_path} | grep -c 1,2; echo x > {named.mount_path}"
    count, refusal = sh(wire, model, session.id, command).strip().splitlines()[:2]
    assert count == "2" and "Read-only" in refusal
    client.beta.sessions.delete(session.id)
    for copy in (named, default):
        with pytest.raises(anthropic.NotFoundError):
            client.beta.files.retrieve_metadata(copy.file_id)


def test_resources_come_and_go_while_the_session_lives(client: anthropic.Anthropic, wire: Wire, model: FakeModel,
                                                       session: dict[str, Any]) -> None:
    ls = "ls /mnt/session/uploads | xargs"
    assert sh(wire, model, session["id"], ls).strip() == ""
    added = []
    for name in ("one", "two", "three"):
        file = client.beta.files.upload(file=(name, name.encode(), "text/plain"))
        added.append(client.beta.sessions.resources.add(session["id"], type="file", file_id=file.id,
                                                        mount_path=f"/{name}"))
    assert sh(wire, model, session["id"], ls).strip() == "one three two"
    resources = client.beta.sessions.resources
    assert [r.id for r in resources.list(session["id"])] == [r.id for r in added]
    assert [r.id for r in resources.list(session["id"], limit=2)] == [r.id for r in added]
    assert resources.retrieve(added[1].id, session_id=session["id"]) == added[1]
    assert resources.delete(added[1].id, session_id=session["id"]).type == "session_resource_deleted"
    # Whoever deletes the copy itself takes it out of the session too.
    client.beta.files.delete(added[2].file_id)
    assert [r.id for r in resources.list(session["id"])] == [added[0].id]
    assert sh(wire, model, session["id"], ls).strip() == "one"
    with pytest.raises(anthropic.BadRequestError, match="mount_path: another resource"):
        file = client.beta.files.upload(file=("again", b"x", "text/plain"))
        resources.add(session["id"], type="file", file_id=file.id, mount_path="/one")


def outputs(client: anthropic.Anthropic, session_id: str) -> dict[str, Any]:
    files = client.beta.files.list(scope_id=session_id, betas=["managed-agents-2026-04-01"])
    return {file.filename: file for file in files}


def test_outputs_are_files_of_the_session(client: anthropic.Anthropic, wire: Wire, model: FakeModel,
                                          session: dict[str, Any]) -> None:
    assert outputs(client, session["id"]) == {}
    sh(wire, model, session["id"],
       "cd /mnt/session/outputs && echo a,b > table.csv && mkdir d && head -c 300000 /dev/zero > d/zeros.bin")
    made = outputs(client, session["id"])
    assert made.keys() == {"table.csv", "zeros.bin"}
    table = made["table.csv"]
    assert (table.downloadable, table.mime_type, table.size_bytes) == (True, "text/csv", 4)
    assert table.scope and table.scope.id == session["id"]
    assert client.beta.files.download(table.id).read() == b"a,b\n"
    assert client.beta.files.download(made["zeros.bin"].id).read() == bytes(300000)
    sh(wire, model, session["id"], "cd /mnt/session/outputs && echo c,d > table.csv && rm -r d")
    again = outputs(client, session["id"])
    assert again.keys() == {"table.csv"} and again["table.csv"].id != table.id
    assert client.beta.files.download(again["table.csv"].id).read() == b"c,d\n"
    with pytest.raises(anthropic.NotFoundError):
        client.beta.files.download(table.id)


def test_an_output_can_be_mounted_elsewhere_and_goes_with_its_session(client: anthropic.Anthropic, wire: Wire,
                                                                      model: FakeModel, session: dict[str, Any]) -> None:
    sh(wire, model, session["id"], "echo made > /mnt/session/outputs/made.txt")
    made = outputs(client, session["id"])["made.txt"]
    other = client.beta.sessions.create(agent=session["agent"]["id"], environment_id=session["environment_id"],
                                        resources=[{"type": "file", "file_id": made.id, "mount_path": "/made.txt"}])
    client.beta.sessions.delete(session["id"])
    with pytest.raises(anthropic.NotFoundError):
        client.beta.files.retrieve_metadata(made.id)
    assert sh(wire, model, other.id, "cat /made.txt").strip() == "made"
