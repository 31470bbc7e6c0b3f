"""The fenced blocks of a document, and what their info strings ask for.

    ```bash                   run; variables, functions and the working directory last until the end of the page
    ```bash server            a server in a terminal of its own: started, waited for, ended with the page
    ```python                 run; all of a page in one interpreter
    ```typescript             compiled strictly and run
    ```toml                   a configuration: read by `hostler serve --print-config`
    ```json                   parsed
    ```ini                    parsed
    ```json file=script.json  put into the page's folder besides (toml too)
    ```text output            what the block before it prints: these lines, in this order; `…` stands for anything
    ```text                   looked at by nobody
    ```bash no-run: why       not run, for that reason
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = {"bash", "sh", "python", "typescript", "toml", "json", "ini", "text"}
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,})(?P<info>[^`]*)$")


@dataclass(frozen=True)
class Block:
    document: str
    line: int
    language: str
    option: str
    reason: str | None
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def file(self) -> str | None:
        return self.option.removeprefix("file=") if self.option.startswith("file=") else None


def blocks(path: Path, name: str) -> list[Block]:
    found: list[Block] = []
    opening: re.Match[str] | None = None
    start, lines = 0, []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = FENCE.match(line)
        if opening is None:
            opening, start, lines = match, number, []
        elif match and match["fence"] == opening["fence"] and not match["info"].strip():
            found.append(_block(name, start, opening["info"].strip(), textwrap.dedent("\n".join(lines)) + "\n"))
            opening = None
        else:
            lines.append(line)
    assert opening is None, f"{name}:{start}: this block has no end"
    return found


def _block(name: str, line: int, info: str, text: str) -> Block:
    place = f"{name}:{line}"
    asked, marker, reason = info.partition("no-run:")
    language, _, option = asked.strip().partition(" ")
    assert language in LANGUAGES, f"{place}: the language of a block is one of {sorted(LANGUAGES)}, not {language!r}"
    assert not marker or reason.strip(), f"{place}: say why after `no-run:`"
    known = (option == "" or (option == "server" and language in {"bash", "sh"})
             or (option == "output" and language == "text")
             or (re.fullmatch(r"file=[\w.-]+", option) and language in {"json", "toml"}))
    assert known, f"{place}: a {language} block has no option {option!r}"
    return Block(name, line, language, option, reason.strip() or None, text)
