"""Every code block of the documents works: each page is followed from top to bottom. See tests/docs/markdown.py."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Iterator

import pytest

from hostler_process import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "docs"))

from markdown import Block, blocks  # noqa: E402
from page import Page  # noqa: E402

PAGES = ["README.md", *sorted(str(p.relative_to(REPOSITORY)) for p in (REPOSITORY / "docs").rglob("*.md"))]
# Blocks that nobody runs. A new one needs a good reason, and then a new number here.
NO_RUN_MAX = 7


def of(name: str) -> list[Block]:
    return blocks(REPOSITORY / name, name)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    page = Page(tmp_path)
    yield page
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_works(name: str, page: Page) -> None:
    found = of(name)
    runs = [b for b in found if b.reason is None and b.language in {"bash", "sh", "python", "typescript"}]
    if runs and not any(block.option == "server" for block in runs):
        # A page that begins with a server that is there already.
        page.serve("hostler serve", name)
    for block in found:
        page.run(block)


def test_few_blocks_are_not_run() -> None:
    marked = [f"{block.place}: {block.reason}" for name in PAGES for block in of(name) if block.reason is not None]
    assert len(marked) <= NO_RUN_MAX, "\n".join(marked)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_left_to_fill_in(name: str) -> None:
    assert not re.findall(r"@@\w+@@|\bTODO\b|\bTBD\b", (REPOSITORY / name).read_text())


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    """Links between files of the repository, with the heading that they name."""
    text = (REPOSITORY / name).read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.S)):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        linked = ((REPOSITORY / name).parent / path if path else REPOSITORY / name).resolve()
        assert linked.exists(), f"{name}: {target} is not there"
        if heading:
            assert heading in headings(linked), f"{name}: {target} has no such heading: {headings(linked)}"


def headings(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", path.read_text(), flags=re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
