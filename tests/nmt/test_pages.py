"""The pages that people read: nothing left to fill in, and every link to a file of the project leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "saved_models" / "README.md"]
PLACEHOLDER = re.compile(
    r"\b(TODO|TBD|FIXME|XXX)\b|to be (measured|written|done|run)|\?\?\?|lorem ipsum", re.IGNORECASE
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([^)\s]+))?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_nothing_is_left_to_fill_in(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not [line for line in text.splitlines() if PLACEHOLDER.search(line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    links = [target for target, _ in LINK.findall(page.read_text(encoding="utf-8"))]
    missing = [target for target in links if "://" not in target and not (page.parent / target).exists()]
    assert not missing


def test_a_placeholder_and_a_link_are_found() -> None:
    assert PLACEHOLDER.search("BLEU: TBD") and not PLACEHOLDER.search("the next to be called")
    assert LINK.findall("see [the page](docs/a.md#b) and [site](https://x.org)") == [
        ("docs/a.md", "b"),
        ("https://x.org", ""),
    ]
