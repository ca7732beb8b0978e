"""No page tells to type what no test types: a new block of commands needs a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.pages import ROOT

HERE = Path(__file__).parent
PAGES = (ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md")))
# By page the test that types it: block by block, wherever it stands, or section by section.
WHOLLY = {"api.md": "test_pages", "doctor.md": "test_pages", "files.md": "test_pages",
          "retention.md": "test_pages"}  # fmt: skip
BY_SECTION = {
    "README.md": "test_pages",
    "restore.md": "test_restore_page",
    "several-machines.md": "test_several_machines",
    "deployment.md": "test_deployment",
}


def sections(text: str) -> set[str]:
    """Headings below which there are commands; those of commands' comments are none."""
    found, heading, fenced = set(), "", False
    for line in text.splitlines():
        if line.strip().startswith("```"):
            fenced = not fenced
            if line.strip() == "```sh":
                found.add(heading)
        elif not fenced and line.startswith("#"):
            heading = line.lstrip("#").strip()
    return found


def test_every_page_with_commands_has_its_test():
    with_commands = {page.name for page in PAGES if sections(page.read_text())}
    assert with_commands == WHOLLY.keys() | BY_SECTION.keys()


@pytest.mark.parametrize("name", BY_SECTION)
def test_every_section_with_commands_is_named_by_its_test(name):
    (path,) = [page for page in PAGES if page.name == name]
    running = (HERE / "running.py").read_text()
    source = (HERE / f"{BY_SECTION[name]}.py").read_text() + running
    missing = {
        one for one in sections(path.read_text()) if not re.search(rf"""['"]{one}['"]""", source)
    }
    assert missing == set()


@pytest.mark.parametrize("name", WHOLLY)
def test_pages_that_are_typed_from_top_to_end_are_named_by_their_test(name):
    assert f'page("{name}")' in (HERE / f"{WHOLLY[name]}.py").read_text()


def test_commands_are_marked_as_such_wherever_they_stand():
    """A block without a language would be passed over."""
    for page in PAGES:
        found = re.findall(r"^ *```(.*)\n((?:.*\n)*?) *```$", page.read_text(), re.MULTILINE)
        unmarked = [block for language, block in found if not language]
        for block in unmarked:
            typed = re.search(r"^ *(\.venv|tarkeep|make|curl|docker|sh) ", block, re.MULTILINE)
            assert not typed, f"{page.name}: {block}"
