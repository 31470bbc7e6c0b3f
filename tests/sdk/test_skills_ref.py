"""The reference validator of skills and ours agree, on a corpus and on what becomes of it when it is altered at random.

Where they may differ is written down by name: each rule says which of the two is the stricter, and for what.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from skills_ref.validator import validate

from wire import Wire

MUTANTS = 400
MUTANTS_AGREEING_MIN = 200

CORPUS = [
    "---\nname: a-skill\ndescription: Does it.\n---\nBody.\n",
    "---\nname: \"a-skill\"\ndescription: 'Does: it.'\nlicense: MIT\n---\n",
    "---\nname: a-skill\ndescription: >\n  Folded\n  text.\nmetadata:\n  author: me\n  version: \"1.0\"\n---\nBody\n",
    "---\nname: a-skill\ndescription: |\n  Two\n  lines.\nallowed-tools: Bash(git:*) Read\n---\n",
    "---\nname: a-skill\ndescription: Does it. # a comment\ncompatibility: Needs git\n---\n",
    "---\nname: 123\ndescription: yes\nmetadata:\n  list:\n  - a\n  - b\n---\n",
    "---\n# first a comment\n\nname: a-skill\n\ndescription: Does it,\n  on two lines.\n---\n",
    "---\nname: a-skill\ndescription: \"quoted \\u00fc \\\" text\"\nlicense: ''\n---\n",
]

PLAIN = [
    ("", False), ("name: a\n", False), ("---\n", False), ("---\nname: a-skill\ndescription: x\n", False),
    ("---\n---\n", False), ("---\n- a\n- b\n---\n", False), ("---\njust text\n---\n", False),
    ("---\nname: a-skill\n---\n", False), ("---\nname: a-skill\ndescription:\n---\n", False),
    ("---\nname: a-skill\ndescription: \" \"\n---\n", False), ("---\nname: [a]\ndescription: x\n---\n", False),
    ("---\nname: {a: b}\ndescription: x\n---\n", False), ("---\nname: &x a-skill\ndescription: x\n---\n", False),
    ("---\nname: !!str a-skill\ndescription: x\n---\n", False), ("---\nname: a\nname: b\ndescription: x\n---\n", False),
    ("---\nname: a-skill\ndescription: a: b\n---\n", False), ("---\nname: a-skill\ndescription: \"x\n---\n", False),
    ("---\nname: a-skill\n\tdescription: x\n---\n", False), ("---\nname: A-skill\ndescription: x\n---\n", False),
    ("---\nname: -a\ndescription: x\n---\n", False), ("---\nname: a-\ndescription: x\n---\n", False),
    ("---\nname: a--b\ndescription: x\n---\n", False), ("---\nname: a_b\ndescription: x\n---\n", False),
    ("---\nname: a b\ndescription: x\n---\n", False), ("---\nname: " + "a" * 65 + "\ndescription: x\n---\n", False),
    ("---\nname: " + "a" * 64 + "\ndescription: x\n---\n", True),
    ("---\nname: a-skill\ndescription: " + "d" * 1024 + "\n---\n", True),
    ("---\nname: a-skill\ndescription: " + "d" * 1025 + "\n---\n", False),
    ("---\nname: a-skill\ndescription: " + "ü" * 1024 + "\n---\n", True),
    ("---\nname: a-skill\ndescription: x\ncompatibility: " + "c" * 501 + "\n---\n", False),
    ("---\nname: a-skill\ndescription: x\ncompatibility:\n  a: b\n---\n", False),
    ("---\nname: a-skill\ndescription: x\nversion: 1\n---\n", False),
    ("---\nname: a-skill\ndescription: x\nmetadata:\n  a: b\n  c:\n    d: e\n---\n", True),
    ("\ufeff---\nname: a-skill\ndescription: x\n---\n", False), ("--- \nname: a-skill\ndescription: x\n---\n", True),
    ("---\r\nname: a-skill\r\ndescription: x\r\n---\r\n", True), ("----\nname: a-skill\ndescription: x\n---\n", False),
]

# What the hosted service documents, or we add, beyond the reference: it accepts, and we refuse with these words.
STRICTER = {
    "names of other letters than a-z": ("---\nname: größe\ndescription: x\n---\n", "a-z"),
    "the reserved word anthropic": ("---\nname: by-anthropic\ndescription: x\n---\n", "reserved word"),
    "the reserved word claude": ("---\nname: claude-helper\ndescription: x\n---\n", "reserved word"),
    "XML tags in a description": ("---\nname: a-skill\ndescription: a <b>x</b>\n---\n", "XML tags"),
    "the end of the front matter within a line": ("---\nname: a-skill\ndescription: a --- b\n---\n", "within a line"),
}

# The words of those refusals.
STRICTER_WORDS = tuple(words for _, words in STRICTER.values())


def ours(wire: Wire, folder: str, text: str) -> str | None:
    """Why it is refused; `None` if it is taken."""
    answer = wire.call("POST", "/v1/skills", files=[("files[]", (f"{folder}/SKILL.md", text.encode(), "text/markdown"))])
    assert answer.status_code in (200, 400), answer.text
    return None if answer.status_code == 200 else answer.json()["error"]["message"]


def theirs(folder: Path, text: str) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_bytes(text.encode())
    try:
        return validate(folder)
    except Exception as error:  # noqa: BLE001 - whatever its parser stumbles over is a refusal
        return [f"{type(error).__name__}: {error}"]


def folder_of(text: str) -> str:
    """What the skill says it is called: the reference wants the folder to have its name."""
    found = re.search(r"^name: *[\"']?([^\"'\s#]+)", text, re.MULTILINE)
    return found[1] if found and not set(found[1]) & set("/\\\0") and found[1] not in (".", "..") else "folder"


@pytest.mark.parametrize(("text", "is_skill"), [(text, True) for text in CORPUS] + PLAIN,
                         ids=lambda value: repr(value)[:40])
def test_both_say_the_same(wire: Wire, tmp_path: Path, text: str, is_skill: bool) -> None:
    folder = folder_of(text)[:80]
    assert (ours(wire, folder, text) is None, not theirs(tmp_path / folder, text)) == (is_skill, is_skill)


@pytest.mark.parametrize("rule", STRICTER)
def test_where_we_are_stricter(wire: Wire, tmp_path: Path, rule: str) -> None:
    text, words = STRICTER[rule]
    folder = folder_of(text)
    assert theirs(tmp_path / folder, text) == []
    assert words in (ours(wire, folder, text) or "")


def test_where_the_reference_is_stricter(wire: Wire, tmp_path: Path) -> None:
    """A name that is left out means the folder's, and a folder may have another name than its skill."""
    for text in ["---\ndescription: x\n---\n", "---\nname: another\ndescription: x\n---\n"]:
        assert ours(wire, "a-folder", text) is None
        assert theirs(tmp_path / "a-folder", text)


