"""Links of the documents lead to files and headings that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.checkout import REPOSITORY

FOLDERS = ("android_demo", "docs", "edge_asr", "export", "tests")
DOCUMENTS = [
    *sorted(REPOSITORY.glob("*.md")),
    *(path for name in FOLDERS for path in sorted((REPOSITORY / name).rglob("*.md"))),
]


def links(document: Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()) if "://" not in link]


def anchors(document: Path) -> set[str]:
    """Headings as GitHub names them."""
    prose = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in links(document):
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_has_links() -> None:
    assert len(links(REPOSITORY / "README.md")) > 5
