"""The pages that people read: no long line, no dead link, no file that is not there, no command without a page."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from modelfoundry.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 119
ELSEWHERE = ("http://", "https://", "mailto:")


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:  # an unpacked archive: no repository to ask
        return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
    return [path for line in listed.stdout.splitlines() if (path := ROOT / line).exists()]


PAGES = pages()
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that are neither a row of a table nor between fences."""
    fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith("|"):
            yield number, line


def anchors(page: Path) -> set[str]:
    """What headings are called in an address, as GitHub does it."""
    headings = (line.lstrip("#").strip().lower() for _, line in prose(page) if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def test_the_pages_are_found() -> None:
    assert {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/glossary.md"} <= set(IDS)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_lines_of_prose_have_under_120_characters(page: Path) -> None:
    assert [f"{page.name}:{number}: {line[:60]}" for number, line in prose(page) if len(line) > LONGEST] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(ELSEWHERE):
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != ROOT / "docs" / "decisions"], ids=str)
def test_files_and_folders_that_are_named_exist(page: Path) -> None:
    """Decisions speak of the house as it was; the other pages as it is."""
    named = re.findall(
        r"`((?:protos|services|registry|clients|tests|docs|deploy|benchmarks)/[\w./-]*)`", page.read_text()
    )
    real = [path.partition("NAME")[0].rpartition("/")[0] if "NAME" in path else path for path in named]
    assert [path for path in real if not (ROOT / path).exists()] == []


def test_every_command_stands_on_a_page_for_users() -> None:
    typed = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.parent == ROOT / "docs")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert {name for name in commands if not re.search(rf"modelfoundry {name}\b", typed)} == set()


def test_every_page_for_users_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(([^)#\s]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert {str(page.relative_to(ROOT)) for page in PAGES if page.parent == ROOT / "docs"} - linked == set()