def mutated(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    piece = chance.choice(["\n", " ", "  ", ":", ": ", "-", "- ", "---\n", "'", '"', "#", " #", "{", "[", "&a ", "*a", "!x ",
                           "|", ">", "\t", "name: ", "x", "é", "\\", "%", "@", "`", "?", ","])
    match chance.randrange(3):
        case 0:
            return text[:at] + piece + text[at:]
        case 1:
            return text[:at] + text[at + chance.randrange(1, 4):]
        case _:
            return text[:at] + piece + text[at + 1:]


def test_both_say_the_same_of_mutants(wire: Wire, tmp_path: Path) -> None:
    chance = random.Random(7)
    differ, agreed = [], 0
    for number in range(MUTANTS):
        text = mutated(chance.choice(CORPUS), chance)
        if chance.randrange(2):
            text = mutated(text, chance) if text else text
        folder = folder_of(text)
        refused, errors = ours(wire, folder, text), theirs(tmp_path / str(number) / folder, text)
        if (refused is None) == (not errors):
            agreed += 1
        elif not errors and any(words in (refused or "") for words in STRICTER_WORDS):
            continue
        elif refused is None and all("Missing required field in frontmatter: name" in e or "Directory name" in e
                                     for e in errors):
            continue
        else:
            differ.append((text, refused, errors))
    assert not differ, "\n".join(map(str, differ[:20])) + f"\n{len(differ)} in all"
    assert agreed >= MUTANTS_AGREEING_MIN
